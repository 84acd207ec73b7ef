//! Memory has a bound: of the process while it catches up with a large log, and of Redis while the
//! same series are counted again and again.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::Duration;

use logtally_e2e::cluster::{Cluster, Layout, START, scrape, wait_for_records};
use logtally_e2e::exposition::{counted_series, series};
use logtally_e2e::one_process::OneProcess;
use logtally_e2e::redis_cli::redis_cli;
use logtally_e2e::wait::{holds, until};

const HOSTS: usize = 1_000;
const JOBS: usize = 10;
const SERIES: usize = HOSTS * JOBS;
/// Lines of about 60 bytes: 150 MB.
const LINES: usize = 2_500_000;
const PEAK_KIB_MAX: u64 = 200 << 10;
const CATCH_UP: Duration = Duration::from_mins(2);

/// Writes lines that go round through all series.
fn write_log(path: &Path, lines: usize) {
    let mut log = BufWriter::new(File::create(path).expect("creating a log"));
    for line in 0..lines {
        let (host, job) = (line % HOSTS, line / HOSTS % JOBS);
        writeln!(log, "server{host},job{job},2024-05-01T00:00:00Z,a message that nobody reads")
            .expect("writing a log");
    }
    log.flush().expect("writing a log");
}

#[test]
fn a_large_log_is_counted_in_little_memory() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let log = folder.path().join("log.csv");
    write_log(&log, LINES);
    assert!(log.metadata().expect("the log").len() > 140_000_000, "the log is large");
    let mut one = OneProcess::new(folder.path(), "store", &[&log]);
    one.program.start();
    wait_for_records(one.port, LINES as u64, CATCH_UP);
    let peak = one.program.peak_memory_kib().expect("a running process");
    println!("peak memory: {peak} KiB");
    assert!(peak < PEAK_KIB_MAX, "{peak} KiB");
    let counts = counted_series(&scrape(one.port).expect("a page"));
    assert_eq!(counts.len(), SERIES);
    assert_eq!(counts[&series("server7", "job3")], (LINES / SERIES) as u64);
}

#[test]
fn redis_does_not_grow_with_lines_of_known_series() {
    // So many that every partition has every series: with 16, one of four was left out now and then.
    const SOURCES: usize = 64;
    const LINES_EACH: usize = SERIES;
    let mut cluster =
        Cluster::prepare(Layout { aggregators: 1, ingests: 1, exporters: 1, ..Layout::default() });
    let logs = cluster.logs();
    let write_logs = |logs_of: std::ops::Range<usize>| {
        logs_of.for_each(|i| write_log(&logs.join(format!("app{i}.csv")), LINES_EACH));
    };
    write_logs(0..SOURCES);
    cluster.start();
    cluster.wait_for_records((SOURCES * LINES_EACH) as u64, CATCH_UP);
    let before = memory_of_counts(cluster.redis.port());

    write_logs(SOURCES..2 * SOURCES);
    cluster.wait_for_records((2 * SOURCES * LINES_EACH) as u64, CATCH_UP);
    let after = memory_of_counts(cluster.redis.port());

    assert_eq!(before.keys().collect::<Vec<_>>(), after.keys().collect::<Vec<_>>());
    let sum = |sizes: &BTreeMap<String, u64>| sizes.values().sum::<u64>();
    println!("bytes of the counts: {}, then {}", sum(&before), sum(&after));
    assert!(sum(&before) > 10 * SERIES as u64, "the counts are there");
    // A digit more per count may cross an allocation class; a row more per line would double it.
    assert!(sum(&after) < sum(&before) * 5 / 4, "{} and then {}", sum(&before), sum(&after));
}

/// The memory of every counts hash, once the journal has been folded into them.
fn memory_of_counts(port: u16) -> BTreeMap<String, u64> {
    until("every journal is folded", START, || {
        let heads = redis_cli(port, &["KEYS", "lt:*:head"]);
        let waiting: Vec<&String> = heads.iter().filter(|head| !is_folded(port, head)).collect();
        holds(waiting.is_empty(), || format!("{waiting:?}"))
    });
    let memory = |key: &String| {
        let bytes = redis_cli(port, &["MEMORY", "USAGE", key, "SAMPLES", "0"]);
        bytes[0].parse().expect("a number of bytes")
    };
    redis_cli(port, &["KEYS", "lt:*:counts:*"]).iter().map(|k| (k.clone(), memory(k))).collect()
}

/// Whether the place that is folded to is the last entry of the journal.
fn is_folded(port: u16, head: &str) -> bool {
    let fields = redis_cli(port, &["HMGET", head, "seq", "nonce", "folded"]);
    let [seq, nonce, folded] = &fields[..] else { panic!("{head}: {fields:?}") };
    *folded == format!("{seq} {nonce}")
}
