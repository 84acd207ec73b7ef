//! Where a file is, where it was, and whether anything may still be appended to it.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The place of one file in the file system, as far as discoveries have shown.
pub(crate) struct FileLocation {
    path: PathBuf,
    /// The path that the file had before it was renamed.
    former: Option<PathBuf>,
    /// Since when the file has not been at its own path.
    away_since: Option<Instant>,
    /// Whether the file never comes back: another file is in its place, or it was unlinked.
    superseded: bool,
    /// When the file was last seen to have something new.
    changed: Instant,
}

impl FileLocation {
    /// A file that was just found at `path`.
    pub(crate) fn new(path: PathBuf, now: Instant) -> Self {
        Self { path, former: None, away_since: None, superseded: false, changed: now }
    }

    /// Its path when it was last seen.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The path that it had before it was renamed, unless it is back there.
    pub(crate) fn former(&self) -> Option<&Path> {
        self.former.as_deref()
    }

    /// Whether it has left its own path.
    pub(crate) fn is_away(&self) -> bool {
        self.away_since.is_some()
    }

    /// Notes that the content has changed.
    pub(crate) fn note_change(&mut self, now: Instant) {
        self.changed = now;
    }

    /// Notes that the file has another path now.
    pub(crate) fn note_rename(&mut self, path: PathBuf, now: Instant) {
        let before = std::mem::replace(&mut self.path, path);
        let first = self.former.take().unwrap_or(before);
        // Renamed back to where it came from, it never was away.
        self.former = (first != self.path).then_some(first);
        self.away_since = Some(now);
    }

    /// Notes that the file was found at its path. `former_is_taken`: whether another file is at
    /// its former path now: then nobody is expected to append to this one, and in the end its last
    /// line counts. At its own path, it is as if it had never been away.
    pub(crate) fn note_found(&mut self, former_is_taken: bool) {
        if self.former.is_some() {
            self.superseded = former_is_taken;
        } else {
            self.away_since = None;
            self.superseded = false;
        }
    }

    /// Notes that the file is at none of the paths that were searched. Whether that is news.
    pub(crate) fn note_missing(&mut self, now: Instant) -> bool {
        let is_news = self.away_since.is_none();
        if is_news {
            self.away_since = Some(now);
        }
        is_news
    }

    /// Notes whether the missing file can come back.
    pub(crate) fn note_superseded(&mut self, superseded: bool) {
        self.superseded = superseded;
    }

    /// Whether the file never comes back to its path.
    pub(crate) fn is_superseded(&self) -> bool {
        self.superseded
    }

    /// Whether the file has been away from its path, and unchanged, for at least `wait`.
    pub(crate) fn is_quiet(&self, now: Instant, wait: Duration) -> bool {
        let has_waited = |since: Instant| now.saturating_duration_since(since) >= wait;
        self.away_since.is_some_and(has_waited) && has_waited(self.changed)
    }

    /// Whether nothing can be appended any more: an unterminated last record is complete.
    pub(crate) fn is_complete(&self, now: Instant, wait: Duration) -> bool {
        self.superseded && self.is_quiet(now, wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAIT: Duration = Duration::from_secs(10);

    fn found() -> (FileLocation, Instant) {
        let now = Instant::now();
        (FileLocation::new("a.log".into(), now), now)
    }

    #[test]
    fn a_renamed_file_with_a_successor_is_complete_when_it_has_been_quiet() {
        let (mut file, now) = found();
        file.note_rename("a.log.1".into(), now);
        file.note_found(false);
        assert!(file.is_quiet(now + WAIT, WAIT));
        assert!(!file.is_complete(now + WAIT, WAIT), "it may be renamed back");
        file.note_found(true);
        assert!(!file.is_complete(now + WAIT / 2, WAIT), "its writer may still have it open");
        assert!(file.is_complete(now + WAIT, WAIT));
        file.note_change(now + WAIT);
        assert!(!file.is_complete(now + WAIT, WAIT), "somebody appended to it");
    }

    #[test]
    fn a_file_that_comes_back_was_never_away() {
        let (mut file, now) = found();
        file.note_rename("a.log.1".into(), now);
        file.note_rename("a.log.2".into(), now);
        assert_eq!(file.former(), Some(Path::new("a.log")), "where it came from first");
        file.note_found(true);
        file.note_rename("a.log".into(), now);
        file.note_found(false);
        assert_eq!(file.former(), None);
        assert!(!file.is_away() && !file.is_superseded());
    }

    #[test]
    fn a_file_at_its_path_is_never_complete() {
        let (file, now) = found();
        assert!(!file.is_quiet(now + WAIT, WAIT) && !file.is_complete(now + WAIT, WAIT));
    }

    #[test]
    fn a_missing_file_is_news_once() {
        let (mut file, now) = found();
        assert!(file.note_missing(now));
        assert!(!file.note_missing(now + WAIT));
        assert!(file.is_quiet(now + WAIT, WAIT), "since it was first missed");
        file.note_superseded(true);
        assert!(file.is_complete(now + WAIT, WAIT));
    }
}
