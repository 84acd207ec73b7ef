//! Rows with named columns: which rows are headers, and where a row has the wanted values.
//!
//! A header is found by the names alone, so that it does not matter where a reader begins. A name
//! counts as a header's name only if the row spells the longest wanted name in one piece (without
//! the bytes that quoting may double or escape): a reader can then look for that text, and need not
//! look at most rows at all.

use logtally_core::limits::COLUMNS_MAX;
use logtally_core::rule::Reject;
use memchr::memmem;

use super::dialect::Dialect;
use super::fields::{Field, Fields};
use crate::cells::{Cells, LINE, Place};
use crate::error::FormatError;
use crate::layout::Layout;
use crate::spec::{CsvSpec, Header, Ragged};

/// A compiled dialect with the wanted columns.
#[derive(Debug)]
pub(crate) struct Table {
    dialect: Dialect,
    header: Header,
    strict: bool,
    wanted: Vec<Wanted>,
    start: Layout,
    marker: memmem::Finder<'static>,
}

/// What a wanted name means.
#[derive(Debug)]
enum Wanted {
    Line,
    /// A column by name only.
    Named(Vec<u8>),
    /// A column by name, or else by its index.
    Numbered(Vec<u8>, usize),
}

impl Wanted {
    fn new(name: &str) -> Self {
        let bytes = name.as_bytes().to_vec();
        let plain = !name.starts_with('0') && name.bytes().all(|b| b.is_ascii_digit());
        match name.parse::<usize>() {
            _ if name == LINE => Self::Line,
            Ok(number) if plain => Self::Numbered(bytes, number - 1),
            _ => Self::Named(bytes),
        }
    }

    fn index<'a>(&self, mut names: impl Iterator<Item = &'a [u8]>) -> Option<usize> {
        match self {
            Self::Line => None,
            Self::Named(name) => names.position(|other| other == name),
            Self::Numbered(name, index) => names.position(|other| other == name).or(Some(*index)),
        }
    }

    fn name(&self) -> Option<&[u8]> {
        match self {
            Self::Named(name) => Some(name),
            _ => None,
        }
    }
}

impl Table {
    pub(crate) fn new(spec: &CsvSpec, wanted: &[String]) -> Result<Self, FormatError> {
        let dialect = Dialect::new(spec)?;
        if spec.columns.len() > COLUMNS_MAX {
            let count = spec.columns.len();
            return Err(FormatError::TooManyColumns { count, max: COLUMNS_MAX });
        }
        let wanted: Vec<Wanted> = wanted.iter().map(|name| Wanted::new(name)).collect();
        let mut table = Self {
            dialect,
            header: spec.header,
            strict: spec.ragged == Ragged::Strict,
            start: Layout::unknown(wanted.len()),
            marker: marker(dialect, spec.header, &wanted),
            wanted,
        };
        table.start = table.start_layout(&spec.columns)?;
        Ok(table)
    }

    fn start_layout(&self, columns: &[String]) -> Result<Layout, FormatError> {
        let missing =
            |w: &&Wanted| w.name().is_some_and(|n| columns.iter().all(|c| c.as_bytes() != n));
        if self.header == Header::Absent
            && let Some(name) = self.wanted.iter().filter(missing).find_map(Wanted::name)
        {
            return Err(FormatError::UnknownColumn {
                column: String::from_utf8_lossy(name).into_owned(),
                known: known_columns(columns),
                field: "columns",
            });
        }
        let by_name = self.wanted.iter().any(|w| w.name().is_some());
        if columns.is_empty() && (by_name || self.header == Header::Present) {
            return Ok(Layout::unknown(self.wanted.len()));
        }
        let names: Vec<&[u8]> = columns.iter().map(String::as_bytes).collect();
        Ok(self.layout(&names, (!columns.is_empty()).then_some(columns.len())))
    }

    fn layout<N: AsRef<[u8]>>(&self, names: &[N], width: Option<usize>) -> Layout {
        let index = |w: &Wanted| w.index(names.iter().map(AsRef::as_ref));
        Layout::new(width, self.wanted.iter().map(index).collect())
    }

    pub(crate) fn dialect(&self) -> Dialect {
        self.dialect
    }

    pub(crate) fn is_lenient(&self) -> bool {
        !self.strict
    }

    pub(crate) fn has_header_first(&self) -> bool {
        self.header == Header::Present
    }

    pub(crate) fn start(&self) -> &Layout {
        &self.start
    }

    pub(crate) fn marker(&self) -> &[u8] {
        self.marker.needle()
    }

    pub(crate) fn header(&self, record: &[u8], at_start: bool) -> Option<Layout> {
        let first = at_start && self.has_header_first();
        if !first && !self.has_all_names(record) {
            return None;
        }
        let mut names = Vec::new();
        for field in Fields::in_dialect(record, self.dialect) {
            if names.len() == COLUMNS_MAX {
                return None;
            }
            let mut name = Vec::new();
            field.append_in(self.dialect, &mut name);
            names.push(name);
        }
        Some(self.layout(&names, Some(names.len())))
    }

    /// Whether a row has all wanted names, without taking it apart if the marker is not in it.
    fn has_all_names(&self, record: &[u8]) -> bool {
        if self.marker().is_empty() || self.marker.find(record).is_none() {
            return false;
        }
        self.wanted.iter().filter_map(Wanted::name).all(|name| {
            Fields::in_dialect(record, self.dialect).any(|field| field.is(self.dialect, name))
        })
    }

    pub(crate) fn cells(
        &self,
        layout: &Layout,
        record: &[u8],
        quoted: bool,
        cells: &mut Cells,
    ) -> Result<(), Reject> {
        if !layout.is_known() {
            return Err(Reject::NoHeader);
        }
        let dialect = if quoted { self.dialect } else { self.dialect.unquoted() };
        let width = layout.width().filter(|_| self.strict);
        let found = walk(layout, dialect, record, width.is_some(), cells);
        if width.is_none_or(|width| width == found) { Ok(()) } else { Err(Reject::Ragged) }
    }
}

/// Puts the wanted fields of a row into their cells; stops after the last one unless `all` fields
/// are to be counted. Returns how many there were.
fn walk(layout: &Layout, dialect: Dialect, record: &[u8], all: bool, cells: &mut Cells) -> usize {
    let mut due = layout.order();
    let mut fields = Fields::in_dialect(record, dialect);
    let mut column = 0;
    while all || !due.is_empty() {
        let at = fields.position();
        let Some(field) = fields.next() else { break };
        if due.first().is_some_and(|(index, _)| *index == column) {
            let place = place(field, at, dialect, cells);
            while let Some(((index, slot), rest)) = due.split_first()
                && *index == column
            {
                cells.put(*slot, place.clone());
                due = rest;
            }
        }
        column += 1;
    }
    column
}

/// Where the value of the field at `at` is, after unquoting it if necessary.
fn place(field: Field<'_>, at: usize, dialect: Dialect, cells: &mut Cells) -> Place {
    if let Some(range) = field.verbatim(dialect) {
        return Place::Record(at + range.start..at + range.end);
    }
    let from = cells.scratch.len();
    field.append_in(dialect, &mut cells.scratch);
    Place::Scratch(from..cells.scratch.len())
}

fn known_columns(columns: &[String]) -> Vec<String> {
    let mut known = columns.to_vec();
    known.push(format!("the number of a column, or {LINE}"));
    known
}

/// The longest piece of a wanted name that stands in every header as it is; empty if no row can be a
/// header by its names.
fn marker(dialect: Dialect, header: Header, wanted: &[Wanted]) -> memmem::Finder<'static> {
    let special = |b: &u8| Some(*b) == dialect.quote || Some(*b) == dialect.escape;
    let mut longest: &[u8] = &[];
    if header != Header::Absent {
        for piece in wanted.iter().filter_map(Wanted::name).flat_map(|name| name.split(special)) {
            if piece.len() > longest.len() {
                longest = piece;
            }
        }
    }
    memmem::Finder::new(longest).into_owned()
}
