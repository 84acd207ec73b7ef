//! What a page of many series costs: time to load, to follow and to render, and memory.
//!
//! `cargo run --release -p logtally-exporter --example render_cost -- 1000000 4`

use std::collections::HashMap;
use std::error::Error;
use std::time::Instant;

use logtally_core::journal::{Entry, Mark, Nonce};
use logtally_core::partition::Partition;
use logtally_core::rule::default_family;
use logtally_core::series::{Amount, Family, Increments, SeriesKey};
use logtally_exporter::render::{Format, render};
use logtally_exporter::view::View;
use logtally_store::{Count, Recovering, Snapshot};

/// Commits between two scrapes.
const ENTRIES: u64 = 100;

/// Series in one commit.
const ENTRY_SERIES: u64 = 1_000;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let series: u64 = args.next().unwrap_or_else(|| "1000000".into()).parse()?;
    let partitions: u16 = args.next().unwrap_or_else(|| "4".into()).parse()?;
    let family = default_family();
    let mut view = View::default();
    view.reset(partitions);
    for partition in 0..partitions {
        let snapshot = snapshot(&family, series);
        timed("load of a partition", || {
            let _ = view.load(Partition(partition), snapshot);
        });
    }
    show_page(&mut view);
    let entries: Vec<Entry> = (1..=ENTRIES).map(|seq| entry(&family, series, seq)).collect();
    let _ = timed("apply of all entries", || view.apply(Partition(0), &entries))?;
    show_page(&mut view);
    show_memory(series)
}

fn show_page(view: &mut View) {
    timed("arrange", || {
        view.arrange();
    });
    for format in [Format::Text, Format::OpenMetrics] {
        let page = timed("render", || render(view.arrange(), format));
        println!("{format:?}: {} bytes", page.len());
    }
    timed("below_floor", || assert_eq!(view.below_floor(), None));
    timed("mark_served", || view.mark_served());
}

fn timed<T>(what: &str, f: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = f();
    println!("{what}: {:.1} ms", start.elapsed().as_secs_f64() * 1e3);
    result
}

fn key(family: &Family, n: u64) -> SeriesKey {
    let (host, job) = (format!("server{:05}", n / 100), format!("backup-{:02}", n % 100));
    SeriesKey::new(family.id(), [host.as_str(), job.as_str()])
}

fn snapshot(family: &Family, series: u64) -> Snapshot {
    let count = |n| Count { amount: Amount::records(n * 7 + 1), created_ms: 0, touched_ms: 0 };
    let counts: HashMap<_, _> = (0..series).map(|n| (key(family, n), count(n))).collect();
    Snapshot {
        at: Mark::default(),
        time_ms: 0,
        counts,
        families: vec![family.clone()],
        recovering: Recovering::default(),
    }
}

fn entry(family: &Family, series: u64, seq: u64) -> Entry {
    // One series in a thousand is new.
    let number = |i| (seq * 7_919 + i * 104_729) % (series + series / 1000);
    let keys: Vec<_> = (0..ENTRY_SERIES).map(|i| key(family, number(i))).collect();
    Entry {
        mark: Mark { seq, nonce: Nonce(seq) },
        previous: Nonce(seq - 1),
        time_ms: 1,
        increments: Increments::pack(keys.iter().map(|key| (key.as_bytes(), 1))),
    }
}

fn show_memory(series: u64) -> Result<(), Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib: u64 = resident.and_then(|l| l.split_whitespace().next()).ok_or("no VmRSS")?.parse()?;
    println!("resident: {} bytes per series, freed heap included", kib * 1024 / series);
    Ok(())
}
