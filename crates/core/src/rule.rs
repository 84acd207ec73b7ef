//! What all rules have in common: why a record is rejected, which values can be label values, and the
//! families that need no configuration, those of the accounting among them, which are counted as
//! exactly as everything else.

use crate::limits::LABEL_VALUE_BYTES_MAX;
use crate::series::{Family, Kind};

/// Why a record could not be counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, PartialOrd, Ord)]
pub enum Reject {
    /// A needed column is missing.
    Ragged,
    /// A needed value is not valid UTF-8.
    InvalidUtf8,
    /// A needed value contains NUL.
    Nul,
    /// The record is longer than the limit, or adds more to the counts than one record may.
    Oversized,
    /// A quote was opened and not closed within the limit or before the end of the file.
    UnclosedQuote,
    /// A needed value is longer than the limit.
    LabelTooLong,
    /// A needed value is not in the record (formats without rows), or has no place in a table.
    Missing,
    /// The record is not what its format says, e.g. no JSON object.
    Malformed,
    /// The line does not match the expression of its format.
    NoMatch,
    /// No header has told yet where the needed columns are.
    NoHeader,
    /// A needed number is none, or out of range.
    NotANumber,
    /// A needed time is none, or out of range.
    NotATime,
}

impl Reject {
    /// All reasons, each at the index of its discriminant.
    pub const ALL: [Self; 12] = [
        Self::Ragged,
        Self::InvalidUtf8,
        Self::Nul,
        Self::Oversized,
        Self::UnclosedQuote,
        Self::LabelTooLong,
        Self::Missing,
        Self::Malformed,
        Self::NoMatch,
        Self::NoHeader,
        Self::NotANumber,
        Self::NotATime,
    ];

    /// The reason as a label value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ragged => "ragged",
            Self::InvalidUtf8 => "invalid_utf8",
            Self::Nul => "nul",
            Self::Oversized => "oversized",
            Self::UnclosedQuote => "unclosed_quote",
            Self::LabelTooLong => "label_too_long",
            Self::Missing => "missing",
            Self::Malformed => "malformed",
            Self::NoMatch => "no_match",
            Self::NoHeader => "no_header",
            Self::NotANumber => "not_a_number",
            Self::NotATime => "not_a_time",
        }
    }
}

/// What the default rule feeds: the gauge that the naive exporter had, by `host` and `job_name`.
pub fn default_family() -> Family {
    let help = "Count of occurrences of host and job_name in log";
    Family::new("log_host_job_count", Kind::Gauge, help, &["host", "job_name"])
}

/// Checks a value that is about to become a label value.
pub fn check_value(value: &[u8]) -> Result<&str, Reject> {
    if value.len() > LABEL_VALUE_BYTES_MAX {
        return Err(Reject::LabelTooLong);
    }
    let text = std::str::from_utf8(value).map_err(|_| Reject::InvalidUtf8)?;
    if text.contains('\0') { Err(Reject::Nul) } else { Ok(text) }
}

/// Records read, by outcome: `read = counted + filtered + rejected`.
pub fn records_read() -> Family {
    let help = "Complete records read from all sources";
    Family::new("logtally_records_read_total", Kind::Counter, help, &[])
}

/// Records that hit a rule.
pub fn records_counted() -> Family {
    let help = "Records counted by a rule";
    Family::new("logtally_records_counted_total", Kind::Counter, help, &[])
}

/// Records that no rule takes.
pub fn records_filtered() -> Family {
    let help = "Records that no rule takes";
    Family::new("logtally_records_filtered_total", Kind::Counter, help, &[])
}

/// Records that could not be counted, by reason.
pub fn records_rejected() -> Family {
    let help = "Records that could not be counted, by reason";
    Family::new("logtally_records_rejected_total", Kind::Counter, help, &["reason"])
}

/// Records that a rule counted in an overflow series, by metric.
pub fn records_overflowed() -> Family {
    let help =
        "Records counted in the overflow series, because the metric has as many series as it may";
    Family::new("logtally_records_overflowed_total", Kind::Counter, help, &["metric"])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_stand_at_their_index() {
        assert!(Reject::ALL.iter().enumerate().all(|(i, reason)| *reason as usize == i));
    }

    #[test]
    fn values_are_checked() {
        assert_eq!(check_value(b"ok"), Ok("ok"));
        assert_eq!(check_value(b"a\0b"), Err(Reject::Nul));
        assert_eq!(check_value(b"\xff\0"), Err(Reject::InvalidUtf8));
        assert_eq!(check_value(&[b'x'; 2000]), Err(Reject::LabelTooLong));
    }
}
