//! Open files: each followed file is open, so that nothing is lost when it is renamed or removed; but
//! with more files than the system lets us open, those that have been read to their end are closed,
//! and opened again when they change.

use std::collections::VecDeque;

use logtally_core::limits::OPEN_FILES_MAX;
use logtally_core::source::SourceId;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::table::SourceTable;
use crate::reader::Reader;

/// Files that the process needs beside those that it follows: connections, the store, the watch.
const RESERVED: u64 = 512;

/// Files that are followed open even where the system allows hardly any: below that, every read
/// would open its file.
const OPEN_FILES_MIN: u64 = 16;

/// How many files are open, and which of them may be closed.
pub(super) struct OpenFiles {
    open: usize,
    max: usize,
    /// Sources that reached their end, the earliest first.
    at_end: VecDeque<SourceId>,
}

impl OpenFiles {
    /// None is open; as many may be as the system allows.
    pub(super) fn new() -> Self {
        let allowed = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        Self::with_max(open_files_max(allowed))
    }

    fn with_max(max: usize) -> Self {
        Self { open: 0, max, at_end: VecDeque::new() }
    }

    /// Whether another file may be opened and stay open.
    pub(super) fn has_room(&self) -> bool {
        self.open < self.max
    }

    /// A file was opened.
    pub(super) fn note_opened(&mut self) {
        self.open += 1;
    }

    /// A reader is given up.
    pub(super) fn note_dropped(&mut self, reader: Option<&Reader>) {
        if reader.is_some_and(|reader| reader.content().is_some()) {
            self.open -= 1;
        }
    }

    /// A source has been read to its end: its file may be closed when there are too many.
    pub(super) fn note_at_end(&mut self, id: &SourceId, table: &mut SourceTable) {
        // Where there is room, nobody takes sources from this list: it begins anew from time to time.
        if self.at_end.len() > 2 * table.len() + 16 {
            self.at_end.clear();
        }
        self.at_end.push_back(id.clone());
        while !self.has_room() {
            let Some(id) = self.at_end.pop_front() else { return };
            let Some(source) = table.get_mut(&id) else { continue };
            if source.may_release_handle() && source.reads_mut().close_content() {
                self.open -= 1;
            }
        }
    }
}

/// How many followed files may be open if the system allows the process so many.
fn open_files_max(allowed: u64) -> usize {
    allowed.saturating_sub(RESERVED).clamp(OPEN_FILES_MIN, OPEN_FILES_MAX as u64) as usize
}

/// Lets the process open as many files as the system allows: each followed file is open.
pub fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, "cannot raise the limit of open files");
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::content::Content;
    use crate::discover::{Found, Stamp};
    use crate::followed::FollowedSource;

    #[test]
    fn some_files_are_left_for_everything_else() {
        assert_eq!(open_files_max(1024), 512);
        assert_eq!(open_files_max(100), 16);
        assert_eq!(open_files_max(u64::MAX), OPEN_FILES_MAX);
    }

    #[test]
    fn with_too_many_files_the_first_that_is_read_to_its_end_is_closed() {
        let (mut table, mut files) = (SourceTable::default(), OpenFiles::with_max(2));
        let reading = logtally_count::testing::default_reading();
        let ids: Vec<SourceId> =
            (0..2).map(|i| SourceId::new(&format!("file/v/{i}/1")).expect("valid")).collect();
        for id in &ids {
            let content = Content::of_file(tempfile::tempfile().expect("temporary file"), None);
            let mut reader = Reader::new(None, reading.clone());
            reader.open(content);
            let (path, stamp) = (id.as_str().into(), Stamp::default());
            let found = Found { path, device: 0, stamp, input: 0, compression: None };
            let mut source =
                FollowedSource::file(id.clone(), &found, reader, reading.clone(), Instant::now());
            let (reader, ticket) = source.reads_mut().lend(reading.clone()).expect("here");
            source.take_back(reader, ticket);
            source.extent_mut().note_end(Some(stamp));
            table.insert(source);
            files.note_opened();
        }
        assert!(!files.has_room());
        files.note_at_end(&ids[0], &mut table);
        assert!(files.has_room());
        let is_open = |id| table.get(id).is_some_and(|source| source.reads().content().is_some());
        assert_eq!((is_open(&ids[0]), is_open(&ids[1])), (false, true));
    }
}
