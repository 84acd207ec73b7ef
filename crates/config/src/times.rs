//! Times in records: which column, and how they are written. Knows no calendar; whoever compiles a
//! pattern reports its errors.

use logtally_rules::spec::{TimeFormat, TimeSpec};

use crate::reader::Object;
use crate::scope::Scope;
use crate::shape;
use crate::tree::{Node, Value};

/// A time: a column with RFC 3339 times, or a map.
pub(crate) fn read(scope: &Scope, node: &Node) -> Option<TimeSpec> {
    if let Value::Text(column) = &node.value {
        scope.check_column(column, node.mark);
        return Some(TimeSpec { column: column.clone(), format: TimeFormat::Rfc3339 });
    }
    let object = scope.reader.object(node, "time", &shape::TIME_MAP)?;
    let column = object.scalar("column")?;
    scope.check_column(&column, object.mark("column"));
    Some(TimeSpec { column, format: format(object) })
}

/// The field `format` of a time.
pub(crate) fn format(object: Object) -> TimeFormat {
    let Some(text) = object.text("format") else { return TimeFormat::Rfc3339 };
    match text.as_str() {
        "rfc3339" => TimeFormat::Rfc3339,
        "unix" => TimeFormat::Unix,
        "unix_ms" => TimeFormat::UnixMs,
        _ => {
            if !text.contains('%') {
                let message = format!("unknown time format '{text}'");
                object.error("format", message, "write rfc3339, unix, unix_ms or a strftime pattern such as '%d/%b/%Y:%H:%M:%S %z'");
            }
            TimeFormat::Pattern(text)
        }
    }
}

/// Whether a text has the form of an RFC 3339 time; the offset may be left out.
pub(crate) fn looks_like_rfc3339(text: &str) -> bool {
    const FORM: &[u8] = b"0000-00-00T00:00:00";
    let head = text.as_bytes();
    let fits = |(form, byte): (&u8, &u8)| match form {
        b'0' => byte.is_ascii_digit(),
        b'T' => matches!(byte, b'T' | b't' | b' '),
        other => byte == other,
    };
    head.len() >= FORM.len() && FORM.iter().zip(head).all(fits) && is_rest(&head[FORM.len()..])
}

fn is_rest(rest: &[u8]) -> bool {
    let fraction = match rest {
        [b'.', digits @ ..] => 1 + digits.iter().take_while(|b| b.is_ascii_digit()).count(),
        _ => 0,
    };
    match &rest[fraction..] {
        [] | [b'Z' | b'z'] => fraction != 1,
        [b'+' | b'-', a, b, b':', c, d] => {
            fraction != 1 && [a, b, c, d].iter().all(|b| b.is_ascii_digit())
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_by_their_form() {
        for good in ["2026-11-21T02:20:00Z", "2026-11-21 02:20:00", "2026-11-21T02:20:00.5+01:00"] {
            assert!(looks_like_rfc3339(good), "{good}");
        }
        for bad in ["", "2026-11-21", "2026-11-21T02:20:00.Z", "yesterday", "2026-11-21T02:20:00+1"]
        {
            assert!(!looks_like_rfc3339(bad), "{bad}");
        }
    }
}
