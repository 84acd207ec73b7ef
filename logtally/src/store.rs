//! Opens the store that a person names.

use std::path::Path;
use std::sync::Arc;

use anyhow::bail;
use logtally_aggregator::args::DurabilityArg;
use logtally_service::ExitError;
use logtally_store::SharedStore;
use logtally_store::embedded::EmbeddedStore;
use logtally_store::memory::MemoryStore;
use logtally_store::redis::{RedisOptions, RedisStore};

/// Opens `embedded:DIR`, `redis://…` or `memory:`.
pub fn open_store(url: &str, durability: DurabilityArg) -> anyhow::Result<SharedStore> {
    if url == "memory:" {
        return Ok(Arc::new(MemoryStore::new()));
    }
    if let Some(dir) = url.strip_prefix("embedded:").filter(|dir| !dir.is_empty()) {
        return Ok(Arc::new(EmbeddedStore::open(Path::new(dir))?));
    }
    if url.starts_with("redis://") {
        let options = RedisOptions { durability: durability.into(), ..RedisOptions::default() };
        return Ok(Arc::new(RedisStore::connect(url, options)?));
    }
    bail!(ExitError::usage(anyhow::anyhow!(
        "--store {url:?} is none of embedded:DIR, redis://HOST:PORT, memory:"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_stores_are_refused_with_the_choice() {
        for url in ["", "embedded:", "./data", "rediss://x", "memory"] {
            let error = open_store(url, DurabilityArg::Applied).err().expect("refused");
            assert!(error.to_string().contains("embedded:DIR"), "{url}: {error}");
        }
        assert!(open_store("memory:", DurabilityArg::Applied).is_ok());
    }
}
