//! Tells the ticker at once when a family with a time-to-live is committed that is shorter than all that
//! this process has committed before: else time would stand still until the ticker looks at the store.
//!
//! It is only a hint. What the store holds decides, and the ticker looks there by itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use logtally_core::series::Family;
use tokio::sync::Notify;

/// The shortest time-to-live that this process has committed, shared by committers and ticker.
#[derive(Clone, Default)]
pub struct ShortestTtl(Arc<Shared>);

struct Shared {
    /// Seconds; the largest number for none.
    shortest_s: AtomicU64,
    shorter: Notify,
}

impl Default for Shared {
    fn default() -> Self {
        Self { shortest_s: AtomicU64::new(u64::MAX), shorter: Notify::new() }
    }
}

impl ShortestTtl {
    /// Notes the families of a commit.
    pub fn committed(&self, families: &[Family]) {
        let ttls = families.iter().map(|family| family.ttl_s).filter(|ttl_s| *ttl_s > 0);
        let Some(shortest_s) = ttls.min() else { return };
        if self.0.shortest_s.fetch_min(shortest_s, Ordering::Relaxed) > shortest_s {
            // Kept for a ticker that does not wait just now.
            self.0.shorter.notify_one();
        }
    }

    /// Waits for a shorter time-to-live than ever before.
    pub async fn shorter(&self) {
        self.0.shorter.notified().await;
    }
}
