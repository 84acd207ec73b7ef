//! Many series: counts that outgrow a block, shrink, and go away.

use logtally_core::journal::Nonce;
use logtally_core::limits::BLOCK_BYTES_MAX;
use logtally_core::series::SeriesKey;
use logtally_store::{SharedStore, forget_pieces};

use crate::backend::Backend;
use crate::words::{P, Sums, apply, delta, gauge, store_with, sums};

/// Enough for some blocks.
const SERIES: usize = 10 * BLOCK_BYTES_MAX / 40;

fn host(n: usize) -> SeriesKey {
    gauge(&format!("a-host-with-a-long-name-{n:08}"))
}

/// One store, and what is to be in it.
struct Bench {
    store: SharedStore,
    wanted: Sums,
    position: u64,
}

impl Bench {
    async fn count(&mut self, hosts: impl Iterator<Item = usize>) {
        let pairs: Vec<(SeriesKey, u64)> = hosts.map(|n| (host(n), n as u64 + 1)).collect();
        for (key, n) in &pairs {
            *self.wanted.entry(key.clone()).or_default() += n;
        }
        let span = self.position..self.position + 1;
        self.position += 1;
        apply(&self.store, delta("a", 1, span, &pairs)).await;
    }

    async fn forget(&mut self, hosts: impl Iterator<Item = usize>) {
        let keys: Vec<SeriesKey> = hosts.map(host).collect();
        self.wanted.retain(|key, _| !keys.contains(key));
        for piece in forget_pieces(&keys) {
            let nonce = Nonce(rand::random());
            self.store.forget(P, piece, nonce).await.expect("the store answers");
        }
    }

    /// Before it is folded, and after that.
    async fn check(&self) {
        assert!(sums(&self.store).await == self.wanted, "before the fold");
        self.store.fold(P).await.expect("folds");
        assert!(sums(&self.store).await == self.wanted, "after the fold");
    }
}

pub(crate) async fn counts_grow_and_shrink(place: impl Backend) {
    let store = store_with(&place, &["a"]).await;
    let mut bench = Bench { store, wanted: Sums::new(), position: 0 };
    bench.count(0..SERIES / 3).await;
    bench.check().await;
    bench.count((0..SERIES).step_by(2)).await;
    bench.check().await;
    bench.count([SERIES + 1, 5].into_iter()).await;
    bench.check().await;
    // Those that are left are few in every block; one of them is counted again in the same fold.
    bench.forget((0..SERIES).filter(|n| n % 50 != 0)).await;
    bench.count([3].into_iter()).await;
    bench.check().await;
    bench.forget(0..SERIES + 2).await;
    bench.check().await;
    assert!(bench.wanted.is_empty());
    bench.count(0..100).await;
    bench.check().await;
}

pub(crate) async fn a_row_larger_than_a_block_is_kept(place: impl Backend) {
    let store = store_with(&place, &["a"]).await;
    let mut bench = Bench { store, wanted: Sums::new(), position: 0 };
    bench.count(0..2_000).await;
    for _ in 0..2 {
        let large = [(gauge(&"x".repeat(2 * BLOCK_BYTES_MAX)), 3), (gauge("small"), 1)];
        for (key, n) in &large {
            *bench.wanted.entry(key.clone()).or_default() += n;
        }
        let span = bench.position..bench.position + 1;
        bench.position += 1;
        apply(&bench.store, delta("a", 1, span, &large)).await;
        bench.check().await;
    }
}
