//! A compiled format: one face for all of them. Never looks at more than the bytes it is given.

use logtally_core::rule::Reject;

use crate::cells::{Cells, LINE, Place};
use crate::csv::{Dialect, Scan, Table, scan_in, scan_line};
use crate::error::FormatError;
use crate::expression::Expression;
use crate::json::{self, Paths};
use crate::layout::Layout;
use crate::logfmt::Keys;
use crate::spec::FormatSpec;

/// A compiled format with the columns that are wanted from it. Immutable; share it behind an `Arc`.
#[derive(Debug)]
pub struct Format {
    kind: Kind,
    /// How many columns are wanted.
    slots: usize,
    /// Which of them are the whole record.
    lines: Vec<usize>,
}

#[derive(Debug)]
enum Kind {
    Csv(Box<Table>),
    Json(Paths),
    Logfmt(Keys),
    Expression(Expression),
    Lines,
}

impl Format {
    /// Compiles a specification. `wanted` are the names of the columns that are needed; cell `i`
    /// belongs to `wanted[i]`.
    pub fn compile(spec: &FormatSpec, wanted: &[String]) -> Result<Self, FormatError> {
        if wanted.iter().any(String::is_empty) {
            return Err(FormatError::EmptyColumn);
        }
        let kind = match spec {
            FormatSpec::Csv(spec) => Kind::Csv(Box::new(Table::new(spec, wanted)?)),
            FormatSpec::Json => Kind::Json(Paths::new(wanted)),
            FormatSpec::Logfmt => Kind::Logfmt(Keys::new(wanted)),
            FormatSpec::Regex { pattern } => Kind::Expression(Expression::regex(pattern, wanted)?),
            FormatSpec::Grok { pattern, definitions } => {
                Kind::Expression(Expression::grok(pattern, definitions, wanted)?)
            }
            FormatSpec::Lines => lines(wanted)?,
        };
        let is_line = |(slot, name): (usize, &String)| (name == LINE).then_some(slot);
        let lines = wanted.iter().enumerate().filter_map(is_line).collect();
        Ok(Self { kind, slots: wanted.len(), lines })
    }

    /// Where the record at the beginning of `buffer` ends; `last` tells that nothing will ever
    /// follow. A record without content is none (a blank line, a comment).
    pub fn scan(&self, buffer: &[u8], last: bool) -> Scan {
        match &self.kind {
            Kind::Csv(table) => scan_in(table.dialect(), buffer, last),
            _ => scan_line(buffer, last),
        }
    }

    /// Where the wanted columns are at the beginning of a source.
    pub fn start(&self) -> Layout {
        match &self.kind {
            Kind::Csv(table) => table.start().clone(),
            _ => Layout::new(None, vec![None; self.slots]),
        }
    }

    /// The layout that a record puts in force, if it is a header. `at_start`: no header of this
    /// source is in force yet. (So under `Header::Present` the first record that can be a header is
    /// one, even behind a line that was rejected, and a reader needs to remember no more than the
    /// header.)
    pub fn header(&self, record: &[u8], at_start: bool) -> Option<Layout> {
        match &self.kind {
            Kind::Csv(table) => table.header(record, at_start),
            _ => None,
        }
    }

    /// A record without these bytes is no header, unless it is one for its place (see
    /// [`Self::has_header_first`]); empty if no record is a header by its names.
    ///
    /// The longest wanted name, or the longest piece of one without quotes and escapes, because a
    /// header may write those differently. A row whose names only come out right after unquoting in
    /// the middle of this text (`"ho"st`) is data.
    pub fn marker(&self) -> &[u8] {
        match &self.kind {
            Kind::Csv(table) => table.marker(),
            _ => b"",
        }
    }

    /// Whether the first record of a source is a header whatever it has, so that [`Self::header`]
    /// must be asked about it without looking for the marker.
    pub fn has_header_first(&self) -> bool {
        matches!(&self.kind, Kind::Csv(table) if table.has_header_first())
    }

    /// Finds the wanted values of a record: its content, without the terminator and not empty.
    /// `quoted` is what the scan told. A value that is not there is an empty cell, and for the
    /// caller to reject as [`Self::missing`] where it is needed. After an error the cells are void.
    pub fn cells(
        &self,
        layout: &Layout,
        record: &[u8],
        quoted: bool,
        cells: &mut Cells,
    ) -> Result<(), Reject> {
        cells.reset(self.slots);
        match &self.kind {
            Kind::Csv(table) => table.cells(layout, record, quoted, cells)?,
            Kind::Json(paths) => json::cells(paths, record, cells)?,
            Kind::Logfmt(keys) => keys.cells(record, cells)?,
            Kind::Expression(expression) => expression.cells(record, cells)?,
            Kind::Lines => {}
        }
        cells.put_all(&self.lines, &Place::Record(0..record.len()));
        Ok(())
    }

    /// The dialect of CSV rows, if any number of fields will do: then a value is whatever stands at its
    /// column's index, and [`crate::csv::Fields`] or [`crate::csv::Marks`] with [`Layout::indexes`] find
    /// what [`Self::cells`] finds. `None` for every other format.
    pub fn lenient_csv(&self) -> Option<Dialect> {
        match &self.kind {
            Kind::Csv(table) if table.is_lenient() => Some(table.dialect()),
            _ => None,
        }
    }

    /// Why a record without a needed value is rejected.
    pub fn missing(&self) -> Reject {
        match &self.kind {
            Kind::Csv(_) => Reject::Ragged,
            _ => Reject::Missing,
        }
    }
}

fn lines(wanted: &[String]) -> Result<Kind, FormatError> {
    match wanted.iter().find(|name| *name != LINE) {
        None => Ok(Kind::Lines),
        Some(name) => Err(FormatError::UnknownColumn {
            column: name.clone(),
            known: vec![LINE.to_owned()],
            field: "format",
        }),
    }
}
