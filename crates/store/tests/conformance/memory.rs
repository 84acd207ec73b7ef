//! The suite over the store in memory.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use logtally_core::partition::Partition;
use logtally_store::SharedStore;
use logtally_store::memory::{MemoryContent, MemoryStore};

use crate::backend::{Backend, Damage, conformance};

pub(crate) struct Memory {
    store: Arc<MemoryStore>,
    now_ms: Arc<AtomicU64>,
    saved: Mutex<MemoryContent>,
}

#[async_trait]
impl Backend for Memory {
    const HISTORIES: u64 = 60;
    const CLOCK_IS_OURS: bool = true;
    const PARTITIONS_DEFAULT: u16 = 1;

    async fn fresh() -> Self {
        let now_ms = Arc::new(AtomicU64::new(1_700_000_000_000));
        let hand = now_ms.clone();
        let clock = Arc::new(move || hand.load(Ordering::Relaxed));
        let store = Arc::new(MemoryStore::new().with_clock(clock));
        Self { store, now_ms, saved: Mutex::default() }
    }

    fn store(&self) -> SharedStore {
        self.store.clone()
    }

    async fn advance(&self, ms: u64) {
        self.now_ms.fetch_add(ms, Ordering::Relaxed);
    }

    async fn damage(&self, damage: Damage) {
        let mut content = self.store.snapshot();
        match damage {
            Damage::Meta => content.remove_meta(),
            Damage::Head(at) => content.remove_head(at),
            Damage::MetaAndHeads => {
                content.remove_meta();
                content.remove_head(Partition(0));
                content.remove_head(Partition(1));
            }
            Damage::Entry(at, seq) => content.remove_entry(at, seq),
        }
        self.store.restore(content);
    }

    async fn save(&self) {
        *self.saved.lock().unwrap_or_else(PoisonError::into_inner) = self.store.snapshot();
    }

    async fn roll_back(&self) {
        self.store.restore(self.saved.lock().unwrap_or_else(PoisonError::into_inner).clone());
    }
}

conformance!(crate::memory::Memory);
