//! What was measured of one file: who has read it, and what that took.
//!
//! Must never say whether that is good.

use anyhow::Result;
use serde::Serialize;

use super::data::Data;
use super::side::Side;
use super::workload::Kind;
use crate::child::Spent;
use crate::stats::median;
use crate::table::{Table, figure};

/// All runs of one side on one file.
#[derive(Clone, Debug, Serialize)]
pub struct Timed {
    /// Who.
    pub side: Side,
    /// Records of the file, which may be shorter than that of the others.
    pub records: u64,
    /// What the runs cost.
    pub runs: Vec<Spent>,
    /// What starting without any work cost, if that is taken off.
    pub starts: Vec<Spent>,
    /// Its file.
    #[serde(skip)]
    pub data: Data,
}

impl Timed {
    /// Not run yet.
    pub fn new(side: Side, data: Data) -> Self {
        Self { side, records: data.records, runs: Vec::new(), starts: Vec::new(), data }
    }

    /// Processor time of a run, the start included (seconds); the median, as all that follows.
    pub fn whole_cpu(&self) -> f64 {
        median(self.runs.iter().map(Spent::cpu))
    }

    /// Processor time of a start without any work; 0 if it is not taken off.
    pub fn start_cpu(&self) -> f64 {
        median(self.starts.iter().map(Spent::cpu))
    }

    /// Processor time that is compared.
    pub fn cpu(&self) -> f64 {
        (self.whole_cpu() - self.start_cpu()).max(0.0)
    }

    /// The same for one record (nanoseconds).
    pub fn ns(&self) -> f64 {
        self.cpu() * 1e9 / self.records as f64
    }

    /// From start to end (seconds).
    pub fn seconds(&self) -> f64 {
        median(self.runs.iter().map(|run| run.seconds))
    }

    fn peak_mib(&self) -> f64 {
        median(self.runs.iter().map(|run| run.peak_bytes as f64 / f64::from(1 << 20)))
    }
}

/// A file and all who have read it.
#[derive(Clone, Debug, Serialize)]
pub struct Case {
    /// What the file is like.
    pub kind: Kind,
    /// Its records, without the header.
    pub records: u64,
    /// Its size.
    pub bytes: u64,
    /// Series in it.
    pub series: usize,
    /// Who has read it.
    pub sides: Vec<Timed>,
}

impl Case {
    /// Nobody has read it yet.
    pub fn new(data: &Data) -> Result<Self> {
        let series = data.expected()?.len();
        let Data { kind, records, bytes, .. } = *data;
        Ok(Self { kind, records, bytes, series, sides: Vec::new() })
    }

    /// What a side took, if it has read the file.
    pub fn side(&self, side: Side) -> Option<&Timed> {
        self.sides.iter().find(|timed| timed.side == side)
    }

    /// What each side took.
    pub fn table(&self) -> Table {
        let ours = self.side(Side::OneThread).map_or(f64::NAN, Timed::ns);
        let mut table = Table::new([
            "",
            "CPU, s",
            "of it start",
            "CPU, ns per record",
            "times logtally",
            "wall, s",
            "peak, MiB",
        ]);
        for timed in &self.sides {
            let less = if timed.records == self.records { "" } else { ", fewer lines" };
            let start = timed.start_cpu();
            table.row([
                format!("{}{less}", timed.side.name()),
                format!("{:.3}", timed.whole_cpu()),
                if timed.starts.is_empty() { String::new() } else { format!("{start:.3}") },
                figure(timed.ns()),
                figure(timed.ns() / ours),
                format!("{:.3}", timed.seconds()),
                figure(timed.peak_mib()),
            ]);
        }
        table
    }
}
