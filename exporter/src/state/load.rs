//! Taking in a whole partition.
//!
//! Of millions of rows each costs as little as it can: they are put in order by numbers, looked up
//! once, and find room that is there already.

use logtally_core::limits::PARTITIONS_DEFAULT_REDIS;
use logtally_core::partition::Partition;
use logtally_core::series::{Amount, Value};
use logtally_store::{Count, Snapshot};

use super::counts::{CountState, Needs, needs};
use super::dirty_set::DirtySet;
use super::partition::PartitionState;

/// A row without anything.
const NOTHING: Count =
    Count { amount: Amount { count: 0, value: Value::None }, created_ms: 0, touched_ms: 0 };

impl CountState {
    /// Takes in a whole partition, in place of what was known of it.
    pub fn load(&mut self, of: Partition, snapshot: Snapshot) -> Needs {
        self.version += 1;
        self.totals.expect_any();
        self.changes.membership = DirtySet::Any;
        let Snapshot { at, time_ms, counts, families, .. } = snapshot;
        self.learn(&families);
        self.take_away(of);
        // What most rows do not have is kept apart: a list of all that they can have would be several
        // times as long.
        let (mut rows, mut more) = (Vec::with_capacity(counts.len()), Vec::new());
        for (key, count) in counts.iter().filter(|(_, count)| count.amount.count > 0) {
            if count != (Count { amount: Amount::records(count.amount.count), ..NOTHING }) {
                more.push((rows.len(), count));
            }
            rows.push((key, count.amount.count));
        }
        self.make_room(&rows);
        // In the order of the page, so that rendering walks through memory in order, too.
        let order = by_key(&rows);
        let slots: Vec<_> = order
            .iter()
            .map(|at| rows[*at as usize])
            .map(|(key, records)| (self.slot(key), records))
            .collect();
        let mut partition = PartitionState::new(at, time_ms, &slots);
        let mut unknown = false;
        for (slot, records) in slots {
            self.raise(slot, records);
            unknown |= self.is_unknown(slot);
        }
        for (at, count) in more {
            let slot = self.slot(rows[at].0);
            partition.insert_more(slot, count);
            self.note_created(slot, count.created_ms);
            self.note_value(slot, count.amount.value);
            self.note_touched(slot, count.touched_ms);
        }
        self.partitions[usize::from(of.0)] = Some(partition);
        needs(unknown)
    }

    /// Makes room in an empty table, as if a few other partitions had as many rows as this one.
    fn make_room(&mut self, rows: &[(&[u8], u64)]) {
        if self.table.len() > 0 {
            return;
        }
        let partitions = self.partitions.len().min(PARTITIONS_DEFAULT_REDIS.into());
        let bytes: usize = rows.iter().map(|(key, _)| key.len()).sum();
        self.table.reserve(rows.len() * partitions, bytes * partitions);
    }

    fn take_away(&mut self, of: Partition) {
        let Some(partition) = self.partitions[usize::from(of.0)].take() else { return };
        for (slot, value) in partition.rows() {
            let change = self.totals.lower(slot, value);
            self.count_series(slot, change);
        }
        for slot in partition.with_more() {
            self.recompute(slot);
        }
    }
}

/// The numbers of rows in the order of their keys.
fn by_key(rows: &[(&[u8], u64)]) -> Vec<u32> {
    let Some((first, _)) = rows.first() else { return Vec::new() };
    let same = |key: &[u8]| key.iter().zip(*first).take_while(|(a, b)| a == b).count();
    let same = rows.iter().map(|(key, _)| same(key)).min().unwrap_or(0);
    // Most keys differ in the first bytes that not all have in common, which are compared at once.
    let begin = |key: &[u8]| {
        let mut begin = [0; 16];
        let rest = &key[same..key.len().min(same + 16)];
        begin[..rest.len()].copy_from_slice(rest);
        u128::from_be_bytes(begin)
    };
    let begins = rows.iter().map(|(key, _)| begin(key));
    let mut order: Vec<(u128, u32)> = begins.zip(0..).collect();
    let rest = |at: u32| &rows[at as usize].0[same..];
    order.sort_unstable_by(|(a, at), (b, bt)| a.cmp(b).then_with(|| rest(*at).cmp(rest(*bt))));
    order.into_iter().map(|(_, at)| at).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_put_in_the_order_of_their_keys() {
        let keys =
            ["aab", "aa", "aabbbbbbbbbbbbbbbbbbbbbbbbbbbbbc", "aa\0", "aabbbbbbbbbbbbbbbbbbb"];
        for keys in [&keys[..], &keys[..1], &["a", "b"], &["", "a"], &["x", "x\0", "x\0\0"], &[]] {
            let rows: Vec<_> = keys.iter().map(|key| (key.as_bytes(), 1)).collect();
            let mut expected = keys.to_vec();
            expected.sort_unstable();
            let order = by_key(&rows).into_iter().map(|at| keys[at as usize]);
            assert_eq!(order.collect::<Vec<_>>(), expected);
        }
    }
}
