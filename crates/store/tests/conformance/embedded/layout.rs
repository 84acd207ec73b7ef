//! The stored layout, read without the store: names of tables, keys and values, byte for byte.

use redb::{ReadableDatabase, ReadableTable, TableHandle};

use super::{Embedded, table};
use crate::backend::Backend;
use crate::words::{P, apply, delta, gauge, install, source, state, store_with};

/// Every row of the file as `table: key = value`, with unprintable bytes escaped.
fn rows(file: &std::path::Path) -> Vec<String> {
    let database = redb::Database::open(file).expect("a database");
    let transaction = database.begin_read().expect("a transaction");
    let mut names: Vec<String> =
        transaction.list_tables().expect("tables").map(|t| t.name().to_owned()).collect();
    names.sort();
    let mut rows = Vec::new();
    for name in names {
        let read = transaction.open_table(table(&name)).expect("a table of bytes");
        for row in read.iter().expect("rows") {
            let (key, value) = row.expect("a row");
            let (key, value) = (key.value().escape_ascii(), value.value().escape_ascii());
            rows.push(format!("{name}: {key} = {value}"));
        }
    }
    rows
}

#[tokio::test]
async fn the_layout_is_pinned() {
    let place = Embedded::fresh().await;
    let store = store_with(&place, &[]).await;
    let id = format!("{:016x}", store.info().await.expect("created").state_id);
    install(&store, "file/v/1a/0", state(7, 0)).await;
    let mut nonces = Vec::new();
    for span in [0..2, 2..5] {
        let n = span.end - span.start;
        let mut delta = delta("file/v/1a/0", 7, span, &[(gauge("x"), n)]);
        delta.families.truncate(1);
        nonces.push(apply(&store, delta).await.nonce.0);
        if n == 2 {
            store.fold(P).await.expect("folds");
        }
    }
    let ahead = state(7, 9);
    store.report_acknowledged(P, &source("file/v/1a/0"), &ahead).await.expect("the store answers");
    drop(store);

    let [first, second] = nonces[..] else { panic!("two commits") };
    let raw = |n: u64| n.to_be_bytes().escape_ascii().to_string();
    let (first_raw, second_raw, time) = (raw(first), raw(second), raw(1_700_000_000_000));
    let zero = raw(0);
    let key = r"gCz8aow\x00x";
    let block = |n| format!(r"\x01\t{key}\x0{n}");
    let pinned = [
        format!(r"counts: \x00\x00{zero} = {zero}\t{key}\x02"),
        r#"families: \x00\x00gCz8aow = {\"name\":\"log_lines\",\"kind\":\"gauge\",\"help\":\"Lines\",\"labels\":[\"host\"]}"#.to_owned(),
        format!(r"heads: \x00\x00 = {id} 2 {second:016x} 1 {first:016x} 1700000000000"),
        format!(r"heads: \x00\x01 = {id} 0 {zero} 0 {zero} 0", zero = "0".repeat(16)),
        format!(r"journal: \x00\x00{} = {first_raw}{zero}{time}{}{}", raw(1), raw(12), block(2)),
        format!(r"journal: \x00\x00{} = {second_raw}{first_raw}{time}{}{}", raw(2), raw(12), block(3)),
        format!("meta: meta = 3 1 {id} 2 1700000000000"),
        r"positions: \x00\x00file/v/1a/0 = 0000000000000007 5 1715609f7c746c69 - - 2 0 0".to_owned(),
        r"recovering: \x00\x00file/v/1a/0 = 0000000000000007 9 1700000000000".to_owned(),
    ];
    place.while_closed(|file| assert_eq!(rows(file), pinned));
}
