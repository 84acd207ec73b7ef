//! Whether the server is set up so that what it holds stays there.
//!
//! Only looks; changing somebody's server is not ours to do.

use std::collections::HashMap;

use ::redis::{Value, cmd};

use super::link::Link;
use super::options::Durability;
use super::value::{list, word};
use crate::error::StoreError;

/// The oldest server that the scripts run on.
const VERSION_MIN: (u32, u32) = (7, 0);

/// Checks version and settings. Refuses a server that would lose counts by itself; returns warnings
/// about what may be lost otherwise.
pub(super) async fn check(link: &Link, durability: Durability) -> Result<Vec<String>, StoreError> {
    let info = information(link).await?;
    let told = |name: &str| info.get(name).map_or("", String::as_str);
    check_version(told("redis_version"))?;
    check_policy(told("maxmemory_policy"))?;
    let configuration = configuration(link).await;
    let configured = |name: &str| configuration.get(name).map(String::as_str);
    let appends = told("aof_enabled") == "1";
    check_fsync(durability, appends, configured("appendfsync"))?;
    let mut warnings = Vec::new();
    if configuration.is_empty() {
        warnings.push("CONFIG GET is not permitted: appendfsync and save are not checked".into());
    }
    match configured("save") {
        _ if appends => {}
        Some("") => warnings.push(
            "nothing is written to disk: a restart of Redis loses all counts; run: redis-cli CONFIG \
             SET appendonly yes"
                .into(),
        ),
        _ => warnings.push(
            "Redis only writes snapshots: a crash loses minutes of counts, which are then counted \
             again from the sources; run: redis-cli CONFIG SET appendonly yes"
                .into(),
        ),
    }
    Ok(warnings)
}

fn check_version(version: &str) -> Result<(), StoreError> {
    let mut numbers = version.split('.').map_while(|n| n.parse::<u32>().ok());
    let found = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    if found >= VERSION_MIN {
        return Ok(());
    }
    let (major, minor) = VERSION_MIN;
    Err(StoreError::Mismatch(format!(
        "the server is Redis {version}, and {major}.{minor} or later is needed"
    )))
}

fn check_policy(policy: &str) -> Result<(), StoreError> {
    if policy == "noeviction" {
        return Ok(());
    }
    Err(StoreError::Mismatch(format!(
        "maxmemory-policy is {policy}, with which Redis deletes counts when its memory is full; run: \
         redis-cli CONFIG SET maxmemory-policy noeviction, and set it in the server's configuration"
    )))
}

/// With `appendfsync always` the reply to a commit comes after its fsync, and with nothing less.
fn check_fsync(
    durability: Durability,
    appends: bool,
    fsync: Option<&str>,
) -> Result<(), StoreError> {
    let fits = appends && fsync.is_none_or(|fsync| fsync == "always");
    if durability == Durability::Applied || fits {
        return Ok(());
    }
    let appends = if appends { "yes" } else { "no" };
    Err(StoreError::Mismatch(format!(
        "durability fsync was asked for, and the server has appendonly {appends}, appendfsync {}; \
         run: redis-cli CONFIG SET appendonly yes, and: redis-cli CONFIG SET appendfsync always",
        fsync.unwrap_or("unknown")
    )))
}

async fn information(link: &Link) -> Result<HashMap<String, String>, StoreError> {
    let text = word(link.query(&cmd("INFO")).await?, "INFO")?;
    let pairs = text.lines().filter_map(|line| line.split_once(':'));
    Ok(pairs.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect())
}

/// The settings that INFO does not tell; empty where users may not ask for them.
async fn configuration(link: &Link) -> HashMap<String, String> {
    let mut command = cmd("CONFIG");
    command.arg("GET").arg("appendfsync").arg("save");
    let reply = link.query(&command).await.and_then(|reply: Value| list(reply, "CONFIG GET"));
    let Ok(values) = reply else { return HashMap::new() };
    let words: Vec<String> = values.into_iter().filter_map(|v| word(v, "").ok()).collect();
    words.chunks_exact(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_servers_are_refused() {
        assert!(check_version("7.0.15").is_ok());
        assert!(check_version("8.2.1").is_ok());
        for old in ["6.2.14", "5.0", ""] {
            assert!(matches!(check_version(old), Err(StoreError::Mismatch(_))), "{old}");
        }
    }

    #[test]
    fn fsync_needs_both_settings() {
        let fits = |durability, appends, fsync| check_fsync(durability, appends, fsync).is_ok();
        assert!(fits(Durability::Applied, false, Some("no")));
        assert!(fits(Durability::Fsync, true, Some("always")));
        assert!(fits(Durability::Fsync, true, None), "not permitted to look: only a warning");
        assert!(!fits(Durability::Fsync, false, Some("always")));
        assert!(!fits(Durability::Fsync, true, Some("everysec")));
    }
}
