//! Finds the files that the patterns mean, and what identifies each.
//!
//! Only looks: never opens a file (a FIFO would block) and never decides what to do with one.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use logtally_core::partition::shard_of;
use logtally_core::source::SourceId;

use crate::shard::Shard;

/// Endings of compressed copies. A glob skips them, because they repeat what was counted before
/// they were compressed.
const COMPRESSED: [&str; 6] = ["gz", "zst", "bz2", "xz", "lz4", "zip"];

/// What to look for.
#[derive(Clone, Debug)]
pub struct Search {
    /// Paths and globs.
    pub patterns: Vec<String>,
    /// The name of the volume that the files lie on.
    pub volume: String,
    /// The share of the sources that is ours.
    pub shard: Shard,
}

/// Size and time of the last change: if they are the same, nothing needs to be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Stamp {
    /// Bytes.
    pub size: u64,
    /// Seconds and nanoseconds of the last modification.
    pub modified: (i64, i64),
}

impl Stamp {
    /// The stamp of a file.
    pub fn of(metadata: &Metadata) -> Self {
        Self { size: metadata.size(), modified: (metadata.mtime(), metadata.mtime_nsec()) }
    }
}

/// A file that was found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Found {
    /// Its path now.
    pub path: PathBuf,
    /// The device that it is on.
    pub device: u64,
    /// Its stamp.
    pub stamp: Stamp,
}

/// Everything that was found in one look.
#[derive(Clone, Default, Debug)]
pub struct Discovery {
    /// The files by identity; a file under several names is there once.
    pub files: BTreeMap<SourceId, Found>,
    /// What is wrong with the inputs, one line each, with the fix in it.
    pub problems: BTreeSet<String>,
    /// The directories that should be watched for new files.
    pub directories: BTreeSet<PathBuf>,
}

/// Looks for the files once.
pub fn discover(search: &Search) -> Discovery {
    let mut discovery = Discovery::default();
    for pattern in &search.patterns {
        if Path::new(pattern).symlink_metadata().is_ok() || !is_glob(pattern) {
            discovery.add_named(search, Path::new(pattern));
        } else {
            discovery.add_glob(search, pattern);
        }
    }
    discovery
}

/// Whether a pattern has wildcards.
fn is_glob(pattern: &str) -> bool {
    pattern.contains(['*', '?', '['])
}

impl Discovery {
    fn add_named(&mut self, search: &Search, path: &Path) {
        self.watch_parent(path);
        if is_compressed(path) {
            let text = "is compressed; unpack it first (compressed files are not read)";
            self.problem(path, text);
            return;
        }
        match path.metadata() {
            Ok(metadata) if metadata.is_dir() => {
                let fix = format!("is a directory; use '{}' for its files", glob_in(path));
                self.problem(path, &fix);
            }
            Ok(metadata) => self.add_file(search, path, &metadata),
            Err(e) => self.problem(path, &format!("cannot be read: {}", plain(&e))),
        }
    }

    fn add_glob(&mut self, search: &Search, pattern: &str) {
        self.directories.insert(base_of(pattern));
        let paths = match glob::glob(pattern) {
            Ok(paths) => paths,
            Err(e) => {
                self.problem(Path::new(pattern), &format!("is not a valid glob: {}", e.msg));
                return;
            }
        };
        let mut matched = false;
        for path in paths {
            match path {
                Ok(path) if is_compressed(&path) => {}
                Ok(path) => matched |= self.add_matched(search, &path),
                Err(e) => {
                    let text = format!("cannot be read: {}", plain(e.error()));
                    self.problem(e.path(), &text);
                }
            }
        }
        if !matched {
            let text = "matches no file yet; quote globs, so that logtally can see new files";
            self.problem(Path::new(pattern), text);
        }
    }

    /// A directory that matches a glob is none of our business; everything else is.
    fn add_matched(&mut self, search: &Search, path: &Path) -> bool {
        match path.metadata() {
            Ok(metadata) if metadata.is_dir() => return false,
            Ok(metadata) => self.add_file(search, path, &metadata),
            // Gone between the listing and the look, as files being rotated are.
            Err(e) if e.kind() == std::io::ErrorKind::NotFound && !path.is_symlink() => {
                return false;
            }
            Err(e) => self.problem(path, &format!("cannot be read: {}", plain(&e))),
        }
        true
    }

    fn add_file(&mut self, search: &Search, path: &Path, metadata: &Metadata) {
        self.watch_parent(path);
        if !metadata.is_file() {
            self.problem(path, "is not a regular file; only files can be counted exactly once");
            return;
        }
        let id = match identity(&search.volume, metadata) {
            Ok(id) => id,
            Err(e) => return self.problem(path, &e.to_string()),
        };
        if shard_of(&id, search.shard.total) != search.shard.index {
            return;
        }
        let device = metadata.dev();
        let found = Found { path: path.to_owned(), device, stamp: Stamp::of(metadata) };
        let known = self.files.entry(id).or_insert_with(|| found.clone());
        if known.device != device {
            let other = known.path.display().to_string();
            let text = format!(
                "cannot be told from {other}: they lie on two file systems; give each its own process and --volume"
            );
            self.problem(path, &text);
        }
    }

    fn watch_parent(&mut self, path: &Path) {
        let parent = path.parent().filter(|p| !p.as_os_str().is_empty());
        self.directories.insert(parent.unwrap_or(Path::new(".")).to_owned());
    }

    fn problem(&mut self, path: &Path, text: &str) {
        self.problems.insert(format!("{} {text}", path.display()));
    }
}

/// Checks a volume's name: it becomes part of every source's.
pub fn check_volume(volume: &str) -> Result<(), String> {
    SourceId::file(volume, u64::MAX, u128::MAX)
        .map(drop)
        .map_err(|error| format!("--volume {volume:?} cannot be used: {error}"))
}

/// The identity of a file: volume, inode, and birth time where the file system tells it.
pub fn identity(
    volume: &str,
    metadata: &Metadata,
) -> Result<SourceId, logtally_core::source::InvalidSourceId> {
    let birth = metadata.created().ok();
    let birth_ns =
        birth.and_then(|b| b.duration_since(UNIX_EPOCH).ok()).map_or(0, |d| d.as_nanos());
    SourceId::file(volume, metadata.ino(), birth_ns)
}

fn is_compressed(path: &Path) -> bool {
    path.extension().and_then(|e| e.to_str()).is_some_and(|e| COMPRESSED.contains(&e))
}

fn glob_in(directory: &Path) -> String {
    directory.join("*.csv").display().to_string()
}

/// The part of a glob before its first wildcard.
fn base_of(pattern: &str) -> PathBuf {
    let plain: PathBuf = Path::new(pattern)
        .components()
        .take_while(|c| !c.as_os_str().to_str().is_some_and(is_glob))
        .collect();
    if plain.as_os_str().is_empty() { PathBuf::from(".") } else { plain }
}

/// An I/O error without its number, which says nothing to most people.
fn plain(error: &std::io::Error) -> String {
    let text = error.to_string();
    let end = text.find(" (os error").unwrap_or(text.len());
    text[..end].to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn search(patterns: &[String]) -> Discovery {
        let shard = Shard { index: 0, total: 1 };
        discover(&Search { patterns: patterns.to_vec(), volume: "v".into(), shard })
    }

    #[test]
    fn globs_find_plain_files_only() {
        let dir = tempfile::tempdir().expect("folder");
        let at = |name: &str| dir.path().join(name).display().to_string();
        for name in ["a.csv", "b.csv", "c.csv.gz", "d.txt"] {
            std::fs::write(at(name), name).expect("written");
        }
        std::fs::create_dir(at("e.csv")).expect("created");
        std::fs::hard_link(at("a.csv"), at("z.csv")).expect("linked");
        let found = search(&[at("*.csv*")]);
        assert_eq!(found.files.len(), 2, "a hard link is the same file");
        assert!(found.problems.is_empty(), "{:?}", found.problems);
        assert_eq!(found.directories.into_iter().collect::<Vec<_>>(), [dir.path()]);
    }

    #[test]
    fn every_problem_names_the_fix() {
        let dir = tempfile::tempdir().expect("folder");
        let at = |name: &str| dir.path().join(name).display().to_string();
        std::fs::write(at("old.gz"), "x").expect("written");
        std::os::unix::fs::symlink(at("loop"), at("loop")).expect("linked");
        let check = |pattern: String, expected: &str| {
            let problems = search(&[pattern]).problems;
            assert!(problems.iter().any(|p| p.contains(expected)), "{problems:?}");
        };
        check(at("missing.csv"), "no such file");
        check(at("*.none"), "matches no file yet");
        check(dir.path().display().to_string(), "is a directory; use '");
        check(at("old.gz"), "unpack it first");
        check(at("loop"), "too many levels of symbolic links");
        check(at("[x"), "is not a valid glob");
        check("/dev/null".into(), "is not a regular file");
    }

    #[test]
    fn volumes_are_named_without_blanks() {
        assert_eq!(check_volume("host-1"), Ok(()));
        assert!(check_volume("my disk").expect_err("refused").starts_with("--volume \"my disk\""));
        assert!(check_volume(&"x".repeat(600)).is_err());
    }

    #[test]
    fn shards_share_the_files() {
        let dir = tempfile::tempdir().expect("folder");
        for i in 0..50 {
            std::fs::write(dir.path().join(format!("{i}.csv")), "x").expect("written");
        }
        let patterns = vec![dir.path().join("*.csv").display().to_string()];
        let count = |index| {
            let shard = Shard { index, total: 3 };
            let search = Search { patterns: patterns.clone(), volume: "v".into(), shard };
            discover(&search).files.len()
        };
        assert_eq!((0..3).map(count).sum::<usize>(), 50);
        assert!((0..3).all(|i| count(i) > 0));
    }
}
