//! The store: whether it answers, whether it is set up so that counts stay, whether all of it can be
//! read, and whether clocks agree.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use logtally_core::partition::Partition;
use logtally_store::{SharedStore, StoreUrl};

use super::findings::Findings;
use crate::output::count_of;
use crate::store::open_existing;

/// Clocks that differ by more make ages and times-to-live look odd (milliseconds).
const CLOCK_DIFFERENCE_MAX: u64 = 5_000;

/// Free space below which a store will soon be full (bytes).
const FREE_LOW: u64 = 1 << 30;

/// Free space below which it is (bytes).
const FREE_NONE: u64 = 64 << 20;

/// Looks at a store.
pub(super) async fn look(url: &StoreUrl, findings: &mut Findings) {
    if let StoreUrl::Embedded(dir) = url {
        look_at_folder(dir, findings);
    }
    let store = match open_existing(url) {
        Ok(store) => store,
        Err(error) if error.to_string().contains("in use by a process") => {
            return findings.skipped("store", format!("{error:#}"));
        }
        Err(error) => return findings.error("store", format!("{error:#}")),
    };
    match store.check().await {
        Ok(warnings) if warnings.is_empty() => {
            findings.ok("settings", "version, eviction and persistence are as they should be");
        }
        Ok(warnings) => warnings.into_iter().for_each(|text| findings.warning("settings", text)),
        Err(error) => findings.error("settings", error.to_string()),
    }
    match store.info().await {
        Ok(info) => {
            let partitions = count_of(u64::from(info.partitions), "partition");
            findings.ok("store", format!("id {:016x}, {partitions}", info.state_id));
            look_at_partitions(&store, info.partitions, findings).await;
        }
        Err(error) => findings.error("store", error.to_string()),
    }
}

async fn look_at_partitions(store: &SharedStore, partitions: u16, findings: &mut Findings) {
    let (mut rows, mut sources, mut recovering, mut difference) = (0, 0, 0, 0);
    for at in (0..partitions).map(Partition) {
        let loaded = async { Ok((store.load(at).await?, store.sources(at).await?)) };
        let loaded: Result<_, logtally_store::StoreError> = loaded.await;
        match loaded {
            Ok((snapshot, known)) => {
                rows += snapshot.counts.len() as u64;
                sources += known.len() as u64;
                recovering += snapshot.recovering.sources;
                difference = difference.max(now_ms().abs_diff(snapshot.recovering.now_ms));
            }
            Err(error) => return findings.error("partitions", format!("partition {at}: {error}")),
        }
    }
    let sources = count_of(sources, "source");
    findings.ok("partitions", format!("all can be read: {}, {sources}", count_of(rows, "row")));
    if recovering > 0 {
        let text = format!("{} read again after a loss", count_of(recovering, "source"));
        findings.warning("partitions", text);
    }
    if difference > CLOCK_DIFFERENCE_MAX {
        let text =
            format!("{difference} ms between this host and the store: synchronise them (NTP)");
        findings.warning("clock", text);
    } else {
        findings.ok("clock", "this host and the store agree");
    }
}

fn look_at_folder(dir: &Path, findings: &mut Findings) {
    if rustix::fs::access(dir, rustix::fs::Access::WRITE_OK).is_err() {
        let text =
            format!("{} is missing or cannot be written: let this user write it", dir.display());
        return findings.error("folder", text);
    }
    let Ok(space) = rustix::fs::statvfs(dir) else { return };
    let free = space.f_bavail.saturating_mul(space.f_frsize);
    let text = format!("{} MiB free for {}", free >> 20, dir.display());
    match free {
        0..FREE_NONE => findings.error("disk", format!("{text}: make room, or counting stops")),
        FREE_NONE..FREE_LOW => findings.warning("disk", format!("{text}: make room soon")),
        _ => findings.ok("disk", text),
    }
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_millis() as u64
}
