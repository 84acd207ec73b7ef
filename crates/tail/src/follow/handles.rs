//! Open files: each followed file is open, so that nothing is lost when it is renamed or removed; but
//! with more files than the system lets us open, those that have been read to their end are closed,
//! and opened again when they change.

use std::collections::VecDeque;

use logtally_core::limits::OPEN_FILES_MAX;
use logtally_core::source::SourceId;

use super::Follower;
use crate::reader::Reader;
use crate::slot::{Role, Slot};

/// Files that the process needs beside those that it follows: connections, the store, the watch.
const RESERVED: u64 = 512;

/// How many files are open, and which of them may be closed.
pub(super) struct Handles {
    open: usize,
    max: usize,
    /// Sources that reached their end, the earliest first.
    at_end: VecDeque<SourceId>,
}

impl Handles {
    pub fn new() -> Self {
        use rustix::process::{Resource, getrlimit};
        let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        let max = limit.saturating_sub(RESERVED).max(16).min(OPEN_FILES_MAX as u64);
        Self { open: 0, max: max as usize, at_end: VecDeque::new() }
    }

    /// Whether another file may be opened and stay open.
    pub fn has_room(&self) -> bool {
        self.open < self.max
    }

    pub fn opened(&mut self) {
        self.open += 1;
    }

    /// A reader is given up.
    pub fn closed(&mut self, reader: Option<&Reader>) {
        if reader.is_some_and(|reader| reader.content().is_some()) {
            self.open -= 1;
        }
    }
}

impl Follower {
    /// A source has been read to its end: its file may be closed when there are too many.
    pub(super) fn note_at_end(&mut self, id: &SourceId) {
        if self.handles.at_end.len() > 2 * self.slots.len() + 16 {
            self.handles.at_end.clear();
        }
        self.handles.at_end.push_back(id.clone());
        while !self.handles.has_room() {
            let Some(id) = self.handles.at_end.pop_front() else { return };
            let Some(slot) = self.slots.get_mut(&id) else { continue };
            if slot.may_be_closed()
                && let Some(reader) = &mut slot.reader
                && reader.content().is_some()
            {
                reader.close();
                self.handles.open -= 1;
            }
        }
    }
}

impl Slot {
    /// Whether the file can be opened again by its path, and nothing of it waits.
    fn may_be_closed(&self) -> bool {
        let here = self.role != Role::Stdin && self.rotated.is_none();
        here && !self.dirty && self.stamp.is_some()
    }
}

/// Lets the process open as many files as the system allows: each followed file is open.
pub fn raise_file_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = rustix::process::Rlimit { current: limit.maximum, maximum: limit.maximum };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, "cannot raise the limit of open files");
    }
}
