//! The store that a person names: to count into it, or only to look at it and to repair it. The latter
//! never creates one.

use std::path::Path;

use anyhow::bail;
use logtally_service::ExitError;
use logtally_store::redis::RedisOptions;
use logtally_store::{SharedStore, StoreArgs, StoreError, StoreUrl};

/// Where `logtally run` keeps its counts if no store is named.
pub(crate) const DEFAULT_FOLDER: &str = "./logtally-data";

/// What commands say of their `--store`, if they take that of `logtally run` without it.
pub(crate) const HELP_WITH_DEFAULT: &str = "\
The store: redis://HOST:PORT, or embedded:DIR while no process uses it. Without it: \
embedded:./logtally-data";

/// The name of the database file of an embedded store.
const EMBEDDED_FILE: &str = "logtally.redb";

/// The store that is named, if one is.
pub(crate) fn named(args: &StoreArgs) -> anyhow::Result<Option<StoreUrl>> {
    Ok(args.url().map_err(ExitError::usage)?)
}

/// The store that is named, or else that of `logtally run` in this folder.
pub(crate) fn named_or_default(args: &StoreArgs) -> anyhow::Result<StoreUrl> {
    Ok(named(args)?.unwrap_or_else(|| StoreUrl::Embedded(DEFAULT_FOLDER.into())))
}

/// Opens a store that exists already; an embedded one only while no process uses it.
pub(crate) fn open_existing(url: &StoreUrl) -> anyhow::Result<SharedStore> {
    match url {
        StoreUrl::Memory => {
            bail!(ExitError::usage(anyhow::anyhow!("a store in memory ends with its process")))
        }
        StoreUrl::Embedded(dir) => open_folder(url, dir),
        StoreUrl::Redis(_) => Ok(url.open(RedisOptions::default())?),
    }
}

fn open_folder(url: &StoreUrl, dir: &Path) -> anyhow::Result<SharedStore> {
    let shown = dir.display();
    if !dir.join(EMBEDDED_FILE).exists() {
        bail!("there is no store in {shown}: name its folder with --store embedded:DIR");
    }
    match url.open(RedisOptions::default()) {
        Err(StoreError::InUse(_)) => bail!(
            "the store in {shown} is in use by a process: stop it, or ask it with --from \
             http://HOST:PORT"
        ),
        opened => Ok(opened?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looking_creates_nothing() {
        let folder = tempfile::tempdir().expect("folder");
        let url = StoreUrl::Embedded(folder.path().join("store"));
        let error = open_existing(&url).err().expect("refused");
        assert!(error.to_string().contains("there is no store in"), "{error}");
        assert!(!folder.path().join("store").exists());
        let _open = url.open(RedisOptions::default()).expect("created");
        let error = open_existing(&url).err().expect("refused");
        assert!(error.to_string().contains("--from"), "{error}");
    }

    #[test]
    fn without_a_name_it_is_the_store_of_run() {
        let url = named_or_default(&StoreArgs::default()).expect("a default");
        assert_eq!(url.to_string(), "embedded:./logtally-data");
    }
}
