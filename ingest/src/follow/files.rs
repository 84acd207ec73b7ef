//! What a look at the file system means for the slots: new files, growth, rotation, the end.

use std::collections::{BTreeSet, HashMap};
use std::fs::{File, OpenOptions};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use logtally_core::limits::SOURCES_MAX;
use logtally_core::source::SourceId;

use super::Follower;
use crate::discover::{Discovery, Found, Stamp, identity};
use crate::reader::{End, Reader};
use crate::slot::Slot;
use crate::watch::absolute;

impl Follower {
    pub(super) fn take_discovery(&mut self, discovery: &Discovery) {
        self.look.running = false;
        self.watch.directories(&discovery.directories);
        let lost: Vec<SourceId> =
            self.slots.keys().filter(|id| !discovery.files.contains_key(id)).cloned().collect();
        let mut problems = discovery.problems.clone();
        for (id, found) in &discovery.files {
            if self.slots.contains_key(id) {
                self.seen_again(id, found);
            } else {
                problems.extend(self.add(id, found).err());
            }
        }
        self.note_problems(problems);
        for id in lost {
            self.seen_no_more(&id);
        }
        self.look.done_once = true;
        if std::mem::take(&mut self.look.again) {
            self.rediscover();
        }
    }

    fn note_problems(&mut self, problems: BTreeSet<String>) {
        for problem in problems.difference(&self.problems) {
            tracing::warn!(problem, "input problem");
        }
        for solved in self.problems.difference(&problems) {
            tracing::info!(problem = solved, "input problem is gone");
        }
        self.problems = problems;
        self.metrics.problems.set(self.problems.len() as i64);
    }

    /// Follows a file from now on, or says what is in the way.
    fn add(&mut self, id: &SourceId, found: &Found) -> Result<(), String> {
        let path = found.path.display();
        if self.slots.len() >= SOURCES_MAX {
            return Err(format!(
                "{path} is not followed: {SOURCES_MAX} files are the limit of one ingest; use more shards"
            ));
        }
        let file = open(&found.path, &self.options.search.volume, id)
            .map_err(|error| format!("{path} cannot be opened: {error}"))?;
        let Some(file) = file else {
            // Another file has taken the path since: the next look finds out which.
            self.rediscover();
            return Ok(());
        };
        tracing::info!(source = %id, %path, bytes = found.stamp.size, "following the file");
        let reader = Reader::new(file, Arc::clone(&self.rule));
        let mut slot = Slot::new(id.clone(), found.path.clone(), reader, Instant::now());
        slot.size = found.stamp.size;
        self.slots.insert(id.clone(), slot);
        self.paths.insert(absolute(&found.path), id.clone());
        self.assign(id);
        Ok(())
    }

    fn seen_again(&mut self, id: &SourceId, found: &Found) {
        let Some(slot) = self.slots.get_mut(id) else { return };
        slot.size = found.stamp.size;
        if slot.path != found.path {
            tracing::info!(source = %id, from = %slot.path.display(), to = %found.path.display(), "the file was renamed");
            forget_lag(&self.metrics, slot);
            forget_path(&mut self.paths, &slot.path, id);
            self.paths.insert(absolute(&found.path), id.clone());
            let before = std::mem::replace(&mut slot.path, found.path.clone());
            slot.former = slot.former.take().or(Some(before)).filter(|path| *path != slot.path);
            slot.rotated = Some(Instant::now());
        }
        // Renamed, and another file is in its place: nobody is expected to append any more, so that
        // in the end its last line counts. At its own path, it is as if it had never been away.
        if let Some(former) = &slot.former {
            slot.superseded = is_another(former, &self.options.search.volume, id);
        } else {
            (slot.rotated, slot.superseded) = (None, false);
        }
        self.note_stamp(id, found.stamp);
    }

    /// Reads if the file has changed, or if a rotated file with an unterminated last line has been
    /// quiet for long enough.
    fn note_stamp(&mut self, id: &SourceId, stamp: Stamp) {
        let Some(slot) = self.slots.get_mut(id) else { return };
        if slot.stamp.is_some_and(|known| known != stamp) {
            slot.changed = Instant::now();
        }
        if slot.stamp != Some(stamp) {
            slot.dirty = true;
        }
        let slot = &self.slots[id];
        let last_line_waits = slot.pending > 0 && !slot.finished;
        if last_line_waits && self.end_for(slot) == End::Final {
            self.slots.entry(id.clone()).and_modify(|s| s.dirty = true);
        }
        self.enqueue(id);
    }

    /// The file is at none of the paths any more: moved away or unlinked. It is read to its end
    /// through the open handle, and closed when it has been quiet for long enough.
    fn seen_no_more(&mut self, id: &SourceId) {
        let Some(slot) = self.slots.get_mut(id) else { return };
        if slot.rotated.is_none() {
            tracing::info!(source = %id, path = %slot.path.display(), "the file is gone from its path; reading on to its end");
            slot.rotated = Some(Instant::now());
        }
        let Some(reader) = &slot.reader else { return };
        let Ok(metadata) = reader.file().metadata() else { return };
        slot.size = metadata.size();
        // Moved out of sight with nothing in its place, a file may come back with its last line
        // unfinished; it is then found again. Unlinked or with another in its place, it never does.
        slot.superseded =
            metadata.nlink() == 0 || is_another(&slot.path, &self.options.search.volume, id);
        let stamp = Stamp::of(&metadata);
        self.note_stamp(id, stamp);
        let slot = &self.slots[id];
        let read = slot.stamp == Some(stamp) && slot.flights.is_empty() && !slot.dirty;
        let nothing_left = slot.finished || slot.pending == 0 || !slot.superseded;
        if self.is_quiet(slot) && read && nothing_left && slot.reader.is_some() {
            self.close(id);
        }
    }

    fn close(&mut self, id: &SourceId) {
        let Some(slot) = self.slots.remove(id) else { return };
        tracing::info!(source = %id, path = %slot.path.display(),
            position = slot.acknowledged.map_or(0, |s| s.position), "closed the file");
        forget_path(&mut self.paths, &slot.path, id);
        forget_lag(&self.metrics, &slot);
    }
}

/// Forgets the path, unless another file has taken it.
fn forget_path(paths: &mut HashMap<PathBuf, SourceId>, path: &Path, id: &SourceId) {
    let path = absolute(path);
    if paths.get(&path) == Some(id) {
        paths.remove(&path);
    }
}

fn forget_lag(metrics: &crate::metrics::Metrics, slot: &Slot) {
    let path = slot.path.to_string_lossy();
    // Not there yet if nothing was reported.
    let _ = metrics.lag_bytes.remove_label_values(&[&path]);
    let _ = metrics.lag_seconds.remove_label_values(&[&path]);
}

/// Whether another file than `id` is at the path.
fn is_another(path: &Path, volume: &str, id: &SourceId) -> bool {
    let found = path.metadata().ok().and_then(|metadata| identity(volume, &metadata).ok());
    found.is_some_and(|found| found != *id)
}

/// Opens the file if it is still the one that was found. Never blocks, whatever took its place.
fn open(path: &Path, volume: &str, id: &SourceId) -> std::io::Result<Option<File>> {
    let flags = rustix::fs::OFlags::NONBLOCK.bits() as i32;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let same = identity(volume, &file.metadata()?).is_ok_and(|found| found == *id);
    Ok(same.then_some(file))
}
