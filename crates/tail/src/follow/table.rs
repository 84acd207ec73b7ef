//! The sources that are followed, by identity and by path.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use logtally_core::source::SourceId;

use crate::followed::{FollowedSource, SourceRole};
use crate::watch::absolute;

/// The sources that are followed.
#[derive(Default)]
pub(super) struct SourceTable {
    sources: HashMap<SourceId, FollowedSource>,
    /// Which file is at an absolute path.
    paths: HashMap<PathBuf, SourceId>,
}

impl SourceTable {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.sources.len()
    }

    /// Whether a source is followed.
    pub(super) fn contains(&self, id: &SourceId) -> bool {
        self.sources.contains_key(id)
    }

    /// A source.
    pub(super) fn get(&self, id: &SourceId) -> Option<&FollowedSource> {
        self.sources.get(id)
    }

    /// A source, to note something about it.
    pub(super) fn get_mut(&mut self, id: &SourceId) -> Option<&mut FollowedSource> {
        self.sources.get_mut(id)
    }

    /// All sources, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &FollowedSource> {
        self.sources.values()
    }

    /// All sources, in no order, to note something about each.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut FollowedSource> {
        self.sources.values_mut()
    }

    /// The identities of all sources for which something holds.
    pub(super) fn ids_of(&self, is_wanted: impl Fn(&FollowedSource) -> bool) -> Vec<SourceId> {
        let wanted = self.iter().filter(|source| is_wanted(source));
        wanted.map(|source| source.id().clone()).collect()
    }

    /// The file that was last seen at an absolute path.
    pub(super) fn at_path(&self, path: &Path) -> Option<&SourceId> {
        self.paths.get(path)
    }

    /// The backfills of a file.
    pub(super) fn backfills_of(&self, id: &SourceId) -> Vec<SourceId> {
        self.ids_of(|source| matches!(source.role(), SourceRole::Backfill { of } if of == id))
    }

    /// Follows a source.
    pub(super) fn insert(&mut self, source: FollowedSource) {
        if *source.role() == SourceRole::File {
            self.paths.insert(absolute(source.path()), source.id().clone());
        }
        self.sources.insert(source.id().clone(), source);
    }

    /// A file has another path now.
    pub(super) fn note_rename(&mut self, id: &SourceId, from: &Path, to: &Path) {
        self.forget_path(from, id);
        self.paths.insert(absolute(to), id.clone());
    }

    /// Removes a source.
    pub(super) fn remove(&mut self, id: &SourceId) -> Option<FollowedSource> {
        let source = self.sources.remove(id)?;
        self.forget_path(source.path(), id);
        Some(source)
    }

    /// Forgets a path, unless another file has taken it.
    fn forget_path(&mut self, path: &Path, id: &SourceId) {
        let path = absolute(path);
        if self.paths.get(&path) == Some(id) {
            self.paths.remove(&path);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::discover::{Found, Stamp};
    use crate::reader::Reader;

    fn file(name: &str, path: &str) -> FollowedSource {
        let reading = logtally_count::testing::default_reading();
        let reader = Reader::new(None, reading.clone());
        let id = SourceId::new(name).expect("valid");
        let stamp = Stamp::default();
        let found = Found { path: path.into(), device: 0, stamp, input: 0, compression: None };
        FollowedSource::file(id, &found, reader, reading, Instant::now())
    }

    #[test]
    fn a_path_belongs_to_the_file_that_was_seen_there_last() {
        let mut table = SourceTable::default();
        let (first, second) = (file("file/v/1/1", "/a"), file("file/v/2/1", "/a"));
        let (old, new) = (first.id().clone(), second.id().clone());
        table.insert(first);
        table.insert(second);
        table.note_rename(&old, Path::new("/a"), Path::new("/a.1"));
        assert_eq!(table.at_path(Path::new("/a")), Some(&new));
        assert_eq!(table.at_path(Path::new("/a.1")), Some(&old));
        assert!(table.remove(&new).is_some());
        assert_eq!(table.at_path(Path::new("/a")), None);
        assert_eq!(table.len(), 1);
    }

    #[test]
    fn a_backfill_has_no_path_of_its_own() {
        let mut table = SourceTable::default();
        let file = file("file/v/1/1", "/a");
        let (id, of) = (SourceId::new("backfill/1").expect("valid"), file.id().clone());
        let reading = file.rules().reading().clone();
        let backfill = FollowedSource::backfill(id.clone(), &file, reading, Instant::now());
        table.insert(file);
        table.insert(backfill);
        assert_eq!(table.backfills_of(&of), std::slice::from_ref(&id));
        table.remove(&id);
        assert_eq!(table.at_path(Path::new("/a")), Some(&of));
    }
}
