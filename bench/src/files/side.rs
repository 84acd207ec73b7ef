//! Who counts a file: one thing to check, and one to measure, for all of them.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Serialize;

use super::data::{Counts, Data, read_counts, read_page};
use super::distributed;
use super::ours::{self, Threads};
use super::peers::{Home, Peer};
use super::workload::Kind;
use crate::child::{Spent, Task};

/// Who counts, or only reads.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// `wc -l`, which says how fast this machine is now.
    Lines,
    /// logtally in one process, on one processor.
    OneThread,
    /// The same with two threads.
    TwoThreads,
    /// Ingest, aggregator and Redis.
    Distributed,
    /// Somebody else.
    Peer(Peer),
}

impl Side {
    /// What tables call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Lines => "`wc -l`",
            Self::OneThread => "logtally",
            Self::TwoThreads => "logtally, two threads",
            Self::Distributed => "logtally, distributed",
            Self::Peer(peer) => peer.name(),
        }
    }

    /// Which of the colours of a plot.
    pub fn colour(self) -> usize {
        match self {
            Self::OneThread => 0,
            Self::TwoThreads | Self::Distributed => 1,
            Self::Peer(_) => 4,
            Self::Lines => 2,
        }
    }

    /// Whether it is ours: then other counts than those of the file are an error.
    pub fn is_ours(self) -> bool {
        matches!(self, Self::OneThread | Self::TwoThreads | Self::Distributed)
    }

    /// How many records of a file it is given, if any.
    pub fn records(self, kind: Kind, records: u64) -> Option<u64> {
        match self {
            Self::Peer(peer) => peer.records(kind, records),
            // Files in which the end of a record is not the end of a line, and the one with the least
            // work for each byte.
            Self::TwoThreads => {
                matches!(kind, Kind::Narrow | Kind::Wide | Kind::Hostile).then_some(records)
            }
            _ => Some(records),
        }
    }
}

/// What all runs have in common.
#[derive(Clone, Debug)]
pub struct Bench {
    /// Where peers are.
    pub home: Home,
    /// Whether logtally can leave out its page.
    pub quiet: bool,
}

impl Bench {
    /// Counts once and returns the counts; nothing for those who do not count.
    pub fn check(&self, side: Side, data: &Data) -> Result<Option<Counts>> {
        let folder = tempfile::tempdir()?;
        let result = folder.path().join("result");
        let threads = match side {
            Side::Lines => return Ok(None),
            Side::Distributed => return Ok(distributed::count(data, true)?.2),
            Side::Peer(peer) => {
                self.home.count(peer, data, Some(&result)).run()?;
                let read = if peer.writes_page() { page } else { read_counts };
                return read(&result).map(Some);
            }
            Side::OneThread => Threads::One,
            Side::TwoThreads => Threads::Two,
        };
        ours::count(data, threads, self.quiet, Some(&result))?;
        page(&result).map(Some)
    }

    /// Counts once, and says what it cost.
    pub fn measure(&self, side: Side, data: &Data) -> Result<Spent> {
        match side {
            Side::Lines => Task::new("wc").arg("-l").arg(&data.path).on_one_processor().run(),
            Side::OneThread => ours::count(data, Threads::One, self.quiet, None),
            Side::TwoThreads => ours::count(data, Threads::Two, self.quiet, None),
            Side::Distributed => distributed::count(data, false).map(|(spent, ..)| spent),
            Side::Peer(peer) => self.home.count(peer, data, None).on_one_processor().run(),
        }
    }

    /// What it costs to start without any work, if that is taken off.
    pub fn start(&self, side: Side) -> Result<Option<Spent>> {
        match side {
            Side::Peer(peer) if peer.has_start() => {
                self.home.start(peer).on_one_processor().run().map(Some)
            }
            _ => Ok(None),
        }
    }
}

fn page(path: &Path) -> Result<Counts> {
    let file = File::open(path).with_context(|| path.display().to_string())?;
    read_page(BufReader::new(file))
}
