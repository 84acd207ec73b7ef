//! What a page of many series costs, in processor time, and how much memory it takes:
//! `cargo bench -p logtally-exporter --bench scrape -- 1000000`. With `--test` it is short.

use std::error::Error;
use std::io::Write;
use std::sync::Arc;
use std::time::Instant;

use flate2::Compression;
use flate2::write::GzEncoder;
use logtally_core::journal::{Entry, Mark, Nonce};
use logtally_core::partition::Partition;
use logtally_core::rule::default_family;
use logtally_core::series::{Amount, Family, Increments, SeriesKey};
use logtally_exporter::{Form, PageFormat, PageSnapshot, Pages, View};
use logtally_store::{Count, Recovering, Snapshot};

const PARTITIONS: u16 = 4;

/// How often each scrape is measured. The mean counts: the clock of processor time may be coarse.
const RUNS: usize = 15;

const TEXT: Form = Form { format: PageFormat::Text, gzip: false };
const GZIP: Form = Form { format: PageFormat::Text, gzip: true };
const OPENMETRICS: Form = Form { format: PageFormat::OpenMetrics, gzip: false };

struct Bench {
    view: View,
    pages: Pages,
    family: Family,
    series: u64,
    seq: u64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = args.iter().find_map(|arg| arg.parse().ok());
    let short = args.iter().any(|arg| arg == "--test");
    let series: u64 = number.unwrap_or(if short { 20_000 } else { 1_000_000 });
    let mut bench = Bench::load(series);
    let page = bench.first(TEXT);
    println!("{} bytes in {} parts", page.len(), page.parts().count());
    show_memory(series, "with the text page")?;
    drop(page);
    bench.follow("text", TEXT);
    let (_, cpu) = timed(|| bench.first(OPENMETRICS));
    report("OpenMetrics beside it, first page", cpu);
    show_memory(series, "with OpenMetrics, too")?;
    let page = bench.first(GZIP);
    println!("gzip: {} bytes", page.len());
    show_memory(series, "with gzip, too")?;
    drop(page);
    bench.follow("gzip", GZIP);
    let text = bench.first(TEXT).to_bytes();
    let (whole, cpu) = timed(|| compressed(&text));
    report("gzip of the whole page at once, level 1", cpu);
    println!("gzip at once: {} bytes", whole?.len());
    Ok(())
}

impl Bench {
    fn load(series: u64) -> Self {
        let (mut view, family) = (View::default(), default_family());
        view.state.reset(PARTITIONS);
        let mut load_ms = 0.0;
        for partition in 0..PARTITIONS {
            let snapshot = snapshot(&family, series, partition);
            load_ms += timed(|| view.state.load(Partition(partition), snapshot)).1;
        }
        report("load", load_ms);
        report("arrange", timed(|| std::hint::black_box(view.arrange())).1);
        Self { view, pages: Pages::default(), family, series, seq: 0 }
    }

    fn first(&mut self, form: Form) -> Arc<PageSnapshot> {
        let (page, cpu) = timed(|| self.pages.page(&mut self.view, form));
        report(&format!("{form:?}, first page"), cpu);
        page
    }

    /// One scrape after the other, with some changes in between. The page before is not sent any more.
    fn follow(&mut self, what: &str, form: Form) {
        for (name, parts, new) in [
            ("nothing changed", 0, false),
            ("1 % changed", 100, false),
            ("10 % changed", 10, false),
            ("0.1 % new", 1_000, true),
        ] {
            let runs = (0..RUNS).map(|_| self.scrape(form, parts, new));
            let (applied, written): (Vec<f64>, Vec<f64>) = runs.unzip();
            report(&format!("{what}, {name}: journal"), mean(&applied));
            report(&format!("{what}, {name}: page"), mean(&written));
        }
    }

    /// Processor time of taking in the changes, and of writing the page.
    fn scrape(&mut self, form: Form, part: u64, new: bool) -> (f64, f64) {
        self.seq += 1;
        let changed = self.series.checked_div(part).unwrap_or(0);
        let number = |i: u64| {
            let known = mixed(self.seq * 1_000_003 + i) % self.series;
            if new { self.series + self.seq * changed + i } else { known }
        };
        let keys: Vec<_> = (0..changed).map(|i| key(&self.family, number(i))).collect();
        let entry = Entry {
            mark: Mark { seq: self.seq, nonce: Nonce(self.seq) },
            previous: Nonce(self.seq - 1),
            time_ms: 1,
            increments: Increments::pack(keys.iter().map(|key| (key.as_bytes(), 1))),
        };
        let (_, applied) = timed(|| self.view.state.apply(Partition(0), &[entry]));
        let (_, written) = timed(|| self.pages.page(&mut self.view, form));
        (applied, written)
    }
}

fn mixed(n: u64) -> u64 {
    let n = (n ^ (n >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (n ^ (n >> 32)).wrapping_mul(0x94d0_49bb_1331_11eb) >> 8
}

fn key(family: &Family, n: u64) -> SeriesKey {
    const DATA_CENTRES: [&str; 4] = ["fra1", "ams3", "nyc2", "sin1"];
    const JOBS: [&str; 5] = ["backup", "cleanup-tmp", "rotate-logs", "sync-users", "report"];
    let (host, job) = (n / 100, n % 100);
    let host = format!("web-{:05}.{}", host, DATA_CENTRES[(host % 4) as usize]);
    let job = format!("{}-{}", JOBS[(job % 5) as usize], job / 5);
    SeriesKey::new(family.id(), [host.as_str(), job.as_str()])
}

/// Every series in one partition, as most are that one source counts.
fn snapshot(family: &Family, series: u64, partition: u16) -> Snapshot {
    // Most series have counted little, some a lot.
    let count = |n| Amount::records(1 + (1 << (mixed(n) % 20)) - mixed(n) % 2);
    let row = |n| (key(family, n), Count { amount: count(n), created_ms: 0, touched_ms: 0 });
    let here = |n: &u64| mixed(*n) % u64::from(PARTITIONS) == u64::from(partition);
    Snapshot {
        at: Mark::default(),
        time_ms: 0,
        counts: (0..series).filter(here).map(row).collect(),
        families: vec![family.clone()],
        recovering: Recovering::default(),
    }
}

fn compressed(text: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text)?;
    encoder.finish()
}

/// With the milliseconds of processor time that it took, or of time where those are not known.
fn timed<T>(act: impl FnOnce() -> T) -> (T, f64) {
    let cpu_ns = || {
        let stat = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
        stat.split(' ').next()?.parse::<u64>().ok()
    };
    let (start, start_ns) = (Instant::now(), cpu_ns());
    let result = act();
    let ns = cpu_ns().zip(start_ns).map(|(end, start)| (end - start) as f64);
    (result, ns.unwrap_or(start.elapsed().as_nanos() as f64) / 1e6)
}

fn mean(runs: &[f64]) -> f64 {
    runs.iter().sum::<f64>() / runs.len() as f64
}

fn report(what: &str, cpu_ms: f64) {
    println!("{what:50} {cpu_ms:8.2} ms of processor time");
}

fn show_memory(series: u64, when: &str) -> Result<(), Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib: u64 = resident.and_then(|l| l.split_whitespace().next()).ok_or("no VmRSS")?.parse()?;
    println!("resident {when}: {} bytes per series, freed heap included", kib * 1024 / series);
    Ok(())
}
