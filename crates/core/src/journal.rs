//! The journal of a partition: one entry per commit, in order, linked by nonces.
//!
//! Sequence numbers are reused after a rollback of the store; nonces are not. So a place in a
//! journal is always a number *and* a nonce, and entries are only believed if they link.

use std::fmt;

use crate::series::{Amount, Increments};

/// A random id of one journal entry. 0 stands for "before the first entry" of a fresh partition.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Nonce(pub u64);

impl fmt::Debug for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "n{:x}", self.0)
    }
}

/// A place in a journal: everything up to and including entry `seq`, which has `nonce`.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Mark {
    /// Sequence number of the entry, 0 before the first.
    pub seq: u64,
    /// The entry's nonce.
    pub nonce: Nonce,
}

impl Mark {
    /// The stored text form: `seq nonce`, the nonce in 16 hexadecimal digits.
    pub fn encode(self) -> String {
        format!("{} {:016x}", self.seq, self.nonce.0)
    }

    /// Reads the stored text form.
    pub fn decode(text: &str) -> Option<Self> {
        let (seq, nonce) = text.split_once(' ')?;
        let nonce = Nonce(u64::from_str_radix(nonce, 16).ok()?);
        Some(Self { seq: seq.parse().ok()?, nonce })
    }
}

impl fmt::Debug for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}{:?}", self.seq, self.nonce)
    }
}

/// One commit, as the journal keeps it until it is folded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// Its place.
    pub mark: Mark,
    /// The nonce of the entry before.
    pub previous: Nonce,
    /// The store's time of the commit, milliseconds since 1970.
    pub time_ms: u64,
    /// The merged increments, as they were committed.
    pub increments: Increments,
}

impl Entry {
    /// The increments in order, each with its place in the journal where that decides. A count of 0
    /// forgets the series.
    pub fn amounts(&self) -> impl Iterator<Item = (&[u8], Amount)> {
        let settled = |amount: Amount| amount.settled(self.time_ms, self.mark.seq);
        self.increments.iter().map(move |(key, amount)| (key, settled(amount)))
    }
}

/// Checks that `entries` continue `after` without a gap: numbers follow each other and every entry
/// names its predecessor's nonce. Returns the place reached, or `None` if the chain is broken (by a
/// trim or a rollback): then the partition must be loaded again.
pub fn follow(after: Mark, entries: &[Entry]) -> Option<Mark> {
    entries.iter().try_fold(after, |at, entry| {
        let linked = entry.mark.seq == at.seq + 1 && entry.previous == at.nonce;
        linked.then_some(entry.mark)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(seq: u64, nonce: u64, previous: u64) -> Entry {
        Entry {
            mark: Mark { seq, nonce: Nonce(nonce) },
            previous: Nonce(previous),
            time_ms: 0,
            increments: Increments::default(),
        }
    }

    #[test]
    fn only_linked_entries_are_followed() {
        let at = Mark { seq: 4, nonce: Nonce(40) };
        let good = [entry(5, 50, 40), entry(6, 60, 50)];
        assert_eq!(follow(at, &good), Some(Mark { seq: 6, nonce: Nonce(60) }));
        assert_eq!(follow(at, &[]), Some(at));
        assert_eq!(follow(at, &[entry(6, 60, 40)]), None, "gap in numbers");
        assert_eq!(follow(at, &[entry(5, 50, 41)]), None, "another history");
        assert_eq!(follow(at, &[entry(5, 50, 40), entry(6, 60, 51)]), None);
    }

    #[test]
    fn marks_survive_their_stored_form() {
        let mark = Mark { seq: 12, nonce: Nonce(0xabc) };
        assert_eq!(mark.encode(), "12 0000000000000abc");
        assert_eq!(Mark::decode(&mark.encode()), Some(mark));
        assert_eq!(Mark::decode("12"), None);
    }
}
