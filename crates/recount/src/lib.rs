//! A second reading of every format: simple, slow, and without the code that counts.
//!
//! What is wrong in one of the two shows when they are compared: `logtally verify` does so on real
//! files, [`agree`] on generated ones. So nothing here may ever use a parser of the `formats` crate;
//! the two share what a format *is* (specifications, reasons, limits), not how it is read.
//!
//! The semantics, in one place:
//!
//! - A record ends with LF outside quotes; a CR before it belongs to the end. An empty line and a
//!   comment are no records. A byte-order mark at the beginning belongs to nothing.
//! - If a record has no end within the limit and one byte, it is rejected: inside quotes as
//!   `unclosed_quote`, and the next line is looked at again; otherwise as `oversized`, up to the first
//!   LF at or behind the limit. The end of the input ends a record, too, unless inside quotes.
//! - Headers are not yielded.

pub mod agree;
mod ahead;
mod csv;
mod expression;
mod json;
mod logfmt;

use std::io::{self, BufRead};
use std::sync::Arc;

use logtally_core::rule::Reject;
use logtally_formats::spec::{CsvSpec, FormatSpec};

use ahead::{Ahead, Found};
use expression::Expression;

/// The wanted values of a record: `None` where it has none.
pub type Values = Vec<Option<Vec<u8>>>;

/// One record that is no header.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    /// Where it begins in the input.
    pub offset: u64,
    /// Just after it, terminator included.
    pub end: u64,
    /// Its wanted values, in the order in which they were wanted, or why it is rejected.
    pub values: Result<Values, Reject>,
}

/// Why a specification cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RecountError {
    /// The expression is none.
    #[error("the expression cannot be used: {0}")]
    Expression(#[from] regex::Error),
    /// A grok pattern that nobody defined, or that has itself inside.
    #[error("the grok pattern {0:?} is not defined, or by itself")]
    Grok(String),
}

/// A format to be recounted, with the wanted columns. Cheap to clone.
#[derive(Clone)]
pub struct Recount {
    reading: Reading,
    wanted: Arc<[String]>,
}

#[derive(Clone)]
enum Reading {
    Csv(Arc<CsvSpec>),
    Json,
    Logfmt,
    Expression(Arc<Expression>),
    Lines,
}

impl Recount {
    /// A recount of what `spec` says; value `i` of a record belongs to `wanted[i]`.
    pub fn new(spec: &FormatSpec, wanted: &[String]) -> Result<Self, RecountError> {
        let reading = match spec {
            FormatSpec::Csv(spec) => Reading::Csv(Arc::new(spec.clone())),
            FormatSpec::Json => Reading::Json,
            FormatSpec::Logfmt => Reading::Logfmt,
            FormatSpec::Regex { pattern } => {
                Reading::Expression(Arc::new(Expression::regex(pattern)?))
            }
            FormatSpec::Grok { pattern, definitions } => {
                Reading::Expression(Arc::new(Expression::grok(pattern, definitions)?))
            }
            FormatSpec::Lines => Reading::Lines,
        };
        Ok(Self { reading, wanted: wanted.into() })
    }

    /// The records of `input`, read to its end, which ends the last record.
    pub fn records<'a>(&self, input: &'a mut dyn BufRead) -> Records<'a> {
        let header = None;
        Records { input: Ahead::new(input), recount: self.clone(), header }
    }

    fn of_line(&self, line: &[u8]) -> Result<Values, Reject> {
        let mut values = match &self.reading {
            Reading::Json => json::values(line, &self.wanted)?,
            Reading::Logfmt => logfmt::values(line, &self.wanted)?,
            Reading::Expression(expression) => expression.values(line, &self.wanted)?,
            Reading::Csv(_) | Reading::Lines => vec![None; self.wanted.len()],
        };
        add_line(&mut values, &self.wanted, line);
        Ok(values)
    }
}

/// The records of an input, in order. Memory is bounded by the limit of one record.
pub struct Records<'a> {
    input: Ahead<'a>,
    recount: Recount,
    /// The header of a CSV source that is in force.
    header: Option<csv::Row>,
}

impl Records<'_> {
    /// The next record; `None` at the end of the input.
    fn read(&mut self) -> io::Result<Option<Record>> {
        self.input.skip_byte_order_mark()?;
        while self.input.byte(0)?.is_some() {
            let offset = self.input.offset();
            let values = match &self.recount.reading {
                Reading::Csv(spec) => {
                    let rows = csv::Rows { spec, wanted: &self.recount.wanted };
                    rows.read(&mut self.input, &mut self.header)?
                }
                _ => match self.input.take_line()? {
                    Found::Rejected(reason) => Some(Err(reason)),
                    Found::Content(line) if line.is_empty() => None,
                    Found::Content(line) => Some(self.recount.of_line(&line)),
                },
            };
            if let Some(values) = values {
                return Ok(Some(Record { offset, end: self.input.offset(), values }));
            }
        }
        Ok(None)
    }
}

impl Iterator for Records<'_> {
    type Item = io::Result<Record>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

/// Puts the whole record where it is wanted.
fn add_line(values: &mut Values, wanted: &[String], record: &[u8]) {
    for (value, name) in values.iter_mut().zip(wanted) {
        if name == "@line" {
            *value = Some(record.to_vec());
        }
    }
}
