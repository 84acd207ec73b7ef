//! What the store remembers of a source, and the text form in which it does.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::hash::hash64;
use crate::limits::{POSITION_MAX, TAIL_BYTES_MAX};

/// A random id that a source gets each time it is opened anew. Never counted up: after a rollback of the
/// store a counted generation would be reused for other bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Generation(pub u64);

impl fmt::Debug for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "g{:x}", self.0)
    }
}

/// The hash of the up to [`TAIL_BYTES_MAX`] bytes just before a position.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Tail(pub u64);

impl Tail {
    /// The tail of `before`, which are the bytes before a position: all of them, or at least the
    /// last [`TAIL_BYTES_MAX`].
    pub fn of(before: &[u8]) -> Self {
        let from = before.len().saturating_sub(TAIL_BYTES_MAX);
        Self(hash64(&before[from..]))
    }

    /// The tail at position 0.
    pub fn empty() -> Self {
        Self::of(b"")
    }

    /// How many bytes the tail at `position` covers.
    pub fn len_at(position: u64) -> usize {
        position.min(TAIL_BYTES_MAX as u64) as usize
    }
}

impl fmt::Debug for Tail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "t{:x}", self.0)
    }
}

/// How many records a span or a source had, and what became of them:
/// `read = counted + filtered + rejected`.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RecordCounts {
    /// Records that hit a rule.
    pub counted: u64,
    /// Records that no rule takes.
    pub filtered: u64,
    /// Records that could not be counted, by whatever reason.
    pub rejected: u64,
}

impl RecordCounts {
    /// All records read.
    pub fn read(self) -> u64 {
        self.counted + self.filtered + self.rejected
    }

    /// Adds another count.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            counted: self.counted + other.counted,
            filtered: self.filtered + other.filtered,
            rejected: self.rejected + other.rejected,
        }
    }
}

/// Where a source ends that is a part of a file: what a new rule counts afterwards of the bytes that
/// were there before it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SourceEnd {
    /// Just after its last record.
    pub position: u64,
    /// Hash of the bytes before `position`: another one there means that the bytes are gone.
    pub tail: Tail,
}

impl SourceEnd {
    fn decode(text: &str) -> Option<Self> {
        let (position, tail) = text.split_once(':')?;
        let position = position.parse().ok().filter(|at| *at <= POSITION_MAX)?;
        Some(Self { position, tail: Tail(u64::from_str_radix(tail, 16).ok()?) })
    }
}

impl fmt::Display for SourceEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{:016x}", self.position, self.tail.0)
    }
}

/// What the store remembers of a source: which generation, how far it is counted, what stood just before,
/// a note of the reader, and how many records that were.
///
/// Its text form is the stored form: `generation position tail note end counted filtered rejected`,
/// with hexadecimal hashes and `-` for no note and no end. The store's script compares the first
/// three words.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceState {
    /// The generation of the source.
    pub generation: Generation,
    /// Just after the last counted record: a byte offset below 2^53.
    pub position: u64,
    /// Hash of the bytes before `position`.
    pub tail: Tail,
    /// What a reader wants to find again with the position: of a file, the offset of the header in
    /// force; of a producer, whatever number it gave with its last message; of an idempotency key or
    /// an anonymous source, when it was last used (seconds since 1970).
    pub note: Option<u64>,
    /// Where the source ends, if it ends before the file does.
    pub end: Option<SourceEnd>,
    /// Records so far in this generation.
    pub records: RecordCounts,
}

impl SourceState {
    /// The state at the beginning of a generation.
    pub fn start(generation: Generation) -> Self {
        Self {
            generation,
            position: 0,
            tail: Tail::empty(),
            note: None,
            end: None,
            records: RecordCounts::default(),
        }
    }

    /// Whether `other` names the same state for a compare-and-set: generation, position and tail.
    pub fn same_place(&self, other: &Self) -> bool {
        (self.generation, self.position, self.tail)
            == (other.generation, other.position, other.tail)
    }

    /// The stored text form.
    pub fn encode(&self) -> String {
        let note = self.note.map_or_else(|| "-".to_owned(), |at| at.to_string());
        let end = self.end.map_or_else(|| "-".to_owned(), |end| end.to_string());
        let Self { generation, position, tail, records, .. } = self;
        let RecordCounts { counted, filtered, rejected } = records;
        format!(
            "{:016x} {position} {:016x} {note} {end} {counted} {filtered} {rejected}",
            generation.0, tail.0,
        )
    }

    /// Reads the stored text form.
    pub fn decode(text: &str) -> Result<Self, CorruptState> {
        let corrupt = || CorruptState(text.to_owned());
        let mut words = text.split(' ');
        let mut word = || words.next().ok_or_else(corrupt);
        let hex = |w: &str| u64::from_str_radix(w, 16).map_err(|_| corrupt());
        let number = |w: &str| match w.parse::<u64>() {
            Ok(n) if n <= POSITION_MAX => Ok(n),
            _ => Err(corrupt()),
        };
        let state = Self {
            generation: Generation(hex(word()?)?),
            position: number(word()?)?,
            tail: Tail(hex(word()?)?),
            note: match word()? {
                "-" => None,
                at => Some(number(at)?),
            },
            end: match word()? {
                "-" => None,
                text => Some(SourceEnd::decode(text).ok_or_else(corrupt)?),
            },
            records: RecordCounts {
                counted: number(word()?)?,
                filtered: number(word()?)?,
                rejected: number(word()?)?,
            },
        };
        if words.next().is_some() { Err(corrupt()) } else { Ok(state) }
    }
}

impl fmt::Debug for SourceState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}@{}{:?}", self.generation, self.position, self.tail)
    }
}

/// A stored source state that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("stored state of a source is unreadable: {0:?}")]
pub struct CorruptState(pub String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_survive_their_stored_form() {
        let state = SourceState {
            generation: Generation(7),
            position: 42,
            tail: Tail::of(b"server1,backup\n"),
            note: Some(0),
            end: Some(SourceEnd { position: 50, tail: Tail(9) }),
            records: RecordCounts { counted: 2, filtered: 3, rejected: 1 },
        };
        assert_eq!(SourceState::decode(&state.encode()), Ok(state));
        let pinned = "0000000000000007 0 2d06800538d394c2 - - 0 0 0";
        assert_eq!(SourceState::start(Generation(7)).encode(), pinned);
    }

    #[test]
    fn unreadable_states_are_refused() {
        let too_far = format!("1 {} 1 - - 0 0 0", POSITION_MAX + 1);
        for text in [
            "",
            "1 2 3",
            "x 0 0 - - 0 0 0",
            "1 -1 1 - - 0 0 0",
            &too_far,
            "1 0 1 - - 0 0 0 9",
            "1 0 1 - 5 0 0 0",
        ] {
            assert!(SourceState::decode(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_tail_covers_the_last_kibibyte_only() {
        let long = vec![b'x'; 3000];
        assert_eq!(Tail::of(&long), Tail::of(&long[..TAIL_BYTES_MAX]));
        assert_eq!(Tail::len_at(10), 10);
        assert_eq!(Tail::len_at(5000), TAIL_BYTES_MAX);
    }
}
