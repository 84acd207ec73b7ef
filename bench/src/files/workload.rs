//! The files that are read: what each is like, and how large it is.

use std::fmt;

use clap::ValueEnum;
use serde::Serialize;

/// Kinds of files.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Two short columns, 10,000 series whose frequency falls with their rank.
    Narrow,
    /// The same columns, a new series in every sixth line.
    Many,
    /// Six columns, 30 % of the messages quoted, with quotes, commas and line ends in them.
    Wide,
    /// 100 columns of which two are wanted.
    Columns,
    /// Line ends in quotes in every record, quotes in the middle of fields, fields of 64 KiB.
    Hostile,
}

/// Hosts of every workload but `many`, and jobs on each.
const HOSTS: u32 = 100;
const JOBS: u32 = 100;

/// Hosts of `many`.
const HOSTS_OF_MANY: u32 = 2_000;

/// Columns of `columns`, and which of them are wanted: neither first nor last nor neighbours.
pub const COLUMNS: usize = 100;
pub const HOST_COLUMN: usize = 37;
pub const JOB_COLUMN: usize = 61;

impl Kind {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Narrow, Self::Many, Self::Wide, Self::Columns, Self::Hostile];

    /// Records, if nothing else is said.
    pub fn records(self) -> u64 {
        match self {
            Self::Narrow => 20_000_000,
            Self::Many => 10_000_000,
            Self::Wide => 5_000_000,
            Self::Columns => 500_000,
            Self::Hostile => 1_500_000,
        }
    }

    /// Records that are enough to see that all works.
    pub fn few_records(self) -> u64 {
        match self {
            Self::Narrow | Self::Many => 50_000,
            Self::Wide => 20_000,
            Self::Columns | Self::Hostile => 2_000,
        }
    }

    /// The names of the columns.
    pub fn columns(self) -> Vec<String> {
        let named = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        match self {
            Self::Narrow | Self::Many => named(&["host", "job_name"]),
            Self::Wide => {
                named(&["timestamp", "host", "job_name", "status", "duration_ms", "message"])
            }
            Self::Columns => (0..COLUMNS).map(column).collect(),
            Self::Hostile => named(&["note", "host", "job_name", "message"]),
        }
    }

    /// Jobs on each of so many hosts, in a file of so many records.
    pub fn keys(self, records: u64) -> (u32, u32) {
        match self {
            // 1.81 million in 10 million, of which nearly all occur.
            Self::Many => (HOSTS_OF_MANY, (records * 181 / 2_000_000).max(1) as u32),
            _ => (HOSTS, JOBS),
        }
    }

    /// What the plot and the tables say about it.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Narrow => "two columns, 10,000 series",
            Self::Many => "two columns, a new series in every sixth line",
            Self::Wide => "six columns, a third of the messages quoted",
            Self::Columns => "100 columns, two of them wanted",
            Self::Hostile => "line ends in quotes in every record",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Narrow => "narrow",
            Self::Many => "many",
            Self::Wide => "wide",
            Self::Columns => "columns",
            Self::Hostile => "hostile",
        })
    }
}

fn column(which: usize) -> String {
    match which {
        HOST_COLUMN => "host".to_owned(),
        JOB_COLUMN => "job_name".to_owned(),
        _ => format!("column_{which:02}"),
    }
}

/// The name of a host.
pub fn host(which: u32) -> String {
    format!("server{which:05}")
}

/// The name of a job.
pub fn job(which: u32) -> String {
    format!("job_{which:04}_night")
}
