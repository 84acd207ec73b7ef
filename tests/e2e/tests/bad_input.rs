//! Bad input: every record is counted or rejected with its reason, nothing stalls, nothing hides.

mod bad_input {
    pub(crate) mod cases;
}

use std::fs;
use std::io::Write;
use std::path::Path;

use bad_input::cases::{CASES, Case, all_at_once};
use logtally_e2e::cluster::{START, scrape};
use logtally_e2e::exposition::{
    COUNTED, Counts, READ, counted_series, difference, parse, rejected, rejected_total, series,
};
use logtally_e2e::one_process::{OneProcess, once};
use logtally_e2e::wait::{holds, until};
use tempfile::TempDir;

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// Demands exactly these counts and rejections, and that they account for everything read.
fn check(what: &str, got: &Counts, expected: &Case) {
    let counts: Counts =
        expected.counts.iter().map(|((host, job), n)| (series(host, job), *n)).collect();
    let difference = difference(&counts, &counted_series(got));
    assert!(difference.is_empty(), "{what}:\n{difference}");
    for (reason, n) in &expected.rejected {
        assert_eq!(got.get(&rejected(reason)), Some(n), "{what}: {reason}");
    }
    let value = |name: &str| got.get(name).copied().unwrap_or(0);
    let all_rejected: u64 = expected.rejected.iter().map(|(_, n)| n).sum();
    assert_eq!(rejected_total(got), all_rejected, "{what}: no other reason");
    assert_eq!(value(COUNTED), counts.values().sum::<u64>(), "{what}: {COUNTED}");
    assert_eq!(value(READ), value(COUNTED) + all_rejected, "{what}: all is accounted for");
}

#[test]
fn each_malformed_file_alone_counted_once() {
    for (name, make) in CASES {
        let (folder, case) = (folder(), make());
        let path = folder.path().join("log.csv");
        fs::write(&path, &case.bytes).expect("writing a log");
        let finished = once(folder.path(), "memory:", &[&path]);
        assert_eq!(finished.code(), 0, "{name}: {finished:?}");
        check(name, &parse(&finished.stdout).expect("a page"), &case);
    }
}

#[test]
fn all_malformed_files_together_followed() {
    let folder = folder();
    // What is decided by the end of the file only waits while the file is followed.
    for (name, make) in CASES.iter().filter(|(_, make)| !make().decided_by_end) {
        fs::write(folder.path().join(format!("{name}.csv")), make().bytes).expect("writing a log");
    }
    let together = all_at_once();
    let mut one = OneProcess::new(folder.path(), "store", &[folder.path().join("*.csv")]);
    one.program.start();
    wait_for_read(one.port, together.records());
    check("together", &scrape(one.port).expect("a page"), &together);
}

#[test]
fn an_open_quote_is_decided_by_later_lines_when_followed() {
    const LINES: u64 = 300_000; // of 4 bytes: more than a record may have
    let folder = folder();
    let path = folder.path().join("log.csv");
    fs::write(&path, "a,b\n\"c,d\ne,f\n").expect("writing a log");
    let mut one = OneProcess::new(folder.path(), "store", &[&path]);
    one.program.start();
    wait_for_read(one.port, 1);
    append(&path, &"g,h\n".repeat(LINES as usize));
    wait_for_read(one.port, LINES + 3);
    let expected = Case {
        counts: vec![(("a", "b"), 1), (("e", "f"), 1), (("g", "h"), LINES)],
        rejected: vec![("unclosed_quote", 1)],
        ..Case::default()
    };
    check("open quote", &scrape(one.port).expect("a page"), &expected);
}

#[test]
fn an_unfinished_line_waits_when_followed() {
    let folder = folder();
    let path = folder.path().join("log.csv");
    fs::write(&path, "server1,backup\nserver1,ba").expect("writing a log");
    let mut one = OneProcess::new(folder.path(), "store", &[&path]);
    one.program.start();
    wait_for_read(one.port, 1);
    append(&path, "ckup\n");
    wait_for_read(one.port, 2);
    let expected = Case { counts: vec![(("server1", "backup"), 2)], ..Case::default() };
    check("unfinished", &scrape(one.port).expect("a page"), &expected);
}

fn append(path: &Path, text: &str) {
    let mut file = fs::OpenOptions::new().append(true).open(path).expect("a log");
    file.write_all(text.as_bytes()).expect("appending to a log");
}

fn wait_for_read(port: u16, records: u64) {
    until(&format!("{records} records"), START, || {
        let read = scrape(port)?.get(READ).copied();
        holds(read == Some(records), || format!("{read:?} records"))
    });
}
