//! What an aggregator does with the increments of deltas: check each block, merge them all.

use anyhow::{Result, ensure};
use logtally_core::series::{Increments, SeriesKey};

use crate::repetition::Repetition;
use crate::text;

/// Blocks that are merged, and the increments of each.
const BLOCKS: usize = 4;
const EACH: usize = 5_000;

/// How many increments that are.
pub(crate) const INCREMENTS: usize = BLOCKS * EACH;

/// Packs blocks that overlap by half, checks and merges them.
#[expect(clippy::unnecessary_wraps, reason = "as the other cases are prepared")]
pub(crate) fn merge() -> Result<Repetition> {
    let keys: Vec<SeriesKey> = (0..EACH * BLOCKS).map(text::key).collect();
    Ok(Box::new(move || {
        let mut blocks = Vec::new();
        for keys in (0..BLOCKS).map(|block| &keys[block * EACH / 2..][..EACH]) {
            let packed = Increments::pack(keys.iter().map(|key| (key.as_bytes(), 1)));
            blocks.push(Increments::parse(packed.as_bytes().clone())?);
        }
        let merged = Increments::merge(&blocks).iter().count();
        ensure!(merged == EACH * (BLOCKS + 1) / 2, "{merged} series");
        Ok(())
    }))
}
