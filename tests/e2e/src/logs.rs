//! Logs that grow and rotate while they are read.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rand::Rng;

use crate::catalogue::{Catalogue, Style};

/// One log: a file that is appended to and rotated by renames, as logrotate does it:
/// `x.csv` → `x.csv.1` → `x.csv.2` …
pub struct Log {
    path: PathBuf,
    file: File,
    style: Style,
    catalogue: Arc<Catalogue>,
    rotations: usize,
    /// The rest of a line of which the first part has been written.
    unwritten: Vec<u8>,
}

impl Log {
    /// Creates the file, with a header if its style has one.
    pub fn create(path: PathBuf, style: Style, catalogue: &Arc<Catalogue>) -> Self {
        let file = create(&path, style);
        let catalogue = Arc::clone(catalogue);
        Self { path, file, style, catalogue, rotations: 0, unwritten: Vec::new() }
    }

    /// Appends random lines. The last one is often left unfinished until the next call.
    pub fn append(&mut self, lines: usize, rng: &mut impl Rng) {
        let mut bytes = std::mem::take(&mut self.unwritten);
        let mut last = 0;
        for _ in 0..lines {
            last = bytes.len();
            let which = rng.random_range(0..self.catalogue.len());
            bytes.extend_from_slice(self.catalogue.take_line(self.style, which).as_bytes());
        }
        let cut = rng.random_range(last..=bytes.len());
        self.unwritten = bytes.split_off(cut);
        self.file.write_all(&bytes).expect("appending to a log");
    }

    /// Finishes the line that is under way.
    pub fn finish_line(&mut self) {
        let rest = std::mem::take(&mut self.unwritten);
        self.file.write_all(&rest).expect("appending to a log");
    }

    /// Renames the file and its older copies by one, and begins a new one.
    pub fn rotate(&mut self) {
        self.finish_line();
        for n in (0..=self.rotations).rev() {
            std::fs::rename(self.copy(n), self.copy(n + 1)).expect("renaming a log");
        }
        self.rotations += 1;
        self.file = create(&self.path, self.style);
    }

    /// How often it was rotated.
    pub fn rotations(&self) -> usize {
        self.rotations
    }

    /// The path of the n-th older copy; the 0th is the log itself.
    fn copy(&self, n: usize) -> PathBuf {
        if n == 0 {
            self.path.clone()
        } else {
            PathBuf::from(format!("{}.{n}", self.path.display()))
        }
    }
}

fn create(path: &Path, style: Style) -> File {
    let mut file =
        OpenOptions::new().create_new(true).append(true).open(path).expect("creating a log");
    file.write_all(style.header().as_bytes()).expect("writing a header");
    file
}

/// Several logs in one folder, of all styles.
pub struct Logs {
    /// Each of them.
    pub logs: Vec<Log>,
}

impl Logs {
    /// Creates `count` logs `app0.csv`, `app1.csv` … Every fourth has a header, every fourth further
    /// columns.
    pub fn create(folder: &Path, count: usize, catalogue: &Arc<Catalogue>) -> Self {
        let style = |i: usize| match i % 4 {
            2 => Style::Wide,
            3 => Style::Header,
            _ => Style::Bare,
        };
        let path = |i: usize| folder.join(format!("app{i}.csv"));
        let logs = (0..count).map(|i| Log::create(path(i), style(i), catalogue)).collect();
        Self { logs }
    }

    /// Appends `lines` in bursts to random logs; `rotations` times on the way, one is rotated.
    pub fn write(&mut self, lines: usize, rotations: usize, rng: &mut impl Rng) {
        const BURST: usize = 2_000;
        let bursts = lines.div_ceil(BURST);
        for burst in 0..bursts {
            let which = rng.random_range(0..self.logs.len());
            self.logs[which].append(BURST.min(lines - burst * BURST), rng);
            // Evenly spread: the first burst of every share of the work.
            if burst * rotations / bursts != (burst + 1) * rotations / bursts {
                let which = rng.random_range(0..self.logs.len());
                self.logs[which].rotate();
            }
        }
    }

    /// Finishes the lines that are under way in all of them.
    pub fn finish_lines(&mut self) {
        self.logs.iter_mut().for_each(Log::finish_line);
    }

    /// How often any of them was rotated.
    pub fn rotations(&self) -> usize {
        self.logs.iter().map(Log::rotations).sum()
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;
    use crate::recount::Recount;

    #[test]
    fn what_was_written_is_what_a_recount_finds_in_all_copies() {
        let folder = tempfile::tempdir().expect("a folder");
        let catalogue = Catalogue::new(10, 2);
        let mut rng = StdRng::seed_from_u64(1);
        let mut logs = Logs::create(folder.path(), 4, &catalogue);
        logs.write(20_000, 5, &mut rng);
        logs.finish_lines();
        assert_eq!(logs.rotations(), 5);
        let recount = Recount::of_folder(folder.path());
        assert_eq!(recount.records, 20_000);
        assert_eq!(recount.counts, catalogue.counts());
    }
}
