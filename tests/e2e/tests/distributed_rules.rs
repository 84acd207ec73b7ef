//! Every kind of rule through ingests, aggregators, Redis and exporters, with processes killed on the
//! way: two replicas show the same bytes, one process shows the same values, and so does a recount by
//! the second parser.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Duration;

use logtally_e2e::cluster::{Cluster, Layout};
use logtally_e2e::exposition::READ;
use logtally_e2e::http;
use logtally_e2e::one_process::ONCE;
use logtally_e2e::program::{Finished, Program};
use logtally_e2e::seed;
use logtally_e2e::wait::{holds, until};
use rand::Rng;
use rand::rngs::StdRng;

const FILES: usize = 6;
const LINES: usize = 4_000;
const CATCH_UP: Duration = Duration::from_mins(2);

/// As many series as the limited metric may have.
const LIMIT: usize = 5;

const CONFIGURATION: &str = "
inputs:
- format: {type: csv, columns: [time, host, job, ms]}
  rules:
  - {metric: lines_total, labels: [host, job]}
  - {metric: slow_lines, labels: [host], when: {ms: {gt: 500}}}
  - {metric: ms_total, type: sum, labels: [host], value: ms}
  - {metric: balance, type: sum, labels: [job], value: {column: ms, scale: -0.001}}
  - {metric: seconds, type: histogram, labels: [job], value: {column: ms, scale: 0.001}, buckets: [0.05, 0.5, 0.9]}
  - {metric: least, type: min, labels: [host], value: ms}
  - {metric: most, type: max, labels: [host], value: ms}
  - {metric: latest, type: last, labels: [host], value: ms, time: {column: time, format: unix}}
  - {metric: tagged_total, labels: {tag: {column: job, extract: '^job(\\d)', to: 't$1'}}, ttl: 30d}
";

fn write_log(path: &Path, rng: &mut StdRng) {
    let mut text = String::from("time,host,job,ms\n");
    for _ in 0..LINES {
        let (time, host, job) =
            (rng.random_range(0..1_000_000), rng.random_range(0..5), rng.random_range(0..20));
        // One in fifty is no number, and so in no count at all.
        let ms = match rng.random_range(0..50) {
            0 => "soon".to_owned(),
            _ => format!("{}.{:03}", rng.random_range(0..1000), rng.random_range(0..1000)),
        };
        writeln!(text, "{time},h{host},job{job},{ms}").expect("writing to a string");
    }
    fs::write(path, text).expect("writing a log");
}

fn page(port: u16) -> Result<String, String> {
    let page = http::get(port, "/metrics").map_err(|e| e.to_string())?;
    holds(page.status == 200, || page.text())?;
    Ok(page.text())
}

fn wait_for_read(port: u16, records: usize) -> String {
    until("all records", CATCH_UP, || {
        let text = page(port)?;
        let done = text.lines().any(|line| line == format!("{READ} {records}"));
        holds(done, || "not all records are read".to_owned())?;
        Ok(text)
    })
}

fn run(cluster: &Cluster, name: &str, args: &[&str], pattern: &str, config: &str) -> Finished {
    Program::new(cluster.folder(), name, "logtally")
        .args(args)
        .args(["--config.file", config, pattern])
        .run(ONCE)
}

fn start(rules: &str) -> (Cluster, tempfile::TempDir, String) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = folder.path().join("logtally.yaml");
    fs::write(&config, rules).expect("writing the configuration");
    let config = config.display().to_string();
    let env = vec![("LOGTALLY_CONFIG_FILE".to_owned(), config.clone())];
    let cluster = Cluster::prepare(Layout { env, ..Layout::default() });
    let mut rng = seed::rng();
    for i in 0..FILES {
        write_log(&cluster.logs().join(format!("app{i}.csv")), &mut rng);
    }
    (cluster, folder, config)
}

#[test]
fn every_kind_is_the_same_everywhere_and_agrees_with_a_recount() {
    let (mut cluster, _folder, config) = start(CONFIGURATION);
    cluster.start();
    cluster.aggregators[0].program.restart();
    cluster.ingests[0].program.restart();
    let ports = cluster.scrape_ports();
    let first = wait_for_read(ports[0], FILES * LINES);
    assert_eq!(wait_for_read(ports[1], FILES * LINES), first, "two replicas");

    let pattern = cluster.logs().join("*.csv*").display().to_string();
    let once = run(&cluster, "once", &["run", "--once", "--dry-run"], &pattern, &config);
    assert_eq!(once.code(), 0, "{}", once.stderr);
    assert_eq!(once.stdout, first, "one process");
    for kind in ["counter", "gauge", "histogram"] {
        assert!(first.contains(&format!(" {kind}\n")), "{first}");
    }

    let page = format!("http://localhost:{}/metrics", ports[0]);
    let files: Vec<String> = (0..FILES)
        .map(|i| cluster.logs().join(format!("app{i}.csv")).display().to_string())
        .collect();
    let mut args = vec!["verify", "--exact", "--from", &page];
    args.extend(files[1..].iter().map(String::as_str));
    let verified = run(&cluster, "verify", &args, &files[0], &config);
    assert_eq!(verified.code(), 0, "{}{}", verified.stdout, verified.stderr);
    doctor_looks_at_the_ring(&cluster, &config);
    cluster.assert_all_running();
}

fn doctor_looks_at_the_ring(cluster: &Cluster, config: &str) {
    // One of them was just started again.
    cluster.ingests.iter().for_each(logtally_e2e::cluster::Node::wait_ready);
    let urls: Vec<String> =
        cluster.ingests.iter().map(|i| format!("http://localhost:{}", i.admin)).collect();
    let args = ["doctor", "--store", &cluster.redis.url(), "--from", &urls[0], "--from", &urls[1]];
    let logs = cluster.logs().join("app0.csv").display().to_string();
    let finished = run(cluster, "doctor", &args, &logs, config);
    let said = format!("{}{}", finished.stdout, finished.stderr);
    assert_eq!(finished.code(), 0, "{said}");
    let ring = said.lines().find(|line| line.contains(" ring "));
    assert!(ring.is_some_and(|line| line.starts_with("ok")), "{said}");
}

#[test]
fn a_limit_holds_over_all_partitions_and_the_sum_stays_right() {
    let rules = format!(
        "inputs: [{{format: {{type: csv, columns: [time, host, job, ms]}}, rules: [{{metric: limited_total, labels: [job], limit: {LIMIT}}}]}}]"
    );
    let (mut cluster, _folder, _config) = start(&rules);
    cluster.start();
    let ports = cluster.scrape_ports();
    let first = wait_for_read(ports[0], FILES * LINES);
    assert_eq!(wait_for_read(ports[1], FILES * LINES), first, "two replicas");
    let value = |line: &str| line.rsplit_once(' ').and_then(|(_, v)| v.parse::<usize>().ok());
    let of = |beginning: &str| -> Vec<usize> {
        first.lines().filter(|line| line.starts_with(beginning)).filter_map(value).collect()
    };
    let series = of("limited_total{");
    assert_eq!(series.iter().sum::<usize>(), FILES * LINES, "{first}");
    // Each further aggregator may let in what it decides about at the same moment.
    assert!((LIMIT..=2 * LIMIT + 1).contains(&series.len()), "{first}");
    let overflow = of("limited_total{job=\"__overflow__\"}");
    assert_eq!(overflow, of("logtally_records_overflowed_total{metric=\"limited_total\"}"));
    assert!(overflow[0] > 0, "{first}");
}
