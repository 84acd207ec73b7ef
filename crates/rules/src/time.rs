//! Times in records, as nanoseconds since 1970.

use chrono::{DateTime, NaiveDate, NaiveDateTime};
use logtally_core::decimal::Decimal;

use crate::columns::Columns;
use crate::error::Wrong;
use crate::row::Row;
use crate::spec::{TimeFormat, TimeSpec};

/// Where a record's time comes from.
#[derive(Clone, Debug)]
pub(crate) struct Time {
    slot: usize,
    format: TimeFormat,
}

impl Time {
    pub(crate) fn compile(
        field: &str,
        spec: &TimeSpec,
        columns: &mut Columns,
    ) -> Result<Self, Wrong> {
        if let TimeFormat::Pattern(pattern) = &spec.format {
            check_pattern(field, pattern)?;
        }
        Ok(Self { slot: columns.slot(&spec.column), format: spec.format.clone() })
    }

    /// The record's time; `None` if it has none between the years 1678 and 2262.
    pub(crate) fn of(&self, row: &impl Row) -> Option<i64> {
        self.read(std::str::from_utf8(row.get(self.slot)?).ok()?.trim())
    }

    fn read(&self, text: &str) -> Option<i64> {
        match &self.format {
            TimeFormat::Rfc3339 => rfc3339(text),
            TimeFormat::Unix => scaled(text, 1_000_000_000),
            TimeFormat::UnixMs => scaled(text, 1_000_000),
            TimeFormat::Pattern(pattern) => by_pattern(text, pattern),
        }
    }
}

/// Nanoseconds of an RFC 3339 time; a blank may stand for the `T`, and without an offset it is UTC.
pub(crate) fn rfc3339(text: &str) -> Option<i64> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return time.timestamp_nanos_opt();
    }
    let formats = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f"];
    let naive = formats.iter().find_map(|f| NaiveDateTime::parse_from_str(text, f).ok());
    naive.and_then(|time| time.and_utc().timestamp_nanos_opt()).or_else(|| {
        let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
        date.and_hms_opt(0, 0, 0)?.and_utc().timestamp_nanos_opt()
    })
}

/// `text` times `unit` nanoseconds.
fn scaled(text: &str, unit: i128) -> Option<i64> {
    let value = Decimal::parse(text.as_bytes()).ok()?;
    let ns = value.units().checked_mul(unit)? / 10_i128.pow(logtally_core::decimal::DECIMAL_DIGITS);
    i64::try_from(ns).ok()
}

fn by_pattern(text: &str, pattern: &str) -> Option<i64> {
    if let Ok(time) = DateTime::parse_from_str(text, pattern) {
        return time.timestamp_nanos_opt();
    }
    if let Ok(time) = NaiveDateTime::parse_from_str(text, pattern) {
        return time.and_utc().timestamp_nanos_opt();
    }
    let date = NaiveDate::parse_from_str(text, pattern).ok()?;
    date.and_hms_opt(0, 0, 0)?.and_utc().timestamp_nanos_opt()
}

fn check_pattern(field: &str, pattern: &str) -> Result<(), Wrong> {
    use chrono::format::{Item, StrftimeItems};
    let bad = StrftimeItems::new(pattern).any(|item| matches!(item, Item::Error));
    let plain = !pattern.contains('%');
    if bad || plain {
        return Err(Wrong::new(field, format!("{pattern:?} is not a time format"))
            .help("use rfc3339, unix, unix_ms, or a pattern such as '%d/%b/%Y:%H:%M:%S %z'"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_every_format() {
        let read = |format: TimeFormat, text: &str| Time { slot: 0, format }.read(text);
        let at = Some(1_790_000_000_500_000_000);
        assert_eq!(read(TimeFormat::Rfc3339, "2026-09-21T14:13:20.5Z"), at);
        assert_eq!(read(TimeFormat::Rfc3339, "2026-09-21 16:13:20.5+02:00"), at);
        assert_eq!(read(TimeFormat::Rfc3339, "2026-09-21 14:13:20.5"), at);
        assert_eq!(read(TimeFormat::Unix, "1790000000.5"), at);
        assert_eq!(read(TimeFormat::UnixMs, "1790000000500"), at);
        let apache = TimeFormat::Pattern("%d/%b/%Y:%H:%M:%S %z".into());
        assert_eq!(read(apache, "21/Sep/2026:16:13:20 +0200"), at.map(|ns| ns - 500_000_000));
        assert_eq!(read(TimeFormat::Rfc3339, "yesterday"), None);
        assert_eq!(read(TimeFormat::Unix, "1e300"), None);
    }
}
