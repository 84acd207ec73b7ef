//! What a person meets in the first minutes: the pages, the helps, Ctrl-C, `--once`, and clear
//! errors for the usual mistakes.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use flate2::read::GzDecoder;
use logtally_e2e::cluster::{START, wait_for_records};
use logtally_e2e::exposition::{COUNT, READ, parse, series};
use logtally_e2e::http;
use logtally_e2e::one_process::{ONCE, OneProcess, embedded, once};
use logtally_e2e::program::{Finished, Program};
use logtally_e2e::wait::{holds, until};
use logtally_testkit::{free_port, local};
use tempfile::TempDir;

/// A folder with a log of five records, three of them `server1,backup`.
fn folder_with_log() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let log = folder.path().join("log.csv");
    let text = "host,job_name\nserver1,backup\nserver1,backup\nserver1,sync\nserver2,backup\n\
                server1,backup\n";
    fs::write(&log, text).expect("writing a log");
    (folder, log)
}

fn append(log: &Path, text: &str) {
    let mut file = fs::OpenOptions::new().append(true).open(log).expect("the log");
    file.write_all(text.as_bytes()).expect("appending to the log");
}

/// A process that follows the log and has counted its five records.
fn started(folder: &Path, log: &Path) -> OneProcess {
    let mut one = OneProcess::new(folder, "store", &[log]);
    one.program.start();
    wait_for_records(one.port, 5, START);
    one
}

/// Demands that a program failed at once with one line that has all the words.
fn assert_one_clear_line(finished: &Finished, words: &[&str]) {
    assert_ne!(finished.code(), 0, "{finished:?}");
    let about = |line: &&str| words.iter().all(|word| line.to_lowercase().contains(word));
    assert_eq!(finished.stderr.lines().filter(about).count(), 1, "{words:?}:\n{}", finished.stderr);
    assert!(!finished.stderr.contains("panicked"), "{}", finished.stderr);
}

#[test]
fn the_page_that_the_naive_exporter_had() {
    let (folder, log) = folder_with_log();
    let one = started(folder.path(), &log);
    let page = http::get(one.port, "/metrics").expect("a page");
    let expected = "# HELP log_host_job_count Count of occurrences of host and job_name in log\n\
                    # TYPE log_host_job_count gauge\n\
                    log_host_job_count{host=\"server1\",job_name=\"backup\"} 3\n\
                    log_host_job_count{host=\"server1\",job_name=\"sync\"} 1\n\
                    log_host_job_count{host=\"server2\",job_name=\"backup\"} 1\n";
    assert!(page.text().contains(expected), "{}", page.text());
    assert!(page.header("content-type").starts_with("text/plain; version=0.0.4"), "{page:?}");
    assert!(!page.text().contains("process_"), "own metrics are on the admin listener only");
}

/// The lines of the page that the README shows for the example logs.
fn page_in_readme(root: &Path) -> Vec<String> {
    let readme = fs::read_to_string(root.join("README.md")).expect("the README");
    let shown =
        |line: &&str| line.starts_with(COUNT) && line.contains('{') || line.starts_with(READ);
    readme.lines().filter(shown).map(str::to_owned).collect()
}

#[test]
fn the_first_answer_in_the_readme() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("the workspace");
    let shown = page_in_readme(root);
    assert!(shown.len() >= 3, "the README shows a page: {shown:?}");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let finished = once(folder.path(), "memory:", &[root.join("examples/logs/*.csv")]);
    for line in shown {
        let there = finished.stdout.lines().any(|l| l == line);
        assert!(there, "the README says {line}, the program says:\n{}", finished.stdout);
    }
}

#[test]
fn pages_in_every_form() {
    let (folder, log) = folder_with_log();
    let one = started(folder.path(), &log);
    let plain = http::get(one.port, "/metrics").expect("a page");

    let gzip = http::get_with(one.port, "/metrics", &[("Accept-Encoding", "gzip")]);
    let gzip = gzip.expect("a compressed page");
    assert_eq!(gzip.header("content-encoding"), "gzip");
    let mut unpacked = String::new();
    GzDecoder::new(&gzip.body[..]).read_to_string(&mut unpacked).expect("a gzip body");
    assert_eq!(unpacked, plain.text());

    let accept = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5";
    let open = http::get_with(one.port, "/metrics", &[("Accept", accept)]).expect("a page");
    assert!(open.header("content-type").starts_with("application/openmetrics-text"), "{open:?}");
    assert!(open.text().ends_with("\n# EOF\n"), "{}", open.text());
    assert!(open.text().contains("# TYPE logtally_records_read counter\n"), "{}", open.text());

    let start = http::get(one.port, "/").expect("the start page");
    assert_eq!(start.status, 200);
    assert!(start.text().contains("/metrics"), "the start page leads on: {}", start.text());
    assert_eq!(http::get(one.port, "/nothing-here").expect("an answer").status, 404);
    for page in ["/-/healthy", "/-/ready"] {
        until(page, START, || {
            let answer = http::get(one.admin, page).map_err(|e| e.to_string())?;
            holds(answer.status == 200, || answer.text())
        });
    }
    assert!(http::get(one.admin, "/metrics").expect("a page").text().contains("process_"));
}

#[test]
fn ctrl_c_ends_cleanly_and_the_next_start_goes_on() {
    let (folder, log) = folder_with_log();
    let mut one = started(folder.path(), &log);
    assert_eq!(one.program.interrupt().code(), Some(0), "SIGINT");
    append(&log, "server1,backup\n");
    one.program.start();
    wait_for_records(one.port, 6, START);
    assert_eq!(one.program.terminate().code(), Some(0), "SIGTERM");
    append(&log, "server2,sync\n");
    one.program.start();
    wait_for_records(one.port, 7, START);
    let page = parse(&http::get(one.port, "/metrics").expect("a page").text()).expect("readable");
    assert_eq!(page[&series("server1", "backup")], 4);
    assert_eq!(page[&series("server2", "sync")], 1);
}

#[test]
fn once_twice_on_one_store_counts_once() {
    let (folder, log) = folder_with_log();
    let store = embedded(folder.path(), "store");
    let first = once(folder.path(), &store, &[&log]);
    assert_eq!(first.code(), 0, "{first:?}");
    let second = once(folder.path(), &store, &[&log]);
    assert_eq!(second.code(), 0, "{second:?}");
    assert_eq!(parse(&first.stdout).expect("a page")[READ], 5);
    assert_eq!(first.stdout, second.stdout);
}

#[test]
fn once_counts_an_unfinished_last_record_and_warns_when_it_grows() {
    let (folder, log) = folder_with_log();
    let store = embedded(folder.path(), "store");
    append(&log, "server3,back");
    let first = parse(&once(folder.path(), &store, &[&log]).stdout).expect("a page");
    assert_eq!(first[READ], 6);
    assert_eq!(first[&series("server3", "back")], 1);
    append(&log, "up,x\nserver1,backup\n");
    let second = once(folder.path(), &store, &[&log]);
    let page = parse(&second.stdout).expect("a page");
    assert_eq!(page[READ], 8, "what was appended is a record of its own");
    assert_eq!(page[&series("up", "x")], 1);
    assert!(second.stderr.contains("level=warn"), "{}", second.stderr);
}

#[test]
fn every_help_has_an_example() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let programs: [(&str, &[&str]); 5] = [
        ("logtally", &["--help"]),
        ("logtally", &["run", "--help"]),
        ("logtally-ingest", &["--help"]),
        ("logtally-aggregator", &["--help"]),
        ("logtally-exporter", &["--help"]),
    ];
    for (program, args) in programs {
        let finished = Program::new(folder.path(), "help", program).args(args).run(ONCE);
        assert_eq!(finished.code(), 0, "{program} {args:?}");
        let help = finished.stdout;
        let example = help.to_lowercase().find("example").map(|at| help[at..].contains(program));
        assert_eq!(example, Some(true), "{program} {args:?}:\n{help}");
    }
}

#[test]
fn a_port_in_use_is_one_clear_line() {
    let (folder, log) = folder_with_log();
    let taken = free_port();
    let _holder = TcpListener::bind(local(taken)).expect("a listener");
    let finished = Program::new(folder.path(), "late", "logtally")
        .args(["run", "--store", "memory:", "--web.listen-address", &local(taken)])
        .args(["--admin.listen-address", &local(free_port())])
        .arg(&log)
        .run(Duration::from_secs(10));
    assert_one_clear_line(&finished, &["in use", &taken.to_string()]);
}

#[test]
fn a_second_process_on_one_store_is_refused_clearly() {
    let (folder, log) = folder_with_log();
    let mut one = started(folder.path(), &log);
    let finished = Program::new(folder.path(), "second", "logtally")
        .args(["run", "--store", &embedded(folder.path(), "store")])
        .args(["--web.listen-address", &local(free_port())])
        .args(["--admin.listen-address", &local(free_port())])
        .arg(&log)
        .run(Duration::from_secs(10));
    assert_one_clear_line(&finished, &["in use", "store"]);
    one.program.assert_running();
    wait_for_records(one.port, 5, START);
}
