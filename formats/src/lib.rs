//! Formats: from bytes to records, and from a record to its cells. Pure functions over byte slices;
//! never reads a file and knows no rules.

pub mod spec;

pub mod csv;

pub use csv::Scan;
use logtally_core::rule::Reject;
use spec::{CsvSpec, FormatSpec, Header};

/// tmp
#[derive(Clone, Debug)]
pub struct Format { wanted: Vec<String>, spec: CsvSpec, marker: Vec<u8> }
/// tmp
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Layout(Vec<Option<usize>>, bool);
/// tmp
#[derive(Clone, Default, Debug)]
pub struct Cells { cells: Vec<Option<(usize, usize)>>, scratch: Vec<u8> }
impl Cells {
    /// tmp
    pub fn get<'a>(&'a self, _record: &'a [u8], slot: usize) -> Option<&'a [u8]> {
        self.cells[slot].map(|(a, b)| &self.scratch[a..b])
    }
}
/// tmp
#[derive(Debug, thiserror::Error)]
#[error("tmp")]
pub struct FormatError;
impl FormatError {
    /// tmp
    pub fn field(&self) -> &'static str { "type" }
}
impl Format {
    /// tmp
    pub fn compile(spec: &FormatSpec, wanted: &[String]) -> Result<Self, FormatError> {
        let FormatSpec::Csv(spec) = spec else { return Err(FormatError) };
        let marker = wanted.iter().max_by_key(|c| c.len()).cloned().unwrap_or_default().into_bytes();
        Ok(Self { wanted: wanted.to_vec(), spec: spec.clone(), marker })
    }
    /// tmp
    pub fn scan(&self, buffer: &[u8], last: bool) -> Scan { csv::scan(buffer, last) }
    /// tmp
    pub fn start(&self) -> Layout {
        Layout(self.wanted.iter().map(|w| self.spec.columns.iter().position(|c| c == w)).collect(), !self.spec.columns.is_empty())
    }
    /// tmp
    pub fn marker(&self) -> &[u8] { &self.marker }
    /// tmp
    pub fn missing(&self) -> Reject { Reject::Ragged }
    /// tmp
    pub fn header(&self, record: &[u8], at_start: bool) -> Option<Layout> {
        let names: Vec<Vec<u8>> = csv::Fields::of(record).map(|f| { let mut v = vec![]; f.append_to(&mut v); v }).collect();
        let found: Vec<Option<usize>> = self.wanted.iter().map(|w| names.iter().position(|n| n == w.as_bytes())).collect();
        (found.iter().all(Option::is_some) || (at_start && self.spec.header == Header::Present)).then_some(Layout(found, true))
    }
    /// tmp
    pub fn cells(&self, layout: &Layout, record: &[u8], _quoted: bool, cells: &mut Cells) -> Result<(), Reject> {
        cells.cells.clear();
        cells.scratch.clear();
        if !layout.1 { return Err(Reject::NoHeader) }
        for index in &layout.0 {
            let field = index.and_then(|i| csv::Fields::of(record).nth(i));
            cells.cells.push(field.map(|f| { let a = cells.scratch.len(); f.append_to(&mut cells.scratch); (a, cells.scratch.len()) }));
        }
        Ok(())
    }
}
