//! The text of one count, readable by a person with `redis-cli HGETALL`.

use logtally_core::series::Kind;

use crate::Count;

/// Longest text of a count: two numbers of 64 bits, and the sign between them.
pub(super) const BYTES_MAX: usize = 41;

/// `5` for a gauge, `5@1790000000000` for a counter: the value, and the store's time of the first
/// increment in milliseconds since 1970.
pub(super) fn encode(kind: Kind, count: Count) -> String {
    match kind {
        Kind::Gauge => count.value.to_string(),
        Kind::Counter => format!("{}@{}", count.value, count.created_ms),
    }
}

/// Reads what [`encode`] wrote.
pub(super) fn decode(kind: Kind, text: &[u8]) -> Option<Count> {
    let text = std::str::from_utf8(text).ok()?;
    let (value, created_ms) = match kind {
        Kind::Gauge => (text, "0"),
        Kind::Counter => text.split_once('@')?,
    };
    Some(Count { value: value.parse().ok()?, created_ms: created_ms.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_survive_their_text() {
        let count = Count { value: 5, created_ms: 1_790_000_000_000 };
        assert_eq!(encode(Kind::Counter, count), "5@1790000000000");
        assert_eq!(decode(Kind::Counter, b"5@1790000000000"), Some(count));
        assert_eq!(encode(Kind::Gauge, count), "5");
        assert_eq!(decode(Kind::Gauge, b"5"), Some(Count { value: 5, created_ms: 0 }));
    }

    #[test]
    fn unreadable_counts_are_refused() {
        for text in ["", "5@1", "-5", "5.0"] {
            assert_eq!(decode(Kind::Gauge, text.as_bytes()), None, "{text}");
        }
        for text in ["", "5", "5@", "@5", "5@x"] {
            assert_eq!(decode(Kind::Counter, text.as_bytes()), None, "{text}");
        }
    }
}
