//! How an input becomes records, format by format. Never what a record of one format has inside: that
//! is in the module of the format.

use std::io::{self, BufRead};
use std::sync::Arc;

use logtally_core::rule::Reject;
use logtally_formats::spec::{CsvSpec, FormatSpec};

use crate::ahead::{Ahead, Found};
use crate::error::RecountError;
use crate::expression::Expression;
use crate::record::{Record, Values, add_line};
use crate::{csv, json, logfmt};

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
