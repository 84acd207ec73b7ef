//! What journal entries do to rows, in the order of the blocks of counts.
//!
//! Sorted by hash and place in the journal: a sort of whole numbers instead of keys, after which every
//! step is looked at once. Nothing here reads or writes a store.

use logtally_core::hash::hash64;
use logtally_core::journal::Entry;

use super::change::{Change, step};

/// Bytes of a small increment; only a guess.
const USUAL_BYTES: usize = 24;

/// Steps that are looked up together.
const WARM_STEPS: usize = 32;

/// The changes of some entries, in order.
pub(crate) struct Ordered<'e> {
    entries: &'e [Entry],
    /// Hash, number of the entry, and place in it, from the highest bits to the lowest.
    steps: Vec<u128>,
    at: usize,
    /// Up to where memory was touched.
    warm_to: usize,
    /// Changes of series with one hash that were not handed out yet, the last one first.
    pending: Vec<OrderedChange<'e>>,
}

/// What some entries do to one row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OrderedChange<'e> {
    /// The hash of the series.
    pub hash: u64,
    /// The series.
    pub series: &'e [u8],
    /// The change.
    pub change: Change,
}

impl<'e> Ordered<'e> {
    /// The changes of entries in the order of the journal.
    pub fn of(entries: &'e [Entry]) -> Self {
        let bytes: usize = entries.iter().map(|entry| entry.increments.len()).sum();
        let mut steps = Vec::with_capacity(bytes / USUAL_BYTES);
        for (entry, number) in entries.iter().zip(0_u128..) {
            let numbered = entry
                .increments
                .places()
                .map(|(at, series)| u128::from(hash64(series)) << 64 | number << 32 | at as u128);
            steps.extend(numbered);
        }
        steps.sort_unstable();
        Self { entries, steps, at: 0, warm_to: 0, pending: Vec::new() }
    }

    /// The hash of the next change.
    pub fn next_hash(&self) -> Option<u64> {
        let pending = self.pending.last().map(|change| change.hash);
        pending.or_else(|| self.steps.get(self.at).map(|step| hash_of(*step)))
    }

    /// The next change if its hash lies below `upper`.
    pub fn next_below(&mut self, upper: Option<u64>) -> Option<OrderedChange<'e>> {
        if let Some(upper) = upper
            && self.next_hash()? >= upper
        {
            return None;
        }
        if let Some(change) = self.pending.pop() {
            return Some(change);
        }
        let step = *self.steps.get(self.at)?;
        if self.at >= self.warm_to {
            self.warm();
            self.warm_to = self.at + WARM_STEPS;
        }
        self.at += 1;
        let first = self.read(step);
        if self.steps.get(self.at).is_none_or(|next| hash_of(*next) != first.hash) {
            return Some(first);
        }
        self.gather(first);
        self.pending.pop()
    }

    /// Takes all steps with the hash of `first`: nearly always all of one series.
    fn gather(&mut self, first: OrderedChange<'e>) {
        self.pending.push(first);
        while let Some(step) = self.steps.get(self.at).filter(|step| hash_of(**step) == first.hash)
        {
            let next = self.read(*step);
            self.at += 1;
            match self.pending.iter_mut().find(|known| known.series == next.series) {
                Some(known) => known.change = known.change.then(next.change),
                None => self.pending.push(next),
            }
        }
        self.pending.sort_unstable_by(|a, b| b.series.cmp(a.series));
    }

    /// Touches what the next steps will read. They lie all over the entries, and the processor waits for
    /// many of them at once much shorter than for one after the other.
    fn warm(&self) {
        let next = self.steps[self.at..].iter().take(WARM_STEPS + 4);
        let touch = |step: &u128| {
            let entry = &self.entries[(*step >> 32) as u32 as usize];
            entry.increments.as_bytes().get(*step as u32 as usize).copied().unwrap_or(0)
        };
        std::hint::black_box(next.map(touch).fold(0, |a, b| a ^ b));
    }

    fn read(&self, step_at: u128) -> OrderedChange<'e> {
        let entry = &self.entries[(step_at >> 32) as u32 as usize];
        let (series, amount) = entry.increments.at(step_at as u32 as usize);
        let amount = amount.settled(entry.time_ms, entry.mark.seq);
        let change = step(series, amount, entry.time_ms);
        OrderedChange { hash: hash_of(step_at), series, change }
    }
}

fn hash_of(step: u128) -> u64 {
    (step >> 64) as u64
}
