//! The URL of a store: which kind it is, and where. Shows itself without the password, always; only
//! the connection to Redis sees that.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use ::redis::IntoConnectionInfo;
use logtally_core::secret_url::SecretUrl;

use crate::embedded::EmbeddedStore;
use crate::error::StoreError;
use crate::memory::MemoryStore;
use crate::redis::{RedisOptions, RedisStore};
use crate::traits::SharedStore;

/// Where counts and positions are kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum StoreUrl {
    /// `memory:`, in this process, and gone with it.
    Memory,
    /// `embedded:DIR`, a folder that one process uses at a time.
    Embedded(PathBuf),
    /// `redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE]`, a server for any number of processes.
    Redis(SecretUrl),
}

/// A text that is not a [`StoreUrl`].
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum InvalidStoreUrl {
    /// It is of no known kind.
    #[error("`{0}` is not the URL of a store: write redis://HOST:PORT, embedded:DIR or memory:")]
    Unknown(SecretUrl),
    /// The client of Redis refuses it.
    #[error(
        "`{0}` is not a URL of Redis: write redis://USER:PASSWORD@HOST:PORT/DATABASE, of which only HOST \
         is needed, with %40 for an @ in the password, %2F for a /, and so on"
    )]
    Redis(SecretUrl),
}

impl StoreUrl {
    /// Whether other processes may use the store at the same time.
    pub fn is_server(&self) -> bool {
        matches!(self, Self::Redis(_))
    }

    /// Opens the store; `options` are for a Redis. Does not wait for a server: that is connected to
    /// when it is needed.
    pub fn open(&self, options: RedisOptions) -> Result<SharedStore, StoreError> {
        Ok(match self {
            Self::Memory => Arc::new(MemoryStore::new()),
            Self::Embedded(dir) => Arc::new(EmbeddedStore::open(dir)?),
            Self::Redis(url) => Arc::new(RedisStore::connect(url.expose(), options)?),
        })
    }
}

impl FromStr for StoreUrl {
    type Err = InvalidStoreUrl;

    fn from_str(text: &str) -> Result<Self, InvalidStoreUrl> {
        if text == "memory:" {
            return Ok(Self::Memory);
        }
        if let Some(dir) = text.strip_prefix("embedded:").filter(|dir| !dir.is_empty()) {
            return Ok(Self::Embedded(PathBuf::from(dir)));
        }
        let url = SecretUrl::from(text);
        if !text.starts_with("redis://") {
            return Err(InvalidStoreUrl::Unknown(url));
        }
        // What the client says of it is dropped: it may repeat parts of the URL.
        match text.into_connection_info() {
            Ok(_) => Ok(Self::Redis(url)),
            Err(_) => Err(InvalidStoreUrl::Redis(url)),
        }
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => f.write_str("memory:"),
            Self::Embedded(dir) => write!(f, "embedded:{}", dir.display()),
            Self::Redis(url) => url.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_told_apart() {
        assert_eq!("memory:".parse(), Ok(StoreUrl::Memory));
        assert_eq!("embedded:./a@b".parse(), Ok(StoreUrl::Embedded("./a@b".into())));
        let redis: StoreUrl = "redis://u:secret@h:1/2".parse().expect("valid");
        assert!(redis.is_server() && redis.open(RedisOptions::default()).is_ok());
        assert!(!StoreUrl::Memory.is_server());
    }

    #[test]
    fn what_is_not_a_url_of_a_store_is_refused_with_the_choice() {
        for text in ["", "embedded:", "./data", "rediss://x", "memory", "http://h", "h:6379"] {
            let error = text.parse::<StoreUrl>().expect_err("refused").to_string();
            assert!(error.contains("embedded:DIR"), "{text}: {error}");
        }
    }

    #[test]
    fn passwords_are_never_shown() {
        let url: StoreUrl = "redis://u:secret@h:1".parse().expect("valid");
        assert_eq!(url.to_string(), "redis://…@h:1");
        assert_eq!(format!("{url:?}"), "Redis(\"redis://…@h:1\")");
        assert_eq!(StoreUrl::Embedded("./a@b".into()).to_string(), "embedded:./a@b");
        for text in
            ["reds://u:secret@h", "u:secret@h", "redis://u:secret@h:port", "redis://u:secret@"]
        {
            let error = text.parse::<StoreUrl>().expect_err("refused");
            let shown = format!("{error} {error:?}");
            assert!(!shown.contains("secret"), "{shown}");
        }
    }
}
