//! What journal entries do to rows: they add to them, and they forget them.
//!
//! The order of the journal matters here and nowhere else: what comes before a row is forgotten is
//! gone, what comes after begins a new row. Nothing here reads or writes a store.

use std::collections::HashMap;
use std::collections::hash_map::Entry as MapEntry;

use logtally_core::journal::Entry;
use logtally_core::series::Amount;
use logtally_core::series::packed::times_of;

use crate::count::Count;

/// What some entries do to one row, in one step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Change {
    /// Whether the row that was there goes away first.
    forgets: bool,
    /// What is added after that.
    added: Option<Count>,
}

/// A row after a change.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Row {
    /// It is there.
    Holds(Count),
    /// It is not, or not any more.
    Gone,
}

impl Change {
    /// This change, and then the next one.
    pub(crate) fn then(self, next: Self) -> Self {
        if next.forgets {
            return next;
        }
        let added = match (self.added, next.added) {
            (Some(count), Some(addend)) => Some(plus(count, addend)),
            (count, addend) => count.or(addend),
        };
        Self { added, ..self }
    }

    /// The row that comes out of `current`.
    pub(crate) fn applied_to(self, current: Option<Count>) -> Row {
        let kept = current.filter(|_| !self.forgets);
        match (kept, self.added) {
            (Some(count), Some(addend)) => Row::Holds(plus(count, addend)),
            (count, addend) => count.or(addend).map_or(Row::Gone, Row::Holds),
        }
    }
}

/// What some entries do to every row that they name.
#[derive(Default)]
pub(crate) struct Changes<'e>(HashMap<&'e [u8], Change>);

impl<'e> Changes<'e> {
    /// One more change of a row.
    pub(crate) fn then(&mut self, series: &'e [u8], change: Change) {
        match self.0.entry(series) {
            MapEntry::Occupied(mut at) => {
                let both = at.get().then(change);
                at.insert(both);
            }
            MapEntry::Vacant(at) => {
                at.insert(change);
            }
        }
    }

    /// The change of a row.
    pub(crate) fn get(&self, series: &[u8]) -> Option<Change> {
        self.0.get(series).copied()
    }

    /// All changes, in any order.
    pub(crate) fn into_vec(self) -> Vec<(&'e [u8], Change)> {
        self.0.into_iter().collect()
    }
}

/// What an entry does, step by step. Only some kinds of rows carry times.
pub(crate) fn steps(entry: &Entry) -> impl Iterator<Item = (&[u8], Change)> {
    entry.amounts().map(|(series, amount)| (series, step(series, amount, entry.time_ms)))
}

/// What one increment does to its row.
pub(crate) fn step(series: &[u8], amount: Amount, time_ms: u64) -> Change {
    if amount.count == 0 {
        return Change { forgets: true, added: None };
    }
    let (has_created, has_ttl) = times_of(series);
    let created_ms = if has_created { time_ms } else { 0 };
    let touched_ms = if has_ttl { time_ms } else { 0 };
    Change { forgets: false, added: Some(Count { amount, created_ms, touched_ms }) }
}

/// Adds to a row, which keeps its time of creation. A sum that leaves its range stays at the end of
/// it and is shown as infinite: to refuse it would stop the folding of everything else for ever.
fn plus(count: Count, addend: Count) -> Count {
    let amount = count.amount.merge_sticky(addend.amount);
    if amount.is_at_end() && !count.amount.is_at_end() {
        tracing::error!(records = amount.count, "a sum left its range and is infinite from now on");
    }
    Count { amount, touched_ms: count.touched_ms.max(addend.touched_ms), ..count }
}

#[cfg(test)]
mod tests {
    use logtally_core::decimal::Decimal;
    use logtally_core::series::Value;

    use super::*;

    fn count(n: u64) -> Count {
        Count { amount: Amount::records(n), created_ms: n, touched_ms: n }
    }

    const FORGETS: Change = Change { forgets: true, added: None };

    fn adds(n: u64) -> Change {
        Change { forgets: false, added: Some(count(n)) }
    }

    #[test]
    fn the_order_of_the_journal_decides() {
        let check = |steps: &[Change], before: Option<Count>, after: Row| {
            let joined = steps.iter().copied().reduce(Change::then).expect("steps");
            assert_eq!(joined.applied_to(before), after, "{steps:?}");
            let one_by_one = steps.iter().fold(before, |row, step| match step.applied_to(row) {
                Row::Holds(count) => Some(count),
                Row::Gone => None,
            });
            assert_eq!(one_by_one.map_or(Row::Gone, Row::Holds), after, "{steps:?}");
        };
        let sum = Count { amount: Amount::records(7), created_ms: 3, touched_ms: 4 };
        check(&[adds(3), adds(4)], None, Row::Holds(sum));
        check(&[adds(4)], Some(count(3)), Row::Holds(sum));
        check(&[FORGETS], Some(count(3)), Row::Gone);
        check(&[FORGETS], None, Row::Gone);
        check(&[adds(1), FORGETS], Some(count(3)), Row::Gone);
        check(&[FORGETS, adds(3), adds(4)], Some(count(9)), Row::Holds(sum));
        check(&[adds(1), FORGETS, adds(3), FORGETS, adds(4)], Some(count(9)), Row::Holds(count(4)));
    }

    #[test]
    fn a_sum_beyond_its_range_stays_and_stops_nobody() {
        let sum =
            |value| Count { amount: Amount { count: 1, value: Value::Sum(value) }, ..count(1) };
        let one = Decimal::from_units(1);
        let left = plus(sum(Decimal::MAX), sum(one));
        assert_eq!((left.amount.value, left.amount.count), (Value::Sum(Decimal::MAX), 2));
        let left = plus(left, sum(Decimal::from_units(-5)));
        assert_eq!(left.amount.value, Value::Sum(Decimal::MAX));
    }
}
