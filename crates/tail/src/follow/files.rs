//! What a look at the file system means for the slots: new files, growth, rotation, the end.

use std::collections::{BTreeSet, HashMap};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use logtally_core::limits::SOURCES_MAX;
use logtally_core::source::{SourceId, SourceName};

use super::{Event, Follower};
use crate::content::Content;
use crate::discover::{Discovery, Found, Stamp, identity};
use crate::open::open;
use crate::reader::{End, Reader};
use crate::slot::{Role, Slot};
use crate::stdin::Stdin;
use crate::watch::absolute;
use logtally_count::input::Input;
use logtally_count::reading::Reading;

impl Follower {
    pub(super) fn take_discovery(&mut self, discovery: &Discovery) {
        self.look.running = false;
        self.look.took = self.look.begun.map_or_else(Default::default, |begun| begun.elapsed());
        self.watch.directories(&discovery.directories);
        let is_lost =
            |slot: &&Slot| slot.role == Role::File && !discovery.files.contains_key(&slot.id);
        let lost: Vec<SourceId> =
            self.slots.values().filter(is_lost).map(|slot| slot.id.clone()).collect();
        let mut problems = discovery.problems.clone();
        for (id, found) in &discovery.files {
            let input = &discovery.inputs[found.input];
            if self.slots.contains_key(id) {
                self.read_by(id, input, &found.path);
                self.seen_again(id, found);
            } else {
                problems.extend(self.add(id, found, input).err());
            }
        }
        self.note_problems(problems);
        for id in lost {
            self.read_by_successor(&id);
            self.seen_no_more(&id);
        }
        if !std::mem::replace(&mut self.look.done_once, true) {
            self.show_readiness();
        }
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
    fn add(&mut self, id: &SourceId, found: &Found, input: &Arc<Input>) -> Result<(), String> {
        let path = found.path.display();
        if self.slots.len() >= SOURCES_MAX {
            return Err(format!(
                "{path} is not followed: {SOURCES_MAX} files are the limit of one ingest; use more shards"
            ));
        }
        let mut content = None;
        if self.handles.has_room() {
            let file = open(&found.path, &self.options.volume, id)
                .map_err(|error| format!("{path} cannot be opened: {error}"))?;
            let Some(file) = file else {
                // Another file has taken the path since: the next look finds out which.
                self.rediscover();
                return Ok(());
            };
            content = Some(Content::of_file(file, found.compression));
            self.handles.opened();
        }
        tracing::info!(source = %id, %path, bytes = found.stamp.size, "following the file");
        let values = input.placeholder_values(&found.path);
        let reading = Reading { input: Arc::clone(input), path: values.into() };
        let reader = Reader::new(content, reading.clone());
        let mut slot = Slot::new(id.clone(), found.path.clone(), reader, reading, Instant::now());
        slot.compression = found.compression;
        if slot.compression.is_none() {
            slot.size = found.stamp.size;
        }
        self.slots.insert(id.clone(), slot);
        self.paths.insert(absolute(&found.path), id.clone());
        self.assign(id);
        Ok(())
    }

    /// Lets a slot read by an input from its next step on.
    fn read_by(&mut self, id: &SourceId, input: &Arc<Input>, path: &Path) {
        let Some(slot) = self.slots.get_mut(id) else { return };
        if !Arc::ptr_eq(&slot.reading.input, input) {
            let values = input.placeholder_values(path);
            slot.reading = Reading { input: Arc::clone(input), path: values.into() };
            slot.removed = false;
            slot.prepared = false;
            slot.preparing = false;
            slot.dirty = true;
        }
    }

    /// A file that is at none of the paths any more goes on under the input of the same name; if no
    /// input means its path at all, it is not read any more.
    pub(super) fn read_by_successor(&mut self, id: &SourceId) {
        let Some(slot) = self.slots.get_mut(id) else { return };
        let current = &slot.reading.input;
        if self.plan.inputs.iter().any(|input| Arc::ptr_eq(input, current)) {
            return;
        }
        let path = slot.path.clone();
        let same_name = self.plan.inputs.iter().find(|input| input.name == current.name).cloned();
        slot.removed = !self.plan.inputs.iter().any(|input| input.matches(&path))
            && slot.former.as_ref().is_none_or(|p| !self.plan.inputs.iter().any(|i| i.matches(p)));
        if let (Some(input), false) = (same_name, slot.removed) {
            self.read_by(id, &input, &path);
        }
    }

    /// Reads standard input if an input wants it.
    pub(super) fn start_stdin(&mut self) {
        let wants = |input: &&Arc<Input>| {
            input.patterns.iter().any(logtally_count::pattern::Pattern::is_stdin)
        };
        let Some(input) = self.plan.inputs.iter().find(wants).cloned() else { return };
        let name = SourceName::Stdin { volume: &self.options.volume, id: rand::random() };
        let Ok(id) = name.id() else { return };
        let (events, told) = (self.events.clone(), id.clone());
        let stdin = Stdin::start(std::io::stdin(), move || {
            let _ = events.blocking_send(Event::StandardInput(told.clone()));
        });
        let placeholders = vec![None; input.rules.placeholders().len()];
        let reading = Reading { input, path: placeholders.into() };
        let reader = Reader::new(Some(Content::Stdin(Arc::clone(&stdin))), reading.clone());
        let mut slot = Slot::new(id.clone(), "-".into(), reader, reading, Instant::now());
        slot.role = Role::Stdin;
        self.handles.opened();
        self.slots.insert(id.clone(), slot);
        self.stdin = Some((id.clone(), stdin));
        self.assign(&id);
    }

    /// There is something new on standard input, or it was closed.
    pub(super) fn take_stdin(&mut self, id: &SourceId) {
        let Some((_, stdin)) = &self.stdin else { return };
        if let Some(slot) = self.slots.get_mut(id) {
            slot.size = stdin.len();
            slot.dirty = true;
        }
        self.enqueue(id);
    }

    fn seen_again(&mut self, id: &SourceId, found: &Found) {
        let Some(slot) = self.slots.get_mut(id) else { return };
        if slot.compression.is_none() {
            slot.size = found.stamp.size;
        }
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
            slot.superseded = is_another(former, &self.options.volume, id);
        } else {
            (slot.rotated, slot.superseded) = (None, false);
        }
        self.note_stamp(id, found.stamp);
    }

    /// Reads if the file has changed, or if a rotated file with an unterminated last line has been
    /// quiet for long enough.
    fn note_stamp(&mut self, id: &SourceId, stamp: Stamp) {
        let Some(slot) = self.slots.get_mut(id) else { return };
        if slot.compression.is_none() {
            slot.seen = slot.seen.max(stamp.size);
        }
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
        if slot.removed {
            if slot.conversation().in_flight() == 0 {
                self.close(id);
            }
            return;
        }
        let Some(file) = reader.content().and_then(Content::file) else {
            return self.lose_closed(id);
        };
        let Ok(metadata) = file.metadata() else { return };
        if slot.compression.is_none() {
            slot.size = metadata.size();
        }
        // Moved out of sight with nothing in its place, a file may come back with its last line
        // unfinished; it is then found again. Unlinked or with another in its place, it never does.
        slot.superseded = metadata.nlink() == 0 || is_another(&slot.path, &self.options.volume, id);
        let stamp = Stamp::of(&metadata);
        self.note_stamp(id, stamp);
        let slot = &self.slots[id];
        let read = slot.stamp == Some(stamp) && slot.conversation().in_flight() == 0 && !slot.dirty;
        let nothing_left = slot.finished || slot.pending == 0 || !slot.superseded;
        if self.is_quiet(slot) && read && nothing_left && slot.reader.is_some() {
            self.close(id);
        }
    }

    /// A file that was closed to save handles is at none of the paths any more: it cannot be read any
    /// further.
    fn lose_closed(&mut self, id: &SourceId) {
        let Some(slot) = self.slots.get(id) else { return };
        if slot.lag_bytes() > 0 || slot.dirty || slot.last_error.is_some() {
            self.metrics.files_lost.inc();
            tracing::error!(source = %id, path = %slot.path.display(), bytes = slot.lag_bytes(),
                "the file is gone, and what was appended to it last was not read");
        }
        self.close(id);
    }

    fn close(&mut self, id: &SourceId) {
        let Some(slot) = self.slots.remove(id) else { return };
        self.handles.closed(slot.reader.as_deref());
        let of = |other: &&Slot| matches!(&other.role, Role::Backfill { of } if of == id);
        let backfills: Vec<_> = self.slots.values().filter(of).map(|s| s.id.clone()).collect();
        for backfill in backfills {
            self.drop_slot(&backfill);
        }
        tracing::info!(source = %id, path = %slot.path.display(),
            position = slot.conversation().position(), "closed the file");
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

fn forget_lag(metrics: &crate::metrics::TailMetrics, slot: &Slot) {
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
