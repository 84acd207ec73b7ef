//! The raw keys of one input, counted; and whether looking them up is worth while.

use logtally_core::limits::{RAW_KEYS_BYTES_MAX, TALLY_KEPT_BYTES_MAX};
use logtally_formats::csv::Dialect;

use super::raw_keys::{KeyBytes, Lookup, RawKeys};
use crate::input::Input;

/// Bytes of a raw key's increments beside their keys, as far as they are usual.
const OVERHEAD_BYTES: usize = 3;

/// After so many raw keys that were not found it is asked whether looking them up is worth while.
const TRIAL: u64 = 1 << 16;

/// The raw keys of one input, counted.
#[derive(Default)]
pub(super) struct RawKeyCache {
    keys: RawKeys,
    owner: Option<Owner>,
    /// Look-ups since the keys were forgotten: found, and not found.
    hits: u64,
    misses: u64,
}

/// The input that the raw keys are of.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Owner {
    serial: u64,
    dialect: Dialect,
    /// Whether every raw key is a series of its own: there is one rule, and it matches all records.
    is_series_each: bool,
}

impl Owner {
    fn of(input: &Input, dialect: Dialect) -> Self {
        let is_series_each =
            matches!(input.rules.rules(), [only_rule] if only_rule.is_unconditional());
        Self { serial: input.serial, dialect, is_series_each }
    }
}

impl RawKeyCache {
    /// Makes this the cache of an input: forgets the raw keys if they are those of another one.
    pub(super) fn begin(&mut self, input: &Input, dialect: Dialect) {
        if self.owner.is_some_and(|owner| owner.serial == input.serial) {
            return;
        }
        self.forget();
        self.owner = Some(Owner::of(input, dialect));
    }

    /// Whether looking up raw keys is worth while. Where they are made of values that never come again
    /// (a duration that a condition asks for), it only costs. But where every raw key is a series, any
    /// other way would remember as much.
    pub(super) fn is_worth_while(&self) -> bool {
        self.misses <= TRIAL
            || self.misses <= self.hits
            || self.owner.is_some_and(|owner| owner.is_series_each)
    }

    /// Whether more raw keys may be remembered within this span.
    pub(super) fn has_room(&self) -> bool {
        self.keys.arena_bytes() <= RAW_KEYS_BYTES_MAX
    }

    /// The raw keys, to begin look-ups.
    #[inline]
    pub(super) fn keys(&self) -> &RawKeys {
        &self.keys
    }

    /// Counts these, up to the first one that is not known. Returns how many.
    #[inline]
    pub(super) fn count_known(&mut self, text: &[u8], lookups: &[Lookup]) -> usize {
        let known = self.keys.count_known(text, lookups);
        self.hits += known as u64;
        known
    }

    /// A raw key was not found.
    pub(super) fn miss(&mut self) {
        self.misses += 1;
    }

    /// Counts one that is not known, and knows it from now on.
    pub(super) fn insert(&mut self, text: &[u8], lookup: &Lookup, bytes: KeyBytes) {
        self.keys.insert(text, lookup, bytes, 1);
    }

    /// The dialect and the raw keys that were counted, if there are any.
    ///
    /// # Panics
    /// If they were counted for another input.
    pub(super) fn counted(&self, input: &Input) -> Option<(Dialect, &RawKeys)> {
        if self.keys.touched() == 0 {
            return None;
        }
        let owner = self.owner.filter(|owner| owner.serial == input.serial);
        let owner = owner.expect("counted and packed by one input");
        Some((owner.dialect, &self.keys))
    }

    /// About how many bytes the packed increments will have.
    pub(super) fn packed_len(&self) -> usize {
        self.keys.series_key_bytes() + self.keys.touched() * OVERHEAD_BYTES
    }

    /// Adds what another one has counted for the same input.
    pub(super) fn absorb(&mut self, other: &Self) {
        if other.keys.touched() == 0 {
            return;
        }
        if self.owner != other.owner {
            self.forget();
            self.owner = other.owner;
        }
        self.keys.absorb(&other.keys);
    }

    /// Sets all counts to 0, and forgets the raw keys if they are too many or not worth while.
    pub(super) fn clear(&mut self) {
        self.keys.clear();
        if self.keys.arena_bytes() > TALLY_KEPT_BYTES_MAX || !self.is_worth_while() {
            self.forget();
        }
    }

    fn forget(&mut self) {
        self.keys.forget(TALLY_KEPT_BYTES_MAX);
        (self.hits, self.misses) = (0, 0);
    }
}
