//! What was measured, for people and for programs, and whether it is what was promised.

use std::fmt;

use serde::Serialize;

use super::data::{Data, Shape};
use super::latency::Latency;
use super::side::Side;
use super::system::Cpu;
use crate::cpu;
use crate::stats::median;

/// The size that the targets are about (lines).
const TARGET_LINES: usize = 1_000;

/// How many times cheaper than the baseline a line must be.
const RATIO_MIN: f64 = 5.0;

/// Lines that one second of one processor must be enough for.
const LINES_PER_CPU_SECOND_MIN: f64 = 2e6;

/// How it was measured.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Settings {
    /// Runs of each size.
    pub runs: u32,
    /// Their length.
    pub seconds: f64,
    /// Producers at the same time.
    pub producers: u32,
    /// Messages per second while acknowledgements are timed.
    pub rate: u32,
    /// Lines of each of these.
    pub rate_lines: usize,
    /// Seed of the lines.
    pub seed: u64,
    /// What the lines are like.
    pub shape: Shape,
    /// Whether the targets are checked.
    pub checks_targets: bool,
}

/// One run.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Run {
    /// Lines.
    pub lines: u64,
    /// From the first to the last acknowledgement.
    pub seconds: f64,
    /// What it took.
    pub cpu: Cpu,
}

/// All runs of one size, or of the baseline.
#[derive(Clone, Debug, Serialize)]
pub struct Case {
    /// Lines of a message.
    pub lines: usize,
    /// Lines per second of processor time of whoever takes them; the median, as all that follows.
    pub per_cpu_second: f64,
    /// Lines per second.
    pub per_second: f64,
    /// Processor time per line (nanoseconds).
    pub cpu_ns: Cpu,
    /// All runs.
    pub runs: Vec<Run>,
}

/// Something that was promised.
#[derive(Clone, Debug, Serialize)]
pub struct Target {
    /// What.
    pub what: &'static str,
    /// At least.
    pub wanted: f64,
    /// As measured.
    pub got: f64,
    /// Whether it is met.
    pub met: bool,
}

/// Everything.
#[derive(Debug, Serialize)]
pub struct Report {
    version: &'static str,
    processor: String,
    processors: usize,
    bytes_per_line: f64,
    series: usize,
    settings: Settings,
    /// Of the ingest, by size.
    cases: Vec<Case>,
    baseline: Case,
    /// Times of acknowledgements.
    pub latencies: Vec<Latency>,
    /// Lines that were pushed, and that the exporter shows.
    exact_lines: u64,
    targets: Vec<Target>,
}

impl Case {
    fn new(lines: usize) -> Self {
        let cpu_ns = Cpu::default();
        Self { lines, per_cpu_second: 0.0, per_second: 0.0, cpu_ns, runs: Vec::new() }
    }

    fn add(&mut self, run: Run, server: impl Fn(&Cpu) -> f64) {
        self.runs.push(run);
        let all = |of: &dyn Fn(&Run) -> f64| median(self.runs.iter().map(of));
        let ns = |of: fn(&Cpu) -> f64| all(&|run| of(&run.cpu) * 1e9 / run.lines as f64);
        self.per_cpu_second = all(&|run| run.lines as f64 / server(&run.cpu));
        self.per_second = all(&|run| run.lines as f64 / run.seconds);
        self.cpu_ns = Cpu {
            ingest: ns(|cpu| cpu.ingest),
            aggregator: ns(|cpu| cpu.aggregator),
            redis: ns(|cpu| cpu.redis),
            baseline: ns(|cpu| cpu.baseline),
            client: ns(|cpu| cpu.client),
        };
    }
}

impl Report {
    /// Without any runs.
    pub fn new(settings: Settings, data: &Data) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION"),
            processor: cpu::model(),
            processors: cpu::count(),
            bytes_per_line: data.bytes_per_line(),
            series: data.series(),
            settings,
            cases: Vec::new(),
            baseline: Case::new(1),
            latencies: Vec::new(),
            exact_lines: 0,
            targets: Vec::new(),
        }
    }

    /// Adds a run.
    pub(super) fn add(&mut self, side: Side, run: Run) {
        let Side::Ingest(lines) = side else { return self.baseline.add(run, |cpu| cpu.baseline) };
        if self.cases.iter().all(|case| case.lines != lines) {
            self.cases.push(Case::new(lines));
        }
        if let Some(case) = self.cases.iter_mut().find(|case| case.lines == lines) {
            case.add(run, |cpu| cpu.ingest);
        }
    }

    fn ratio(&self, case: &Case) -> f64 {
        case.per_cpu_second / self.baseline.per_cpu_second
    }

    /// The page shows so many lines, and no others: all is measured. The targets are checked if that
    /// is wanted and their size was measured.
    pub fn finish(&mut self, exact_lines: u64) {
        self.exact_lines = exact_lines;
        let mut checked = self.cases.iter().filter(|_| self.settings.checks_targets);
        let Some(case) = checked.find(|case| case.lines == TARGET_LINES) else { return };
        let target = |what, wanted, got| Target { what, wanted, got, met: got >= wanted };
        let single = self.cases.iter().find(|case| case.lines == 1);
        let same = single.map(|single| case.per_cpu_second / single.per_cpu_second);
        let same = same.map(|got| {
            target("times cheaper than one message per line to the same ingest", RATIO_MIN, got)
        });
        self.targets = vec![
            target("times cheaper than the baseline", RATIO_MIN, self.ratio(case)),
            target(
                "lines per CPU-second of the ingest",
                LINES_PER_CPU_SECOND_MIN,
                case.per_cpu_second,
            ),
        ];
        self.targets.extend(same);
    }

    /// Whether no target is missed.
    pub fn targets_are_met(&self) -> bool {
        self.targets.iter().all(|target| target.met)
    }

    fn row(&self, f: &mut fmt::Formatter<'_>, name: &str, case: &Case) -> fmt::Result {
        let Cpu { ingest, aggregator, redis, baseline, client } = case.cpu_ns;
        writeln!(
            f,
            "{name:>13} {:>12.0} {:>9.1} {:>6.2} {:>12.0} {aggregator:>10.1} {redis:>8.1} {client:>8.1}",
            case.per_cpu_second,
            ingest.max(baseline),
            self.ratio(case),
            case.per_second,
        )
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Settings { runs, seconds, producers, seed, rate, rate_lines, .. } = self.settings;
        writeln!(f, "logtally {}, {} x {}", self.version, self.processors, self.processor)?;
        writeln!(
            f,
            "lines of {:.1} bytes in {} series, seed {seed}; {producers} producers, {runs} runs of {seconds} s\n",
            self.bytes_per_line, self.series
        )?;
        writeln!(
            f,
            "        lines        lines        ns  times        lines  aggregator    redis   client\n\
             \x20 per message     /CPU-s  per line  base.           /s     ns/line  ns/line  ns/line"
        )?;
        for case in &self.cases {
            self.row(f, &case.lines.to_string(), case)?;
        }
        self.row(f, "baseline, 1", &self.baseline)?;
        if !self.latencies.is_empty() {
            writeln!(f, "\nacknowledged, at {rate} messages/s of {rate_lines} lines (ms)")?;
            writeln!(f, "{:>13} {:>8} {:>8} {:>8}", "", "p50", "p99", "max")?;
        }
        for latency in &self.latencies {
            let way = format!("{:?}", latency.way).to_lowercase();
            let (p50, p99, max) = (latency.p50_ms, latency.p99_ms, latency.max_ms);
            writeln!(f, "{way:>13} {p50:>8.2} {p99:>8.2} {max:>8.2}")?;
        }
        writeln!(f, "\n{} lines pushed, and exactly these are on the page", self.exact_lines)?;
        for Target { what, wanted, got, met } in &self.targets {
            let met = if *met { "met" } else { "MISSED" };
            writeln!(f, "{met}: {got:.2} {what} ({wanted} at least)")?;
        }
        Ok(())
    }
}
