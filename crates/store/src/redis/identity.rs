//! Who the store is: creating it, and looking whether all of it is there.
//!
//! Metadata and heads are created together in one step and never re-created one by one.

use ::redis::{Cmd, Value, cmd, pipe};
use logtally_core::hash::{HASH_VERSION, hash64};
use logtally_core::limits::{COUNTS_BUCKETS, PARTITIONS_DEFAULT_REDIS, PARTITIONS_MAX};
use logtally_core::partition::Partition;

use super::keys::Key;
use super::link::Link;
use super::partition::{RedisPartition, id_text};
use super::scripts::CREATE;
use super::value::{fixed, hex, number, unreadable, word};
use crate::error::StoreError;
use crate::identity::{Meta, Root, existing_whole, explain_absent_head};
use crate::model::StoreInfo;

/// Version of the layout that [`Key`] documents.
const LAYOUT: u32 = 2;

/// Who answers.
struct Found {
    /// The metadata, the same before and after the rest was read.
    meta: Option<Meta>,
    heads: Vec<Option<u64>>,
    /// Whether there is anything besides the metadata; only looked for where there are none.
    holds_rows: bool,
    server: u64,
}

impl Root for Found {
    const LAYOUT: u32 = LAYOUT;

    fn meta(&self) -> Result<Option<Meta>, StoreError> {
        Ok(self.meta)
    }

    fn head_id(&self, at: Partition) -> Result<Option<u64>, StoreError> {
        Ok(self.heads.get(usize::from(at.0)).copied().flatten())
    }

    fn holds_rows(&self) -> Result<bool, StoreError> {
        Ok(self.holds_rows)
    }
}

/// Creates the store if nothing of it exists. `state_id` is a fresh random id.
pub(super) async fn create(
    link: &Link,
    wanted: Option<u16>,
    state_id: u64,
) -> Result<StoreInfo, StoreError> {
    let partitions = wanted.unwrap_or(PARTITIONS_DEFAULT_REDIS);
    // Refuses a number of partitions that no store can have, also where one exists.
    Meta::new(LAYOUT, state_id, partitions, 0)?;
    let mut script = CREATE.key(Key::Meta.to_string());
    for key in rows() {
        script.key(key.to_string());
    }
    script.arg(id_text(state_id)).arg(partitions).arg(LAYOUT).arg(HASH_VERSION);
    script.arg("0".repeat(usize::from(COUNTS_BUCKETS)));
    let reply = link.call(&script).await?;
    match reply.status.as_str() {
        "created" | "exists" => info(link, wanted).await,
        _ => Err(reply.refusal()),
    }
}

/// Who the store is; refuses one that is not whole, or not as `wanted`.
pub(super) async fn info(link: &Link, wanted: Option<u16>) -> Result<StoreInfo, StoreError> {
    let found = look(link).await?;
    let meta = existing_whole(&found, wanted)?.ok_or(StoreError::Missing)?;
    Ok(meta.info(found.server))
}

/// Why a partition has no head, or that of another store.
pub(super) async fn explain(link: &Link, at: Partition) -> StoreError {
    match look(link).await {
        Err(e) => e,
        Ok(found) if found.heads.get(usize::from(at.0)).is_some_and(Option::is_some) => {
            StoreError::Missing
        }
        Ok(found) => explain_absent_head(&found, at),
    }
}

/// Keys that a store has besides its metadata: all heads, then others that are there if and only if a
/// partition ever held anything. The counts hashes are not needed for that, and would be too many.
fn rows() -> impl Iterator<Item = Key> {
    let of_all = |key: fn(Partition) -> Key| (0..PARTITIONS_MAX).map(Partition).map(key);
    let kinds = [Key::Head, Key::Positions, Key::Families, Key::Journal];
    kinds.into_iter().flat_map(of_all)
}

/// Reads metadata and heads; looks again where the metadata says that there is more to look at.
async fn look(link: &Link) -> Result<Found, StoreError> {
    let (mut partitions, mut with_rows) = (PARTITIONS_DEFAULT_REDIS, false);
    loop {
        let Some(found) = look_at(link, partitions, with_rows).await? else { continue };
        match found.meta {
            None if !with_rows => with_rows = true,
            Some(meta) if meta.partitions > partitions => partitions = meta.partitions,
            _ => return Ok(found),
        }
    }
}

/// Looks once; `None` if the store was created or wiped meanwhile.
async fn look_at(
    link: &Link,
    partitions: u16,
    with_rows: bool,
) -> Result<Option<Found>, StoreError> {
    let mut pipeline = pipe();
    pipeline.add_command(cmd("INFO").arg("server").take()).add_command(meta_command());
    if with_rows {
        let keys: Vec<String> = rows().map(|key| key.to_string()).collect();
        pipeline.add_command(cmd("EXISTS").arg(keys).take());
    }
    for at in (0..partitions).map(Partition) {
        pipeline.add_command(RedisPartition::on("HGET", Key::Head(at)).arg("state_id").take());
    }
    pipeline.add_command(meta_command());
    let mut replies = link.queries(&pipeline).await?.into_iter();
    let mut reply = || replies.next().unwrap_or_default();
    let server = server_id(reply())?;
    let meta = meta_of(reply())?;
    let holds_rows = with_rows && number(reply(), "EXISTS")? > 0;
    let heads = (0..partitions).map(|_| match reply() {
        Value::Nil => Ok(None),
        id => hex(id, "a head").map(Some),
    });
    let heads = heads.collect::<Result<_, _>>()?;
    let same = meta_of(reply())? == meta;
    Ok(same.then_some(Found { meta, heads, holds_rows, server }))
}

fn meta_command() -> Cmd {
    let mut command = RedisPartition::on("HMGET", Key::Meta);
    command.arg(&["state_id", "layout", "hash_version", "partitions", "created_ms"]);
    command
}

/// The server makes a new run id whenever it starts.
fn server_id(info: Value) -> Result<u64, StoreError> {
    let info = word(info, "INFO server")?;
    let run_id = info.lines().find_map(|line| line.strip_prefix("run_id:"));
    Ok(hash64(run_id.unwrap_or_default().trim().as_bytes()))
}

fn meta_of(reply: Value) -> Result<Option<Meta>, StoreError> {
    let what = Key::Meta.to_string();
    let values: [Value; 5] = fixed(reply, &what)?;
    if values.iter().all(|v| *v == Value::Nil) {
        return Ok(None);
    }
    let [state_id, layout, hash, partitions, created_ms] = values;
    let partitions = u16::try_from(number(partitions, &what)?).map_err(|_| unreadable(&what))?;
    let version = |value| Ok(u32::try_from(number(value, &what)?).unwrap_or(u32::MAX));
    Ok(Some(Meta {
        layout: version(layout)?,
        hash: version(hash)?,
        state_id: hex(state_id, &what)?,
        partitions,
        created_ms: number(created_ms, &what)?,
    }))
}
