//! The naive model of a store: it keeps every commit for ever, and counts anew for every question.

use std::collections::HashMap;
use std::ops::Range;

use logtally_core::admission::Admission;
use logtally_core::delta::Delta;
use logtally_core::journal::{Mark, Nonce};
use logtally_core::series::SeriesKey;

use super::readers::content;
use crate::words::{Sums, tail};

/// A piece of a source: name, generation, positions.
type Piece = (String, u64, Range<u64>);

#[derive(Clone, Default)]
pub(super) struct Naive {
    /// Generation and position of every open source.
    states: HashMap<String, (u64, u64)>,
    /// Every journal entry there ever was.
    entries: Vec<(Mark, Entry)>,
    folded: usize,
    reported: HashMap<String, (u64, u64)>,
}

/// What a journal entry did.
#[derive(Clone)]
enum Entry {
    Counted(Vec<Piece>),
    Forgot(SeriesKey),
    Nothing,
}

/// What the model expects of a commit.
pub(super) struct Expected {
    pub applied: Option<Mark>,
    pub admissions: Vec<Admission>,
}

impl Naive {
    pub(super) fn state(&self, name: &str) -> Option<(u64, u64)> {
        self.states.get(name).copied()
    }

    pub(super) fn commit(&mut self, deltas: &[Delta], nonce: Nonce) -> Expected {
        let admissions: Vec<_> = deltas.iter().map(|d| self.admit(d)).collect();
        if admissions.iter().any(|a| *a != Admission::Apply) {
            return Expected { applied: None, admissions };
        }
        let mark = Mark { seq: self.last().seq + 1, nonce };
        let piece = |d: &Delta| {
            let span = d.span.from()..d.span.to();
            (d.source.as_str().to_owned(), d.generation.0, span)
        };
        let pieces: Vec<Piece> = deltas.iter().map(piece).collect();
        for (name, generation, span) in &pieces {
            self.states.insert(name.clone(), (*generation, span.end));
            let reached = |r: &(u64, u64)| r.0 == *generation && r.1 <= span.end;
            if self.reported.get(name).is_some_and(reached) {
                self.reported.remove(name);
            }
        }
        self.entries.push((mark, Entry::Counted(pieces)));
        Expected { applied: Some(mark), admissions }
    }

    pub(super) fn forget(&mut self, key: SeriesKey, nonce: Nonce) -> Mark {
        self.append(Entry::Forgot(key), nonce)
    }

    pub(super) fn tick(&mut self, nonce: Nonce) -> Mark {
        self.append(Entry::Nothing, nonce)
    }

    fn append(&mut self, entry: Entry, nonce: Nonce) -> Mark {
        let mark = Mark { seq: self.last().seq + 1, nonce };
        self.entries.push((mark, entry));
        mark
    }

    /// Returns whether the source was still there as it was seen.
    pub(super) fn forget_source(&mut self, name: &str, seen: Option<(u64, u64)>) -> bool {
        let forgets = seen.is_some() && self.state(name) == seen;
        if forgets {
            self.states.remove(name);
            self.reported.remove(name);
        }
        forgets
    }

    fn admit(&self, delta: &Delta) -> Admission {
        let (from, to) = (delta.span.from(), delta.span.to());
        match self.state(delta.source.as_str()) {
            None => Admission::Unknown,
            Some((generation, _)) if generation != delta.generation.0 => Admission::Stale,
            Some((_, at)) if at == from && delta.tail_before != tail(at) => Admission::Stale,
            Some((_, at)) if at == from => Admission::Apply,
            Some((_, at)) if at >= to => Admission::Duplicate,
            Some(_) => Admission::Rewind,
        }
    }

    pub(super) fn open(&mut self, name: &str, seen: Option<(u64, u64)>, generation: u64) -> bool {
        let stored = self.state(name);
        let installs = stored == seen;
        if installs {
            self.states.insert(name.to_owned(), (generation, 0));
            match self.reported.get_mut(name) {
                Some(reported) if stored.is_none() => reported.0 = generation,
                _ => drop(self.reported.remove(name)),
            }
        }
        installs
    }

    /// Returns how many entries there are to fold.
    pub(super) fn fold(&mut self) -> u64 {
        let waiting = self.entries.len() - self.folded;
        self.folded = self.entries.len();
        waiting as u64
    }

    pub(super) fn report(&mut self, name: &str, generation: u64, position: u64) -> bool {
        let behind = match self.state(name) {
            None => position > 0,
            Some((stored, at)) => stored == generation && at < position,
        };
        if behind {
            let reported = self.reported.entry(name.to_owned()).or_insert((generation, position));
            let higher = if reported.0 == generation { reported.1.max(position) } else { position };
            *reported = (generation, higher);
        }
        behind
    }

    pub(super) fn reported(&self) -> usize {
        self.reported.len()
    }

    pub(super) fn last(&self) -> Mark {
        self.entries.last().map_or_else(Mark::default, |(mark, _)| *mark)
    }

    /// Whether a place is in the history.
    pub(super) fn knows(&self, place: Mark) -> bool {
        place == Mark::default() || self.entries.iter().any(|(mark, _)| *mark == place)
    }

    /// Whether the entry after a place is folded, and so may be trimmed.
    pub(super) fn is_folded(&self, place: Mark) -> bool {
        place.seq < self.folded as u64
    }

    pub(super) fn sums(&self) -> Sums {
        self.sums_after(Mark::default())
    }

    /// The recount of all commits after a place.
    pub(super) fn sums_after(&self, place: Mark) -> Sums {
        let mut sums = Sums::new();
        for (_, entry) in self.entries.iter().filter(|(mark, _)| mark.seq > place.seq) {
            match entry {
                Entry::Counted(pieces) => pieces.iter().for_each(|piece| add(&mut sums, piece)),
                Entry::Forgot(key) => drop(sums.remove(key)),
                Entry::Nothing => {}
            }
        }
        sums
    }
}

fn add(sums: &mut Sums, (name, generation, span): &Piece) {
    for (key, n) in content(name, *generation, span.clone()) {
        *sums.entry(key).or_default() += n;
    }
}
