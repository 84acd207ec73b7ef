//! Opens the store that a person names: for counting, or only to look at it and to repair it. The
//! latter never creates one.

use std::path::Path;
use std::sync::Arc;

use anyhow::bail;
use logtally_aggregator::args::DurabilityArg;
use logtally_service::ExitError;
use logtally_store::embedded::EmbeddedStore;
use logtally_store::memory::MemoryStore;
use logtally_store::redis::{RedisOptions, RedisStore};
use logtally_store::{SharedStore, StoreError};

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

/// The name of the database file of an embedded store.
const EMBEDDED_FILE: &str = "logtally.redb";

/// The store of a command that looks at it or changes single things of it.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct StoreArgs {
    /// The store itself: `redis://HOST:PORT`, or `embedded:DIR` while no process uses it.
    #[arg(long, env = "LOGTALLY_STORE", hide_env_values = true, value_name = "URL")]
    pub store: Option<String>,
}

/// Opens a store that exists already; an embedded one only while no process uses it.
pub fn open_existing(url: &str) -> anyhow::Result<SharedStore> {
    if let Some(dir) = url.strip_prefix("embedded:").filter(|dir| !dir.is_empty()) {
        if !Path::new(dir).join(EMBEDDED_FILE).exists() {
            bail!("there is no store in {dir}: name its folder with --store embedded:DIR");
        }
        return match EmbeddedStore::open(Path::new(dir)) {
            Err(StoreError::InUse(_)) => bail!(
                "the store in {dir} is in use by a process: stop it, or ask it with --from \
                 http://HOST:PORT"
            ),
            opened => Ok(Arc::new(opened?)),
        };
    }
    if url == "memory:" {
        bail!(ExitError::usage(anyhow::anyhow!("a store in memory ends with its process")));
    }
    open_store(url, DurabilityArg::Applied)
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

    #[test]
    fn looking_creates_nothing() {
        let folder = tempfile::tempdir().expect("folder");
        let url = format!("embedded:{}", folder.path().join("store").display());
        let error = open_existing(&url).err().expect("refused");
        assert!(error.to_string().contains("there is no store in"), "{error}");
        assert!(!folder.path().join("store").exists());
        let _open = open_store(&url, DurabilityArg::Applied).expect("created");
        let error = open_existing(&url).err().expect("refused");
        assert!(error.to_string().contains("--from"), "{error}");
    }
}
