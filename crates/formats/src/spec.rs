//! What a format is, as a person says it. Plain data: compiled by the format's own module.

use std::collections::BTreeMap;

/// How the bytes of an input become records with named values.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FormatSpec {
    /// Rows of values between delimiters, quoted where needed.
    Csv(CsvSpec),
    /// One JSON object per line. Nested values are named by paths: `request.method`, `tags.0`.
    Json,
    /// `key=value key="quoted value"` pairs.
    Logfmt,
    /// A regular expression, searched in each line; its named groups are the values.
    Regex {
        /// The expression.
        pattern: String,
    },
    /// A grok expression, searched in each line.
    Grok {
        /// The expression.
        pattern: String,
        /// Own patterns by name, beside the standard set.
        definitions: BTreeMap<String, String>,
    },
    /// The whole line is the only value, named `@line` (which every other format has as well).
    Lines,
}

/// A dialect of CSV.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CsvSpec {
    /// Between the values of a row.
    pub delimiter: u8,
    /// Around values that contain delimiters, quotes or line ends; `None` if nothing is quoted.
    pub quote: Option<u8>,
    /// Takes the next byte of a quoted value literally. A doubled quote stands for one quote always.
    pub escape: Option<u8>,
    /// A row that begins with it is a comment and no record.
    pub comment: Option<u8>,
    /// Whether the rows tell their column names.
    pub header: Header,
    /// The names of the columns, in order, where no header tells them. Empty if not known.
    pub columns: Vec<String>,
    /// What a row with another number of values than the header or `columns` is.
    pub ragged: Ragged,
}

impl Default for CsvSpec {
    fn default() -> Self {
        Self {
            delimiter: b',',
            quote: Some(b'"'),
            escape: None,
            comment: None,
            header: Header::Auto,
            columns: Vec::new(),
            ragged: Ragged::Lenient,
        }
    }
}

/// Whether the rows of a source tell their column names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Header {
    /// A row that has the names of all wanted columns is a header, wherever it stands.
    Auto,
    /// As `Auto`, and the first row of a source is a header in any case.
    Present,
    /// No row is a header.
    Absent,
}

/// What becomes of a row with too few or too many values.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ragged {
    /// It counts as long as the wanted values are there.
    Lenient,
    /// It is rejected.
    Strict,
}
