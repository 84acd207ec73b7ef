//! Blocks of counts and parts of journal entries as they lie in the file: how many there are, and what
//! happens when one of them is gone or is not what was written.

use logtally_core::journal::Nonce;
use logtally_core::limits::{BLOCK_BYTES, BLOCK_BYTES_MAX, JOURNAL_ROW_BYTES};
use logtally_core::series::SeriesKey;
use logtally_store::{SharedStore, StoreError, TRIM_GRACE_MS};
use redb::{ReadableDatabase, ReadableTable};

use super::{Embedded, table};
use crate::backend::Backend;
use crate::words::{P, apply, delta, gauge, load, store_with};

const SERIES: usize = 10_000;

fn hosts() -> Vec<(SeriesKey, u64)> {
    (0..SERIES).map(|n| (gauge(&format!("a-host-with-a-long-name-{n:08}")), 1)).collect()
}

type Rows = Vec<(Vec<u8>, Vec<u8>)>;

fn rows(place: &Embedded, name: &str) -> Rows {
    let mut rows = Vec::new();
    place.while_closed(|file| {
        let database = redb::Database::open(file).expect("a database");
        let transaction = database.begin_read().expect("a transaction");
        let table = transaction.open_table(table(name)).expect("a table");
        for row in table.iter().expect("rows") {
            let (key, value) = row.expect("a row");
            rows.push((key.value().to_vec(), value.value().to_vec()));
        }
    });
    rows
}

/// Replaces a row, or removes it.
fn replace(place: &Embedded, name: &str, key: &[u8], value: Option<&[u8]>) {
    place.while_closed(|file| {
        let database = redb::Database::open(file).expect("a database");
        let transaction = database.begin_write().expect("a transaction");
        {
            let mut table = transaction.open_table(table(name)).expect("a table");
            table.remove(key).expect("removed");
            if let Some(value) = value {
                table.insert(key, value).expect("inserted");
            }
        }
        transaction.commit().expect("a commit");
    });
}

async fn filled(place: &Embedded) {
    let store = store_with(place, &["a"]).await;
    apply(&store, delta("a", 1, 0..1, &hosts())).await;
}

async fn fold(place: &Embedded) {
    place.store().fold(P).await.expect("folds");
}

#[tokio::test]
async fn blocks_are_split_and_joined_and_parts_go_with_their_entry() {
    let place = Embedded::fresh().await;
    filled(&place).await;
    let parts = rows(&place, "parts").len();
    assert_eq!(parts, (SERIES * 43 + 1).div_ceil(JOURNAL_ROW_BYTES) - 1);
    fold(&place).await;
    let blocks = rows(&place, "counts");
    let bytes: usize = blocks.iter().map(|(_, value)| value.len()).sum();
    assert!(blocks.len() >= bytes / BLOCK_BYTES && blocks.len() > 20, "{}", blocks.len());
    assert!(blocks.iter().all(|(_, value)| value.len() <= BLOCK_BYTES_MAX + 8));

    let keys: Vec<SeriesKey> = hosts().into_iter().map(|(key, _)| key).collect();
    place.store().forget(P, &keys[SERIES / 200..], Nonce(7)).await.expect("an entry");
    fold(&place).await;
    assert_eq!(rows(&place, "counts").len(), 1, "what is left fits into one");
    place.store().forget(P, &keys, Nonce(8)).await.expect("an entry");
    place.advance(TRIM_GRACE_MS + 1).await;
    fold(&place).await;
    let blocks = rows(&place, "counts");
    assert_eq!(blocks, [([0; 10].to_vec(), [0; 8].to_vec())], "an empty one, without an end");
    assert!(rows(&place, "parts").is_empty() && rows(&place, "journal").is_empty());
}

async fn refused(store: &SharedStore) {
    let refused = store.load(P).await.err();
    assert!(matches!(refused, Some(StoreError::Damaged(_))), "{refused:?}");
}

#[tokio::test]
async fn a_block_that_is_gone_or_damaged_is_refused() {
    let place = Embedded::fresh().await;
    filled(&place).await;
    fold(&place).await;
    let blocks = rows(&place, "counts");
    for (key, value) in [&blocks[0], &blocks[3], &blocks[blocks.len() - 1]] {
        let cut = &value[..value.len() - 1];
        let shorter_range = [&[0, 0, 0, 0, 0, 0, 0, 1], &value[8..]].concat();
        for damage in [None, Some(cut), Some(&shorter_range[..]), Some(b"short")] {
            replace(&place, "counts", key, damage);
            refused(&place.store()).await;
            // A fold that needs the block is refused, too, and counts nothing of what it has read.
            let store = place.store();
            let from = store.states(P, &[crate::words::source("a")]).await.expect("answers");
            let position = from[0].expect("registered").position;
            apply(&store, delta("a", 1, position..position + 1, &hosts())).await;
            let folded = store.fold(P).await.err();
            assert!(matches!(folded, Some(StoreError::Damaged(_))), "{folded:?}");
            drop(store);
            replace(&place, "counts", key, Some(value));
            let loaded = load(&place.store()).await;
            assert!(loaded.counts.iter().all(|(_, count)| count.amount.count == position + 1));
            assert_eq!(loaded.counts.len(), SERIES);
        }
    }
}

#[tokio::test]
async fn a_part_that_is_gone_is_refused() {
    let place = Embedded::fresh().await;
    filled(&place).await;
    let (key, value) = rows(&place, "parts").remove(0);
    replace(&place, "parts", &key, None);
    refused(&place.store()).await;
    assert!(matches!(place.store().fold(P).await.err(), Some(StoreError::Damaged(_))));
    replace(&place, "parts", &key, Some(&value));
    assert_eq!(load(&place.store()).await.counts.len(), SERIES);
}
