//! One partition of one store, reached over one link: what every operation on it needs.
//!
//! Nothing here remembers anything about the partition's content.

use ::redis::{Cmd, Script, ScriptInvocation, Value, cmd, pipe};
use logtally_core::journal::Mark;
use logtally_core::limits::COUNTS_BUCKETS;
use logtally_core::partition::Partition;

use super::keys::Key;
use super::link::Link;
use super::value::{fixed, hex, mark, nonce, number, unreadable, word};
use crate::error::StoreError;

/// A partition, and the store that it must belong to.
#[derive(Clone, Copy)]
pub(super) struct RedisPartition<'a> {
    /// The way there.
    pub link: &'a Link,
    /// The partition.
    pub at: Partition,
    /// The store's id.
    pub state_id: u64,
}

/// The head of a partition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Head {
    /// The last journal entry.
    pub last: Mark,
    /// The last entry that is in the counts.
    pub folded: Mark,
    /// The time of the last journal entry, milliseconds since 1970; 0 before the first.
    pub time_ms: u64,
    /// How many sources are registered.
    pub sources: u64,
    /// How many families are registered.
    pub families: u64,
    /// Which counts hashes were ever written.
    pub buckets: String,
}

impl RedisPartition<'_> {
    /// A script's invocation that names the store as its first argument and the head as its first key.
    pub(super) fn invoke<'s>(&self, script: &'s Script) -> ScriptInvocation<'s> {
        let mut invocation = script.prepare_invoke();
        invocation.key(Key::Head(self.at).to_string()).arg(id_text(self.state_id));
        invocation
    }

    /// A command on a key.
    pub(super) fn on(name: &str, key: Key) -> Cmd {
        let mut command = cmd(name);
        command.arg(key.to_string());
        command
    }

    /// The command that reads the head.
    pub(super) fn head_command(&self) -> Cmd {
        let mut command = Self::on("HMGET", Key::Head(self.at));
        let fields =
            ["state_id", "seq", "nonce", "folded", "time", "sources", "families", "buckets"];
        command.arg(&fields);
        command
    }

    /// Reads the reply to [`RedisPartition::head_command`]. [`StoreError::Missing`] if the head is absent or of
    /// another store: which of both, and why, is looked up by the caller.
    pub(super) fn head(&self, reply: Value) -> Result<Head, StoreError> {
        let what = format!("the head of partition {}", self.at);
        let [state_id, seq, last_nonce, folded, time, sources, families, buckets] =
            fixed(reply, &what)?;
        if state_id == Value::Nil || hex(state_id, &what)? != self.state_id {
            return Err(StoreError::Missing);
        }
        let head = Head {
            last: Mark { seq: number(seq, &what)?, nonce: nonce(last_nonce, &what)? },
            folded: mark(folded, &what)?,
            time_ms: number(time, &what)?,
            sources: number(sources, &what)?,
            families: number(families, &what)?,
            buckets: word(buckets, &what)?,
        };
        let whole = head.buckets.len() == usize::from(COUNTS_BUCKETS);
        whole.then_some(head).ok_or_else(|| unreadable(&what))
    }

    /// Reads the head, and runs other commands after it in the same round trip. What the head counts is
    /// at least there when they run.
    pub(super) async fn with_head(
        &self,
        commands: impl IntoIterator<Item = Cmd>,
    ) -> Result<(Head, Vec<Value>), StoreError> {
        let mut pipeline = pipe();
        pipeline.add_command(self.head_command());
        for command in commands {
            pipeline.add_command(command);
        }
        let mut replies = self.link.queries(&pipeline).await?.into_iter();
        let head = self.head(replies.next().unwrap_or_default())?;
        Ok((head, replies.collect()))
    }
}

impl Head {
    /// Whether the counts hash `bucket` was ever written.
    pub(super) fn has_bucket(&self, bucket: u16) -> bool {
        self.buckets.as_bytes().get(usize::from(bucket)) == Some(&b'1')
    }
}

/// A random id as it is stored.
pub(super) fn id_text(id: u64) -> String {
    format!("{id:016x}")
}

/// The error for a hash with fewer fields than its head counts.
pub(super) fn lost(key: Key, has: u64, wanted: u64) -> StoreError {
    StoreError::Damaged(format!("{key} has {has} fields, the head says {wanted}"))
}
