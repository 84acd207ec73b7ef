//! Blocks of counts: packed rows of the series whose hashes lie in a range, in the order of hash and key.
//!
//! The blocks of a partition follow each other without a gap. The first one begins at hash 0 and is
//! there as soon as anything was folded; the last one has no end. So every series has exactly one block
//! that it belongs to, and a block that is gone is noticed. Nothing here reads or writes a store.

use bytes::Bytes;
use logtally_core::hash::hash64;
use logtally_core::limits::{BLOCK_BYTES, BLOCK_BYTES_MAX, BLOCK_BYTES_MIN};
use logtally_core::series::packed::is_key;

use crate::count::Count;
use crate::counts::next_row;
use crate::error::StoreError;

/// A block of counts.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Block {
    /// The lowest hash that belongs to it.
    pub lower: u64,
    /// Where the next block begins; `None` for the last one.
    pub upper: Option<u64>,
    /// The packed rows.
    pub rows: Bytes,
}

/// A row of a block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BlockRow<'a> {
    /// The hash of the series.
    pub hash: u64,
    /// The series.
    pub series: &'a [u8],
    /// Its count.
    pub count: Count,
    /// The row as it is packed.
    pub packed: &'a [u8],
}

impl Block {
    /// Whether series of this hash belong to it.
    pub(crate) fn holds(&self, hash: u64) -> bool {
        hash >= self.lower && self.upper.is_none_or(|upper| hash < upper)
    }

    /// The rows in order. What nobody writes is refused: a row that is cut off, of no family, of another
    /// block, or out of order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Result<BlockRow<'_>, StoreError>> {
        let (mut at, mut before) = (0, None);
        std::iter::from_fn(move || {
            if at == self.rows.len() {
                return None;
            }
            let row = self.next(&mut at).filter(|row| {
                let place = (row.hash, row.series);
                before.replace(place).is_none_or(|before| before < place)
            });
            if row.is_none() {
                at = self.rows.len();
            }
            Some(row.ok_or_else(|| {
                StoreError::Damaged(format!(
                    "the block of counts at {:016x} is unreadable",
                    self.lower
                ))
            }))
        })
    }

    fn next(&self, at: &mut usize) -> Option<BlockRow<'_>> {
        let start = *at;
        let (series, count) = next_row(&self.rows, at)?;
        let hash = hash64(series);
        let packed = &self.rows[start..*at];
        (is_key(series) && self.holds(hash)).then_some(BlockRow { hash, series, count, packed })
    }
}

/// Cuts rows that come in order into blocks.
pub(crate) struct Cutter {
    rows: Vec<u8>,
    lower: u64,
    /// The hash of the last row.
    last: Option<u64>,
    /// Where the rows can be cut so that the first part is a whole block, and the hash behind.
    cut: Option<(usize, u64)>,
    /// Blocks that are complete.
    done: Vec<Block>,
}

impl Cutter {
    /// For rows from the hash `lower` on.
    pub(crate) fn new(lower: u64) -> Self {
        let rows = Vec::with_capacity(BLOCK_BYTES_MAX);
        Self { rows, lower, last: None, cut: None, done: Vec::new() }
    }

    /// The next row, which `put` appends.
    pub(crate) fn push(&mut self, hash: u64, put: impl FnOnce(&mut Vec<u8>)) {
        let before = self.rows.len();
        put(&mut self.rows);
        // Series of one hash stay together: a block is found by the hash.
        let is_border = before > 0 && self.last != Some(hash);
        self.last = Some(hash);
        if is_border && self.cut.is_none() && self.rows.len() > BLOCK_BYTES {
            self.cut = Some((before, hash));
        }
        if self.rows.len() > BLOCK_BYTES_MAX {
            self.split();
        }
    }

    fn split(&mut self) {
        let Some((at, hash)) = self.cut.take() else { return };
        // A copy has no more memory than it needs, and the buffer is used again.
        let rows = Bytes::copy_from_slice(&self.rows[..at]);
        self.rows.drain(..at);
        self.done.push(Block { lower: self.lower, upper: Some(hash), rows });
        self.lower = hash;
    }

    /// Whether what is left is too small for a block of its own.
    pub(crate) fn is_small(&self) -> bool {
        self.rows.len() < BLOCK_BYTES_MIN
    }

    /// The blocks that are complete.
    pub(crate) fn take_done(&mut self) -> Vec<Block> {
        std::mem::take(&mut self.done)
    }

    /// The blocks that are left, the last of which ends at `upper`.
    pub(crate) fn finish(mut self, upper: Option<u64>) -> Vec<Block> {
        self.done.push(Block {
            lower: self.lower,
            upper,
            rows: Bytes::copy_from_slice(&self.rows),
        });
        self.done
    }
}

#[cfg(test)]
mod tests {
    use logtally_core::series::{Amount, Family, Kind, SeriesKey};

    use super::*;
    use crate::counts::put_row;

    fn series(host: &str) -> SeriesKey {
        SeriesKey::new(Family::new("n", Kind::Gauge, "", &["host"]).id(), [host])
    }

    fn row(series: &SeriesKey) -> Vec<u8> {
        let mut out = Vec::new();
        let count = Count { amount: Amount::records(7), created_ms: 0, touched_ms: 0 };
        put_row(&mut out, series.as_bytes(), count);
        out
    }

    /// Series in the order of their hashes.
    fn ordered(n: usize) -> Vec<SeriesKey> {
        let mut all: Vec<SeriesKey> = (0..n).map(|i| series(&format!("host-{i}"))).collect();
        all.sort_by_key(SeriesKey::hash64);
        all
    }

    fn cut(lower: u64, all: &[SeriesKey]) -> Vec<Block> {
        let mut cutter = Cutter::new(lower);
        for series in all {
            cutter.push(series.hash64(), |out| out.extend(row(series)));
        }
        cutter.finish(None)
    }

    fn keys(blocks: &[Block]) -> Vec<Vec<u8>> {
        let rows = blocks.iter().flat_map(Block::iter);
        rows.map(|row| row.expect("readable").series.to_vec()).collect()
    }

    #[test]
    fn blocks_follow_each_other_within_their_bounds() {
        for n in [0, 1, 700, 1_300, 20_000] {
            let all = ordered(n);
            let blocks = cut(0, &all);
            assert_eq!(keys(&blocks), all.iter().map(SeriesKey::as_bytes).collect::<Vec<_>>());
            assert_eq!((blocks[0].lower, blocks[blocks.len() - 1].upper), (0, None));
            for pair in blocks.windows(2) {
                assert_eq!(pair[0].upper, Some(pair[1].lower));
            }
            let (last, others) = blocks.split_last().expect("at least one");
            assert!(last.rows.len() <= BLOCK_BYTES_MAX);
            let is_good = |b: &Block| (BLOCK_BYTES_MIN..=BLOCK_BYTES).contains(&b.rows.len());
            assert!(others.iter().all(is_good), "{n} series");
        }
    }

    #[test]
    fn series_of_one_hash_stay_together() {
        let mut cutter = Cutter::new(3);
        for _ in 0..3 {
            cutter.push(5, |out| out.extend(vec![0; BLOCK_BYTES]));
        }
        cutter.push(6, |out| out.extend([0; 10]));
        let blocks = cutter.finish(Some(9));
        let sizes: Vec<_> = blocks.iter().map(|b| (b.lower, b.upper, b.rows.len())).collect();
        assert_eq!(sizes, [(3, Some(6), 3 * BLOCK_BYTES), (6, Some(9), 10)]);
    }

    #[test]
    fn what_nobody_writes_is_refused() {
        let all = ordered(9);
        let good = cut(0, &all).remove(0);
        let check = |damaged: Block, what: &str| {
            let refused = damaged.iter().find_map(Result::err);
            assert!(matches!(refused, Some(StoreError::Damaged(_))), "{what}");
        };
        let rows = |rows: Vec<u8>| Block { rows: rows.into(), ..good.clone() };
        check(rows(good.rows[..good.rows.len() - 1].to_vec()), "cut off");
        check(rows([&good.rows[..], b"\0"].concat()), "more behind");
        check(rows([row(&all[1]), row(&all[0])].concat()), "out of order");
        check(rows([row(&all[1]), row(&all[1])].concat()), "twice");
        check(Block { lower: all[0].hash64() + 1, ..good.clone() }, "below its range");
        check(Block { upper: Some(all[8].hash64()), ..good.clone() }, "above its range");
        let mut foreign = row(&all[0]);
        foreign[1] = b'!';
        check(rows(foreign), "of no family");
    }
}
