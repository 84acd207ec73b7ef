//! How a Redis server is used.

use std::time::Duration;

use crate::pace::TRIM_GRACE_MS;

/// What must be true of a commit before it is acknowledged.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Durability {
    /// The server has applied it.
    #[default]
    Applied,
    /// It is on the server's disk: the server must have `appendfsync always`, which
    /// [`CountStore::check`](crate::CountStore::check) checks.
    Fsync,
}

/// How to use a server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RedisOptions {
    /// What must be true of a commit before it is acknowledged.
    pub durability: Durability,
    /// Longest time until a connection stands.
    pub connect_timeout: Duration,
    /// Longest time until one command or script is answered. A call makes a few of them.
    pub response_timeout: Duration,
    /// How long a folded entry stays in the journal at least, milliseconds.
    pub trim_grace_ms: u64,
}

impl Default for RedisOptions {
    fn default() -> Self {
        Self {
            durability: Durability::default(),
            connect_timeout: Duration::from_secs(2),
            response_timeout: Duration::from_secs(5),
            trim_grace_ms: TRIM_GRACE_MS,
        }
    }
}
