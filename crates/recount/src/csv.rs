//! CSV, one byte after the other.

use std::io;

use logtally_core::limits::{COLUMNS_MAX, RECORD_BYTES_MAX};
use logtally_core::rule::Reject;
use logtally_formats::spec::{CsvSpec, Header, Ragged};

use crate::ahead::{Ahead, Found};
use crate::record::{Values, add_line};

/// The fields of a row.
pub(crate) type Row = Vec<Vec<u8>>;

/// How rows are read.
pub(crate) struct Rows<'a> {
    pub(crate) spec: &'a CsvSpec,
    pub(crate) wanted: &'a [String],
}

/// What the next byte of a row is.
#[derive(Clone, Copy, PartialEq)]
enum State {
    FieldBegins,
    Plain,
    Quoted,
    /// The byte before was an escape.
    Escaped,
    /// The byte before was a quote inside quotes.
    Closed,
}

impl Rows<'_> {
    /// Takes a row from the input. `None` if it is no record.
    pub(crate) fn read(
        &self,
        input: &mut Ahead<'_>,
        header: &mut Option<Row>,
    ) -> io::Result<Option<Result<Values, Reject>>> {
        if self.spec.comment.is_some() && input.byte(0)? == self.spec.comment {
            return Ok(match input.take_line()? {
                Found::Content(_) => None,
                Found::Rejected(reason) => Some(Err(reason)),
            });
        }
        let mut fields = vec![Vec::new()];
        let line = match self.take_row(input, &mut fields)? {
            Found::Rejected(reason) => return Ok(Some(Err(reason))),
            Found::Content(line) => line,
        };
        if line.is_empty() {
            return Ok(None);
        }
        if self.is_header(header.is_some(), &line, &fields) {
            *header = Some(fields);
            return Ok(None);
        }
        Ok(Some(self.values(header.as_ref(), &line, &fields)))
    }

    fn take_row(&self, input: &mut Ahead<'_>, fields: &mut Row) -> io::Result<Found> {
        let mut state = State::FieldBegins;
        for at in 0..=RECORD_BYTES_MAX {
            let byte = input.byte(at)?;
            let inside = matches!(state, State::Quoted | State::Escaped);
            match byte {
                None if inside => break,
                Some(b'\n') | None if !inside => {
                    let line = input.take(at)?;
                    // The CR of the line end has become the end of the last field.
                    if at > line.len() {
                        fields.last_mut().and_then(Vec::pop);
                    }
                    return Ok(Found::Content(line));
                }
                Some(byte) => state = self.step(state, byte, fields),
                None => {}
            }
        }
        let inside = matches!(state, State::Quoted | State::Escaped);
        if !inside {
            input.go(RECORD_BYTES_MAX);
        }
        input.skip_line()?;
        Ok(Found::Rejected(if inside { Reject::UnclosedQuote } else { Reject::Oversized }))
    }

    fn step(&self, state: State, byte: u8, fields: &mut Row) -> State {
        let is = |special: Option<u8>| special == Some(byte);
        match state {
            State::FieldBegins if is(self.spec.quote) => return State::Quoted,
            State::Quoted if is(self.spec.quote) => return State::Closed,
            State::Quoted if is(self.spec.escape) => return State::Escaped,
            State::FieldBegins | State::Plain | State::Closed if byte == self.spec.delimiter => {
                fields.push(Vec::new());
                return State::FieldBegins;
            }
            _ => {}
        }
        if let Some(field) = fields.last_mut() {
            field.push(byte);
        }
        match state {
            State::Quoted | State::Escaped => State::Quoted,
            State::Closed if is(self.spec.quote) => State::Quoted,
            _ => State::Plain,
        }
    }

    /// The wanted names that are column names and nothing else.
    fn names(&self) -> Vec<&[u8]> {
        let named = |name: &&String| *name != "@line" && number(name).is_none();
        self.wanted.iter().filter(named).map(String::as_bytes).collect()
    }

    fn is_header(&self, any_before: bool, line: &[u8], fields: &[Vec<u8>]) -> bool {
        if fields.len() > COLUMNS_MAX || self.spec.header == Header::Absent {
            return false;
        }
        if self.spec.header == Header::Present && !any_before {
            return true;
        }
        let spelled = self.spelled();
        !spelled.is_empty()
            && line.windows(spelled.len()).any(|part| part == spelled)
            && self.names().iter().all(|name| fields.iter().any(|field| field == name))
    }

    /// What a header must have as it is: the first longest piece of a name that quoting leaves alone.
    fn spelled(&self) -> Vec<u8> {
        let special = |b: &u8| Some(*b) == self.spec.quote || Some(*b) == self.spec.escape;
        let names = self.names();
        let pieces = names.iter().flat_map(|name| name.split(special));
        pieces.fold(
            Vec::new(),
            |best, piece| {
                if piece.len() > best.len() { piece.to_vec() } else { best }
            },
        )
    }

    fn values(
        &self,
        header: Option<&Row>,
        line: &[u8],
        fields: &[Vec<u8>],
    ) -> Result<Values, Reject> {
        let given: Row = self.spec.columns.iter().map(|c| c.clone().into()).collect();
        let columns = header.unwrap_or(&given);
        if columns.is_empty() && (self.spec.header == Header::Present || !self.names().is_empty()) {
            return Err(Reject::NoHeader);
        }
        let width = columns.len();
        if self.spec.ragged == Ragged::Strict && width > 0 && fields.len() != width {
            return Err(Reject::Ragged);
        }
        let value = |name: &String| {
            let by_name = columns.iter().position(|column| column == name.as_bytes());
            fields.get(by_name.or(number(name))?).cloned()
        };
        let mut values: Values = self.wanted.iter().map(value).collect();
        add_line(&mut values, self.wanted, line);
        Ok(values)
    }
}

/// The index that a name means if it is the number of a column.
fn number(name: &str) -> Option<usize> {
    let number: usize = name.parse().ok()?;
    if number.to_string() == name { number.checked_sub(1) } else { None }
}
