//! Cutting what is forgotten into entries of a journal: one entry must not be larger than a commit.

use logtally_core::limits::BATCH_BYTES_MAX;
use logtally_core::series::SeriesKey;

/// Bytes of keys that are forgotten in one entry: less than a batch.
const KEYS_BYTES_MAX: usize = BATCH_BYTES_MAX / 2;

/// Pieces of `keys`, in order, each of which one [`CountStore::forget`](crate::CountStore::forget) takes.
pub fn forget_pieces(keys: &[SeriesKey]) -> impl Iterator<Item = &[SeriesKey]> {
    let mut rest = keys;
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fits = rest.iter().take_while(|key| {
            bytes += key.as_bytes().len();
            bytes <= KEYS_BYTES_MAX
        });
        let (piece, later) = rest.split_at(fits.count().max(1).min(rest.len()));
        rest = later;
        (!piece.is_empty()).then_some(piece)
    })
}

#[cfg(test)]
mod tests {
    use logtally_core::series::{Family, Kind};

    use super::*;

    #[test]
    fn every_key_is_in_one_piece_and_no_piece_is_too_large() {
        assert_eq!(forget_pieces(&[]).count(), 0);
        let id = Family::new("n", Kind::Gauge, "", &["host"]).id();
        let key = |n: usize| SeriesKey::new(id, [format!("{n:01000}").as_str()]);
        let keys: Vec<SeriesKey> = (0..700).map(key).collect();
        let pieces: Vec<&[SeriesKey]> = forget_pieces(&keys).collect();
        assert_eq!(pieces.concat(), keys);
        let bytes = |piece: &[SeriesKey]| piece.iter().map(|key| key.as_bytes().len()).sum();
        let sizes: Vec<usize> = pieces.iter().map(|piece| bytes(piece)).collect();
        assert!(sizes.iter().all(|size| *size <= KEYS_BYTES_MAX), "{sizes:?}");
        assert_eq!(sizes.len(), 3, "{sizes:?}");
    }
}
