//! Every kind of input, as a person would configure it: formats, several inputs, paths, compressed
//! files, standard input, a great many files.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use logtally_e2e::exposition::{Counts, READ, parse, series};
use logtally_e2e::one_process::{once, once_by, samples};
use logtally_e2e::program::Program;
use tempfile::TempDir;

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn put(folder: &Path, name: &str, content: impl AsRef<[u8]>) -> String {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    fs::write(&path, content).expect("writing a log");
    path.display().to_string()
}

/// What `logtally run --once` prints for one log in a format, counted by `m_total` and its labels.
fn check(format: &str, rule: &str, log: &str, expected: &[&str]) {
    let folder = folder();
    let path = put(folder.path(), "x.log", log);
    let yaml = format!("inputs: [{{files: '{path}', format: {format}, rules: [{rule}]}}]\n");
    let (finished, got) = once_by(folder.path(), &yaml, &[]);
    assert_eq!(finished.code(), 0, "{yaml}\n{}", finished.stderr);
    assert_eq!(got, expected, "{yaml}\n{}", finished.stdout);
}

#[test]
fn every_format() {
    let by_host = "{metric: m_total, labels: {host: host}}";
    check(
        "csv",
        by_host,
        "host,x\na,1\nb,1\na,2\n",
        &["m_total{host=\"a\"} 2", "m_total{host=\"b\"} 1"],
    );
    let semicolons = "{type: csv, delimiter: ';', quote: \"'\", comment: '#', header: absent, columns: [x, host]}";
    check(
        semicolons,
        by_host,
        "# a comment\n1;'a;b'\n1;c\n",
        &["m_total{host=\"a;b\"} 1", "m_total{host=\"c\"} 1"],
    );
    check("tsv", by_host, "x\thost\n1\ta,\"b\n", &["m_total{host=\"a,\\\"b\"} 1"]);
    let nested = "{metric: m_total, labels: {host: http.host, first: tags.0}}";
    check(
        "json",
        nested,
        "{\"http\":{\"host\":\"a\\u00e9\"},\"tags\":[\"x\",\"y\"]}\n",
        &["m_total{host=\"a\u{e9}\",first=\"x\"} 1"],
    );
    check("logfmt", by_host, "level=info host=\"a b\" ok\n", &["m_total{host=\"a b\"} 1"]);
    check(
        "{type: regex, pattern: '^(?<host>\\S+) '}",
        by_host,
        "a 1\nb 2\n",
        &["m_total{host=\"a\"} 1", "m_total{host=\"b\"} 1"],
    );
    check(
        "{type: grok, pattern: '%{IPORHOST:host} %{NUMBER:n}'}",
        by_host,
        "a.example.com 1\n",
        &["m_total{host=\"a.example.com\"} 1"],
    );
    check(
        "lines",
        "{metric: m_total, when: {'@line': {matches: ERROR}}}",
        "ERROR x\nINFO\nERROR y\n",
        &["m_total 2"],
    );
}

#[test]
fn a_header_in_mid_file_brings_new_columns() {
    let log = "host,job\na,x\njob,host\nx,b\ny,b\n";
    let rule = "{metric: m_total, labels: {host: host, job: job}}";
    check(
        "csv",
        rule,
        log,
        &[
            "m_total{host=\"a\",job=\"x\"} 1",
            "m_total{host=\"b\",job=\"x\"} 1",
            "m_total{host=\"b\",job=\"y\"} 1",
        ],
    );
}

#[test]
fn ragged_rows_are_as_strict_as_asked_for() {
    let log = "host,job\na\na,b,c\na,b\n";
    let rule = "{metric: m_total, labels: {host: host}}";
    check("csv", rule, log, &["m_total{host=\"a\"} 3"]);
    check("{type: csv, ragged: strict}", rule, log, &["m_total{host=\"a\"} 1"]);
}

#[test]
fn every_measure() {
    let log = "host,ms,time\na,100,2026-01-01T00:00:02Z\na,2500,2026-01-01T00:00:01Z\na,400,2026-01-01T00:00:00Z\n";
    let by_host = |rest: &str| {
        format!("{{metric: m, labels: [host], value: {{column: ms, scale: 0.001}}, {rest}}}")
    };
    check("csv", &by_host("type: sum"), log, &["m{host=\"a\"} 3"]);
    check("csv", &by_host("type: min"), log, &["m{host=\"a\"} 0.1"]);
    check("csv", &by_host("type: max"), log, &["m{host=\"a\"} 2.5"]);
    check("csv", &by_host("type: last, time: time"), log, &["m{host=\"a\"} 0.1"]);
    check(
        "csv",
        &by_host("type: histogram, buckets: [0.1, 1]"),
        log,
        &[
            "m_bucket{host=\"a\",le=\"0.1\"} 1",
            "m_bucket{host=\"a\",le=\"1\"} 2",
            "m_bucket{host=\"a\",le=\"+Inf\"} 3",
            "m_sum{host=\"a\"} 3",
            "m_count{host=\"a\"} 3",
        ],
    );
}

#[test]
fn several_inputs_each_with_its_own_format_and_the_path_in_labels() {
    let folder = folder();
    put(folder.path(), "csv/eu/web1.csv", "host,job_name\nx,backup\n");
    put(folder.path(), "csv/us/web2.csv", "host,job_name\nx,backup\n");
    put(folder.path(), "csv/us/web2.csv.tmp", "host,job_name\nx,never\n");
    put(folder.path(), "json/deep/er/a.json", "{\"level\":\"info\"}\n{\"level\":\"warn\"}\n");
    let at = folder.path().display();
    let yaml = format!(
        "inputs:
- name: jobs
  files: '{at}/csv/{{dc}}/{{server}}.csv*'
  exclude: '*.tmp'
  labels: {{env: prod, dc: {{path: dc}}}}
  rules: [{{metric: jobs_total, labels: {{server: {{path: server}}, job: job_name}}}}]
- name: apps
  files: '{at}/json/**/*.json'
  format: json
  rules: [{{metric: messages_total, labels: [level]}}]
"
    );
    let (finished, got) = once_by(folder.path(), &yaml, &[]);
    assert_eq!(finished.code(), 0, "{}", finished.stderr);
    let job = |dc: &str, server: &str| {
        format!("jobs_total{{server=\"{server}\",job=\"backup\",env=\"prod\",dc=\"{dc}\"}} 1")
    };
    let level = |level: &str| format!("messages_total{{level=\"{level}\"}} 1");
    assert_eq!(got, [job("eu", "web1"), job("us", "web2"), level("info"), level("warn")]);
}

fn gzip(text: &str) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(text.as_bytes()).expect("in memory");
    packed.finish().expect("in memory")
}

#[test]
fn compressed_files_are_read_where_they_are_named_or_asked_for() {
    let folder = folder();
    put(folder.path(), "log.csv", "web1,backup\n");
    let two = [gzip("web1,backup\n"), gzip("web1,sync\n")].concat();
    let packed = put(folder.path(), "log.csv.1.gz", two);
    put(folder.path(), "log.csv.2.zst", zstd::encode_all(&b"web2,backup"[..], 1).expect("packed"));
    let pattern = folder.path().join("log.csv*").display().to_string();
    let check = |args: &[&str], yaml: Option<&str>, expected: u64| {
        let page = match yaml {
            Some(yaml) => once_by(folder.path(), yaml, args).0.stdout,
            None => once(folder.path(), "memory:", args).stdout,
        };
        assert_eq!(parse(&page).expect("a page")[READ], expected, "{args:?}\n{page}");
    };
    check(&[&pattern], None, 1);
    check(&[&pattern, &packed], None, 3);
    check(&[], Some(&format!("inputs: [{{files: '{pattern}', compressed: true}}]")), 4);
}

#[test]
fn a_compressed_file_that_is_cut_off_counts_what_is_there_and_is_an_error() {
    let folder = folder();
    let text: String = (0..50_000_u64)
        .map(|i| format!("w{},job\n", i * 7_919 % 50_021))
        .collect::<Vec<_>>()
        .concat();
    let packed = gzip(&text);
    let path = put(folder.path(), "cut.gz", &packed[..packed.len() / 2]);
    let finished = once(folder.path(), "memory:", &[&path]);
    assert_eq!(finished.code(), 1, "{}", finished.stderr);
    assert!(finished.stderr.contains("cut.gz"), "{}", finished.stderr);
    let counted = parse(&finished.stdout).expect("a page")[READ];
    assert!(counted > 1_000 && counted < 50_000, "{counted}");
}

#[test]
fn standard_input_is_an_input() {
    let folder = folder();
    let mut text = "host,job_name\n".to_owned();
    text += &"web1,backup\n".repeat(300_000);
    text += "web1,last line without an end";
    let path = put(folder.path(), "in.csv", &text);
    let finished = Program::new(folder.path(), "stdin", "logtally")
        .args(["run", "--once", "--store", "memory:", "-"])
        .stdin(path)
        .run(Duration::from_mins(1));
    assert_eq!(finished.code(), 0, "{}", finished.stderr);
    let expected = Counts::from([
        (series("web1", "backup"), 300_000),
        (series("web1", "last line without an end"), 1),
    ]);
    let got = parse(&finished.stdout).expect("a page");
    assert_eq!(logtally_e2e::exposition::counted_series(&got), expected);
}

#[test]
fn more_files_than_may_be_open_are_counted_with_bounded_handles() {
    const FILES: u64 = 3_000;
    let folder = folder();
    for i in 0..FILES {
        fs::write(folder.path().join(format!("{i}.csv")), format!("web{},job\n", i % 10))
            .expect("written");
    }
    let pattern = folder.path().join("*.csv").display().to_string();
    // No more than 700 open files, which the program cannot raise.
    let finished = Program::at(folder.path(), "many", "/bin/sh")
        .args(["-c", "ulimit -Hn 700; exec \"$0\" \"$@\""])
        .arg(logtally_e2e::binaries::binary("logtally"))
        .args(["run", "--once", "--store", "memory:", &pattern])
        .run(Duration::from_mins(2));
    assert_eq!(finished.code(), 0, "{}", finished.stderr);
    assert_eq!(parse(&finished.stdout).expect("a page")[READ], FILES);
    assert_eq!(samples(&finished.stdout).len(), 10);
}

#[test]
fn a_dry_run_keeps_nothing() {
    let folder = folder();
    let path = put(folder.path(), "log.csv", "web1,backup\n");
    let store = folder.path().join("store");
    let finished = Program::new(folder.path(), "dry", "logtally")
        .args(["run", "--once", "--dry-run", "--store"])
        .arg(format!("embedded:{}", store.display()))
        .arg(&path)
        .run(Duration::from_secs(30));
    assert_eq!(finished.code(), 0, "{}", finished.stderr);
    assert_eq!(parse(&finished.stdout).expect("a page")[READ], 1);
    assert!(!store.exists(), "a dry run made a store");
}
