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
    pub(crate) fn of(entries: &'e [Entry]) -> Self {
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
    pub(crate) fn next_hash(&self) -> Option<u64> {
        let pending = self.pending.last().map(|change| change.hash);
        pending.or_else(|| self.steps.get(self.at).map(|step| hash_of(*step)))
    }

    /// The next change if its hash lies below `upper`.
    pub(crate) fn next_below(&mut self, upper: Option<u64>) -> Option<OrderedChange<'e>> {
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

#[cfg(test)]
mod tests {
    use logtally_core::journal::{Mark, Nonce};
    use logtally_core::series::{Family, Increments, Kind, SeriesKey};

    use super::*;
    use crate::partition_log::change::Row;

    fn entry(seq: u64, increments: Increments) -> Entry {
        let mark = Mark { seq, nonce: Nonce(seq) };
        Entry { mark, previous: Nonce(seq - 1), time_ms: 1, increments }
    }

    fn series(host: &str) -> SeriesKey {
        SeriesKey::new(Family::new("n", Kind::Gauge, "", &["host"]).id(), [host])
    }

    /// What is left of rows with 100 records each.
    fn applied(mut changes: Ordered<'_>) -> Vec<(Vec<u8>, u64)> {
        let hundred = step(series("").as_bytes(), 100.into(), 1).applied_to(None);
        let Row::Holds(hundred) = hundred else { panic!("it adds") };
        let mut all = Vec::new();
        while let Some(OrderedChange { series, change, .. }) = changes.next_below(None) {
            let records = match change.applied_to(Some(hundred)) {
                Row::Holds(count) => count.amount.count,
                Row::Gone => 0,
            };
            all.push((series.to_vec(), records));
        }
        assert_eq!(changes.next_hash(), None);
        all
    }

    #[test]
    fn series_with_one_hash_are_told_apart_in_the_order_of_the_journal() {
        let (a, b) = (series("a"), series("b"));
        let entries = [
            entry(1, Increments::pack([(b.as_bytes(), 1), (a.as_bytes(), 2)])),
            entry(2, Increments::forget([a.as_bytes()])),
            entry(3, Increments::pack([(a.as_bytes(), 4), (b.as_bytes(), 8)])),
        ];
        let wanted = [(a.as_bytes().to_vec(), 4), (b.as_bytes().to_vec(), 109)];
        let mut sorted = applied(Ordered::of(&entries));
        sorted.sort();
        assert_eq!(sorted, wanted);
        let mut collided = Ordered::of(&entries);
        collided.steps.iter_mut().for_each(|step| *step = *step << 64 >> 64 | 7 << 64);
        collided.steps.sort_unstable();
        assert_eq!(applied(collided), wanted);
    }

    #[test]
    fn nothing_is_handed_out_above_a_border() {
        let all: Vec<SeriesKey> = (0..200).map(|n| series(&n.to_string())).collect();
        let pairs = all.iter().map(|key| (key.as_bytes(), 1));
        let entries = [entry(1, Increments::pack(pairs))];
        let mut changes = Ordered::of(&entries);
        let below = std::iter::from_fn(|| changes.next_below(Some(1 << 63)));
        let below: Vec<u64> = below.map(|change| change.hash).collect();
        assert!(below.is_sorted() && below.iter().all(|hash| *hash < 1 << 63));
        assert_eq!(below.len(), all.iter().filter(|key| key.hash64() < 1 << 63).count());
        assert!(changes.next_hash().is_some_and(|hash| hash >= 1 << 63));
    }
}
