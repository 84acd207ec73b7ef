//! Log lines in logfmt: `ts=… level=info target=… msg="followed file" path=/x bytes=12`.
//!
//! A value may come from an untrusted log file, so it must never be able to forge a line or a field:
//! what is not plain is quoted and escaped.

use std::fmt::{self, Write as _};
use std::time::SystemTime;

use chrono::{DateTime, SecondsFormat, Utc};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Formats events as logfmt. Spans add nothing: a line says itself what it is about.
pub(crate) struct Logfmt;

/// The time in UTC with milliseconds, as in `2026-11-20T23:00:00.000Z` (RFC 3339).
pub(crate) struct UtcMillis;

/// Spares the formatting of span fields, which no line shows.
pub(crate) struct NoSpanFields;

impl<S, N> FormatEvent<S, N> for Logfmt
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'writer> FormatFields<'writer> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let metadata = event.metadata();
        let level = metadata.level().as_str().to_ascii_lowercase();
        writer.write_str("ts=")?;
        UtcMillis.format_time(&mut writer)?;
        writeln!(writer, " level={level} target={}{}", metadata.target(), Pairs::of(event))
    }
}

impl FormatTime for UtcMillis {
    fn format_time(&self, writer: &mut Writer<'_>) -> fmt::Result {
        writer.write_str(&utc_millis(SystemTime::now()))
    }
}

impl<'writer> FormatFields<'writer> for NoSpanFields {
    fn format_fields<R: RecordFields>(&self, _: Writer<'writer>, _: R) -> fmt::Result {
        Ok(())
    }
}

fn utc_millis(time: SystemTime) -> String {
    DateTime::<Utc>::from(time).to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// The message and the fields of an event, each with a space before it.
#[derive(Default)]
struct Pairs {
    message: String,
    fields: String,
}

impl Pairs {
    fn of(event: &Event<'_>) -> Self {
        let mut pairs = Self::default();
        event.record(&mut pairs);
        pairs
    }

    fn push(&mut self, field: &Field, value: &str) {
        match field.name() {
            // The macros may put the message anywhere; a person wants it first.
            "message" => push_pair(&mut self.message, "msg", value),
            name => push_pair(&mut self.fields, name.trim_start_matches("r#"), value),
        }
    }
}

impl fmt::Display for Pairs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.message, self.fields)
    }
}

impl Visit for Pairs {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.push(field, value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        let mut chain = value.to_string();
        let mut source = value.source();
        while let Some(error) = source {
            // Writing to a string cannot fail, but a `Display` can; what it wrote will do.
            let _ = write!(chain, ": {error}");
            source = error.source();
        }
        self.push(field, &chain);
    }

    // Numbers and booleans come here too.
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.push(field, &format!("{value:?}"));
    }
}

fn push_pair(line: &mut String, key: &str, value: &str) {
    line.push(' ');
    line.push_str(key);
    line.push('=');
    push_value(line, value);
}

fn push_value(line: &mut String, value: &str) {
    let plain = |c: char| !(c.is_whitespace() || c == '"' || c == '=' || is_unprintable(c));
    if !value.is_empty() && value.chars().all(plain) {
        line.push_str(value);
        return;
    }
    line.push('"');
    for c in value.chars() {
        push_escaped(line, c);
    }
    line.push('"');
}

/// The escapes of JSON, which is what readers of logfmt expect between quotes.
fn push_escaped(line: &mut String, c: char) {
    match c {
        '"' => line.push_str("\\\""),
        '\\' => line.push_str("\\\\"),
        '\n' => line.push_str("\\n"),
        '\r' => line.push_str("\\r"),
        '\t' => line.push_str("\\t"),
        c if is_unprintable(c) => {
            let _ = write!(line, "\\u{:04x}", u32::from(c));
        }
        c => line.push(c),
    }
}

/// Control characters and what else some program takes for the end of a line or a change of the
/// writing direction (Unicode Technical Report 36, "bidirectional text spoofing").
fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{61c}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::time::{Duration, UNIX_EPOCH};

    use tracing::{error, info};
    use tracing_subscriber::prelude::*;

    use super::*;

    #[test]
    fn values() {
        fn check(input: &str, expect: &str) {
            let mut line = String::new();
            push_pair(&mut line, "k", input);
            assert_eq!(line, format!(" k={expect}"));
        }

        check("plain", "plain");
        check("/var/log/a-b_c.log:12,[x]{y}'", "/var/log/a-b_c.log:12,[x]{y}'");
        check(r"C:\x", r"C:\x");
        check("größe", "größe");
        check("", r#""""#);
        check("two words", r#""two words""#);
        check("a=b", r#""a=b""#);
        check(r#"say "hi""#, r#""say \"hi\"""#);
        check(r#"\""#, r#""\\\"""#);
        check("x\nlevel=error\r\t", r#""x\nlevel=error\r\t""#);
        check("\u{0}\u{1b}[31m\u{7f}\u{85}", r#""\u0000\u001b[31m\u007f\u0085""#);
        check("a\u{2028}b\u{202e}c\u{feff}", r#""a\u2028b\u202ec\ufeff""#);
        check("a\u{a0}b", "\"a\u{a0}b\"");
    }

    #[test]
    fn times() {
        fn check(since_epoch_millis: u64, expect: &str) {
            let time = UNIX_EPOCH + Duration::from_millis(since_epoch_millis);
            assert_eq!(utc_millis(time), expect);
        }

        // Expected values by GNU date.
        check(0, "1970-01-01T00:00:00.000Z");
        check(951_782_399_999, "2000-02-28T23:59:59.999Z");
        check(951_782_400_000, "2000-02-29T00:00:00.000Z");
        check(951_868_800_000, "2000-03-01T00:00:00.000Z");
        check(1_795_215_600_007, "2026-11-20T23:00:00.007Z");
        check(4_107_542_400_000, "2100-03-01T00:00:00.000Z");
        check(253_402_300_799_000, "9999-12-31T23:59:59.000Z");
    }

    #[test]
    fn a_line_has_the_message_first_and_ends_once() {
        let line = logged(|| {
            info!(target: "t", path = "/x", bytes = 12, ok = true, r#type = "a b", "followed file");
        });
        let expect =
            r#" level=info target=t msg="followed file" path=/x bytes=12 ok=true type="a b""#;
        assert_eq!(line, format!("{expect}\n"));
    }

    #[test]
    fn an_error_shows_its_chain_and_no_message_is_fine() {
        let inner = io::Error::other("disk\nfull");
        let outer = anyhow::Error::new(inner).context("cannot write");
        let line = logged(|| {
            error!(target: "t", error = &*outer as &dyn std::error::Error, shown = %"x y");
        });
        let expect = r#" level=error target=t error="cannot write: disk\nfull" shown="x y""#;
        assert_eq!(line, format!("{expect}\n"));
    }

    /// What `log` logs, without its time, which is checked for its shape.
    fn logged(log: impl FnOnce()) -> String {
        let (writer, written) = crate::testing::shared_buffer();
        let layer = tracing_subscriber::fmt::layer()
            .event_format(Logfmt)
            .fmt_fields(NoSpanFields)
            .with_writer(writer);
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), log);
        let line = written();
        let (time, rest) = line.split_at("ts=2026-11-20T23:00:00.000Z".len());
        let shape: String =
            time.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
        assert_eq!(shape, "ts=0000-00-00T00:00:00.000Z");
        rest.to_owned()
    }
}
