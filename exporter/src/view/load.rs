//! Taking in a whole partition.
//!
//! Of millions of rows each costs as little as it can: they are put in order by numbers, looked up
//! once, and find room that is there already.

use logtally_core::limits::PARTITIONS_DEFAULT_REDIS;
use logtally_core::partition::Partition;
use logtally_store::{Count, Snapshot};

use super::share::Share;
use super::touched::Touched;
use super::{Needs, View, needs};

impl View {
    /// Takes in a whole partition, in place of what the view had of it.
    pub fn load(&mut self, of: Partition, snapshot: Snapshot) -> Needs {
        self.version += 1;
        self.totals.expect_any();
        self.turned = Touched::Any;
        self.learn(&snapshot.families);
        self.take_away(of);
        let rows: Vec<_> =
            snapshot.counts.iter().filter(|(_, count)| count.amount.count > 0).collect();
        self.make_room(&rows);
        // In the order of the page, so that rendering walks through memory in order, too.
        let order = by_key(&rows);
        let slots = order.iter().map(|at| rows[*at as usize]);
        let slots: Vec<_> =
            slots.map(|(key, count)| (self.slot(key), count.amount.count)).collect();
        let mut share = Share::new(snapshot.at, snapshot.time_ms, &slots);
        let mut unknown = false;
        for (at, (slot, records)) in order.into_iter().zip(slots) {
            self.raise(slot, records);
            unknown |= self.is_unknown(slot);
            let (_, count) = rows[at as usize];
            share.insert_more(slot, count);
            self.note_created(slot, count.created_ms);
            self.note_value(slot, count.amount.value);
            self.note_touched(slot, count.touched_ms);
        }
        self.shares[usize::from(of.0)] = Some(share);
        needs(unknown)
    }

    /// Makes room in an empty table, as if a few other partitions had as many rows as this one.
    fn make_room(&mut self, rows: &[(&[u8], Count)]) {
        if self.table.len() > 0 {
            return;
        }
        let partitions = self.shares.len().min(PARTITIONS_DEFAULT_REDIS.into());
        let bytes: usize = rows.iter().map(|(key, _)| key.len()).sum();
        self.table.reserve(rows.len() * partitions, bytes * partitions);
    }

    fn take_away(&mut self, of: Partition) {
        let Some(share) = self.shares[usize::from(of.0)].take() else { return };
        for (slot, value) in share.rows() {
            let turn = self.totals.lower(slot, value);
            self.count_series(slot, turn);
        }
        for slot in share.with_more() {
            self.recompute(slot);
        }
    }
}

/// The numbers of rows in the order of their keys.
fn by_key(rows: &[(&[u8], Count)]) -> Vec<u32> {
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
    use logtally_core::series::Amount;

    use super::*;

    #[test]
    fn rows_are_put_in_the_order_of_their_keys() {
        let count = Count { amount: Amount::records(1), created_ms: 0, touched_ms: 0 };
        let keys =
            ["aab", "aa", "aabbbbbbbbbbbbbbbbbbbbbbbbbbbbbc", "aa\0", "aabbbbbbbbbbbbbbbbbbb"];
        for keys in [&keys[..], &keys[..1], &["a", "b"], &["", "a"], &["x", "x\0", "x\0\0"], &[]] {
            let rows: Vec<_> = keys.iter().map(|key| (key.as_bytes(), count)).collect();
            let mut expected = keys.to_vec();
            expected.sort_unstable();
            let order = by_key(&rows).into_iter().map(|at| keys[at as usize]);
            assert_eq!(order.collect::<Vec<_>>(), expected);
        }
    }
}
