//! Every key that the store uses, in one enum; nothing else may put a key together.
//!
//! All keys of a partition share the hash tag `{007}`, hence one slot, one node, one failover: what a
//! node loses, it loses consistently.

use std::fmt;

use logtally_core::limits::{COUNTS_BUCKETS, PARTITIONS_MAX};
use logtally_core::partition::Partition;

/// A key, its type, and what stands there:
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Key {
    /// `lt:meta`, a hash: `state_id` (16 hexadecimal digits), `layout`, `partitions`,
    /// `hash_version`, `created_ms`.
    Meta,
    /// `lt:{007}:head`, a hash:
    ///
    /// | field | content |
    /// | --- | --- |
    /// | `state_id` | as in the metadata |
    /// | `seq`, `nonce` | the last journal entry |
    /// | `folded` | the last entry that is in the counts, as `seq nonce` |
    /// | `time` | the time of the last entry (milliseconds); times in a journal never go back |
    /// | `sources`, `families` | how many fields the hashes of these names have |
    /// | `buckets` | one digit per counts hash: `1` if it was ever written |
    /// | `trim` | `seq time_ms`: what may be trimmed, and since when it has been folded |
    ///
    /// The numbers tell an empty partition from one that lost a key.
    Head(Partition),
    /// `lt:{007}:positions`, a hash: source → `SourceState::encode`.
    Positions(Partition),
    /// `lt:{007}:families`, a hash: family id → `Family::encode`.
    Families(Partition),
    /// `lt:{007}:recovering`, a hash: source → `generation position time_ms` of the latest report of
    /// an acknowledged state that is not stored any more.
    Recovering(Partition),
    /// `lt:{007}:journal`, a stream with the ids `seq-0` and the fields `n` (nonce), `p` (the
    /// previous entry's nonce), `t` (store's time, milliseconds), `b` (packed increments).
    Journal(Partition),
    /// `lt:{007}:counts:0` to `lt:{007}:counts:63`, hashes: series key → the text of
    /// its count (`5`, `5@created_ms`, `5 12.5`, …: see `row.rs`), and [`MARKER`] → the last entry folded into this hash, as
    /// `seq nonce`.
    Counts(Partition, u16),
}

/// The field of a counts hash that says how far it is folded. No series key begins like it.
pub const MARKER: &[u8] = b"\0folded";

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Meta => f.write_str("lt:meta"),
            Self::Head(at) => write!(f, "lt:{{{at}}}:head"),
            Self::Positions(at) => write!(f, "lt:{{{at}}}:positions"),
            Self::Families(at) => write!(f, "lt:{{{at}}}:families"),
            Self::Recovering(at) => write!(f, "lt:{{{at}}}:recovering"),
            Self::Journal(at) => write!(f, "lt:{{{at}}}:journal"),
            Self::Counts(at, bucket) => write!(f, "lt:{{{at}}}:counts:{bucket}"),
        }
    }
}

impl Key {
    /// Reads a key, for tools that look at a whole server; `None` if it is none of ours.
    pub fn parse(text: &str) -> Option<Self> {
        if text == "lt:meta" {
            return Some(Self::Meta);
        }
        let (tag, rest) = text.strip_prefix("lt:{")?.split_once("}:")?;
        let at = Partition(tag.parse().ok().filter(|n| *n < PARTITIONS_MAX)?);
        let key = match rest {
            "head" => Self::Head(at),
            "positions" => Self::Positions(at),
            "families" => Self::Families(at),
            "recovering" => Self::Recovering(at),
            "journal" => Self::Journal(at),
            _ => Self::Counts(at, rest.strip_prefix("counts:")?.parse().ok()?),
        };
        // Another spelling of the same number (`counts:07`) is not a key of ours.
        let bucket_known = !matches!(key, Self::Counts(_, bucket) if bucket >= COUNTS_BUCKETS);
        (bucket_known && key.to_string() == text).then_some(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_pinned_and_survive_their_text() {
        let at = Partition(7);
        for (key, text) in [
            (Key::Meta, "lt:meta"),
            (Key::Head(at), "lt:{007}:head"),
            (Key::Positions(at), "lt:{007}:positions"),
            (Key::Families(at), "lt:{007}:families"),
            (Key::Recovering(at), "lt:{007}:recovering"),
            (Key::Journal(at), "lt:{007}:journal"),
            (Key::Counts(at, 0), "lt:{007}:counts:0"),
            (Key::Counts(Partition(1023), 63), "lt:{1023}:counts:63"),
        ] {
            assert_eq!(key.to_string(), text);
            assert_eq!(Key::parse(text), Some(key));
        }
    }

    #[test]
    fn other_keys_are_not_ours() {
        for text in [
            "",
            "lt:",
            "lt:metadata",
            "lt:{7}:head",
            "lt:{1024}:head",
            "lt:{007}:counts:64",
            "lt:{007}:counts:07",
            "lt:{007}:count",
        ] {
            assert_eq!(Key::parse(text), None, "{text}");
        }
    }
}
