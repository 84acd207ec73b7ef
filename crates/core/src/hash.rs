//! The one hash of the system, pinned: XXH3 with 64 bits and seed 0.
//!
//! Its results are stored (tails, partitions, buckets) and agreed on by processes of different
//! builds (ring, shards), so it must never change and never go through a derived `Hash`.

use xxhash_rust::xxh3::xxh3_64;

/// Version of the hash, kept in the store's metadata. A process with another version refuses the
/// store.
pub const HASH_VERSION: u32 = 1;

/// XXH3-64 of `bytes`.
pub fn hash64(bytes: &[u8]) -> u64 {
    xxh3_64(bytes)
}

/// Maps a hash to `0..n` without the bias and the cost of a remainder (Lemire, "Fast random integer
/// generation in an interval", 2019).
pub fn scale(hash: u64, n: u64) -> u64 {
    ((u128::from(hash) * u128::from(n)) >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_pinned() {
        assert_eq!(hash64(b""), 0x2d06_8005_38d3_94c2);
        assert_eq!(scale(0, 7), 0);
        assert_eq!(scale(u64::MAX, 7), 6);
    }
}
