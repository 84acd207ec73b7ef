//! Finds the files that match the patterns, and what identifies each.
//!
//! It never opens a file (opening a FIFO would block) and never decides what to do with one.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use logtally_core::partition::shard_of;
use logtally_core::source::SourceId;

use crate::content::Compression;
use crate::shard::Shard;
use logtally_count::input::Input;
use logtally_count::pattern::{Pattern, is_glob};

/// Endings of compressed copies. A glob skips them, because they repeat what was counted before
/// they were compressed.
const COMPRESSED: [&str; 6] = ["gz", "zst", "bz2", "xz", "lz4", "zip"];

/// What to look for.
#[derive(Clone, Debug)]
pub struct Search {
    /// What is read; a file belongs to the first input whose patterns match it.
    pub inputs: Vec<Arc<Input>>,
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
    /// The input whose patterns match it: index in [`Search::inputs`].
    pub input: usize,
    /// How it is compressed.
    pub compression: Option<Compression>,
}

/// Everything that one search has found.
#[derive(Clone, Default, Debug)]
pub struct Discovery {
    /// The inputs that were looked for.
    pub inputs: Vec<Arc<Input>>,
    /// The files by identity; a file under several names is there once.
    pub files: BTreeMap<SourceId, Found>,
    /// What is wrong with the inputs, one line each, with the fix in it.
    pub problems: BTreeSet<String>,
    /// The directories that should be watched for new files.
    pub directories: BTreeSet<PathBuf>,
}

/// Looks for the files once.
pub fn discover(search: &Search) -> Discovery {
    let mut discovery = Discovery { inputs: search.inputs.clone(), ..Discovery::default() };
    for (index, input) in search.inputs.iter().enumerate() {
        let mut files = InputSearch { search, input, index, found: &mut discovery };
        for pattern in input.patterns.iter().filter(|pattern| !pattern.is_stdin()) {
            let path = Path::new(pattern.text());
            if path.symlink_metadata().is_ok() || !pattern.is_glob() {
                files.add_named(path);
            } else {
                files.add_glob(pattern);
            }
        }
    }
    discovery
}

/// The search for the files of one input.
struct InputSearch<'a> {
    search: &'a Search,
    input: &'a Input,
    index: usize,
    found: &'a mut Discovery,
}

impl InputSearch<'_> {
    fn add_named(&mut self, path: &Path) {
        self.watch_parent(path);
        if is_compressed(path) && compression_of(path).is_none() {
            let text = "is compressed in a way that cannot be read; unpack it, or use .gz or .zst";
            self.problem(path, text);
            return;
        }
        match path.metadata() {
            Ok(metadata) if metadata.is_dir() => {
                let fix = format!("is a directory; use '{}' for its files", glob_in(path));
                self.problem(path, &fix);
            }
            Ok(metadata) => self.add_file(path, &metadata),
            Err(e) => self.problem(path, &format!("cannot be read: {}", plain(&e))),
        }
    }

    fn add_glob(&mut self, pattern: &Pattern) {
        self.found.directories.insert(base_of(pattern.glob()));
        let paths = match glob::glob(pattern.glob()) {
            Ok(paths) => paths,
            Err(e) => {
                let text = format!("is not a valid glob: {}", e.msg);
                self.problem(Path::new(pattern.text()), &text);
                return;
            }
        };
        let (mut matched, mut packed) = (false, false);
        for path in paths {
            match path {
                Ok(path) if self.is_left_out(&path) => packed |= compression_of(&path).is_some(),
                Ok(path) => matched |= self.add_matched(&path),
                Err(e) => {
                    let text = format!("cannot be read: {}", plain(e.error()));
                    self.problem(e.path(), &text);
                }
            }
        }
        if !matched && packed {
            let text = "matches compressed files only; to read them, name them one by one, or set `compressed: true` for the input";
            self.problem(Path::new(pattern.text()), text);
        } else if !matched {
            let text = "matches no file yet; quote globs, so that logtally can see new files";
            self.problem(Path::new(pattern.text()), text);
        }
    }

    /// Whether a path that a glob matches is left out nevertheless.
    fn is_left_out(&self, path: &Path) -> bool {
        let wanted = self.input.compressed && compression_of(path).is_some();
        (is_compressed(path) && !wanted) || self.input.excludes(path)
    }

    /// Adds what a glob matches, unless it is a directory. Whether it was added.
    fn add_matched(&mut self, path: &Path) -> bool {
        match path.metadata() {
            Ok(metadata) if metadata.is_dir() => return false,
            Ok(metadata) => self.add_file(path, &metadata),
            // Gone since the directory was listed, as happens to files that are being rotated.
            Err(e) if e.kind() == std::io::ErrorKind::NotFound && !path.is_symlink() => {
                return false;
            }
            Err(e) => self.problem(path, &format!("cannot be read: {}", plain(&e))),
        }
        true
    }

    fn add_file(&mut self, path: &Path, metadata: &Metadata) {
        self.watch_parent(path);
        if !metadata.is_file() {
            self.problem(path, "is not a regular file; only files can be counted exactly once");
            return;
        }
        let id = match identity(&self.search.volume, metadata) {
            Ok(id) => id,
            Err(e) => return self.problem(path, &e.to_string()),
        };
        if shard_of(&id, self.search.shard.total) != self.search.shard.index {
            return;
        }
        let device = metadata.dev();
        let found = Found {
            path: path.to_owned(),
            device,
            stamp: Stamp::of(metadata),
            input: self.index,
            compression: compression_of(path),
        };
        let known = self.found.files.entry(id).or_insert(found);
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
        self.found.directories.insert(parent.unwrap_or(Path::new(".")).to_owned());
    }

    fn problem(&mut self, path: &Path, text: &str) {
        self.found.problems.insert(format!("{} {text}", path.display()));
    }
}

/// Checks a volume's name: it becomes part of every source's.
pub fn check_volume(volume: &str) -> Result<(), String> {
    SourceId::file(volume, u64::MAX, u128::MAX)
        .map(drop)
        .map_err(|error| format!("--volume {volume:?} cannot be used: {error}"))
}

/// The identity of a file: volume, inode, and birth time where the file system has it.
pub fn identity(
    volume: &str,
    metadata: &Metadata,
) -> Result<SourceId, logtally_core::source::InvalidSourceId> {
    let birth = metadata.created().ok();
    let birth_ns =
        birth.and_then(|b| b.duration_since(UNIX_EPOCH).ok()).map_or(0, |d| d.as_nanos());
    SourceId::file(volume, metadata.ino(), birth_ns)
}

/// How a file is compressed that can be read nevertheless.
pub fn compression_of(path: &Path) -> Option<Compression> {
    match path.extension().and_then(|e| e.to_str()) {
        Some("gz") => Some(Compression::Gzip),
        Some("zst") => Some(Compression::Zstd),
        _ => None,
    }
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
    use logtally_count::testing::inputs;

    fn search(patterns: &[String]) -> Discovery {
        let shard = Shard { index: 0, total: 1 };
        discover(&Search { inputs: inputs(patterns), volume: "v".into(), shard })
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
        std::fs::write(at("old.bz2"), "x").expect("written");
        std::os::unix::fs::symlink(at("loop"), at("loop")).expect("linked");
        let check = |pattern: String, expected: &str| {
            let problems = search(&[pattern]).problems;
            assert!(problems.iter().any(|p| p.contains(expected)), "{problems:?}");
        };
        check(at("missing.csv"), "no such file");
        check(at("*.none"), "matches no file yet");
        std::fs::write(at("old.gz"), "x").expect("written");
        check(at("*.gz"), "compressed: true");
        check(dir.path().display().to_string(), "is a directory; use '");
        check(at("old.bz2"), "unpack it, or use .gz");
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
            let search = Search { inputs: inputs(&patterns), volume: "v".into(), shard };
            discover(&search).files.len()
        };
        assert_eq!((0..3).map(count).sum::<usize>(), 50);
        assert!((0..3).all(|i| count(i) > 0));
    }
}
