//! The lines that are pushed: made before anything is measured, the same for all sides, and counted
//! here once more.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use logtally_e2e::exposition;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::wire::Line;

/// Hosts, and jobs on each.
const HOSTS: u32 = 100;
const JOBS: u32 = 100;

/// Lines before they come again: a multiple of every size of messages that is measured.
const LINES: usize = 1_000_000;

/// What the lines are like.
#[derive(Clone, Copy, Debug, serde::Serialize)]
pub struct Shape {
    /// Bytes of a line, its end included: host and job, and as much text behind them as it takes.
    pub line_bytes: usize,
    /// Whether all series are equally frequent, which leaves the least to merge in a message. Else the
    /// frequency of the nth series is proportional to 1/n, as names in logs are.
    pub uniform: bool,
}

/// Lines in an order that is random and the same for every run with one seed.
pub struct Data {
    /// All lines with their ends.
    text: Bytes,
    /// Where each of them ends.
    ends: Vec<usize>,
    /// Their series.
    series: Vec<u32>,
    /// Lines as the baseline sends them, by series.
    pairs: Vec<Line>,
}

impl Data {
    /// Makes the lines.
    pub fn new(seed: u64, shape: Shape) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let pairs: Vec<Line> = (0..HOSTS * JOBS).map(|which| pair(which, shape)).collect();
        let (mut text, mut ends) = (BytesMut::new(), Vec::with_capacity(LINES));
        let series: Vec<u32> = (0..LINES).map(|_| which(&mut rng, shape)).collect();
        for which in &series {
            text.extend_from_slice(written(&pairs[*which as usize]).as_bytes());
            ends.push(text.len());
        }
        Self { text: text.freeze(), ends, series, pairs }
    }

    /// Bytes of a line on average.
    pub fn bytes_per_line(&self) -> f64 {
        self.text.len() as f64 / LINES as f64
    }

    /// How many series there are.
    pub fn series(&self) -> usize {
        self.pairs.len()
    }

    /// Message number `n` (from 0) of so many lines each.
    pub fn message(&self, n: u64, lines: usize) -> Bytes {
        let first = n as usize * lines % LINES;
        let start = first.checked_sub(1).map_or(0, |before| self.ends[before]);
        self.text.slice(start..self.ends[first + lines - 1])
    }

    /// Line number `n` (from 0) as a message of its own.
    pub fn line(&self, n: u64) -> Line {
        self.pairs[self.series[n as usize % LINES] as usize].clone()
    }
}

/// The series of the next line.
#[expect(clippy::cast_sign_loss, reason = "a rank is 1 at least")]
fn which(rng: &mut StdRng, shape: Shape) -> u32 {
    let all = HOSTS * JOBS;
    if shape.uniform {
        return rng.random_range(0..all);
    }
    // The inverse of the distribution function of 1/n, up to rounding.
    let rank = f64::from(all).powf(rng.random::<f64>());
    (rank as u32).clamp(1, all) - 1
}

fn pair(which: u32, shape: Shape) -> Line {
    let (host, job) = (which / JOBS, which % JOBS);
    let (host, job_name) = (format!("server{host:03}"), format!("job-{job:04}"));
    // Two commas and the end.
    let rest = shape.line_bytes.saturating_sub(host.len() + job_name.len() + 3);
    Line { host, job_name, rest: "x".repeat(rest) }
}

/// A line as the ingest gets it.
fn written(Line { host, job_name, rest }: &Line) -> String {
    if rest.is_empty() {
        format!("{host},{job_name}\n")
    } else {
        format!("{host},{job_name},{rest}\n")
    }
}

/// Whether messages of so many lines can be made.
pub fn divides(lines: usize) -> bool {
    lines > 0 && LINES.is_multiple_of(lines)
}

/// What must have been counted, worked out from how many lines were sent.
pub struct Expected {
    counts: Vec<u64>,
    lines: u64,
}

impl Expected {
    /// Nothing was sent.
    pub fn new(data: &Data) -> Self {
        Self { counts: vec![0; data.series()], lines: 0 }
    }

    /// The first so many lines were sent, in their order and around again.
    pub fn add(&mut self, data: &Data, lines: u64) {
        let (rounds, rest) = (lines / LINES as u64, lines as usize % LINES);
        for (n, series) in data.series.iter().enumerate() {
            self.counts[*series as usize] += rounds + u64::from(n < rest);
        }
        self.lines += lines;
    }

    /// All lines.
    pub fn lines(&self) -> u64 {
        self.lines
    }

    /// The series that a page must show.
    pub fn page(&self, data: &Data) -> BTreeMap<String, u64> {
        let pairs = data.pairs.iter().zip(&self.counts).filter(|(_, count)| **count > 0);
        pairs.map(|(pair, n)| (exposition::series(&pair.host, &pair.job_name), *n)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_follow_each_other_and_are_counted_as_they_are() {
        for (line_bytes, uniform) in [(0, true), (150, false)] {
            check(&Data::new(1, Shape { line_bytes, uniform }));
        }
    }

    fn check(data: &Data) {
        let text = |n, lines| String::from_utf8_lossy(&data.message(n, lines)).into_owned();
        assert_eq!(text(0, 2) + &text(1, 2), text(0, 4));
        assert_eq!(text(100, 10_000), text(0, 10_000));
        assert_eq!(text(3, 1), written(&data.line(3)));
        let mut expected = Expected::new(data);
        expected.add(data, LINES as u64 + 1);
        assert_eq!(expected.page(data).values().sum::<u64>(), expected.lines());
        assert!(
            expected
                .page(data)
                .contains_key(&exposition::series(&data.line(0).host, &data.line(0).job_name))
        );
    }
}
