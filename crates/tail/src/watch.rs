//! Reports changes in directories as they happen.
//!
//! These are hints: network file systems send no events, and a queue may overflow. Nothing may depend
//! on them; polling finds everything that is missed here.

use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use notify::event::{EventKind, ModifyKind};
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;

/// What has changed since it was last asked for.
#[derive(Default, Debug)]
pub(crate) struct Changes {
    /// Files that were written to, by absolute path.
    pub(crate) paths: HashSet<PathBuf>,
    /// Whether files came, went or were renamed.
    pub(crate) structure: bool,
}

/// What the watcher's thread and the follower share.
#[derive(Default)]
struct Inbox {
    changes: Mutex<Changes>,
    news: Notify,
}

/// Watches directories.
pub(crate) struct Watch {
    inbox: Arc<Inbox>,
    watcher: Option<RecommendedWatcher>,
    watched: BTreeSet<PathBuf>,
}

impl Watch {
    /// A watch without directories. If the system has no events to offer, there is only polling.
    pub(crate) fn start(poll_only: bool) -> Self {
        let inbox = Arc::new(Inbox::default());
        if poll_only {
            return Self { inbox, watcher: None, watched: BTreeSet::new() };
        }
        let sink = Arc::clone(&inbox);
        let watcher = notify::recommended_watcher(move |event| note(&sink, event));
        let watcher = watcher.inspect_err(|error| {
            tracing::warn!(%error, "no events from the file system; only polling");
        });
        Self { inbox, watcher: watcher.ok(), watched: BTreeSet::new() }
    }

    /// Watches these directories, too.
    pub(crate) fn directories(&mut self, directories: &BTreeSet<PathBuf>) {
        let Some(watcher) = &mut self.watcher else { return };
        for directory in directories.difference(&self.watched.clone()) {
            match watcher.watch(&absolute(directory), RecursiveMode::NonRecursive) {
                Ok(()) => {
                    self.watched.insert(directory.clone());
                }
                Err(error) if directory.is_dir() => {
                    tracing::warn!(directory = %directory.display(), %error, "cannot watch; only polling");
                    self.watched.insert(directory.clone());
                }
                // Not there yet: the next discovery tries again.
                Err(_) => {}
            }
        }
        self.watched.retain(|directory| directory.is_dir());
    }

    /// Waits until something has changed since the last call that returned.
    pub(crate) async fn changed(&self) {
        self.inbox.news.notified().await;
    }

    /// Takes what has changed.
    pub(crate) fn take(&self) -> Changes {
        std::mem::take(&mut self.inbox.changes.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn note(inbox: &Inbox, event: notify::Result<notify::Event>) {
    let mut changes = inbox.changes.lock().unwrap_or_else(PoisonError::into_inner);
    match event {
        Ok(event) => match event.kind {
            EventKind::Access(_) | EventKind::Modify(ModifyKind::Metadata(_)) => {}
            EventKind::Modify(ModifyKind::Data(_) | ModifyKind::Any) => {
                changes.paths.extend(event.paths);
            }
            _ => changes.structure = true,
        },
        // An overflow, for example: look at everything.
        Err(_) => changes.structure = true,
    }
    if changes.structure || !changes.paths.is_empty() {
        inbox.news.notify_one();
    }
}

/// A path as events name it: absolute, but with symbolic links as they are.
pub(crate) fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}
