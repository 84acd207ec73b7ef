//! Anything that happens to logs, in any order, with the process killed in between: in the end the
//! counts are those of an independent recount.
//!
//! What a file loses when it is truncated or removed before it was read cannot be counted by anybody,
//! so the test waits before those two, and only before those.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use logtally_e2e::cluster::scrape;
use logtally_e2e::exposition::{COUNTED, Counts, READ, counted_series, difference, series};
use logtally_e2e::one_process::OneProcess;
use logtally_e2e::seed;
use logtally_e2e::wait::{holds, until};
use rand::Rng;
use rand::rngs::StdRng;
use tempfile::TempDir;

const CATCH_UP: Duration = Duration::from_mins(1);
const STEPS: u32 = 500;
const LOGS: usize = 3;

struct World {
    folder: TempDir,
    one: OneProcess,
    rng: StdRng,
    /// Lines that are complete, by host: what is to be counted.
    truth: BTreeMap<u64, u64>,
    /// By log: whether its last line has no end yet.
    open_line: [bool; LOGS],
    rotations: u64,
    hosts: u64,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let pattern = folder.path().join("log*.csv*");
        let one = OneProcess::new(folder.path(), "store", &[pattern]).args(&[
            "--follow.rotate-wait",
            "10m",
            "--follow.poll-interval",
            "100ms",
        ]);
        let mut world = Self {
            folder,
            one,
            rng: seed::rng(),
            truth: BTreeMap::new(),
            open_line: [false; LOGS],
            rotations: 0,
            hosts: 0,
        };
        (0..LOGS).for_each(|log| drop(world.open(log)));
        world.one.program.start();
        world
    }

    fn path(&self, log: usize) -> PathBuf {
        self.folder.path().join(format!("log{log}.csv"))
    }

    fn open(&self, log: usize) -> File {
        let mut options = OpenOptions::new();
        options.create(true).append(true).open(self.path(log)).expect("a log")
    }

    /// Appends some lines; sometimes the last one has no end yet.
    fn append(&mut self, log: usize) {
        let mut text = String::new();
        if std::mem::take(&mut self.open_line[log]) {
            text += "\n";
            *self.truth.entry(0).or_default() += 1;
        }
        for _ in 0..self.rng.random_range(1..200) {
            self.hosts += u64::from(self.rng.random_bool(0.05));
            let host = 1 + self.rng.random_range(0..=self.hosts);
            text.extend(["h", &host.to_string(), ",job\n"]);
            *self.truth.entry(host).or_default() += 1;
        }
        if self.rng.random_bool(0.2) {
            text += "h0,job";
            self.open_line[log] = true;
        }
        self.open(log).write_all(text.as_bytes()).expect("appending");
    }

    /// A rotation by rename. Rotated files stay; an open last line is finished first, as by a writer
    /// that closes its file.
    fn rotate(&mut self, log: usize) {
        self.finish_line(log);
        self.rotations += 1;
        let name = format!("log{log}.csv.{}", self.rotations);
        fs::rename(self.path(log), self.folder.path().join(name)).expect("rotating");
        if self.rng.random_bool(0.8) {
            self.open(log);
        }
    }

    fn finish_line(&mut self, log: usize) {
        if std::mem::take(&mut self.open_line[log]) {
            self.open(log).write_all(b"\n").expect("appending");
            *self.truth.entry(0).or_default() += 1;
        }
    }

    /// Everything is read: then a log may lose its content.
    fn truncate(&mut self, log: usize) {
        self.finish_line(log);
        self.wait();
        let text = if self.rng.random_bool(0.5) {
            // Grown again at once, to anything between shorter and longer than before. A host of its
            // own: what is written again byte by byte cannot be told from what was there.
            let lines = self.rng.random_range(1..400);
            self.hosts += 1;
            let host = 1 + self.hosts;
            *self.truth.entry(host).or_default() += lines;
            format!("h{host},job\n").repeat(lines as usize)
        } else {
            String::new()
        };
        fs::write(self.path(log), text).expect("truncating");
    }

    fn remove(&mut self, log: usize) {
        self.finish_line(log);
        self.wait();
        let _ = fs::remove_file(self.path(log));
        self.open(log);
    }

    fn step(&mut self) {
        let log = self.rng.random_range(0..LOGS);
        match self.rng.random_range(0..100) {
            0..60 => self.append(log),
            60..75 if self.path(log).exists() => self.rotate(log),
            75..79 if self.path(log).exists() => self.truncate(log),
            79..82 if self.path(log).exists() => self.remove(log),
            82..90 => self.one.program.restart(),
            90..92 => drop(self.one.program.terminate()),
            _ => std::thread::sleep(Duration::from_millis(self.rng.random_range(0..50))),
        }
        if !self.one.program.is_up() {
            self.one.program.start();
        }
    }

    fn expected(&self) -> Counts {
        self.truth.iter().map(|(host, n)| (series(&format!("h{host}"), "job"), *n)).collect()
    }

    /// Waits until everything is counted, and demands that it is right.
    fn wait(&mut self) {
        let total: u64 = self.truth.values().sum();
        let page = until("everything is counted", CATCH_UP, || {
            let page = scrape(self.one.port)?;
            let read = page.get(READ).copied().unwrap_or(0);
            holds(read >= total, || format!("{read} of {total} records"))?;
            Ok(page)
        });
        let different = difference(&self.expected(), &counted_series(&page));
        assert!(different.is_empty(), "{different}");
        assert_eq!(page.get(COUNTED).copied().unwrap_or(0), total);
    }
}

#[test]
fn any_interleaving_gives_the_recount() {
    let mut world = World::new();
    for _ in 0..STEPS {
        world.step();
    }
    (0..LOGS).for_each(|log| world.finish_line(log));
    world.wait();
    world.one.program.restart();
    world.wait();
    println!("{} records, {} rotations", world.truth.values().sum::<u64>(), world.rotations);
}
