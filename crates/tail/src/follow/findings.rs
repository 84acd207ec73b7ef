//! What a discovery says about the sources: new files, growth, rotation, the end.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use logtally_core::limits::SOURCES_MAX;
use logtally_core::source::SourceId;
use logtally_count::input::Input;
use logtally_count::reading::Reading;

use super::sources::Sources;
use crate::content::Content;
use crate::discover::{Discovery, Found, Stamp, identity};
use crate::followed::{FollowedSource, SourceRole};
use crate::open::open;
use crate::reader::Reader;

/// Applies what was found to the sources.
pub(super) struct Findings<'a> {
    /// The sources.
    pub(super) sources: &'a mut Sources,
    /// The inputs of the plan in force.
    pub(super) inputs: &'a [Arc<Input>],
    /// The name of the volume that the files lie on.
    pub(super) volume: &'a str,
    /// When they were found.
    pub(super) now: Instant,
}

/// What a discovery has come to.
pub(super) struct Applied {
    /// What is wrong with the inputs, one line each.
    pub(super) problems: BTreeSet<String>,
    /// Whether files have changed places meanwhile, so that the next discovery must begin at once.
    pub(super) is_outdated: bool,
}

/// Whether a file is followed now.
enum Added {
    Followed,
    /// Another file has taken its path since it was found.
    Gone,
}

impl Findings<'_> {
    /// Applies a discovery.
    pub(super) fn apply(&mut self, discovery: &Discovery) -> Applied {
        let missing = self.sources.table().ids_of(|source| {
            *source.role() == SourceRole::File && !discovery.files.contains_key(source.id())
        });
        let mut applied = Applied { problems: discovery.problems.clone(), is_outdated: false };
        for (id, found) in &discovery.files {
            let input = &discovery.inputs[found.input];
            if self.sources.table().contains(id) {
                self.read_by(id, input, &found.path);
                self.on_found(id, found);
                continue;
            }
            match self.add(id, found, input) {
                Ok(Added::Followed) => {}
                Ok(Added::Gone) => applied.is_outdated = true,
                Err(problem) => {
                    applied.problems.insert(problem);
                }
            }
        }
        for id in missing {
            self.read_by_successor(&id);
            self.on_missing(&id);
        }
        applied
    }

    /// Follows a file from now on, or says what is in the way.
    fn add(&mut self, id: &SourceId, found: &Found, input: &Arc<Input>) -> Result<Added, String> {
        let path = found.path.display();
        if self.sources.table().len() >= SOURCES_MAX {
            return Err(format!(
                "{path} is not followed: {SOURCES_MAX} files are the limit of one ingest; use more shards"
            ));
        }
        let mut content = None;
        if self.sources.files_mut().has_room() {
            let file = open(&found.path, self.volume, id)
                .map_err(|error| format!("{path} cannot be opened: {error}"))?;
            let Some(file) = file else { return Ok(Added::Gone) };
            content = Some(Content::of_file(file, found.compression));
            self.sources.files_mut().note_opened();
        }
        tracing::info!(source = %id, %path, bytes = found.stamp.size, "following the file");
        let reading = reading_of(input, &found.path);
        let reader = Reader::new(content, reading.clone());
        self.sources.follow(FollowedSource::file(id.clone(), found, reader, reading, self.now));
        Ok(Added::Followed)
    }

    /// Lets a source be read by an input from its next step on.
    fn read_by(&mut self, id: &SourceId, input: &Arc<Input>, path: &Path) {
        let Some(source) = self.sources.table_mut().get_mut(id) else { return };
        if !Arc::ptr_eq(source.rules().input(), input) {
            source.set_reading(reading_of(input, path));
        }
    }

    /// A file that is at none of the paths any more goes on under the input of the same name; if no
    /// input matches its path at all, it is not read any more.
    pub(super) fn read_by_successor(&mut self, id: &SourceId) {
        let Some(source) = self.sources.table_mut().get_mut(id) else { return };
        let current = source.rules().input();
        if self.inputs.iter().any(|input| Arc::ptr_eq(input, current)) {
            return;
        }
        let matches = |path: &Path| self.inputs.iter().any(|input| input.matches(path));
        let is_matched = matches(source.path()) || source.location().former().is_some_and(matches);
        let same_name = self.inputs.iter().find(|input| input.name == current.name);
        source.rules_mut().set_removed(!is_matched);
        if let Some(input) = same_name
            && is_matched
        {
            let path = source.path().to_owned();
            self.read_by(id, input, &path);
        }
    }

    /// A file that is followed was found, maybe under another name.
    fn on_found(&mut self, id: &SourceId, found: &Found) {
        let (volume, now, policy) = (self.volume, self.now, self.sources.policy());
        let Some(source) = self.sources.table_mut().get_mut(id) else { return };
        let before = source.path().to_owned();
        if before != found.path {
            tracing::info!(source = %id, from = %before.display(), to = %found.path.display(), "the file was renamed");
            source.location_mut().note_rename(found.path.clone(), now);
        }
        let former = source.location().former();
        let former_is_taken = former.is_some_and(|path| is_another(path, volume, id));
        source.location_mut().note_found(former_is_taken);
        source.extent_mut().note_size(found.stamp.size);
        source.on_stamp(found.stamp, policy, now);
        if before != found.path {
            self.sources.table_mut().note_rename(id, &before, &found.path);
            self.sources.metrics().lag.forget(&before);
        }
        self.sources.enqueue(id);
    }

    /// The file is at none of the paths any more: moved away or unlinked. It is read to its end
    /// through the open handle, and closed when it has been quiet for long enough.
    fn on_missing(&mut self, id: &SourceId) {
        let (volume, now, policy) = (self.volume, self.now, self.sources.policy());
        let Some(source) = self.sources.table_mut().get_mut(id) else { return };
        if source.location_mut().note_missing(now) {
            tracing::info!(source = %id, path = %source.path().display(), "the file is gone from its path; reading on to its end");
        }
        if !source.reads().is_here() {
            return;
        }
        if source.rules().is_removed() {
            if !source.has_deltas_in_flight() {
                self.sources.close(id);
            }
            return;
        }
        let Some(file) = source.reads().content().and_then(Content::file) else {
            return self.lose_closed(id);
        };
        let Ok(metadata) = file.metadata() else { return };
        // Moved out of sight with nothing in its place, a file may come back with its last line
        // unfinished; it is then found again. Unlinked or with another in its place, it never does.
        let superseded = metadata.nlink() == 0 || is_another(source.path(), volume, id);
        let stamp = Stamp::of(&metadata);
        source.location_mut().note_superseded(superseded);
        source.extent_mut().note_size(metadata.size());
        source.on_stamp(stamp, policy, now);
        let may_close = source.may_close_missing(stamp, policy, now);
        self.sources.enqueue(id);
        if may_close {
            self.sources.close(id);
        }
    }

    /// A file that was closed to save handles is at none of the paths any more: it cannot be read any
    /// further.
    fn lose_closed(&mut self, id: &SourceId) {
        let Some(source) = self.sources.table().get(id) else { return };
        if source.loses_bytes_if_closed() {
            self.sources.metrics().reads.files_lost.inc();
            tracing::error!(source = %id, path = %source.path().display(), bytes = source.lag_bytes(),
                "the file is gone, and what was appended to it last was not read");
        }
        self.sources.close(id);
    }
}

/// How a file at a path is read by an input.
fn reading_of(input: &Arc<Input>, path: &Path) -> Reading {
    let values = input.placeholder_values(path);
    Reading { input: Arc::clone(input), path: values.into() }
}

/// Whether another file than `id` is at the path.
fn is_another(path: &Path, volume: &str, id: &SourceId) -> bool {
    let Ok(metadata) = path.metadata() else { return false };
    identity(volume, &metadata).is_ok_and(|found| found != *id)
}
