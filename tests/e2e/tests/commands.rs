//! The commands that look, compare, try out and repair: each of them run as a person would, against
//! running processes and against stores at rest.

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use logtally_e2e::cluster::{START, wait_for_records};
use logtally_e2e::configuration::configure;
use logtally_e2e::http;
use logtally_e2e::one_process::{OneProcess, embedded, once, samples};
use logtally_e2e::program::{Finished, Program};
use logtally_e2e::wait::{holds, until};
use logtally_testkit::{RedisServer, free_port, local};
use serde_json::Value;
use tempfile::TempDir;

/// How long a command may take on a busy machine.
const WITHIN: Duration = Duration::from_secs(30);

fn logtally<A: AsRef<OsStr>>(folder: &Path, args: impl IntoIterator<Item = A>) -> Finished {
    Program::new(folder, "command", "logtally").args(args).run(WITHIN)
}

fn json(finished: &Finished) -> Value {
    serde_json::from_str(&finished.stdout).unwrap_or_else(|e| panic!("{e}: {finished:?}"))
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("the workspace").to_owned()
}

/// A folder with a log of four records.
fn folder_with_log() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let log = folder.path().join("log.csv");
    let text = "host,job_name\nweb1,backup\nweb1,backup\nweb1,sync\nweb2,backup\n";
    fs::write(&log, text).expect("writing a log");
    (folder, log)
}

fn append(log: &Path, text: &str) {
    let mut file = fs::OpenOptions::new().append(true).open(log).expect("the log");
    file.write_all(text.as_bytes()).expect("appending to the log");
}

#[test]
fn check_tells_good_configurations_from_bad_ones() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let good = configure(folder.path(), "inputs:\n  - files: 'a/*.csv'\n");
    let finished =
        logtally(folder.path(), [OsStr::new("check"), "--config.file".as_ref(), good.as_ref()]);
    assert_eq!(finished.code(), 0, "{finished:?}");
    assert_eq!(finished.stdout.lines().last(), Some("ok: 1 input, 1 rule"));
    let bad = configure(folder.path(), "inputs:\n  - fils: 'a/*.csv'\n  - files: 5\n");
    let finished =
        logtally(folder.path(), [OsStr::new("check"), "--config.file".as_ref(), bad.as_ref()]);
    assert_eq!(finished.code(), 3, "{finished:?}");
    assert!(finished.stderr.contains("did you mean `files`?"), "{}", finished.stderr);
    assert!(finished.stderr.contains("logtally.yaml:3:"), "all errors: {}", finished.stderr);
    assert_eq!(finished.stdout, "");
    let schema = json(&logtally(folder.path(), ["check", "--schema"]));
    assert_eq!(schema["title"], "logtally configuration");
}

#[test]
fn explain_says_what_becomes_of_a_line() {
    let (folder, log) = folder_with_log();
    let counted = logtally(folder.path(), ["explain", "web1,backup"]);
    assert_eq!(counted.code(), 0, "{counted:?}");
    let series = "log_host_job_count{host=\"web1\",job_name=\"backup\"} 1";
    assert!(counted.stdout.contains(series), "{}", counted.stdout);
    let by_header = ["explain", "x,backup,web1", "--header", "time,job_name,host", "-o", "json"];
    let by_header = json(&logtally(folder.path(), by_header));
    assert_eq!(by_header["outcome"], "counted");
    assert_eq!(by_header["columns"][2]["name"], "time");
    assert_eq!(by_header["rules"][0]["series"][0]["value"], "1");
    let ragged = json(&logtally(folder.path(), ["explain", "web1", "-o", "json"]));
    assert_eq!((&ragged["outcome"], &ragged["reason"]), (&"rejected".into(), &"ragged".into()));
    let why = ragged["rules"][0]["why"].as_str().expect("a reason");
    assert!(why.contains("job_name"), "{why}");
    let path = log.display().to_string();
    let args = ["explain", "host,job_name", "--path", &path, "--aggregators", "a=h:1,b=h:2"];
    let header = logtally(folder.path(), args);
    assert!(header.stdout.contains("result  header"), "{}", header.stdout);
    assert!(
        header.stdout.contains("partition") && header.stdout.contains("aggregator"),
        "{header:?}"
    );
}

#[test]
fn explain_says_why_a_rule_does_not_take_a_line() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let yaml = "inputs:\n  - files: 'a.csv'\n    format: {type: csv, columns: [host, status, ms]}\n    rules:\n\
                \x20     - {metric: failed_total, help: F, labels: [host], when: {status: failed}}\n\
                \x20     - {metric: ms_total, help: M, type: sum, value: ms}\n";
    let path = configure(folder.path(), yaml).display().to_string();
    let explain = |line: &str| {
        json(&logtally(folder.path(), ["explain", line, "--config.file", &path, "-o", "json"]))
    };
    let ok = explain("web1,ok,5");
    assert_eq!(ok["rules"][0]["why"], "its condition does not hold");
    assert_eq!(ok["rules"][1]["series"][0]["value"], "5");
    let failed = explain("web1,failed,soon");
    assert_eq!(failed["reason"], "not_a_number");
    assert_eq!(failed["rules"][0]["outcome"], "taken");
    assert!(failed["rules"][1]["why"].as_str().expect("a reason").contains("ms"), "{failed}");
}

/// Runs the tests of examples, and returns what is said of all of them.
fn test_examples(names: &[&str]) -> String {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = |name: &&str| root().join("examples/guide").join(name).join("test.yaml");
    let tests: Vec<PathBuf> = names.iter().map(path).collect();
    let args = [OsStr::new("test")].into_iter().chain(tests.iter().map(AsRef::as_ref));
    let finished = logtally(folder.path(), args);
    assert_eq!(finished.code(), 0, "{}{}", finished.stdout, finished.stderr);
    finished.stdout
}

#[test]
fn every_example_of_the_guide_gives_what_it_says() {
    let folders = fs::read_dir(root().join("examples/guide")).expect("the examples");
    let name = |entry: fs::DirEntry| entry.file_name().to_string_lossy().into_owned();
    let mut names: Vec<String> = folders.map(|entry| name(entry.expect("an entry"))).collect();
    names.sort();
    assert!(names.len() >= 17, "{names:?}");
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    test_examples(&names);
}

#[test]
fn test_tells_differences_and_slips() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("test.yaml");
    let test = |yaml: &str| {
        fs::write(&path, yaml).expect("writing a test");
        logtally(folder.path(), [OsStr::new("test"), path.as_ref()])
    };
    let failed = test(
        "tests:\n  - name: t\n    lines: |\n      a,b\n      a,c\n    expect: |\n\
                       \x20     log_host_job_count{job_name=\"b\",host=\"a\"} 2\n",
    );
    assert_eq!(failed.code(), 1, "{failed:?}");
    let diff = "  - log_host_job_count{job_name=\"b\",host=\"a\"} 2\n\
                \x20 + log_host_job_count{job_name=\"b\",host=\"a\"} 1\n\
                \x20 + log_host_job_count{host=\"a\",job_name=\"c\"} 1\n";
    assert!(failed.stdout.contains(diff), "{}", failed.stdout);
    let slip = test("tests:\n  - name: t\n    line: a\n    expect: ''\n");
    assert_eq!(slip.code(), 2, "{slip:?}");
    assert!(slip.stderr.contains("test.yaml:3"), "{}", slip.stderr);
    let bad = test("config: no.yaml\ntests: []\n");
    assert_eq!(bad.code(), 3, "{bad:?}");
}

#[test]
fn a_running_process_is_asked_for_its_sources_and_series() {
    let (folder, log) = folder_with_log();
    let mut one = OneProcess::new(folder.path(), "store", &[&log]);
    one.program.start();
    wait_for_records(one.port, 4, START);
    let admin = format!("http://{}", local(one.admin));
    let ask = ["sources", "--from", &admin, "-o", "json"];
    let rows = until("the source is shown at its end", START, || {
        let rows = json(&logtally(folder.path(), ask));
        let size = fs::metadata(&log).expect("the log").len();
        holds(rows[0]["position"] == size, || rows.to_string()).map(|()| rows.clone())
    });
    assert_eq!((&rows[0]["counted"], &rows[0]["from"]), (&4.into(), &admin.as_str().into()));
    let table = logtally(folder.path(), ["sources", "--from", &admin]);
    assert!(table.stdout.contains(&log.display().to_string()), "{}", table.stdout);
    let page = format!("http://{}/metrics", local(one.port));
    let args = ["series", "--from", &page, "--metric", "log_host_job_count", "-o", "json"];
    let series = json(&logtally(folder.path(), args));
    assert_eq!(series["metrics"][0]["series"], 3);
    assert_eq!(series["top"][0]["count"], 2.0);
    assert_eq!(
        (&series["labels"][0]["label"], &series["labels"][0]["values"]),
        (&"host".into(), &2.into())
    );
    let path = log.display().to_string();
    let verified = logtally(folder.path(), ["verify", &path, "--from", &page, "--exact"]);
    assert_eq!(verified.code(), 0, "{verified:?}");
    let in_use = logtally(folder.path(), ["series", "--store", &embedded(folder.path(), "store")]);
    assert_eq!(in_use.code(), 1);
    assert!(in_use.stderr.contains("--from") && in_use.stderr.lines().count() == 1, "{in_use:?}");
    let doctor = logtally(folder.path(), ["doctor", "--from", &admin, &log.display().to_string()]);
    assert_eq!(doctor.code(), 0, "{doctor:?}");
    assert!(http::get(one.port, "/metrics").is_ok(), "looking disturbs nobody");
}

#[test]
fn series_are_forgotten_for_good_and_only_when_asked_twice() {
    let (folder, log) = folder_with_log();
    let store = embedded(folder.path(), "store");
    assert_eq!(once(folder.path(), &store, &[&log]).code(), 0);
    let selector = "log_host_job_count{host=\"web1\"}";
    let forget = |extra: &[&str]| {
        let args = ["forget", selector, "--store", &store];
        logtally(folder.path(), args.iter().chain(extra))
    };
    let dry = forget(&[]);
    assert!(dry.stdout.contains("2 series would be forgotten"), "{dry:?}");
    assert!(dry.stdout.contains("dry run") && dry.stdout.contains("again from 0"), "{dry:?}");
    assert_eq!(samples(&once(folder.path(), &store, &[&log]).stdout).len(), 3, "nothing happened");
    let done = json(&forget(&["--yes", "-o", "json"]));
    assert_eq!((&done["done"], &done["series"]), (&true.into(), &2.into()));
    let left = samples(&once(folder.path(), &store, &[&log]).stdout);
    assert_eq!(left, ["log_host_job_count{host=\"web2\",job_name=\"backup\"} 1"]);
    append(&log, "web1,backup\n");
    let again = samples(&once(folder.path(), &store, &[&log]).stdout);
    assert_eq!(again[0], "log_host_job_count{host=\"web1\",job_name=\"backup\"} 1");
    let wrong =
        logtally(folder.path(), ["forget", "log_host_job_count{hst=\"a\"}", "--store", &store]);
    assert_eq!(wrong.code(), 2);
    assert!(wrong.stderr.contains("host, job_name"), "{wrong:?}");
}

#[test]
fn a_rewound_source_counts_again_and_a_recount_notices() {
    let (folder, log) = folder_with_log();
    let store = embedded(folder.path(), "store");
    assert_eq!(once(folder.path(), &store, &[&log]).code(), 0);
    let log_text = log.display().to_string();
    let verify = || logtally(folder.path(), ["verify", &log_text, "--store", &store]);
    let good = verify();
    assert_eq!(good.code(), 0, "{good:?}");
    assert!(good.stdout.contains("agree"), "{good:?}");
    let rows = json(&logtally(folder.path(), ["sources", "--store", &store, "-o", "json"]));
    let id = rows[0]["source"].as_str().expect("an id").to_owned();
    let rewind = |extra: &[&str]| {
        let args = ["sources", "rewind", &id, "--store", &store];
        logtally(folder.path(), args.iter().chain(extra))
    };
    let dry = rewind(&["--to", "0"]);
    assert!(dry.stdout.contains("dry run") && dry.stdout.contains("after 4 records"), "{dry:?}");
    assert_eq!(rewind(&["--to", "3", "--file", &log_text]).code(), 1, "the middle of a line");
    assert_eq!(rewind(&["--to", "26"]).code(), 2, "no file to check it against");
    // Behind the second record.
    let done = rewind(&["--to", "38", "--file", &log_text, "--yes"]);
    assert_eq!(done.code(), 0, "{done:?}");
    let page = once(folder.path(), &store, &[&log]).stdout;
    let twice = [
        "web1\",job_name=\"backup\"} 2",
        "web1\",job_name=\"sync\"} 2",
        "web2\",job_name=\"backup\"} 2",
    ];
    assert!(twice.iter().all(|series| page.contains(series)), "{page}");
    let bad = verify();
    assert_eq!(bad.code(), 1, "{bad:?}");
    assert!(bad.stdout.contains("job_name=\"sync\""), "{bad:?}");
    let forget = ["sources", "forget", &id, "--store", &store, "--yes"];
    assert_eq!(logtally(folder.path(), forget).code(), 0);
    let page = once(folder.path(), &store, &[&log]).stdout;
    assert!(page.contains("web1\",job_name=\"backup\"} 4"), "all of it again: {page}");
}

#[test]
fn doctor_says_what_is_wrong() {
    let (folder, log) = folder_with_log();
    let store = embedded(folder.path(), "store");
    assert_eq!(once(folder.path(), &store, &[&log]).code(), 0);
    let missing = folder.path().join("missing.csv").display().to_string();
    let bad = logtally(folder.path(), ["doctor", "--store", &store, &missing]);
    assert_eq!(bad.code(), 1, "{bad:?}");
    assert!(
        bad.stdout.lines().any(|l| l.starts_with("error") && l.contains("missing.csv")),
        "{bad:?}"
    );
    let good = logtally(folder.path(), ["doctor", "--store", &store, &log.display().to_string()]);
    assert_eq!(good.code(), 0, "{good:?}");
    assert!(good.stdout.contains("all can be read"), "{good:?}");
}

#[test]
fn shells_and_manual_readers_are_served() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let script = folder.path().join("logtally.bash");
    fs::write(&script, logtally(folder.path(), ["completions", "bash"]).stdout).expect("written");
    let parsed = Command::new("bash").arg("-n").arg(&script).status().expect("bash");
    assert!(parsed.success());
    for shell in ["zsh", "fish", "elvish", "powershell"] {
        assert!(
            logtally(folder.path(), ["completions", shell]).stdout.contains("logtally"),
            "{shell}"
        );
    }
    let dir = folder.path().join("man");
    let man = logtally(folder.path(), [OsStr::new("man"), "--dir".as_ref(), dir.as_ref()]);
    assert_eq!(man.code(), 0, "{man:?}");
    assert!(dir.join("logtally-sources-rewind.1").exists(), "{}", man.stdout);
}

#[test]
fn a_store_is_repaired_while_a_process_uses_it() {
    let (folder, log) = folder_with_log();
    let redis = RedisServer::start(&["--appendonly", "yes", "--appendfsync", "always"]);
    let url = &redis.url();
    let (port, admin) = (free_port(), free_port());
    let mut program = Program::new(folder.path(), "logtally", "logtally")
        .args(["run", "--store", url])
        .args(["--web.listen-address", &local(port), "--admin.listen-address", &local(admin)])
        .arg(&log);
    program.start();
    wait_for_records(port, 4, START);
    let page = |what: &str, expected: &[&str]| {
        until(what, START, || {
            let page = http::get(port, "/metrics").map_err(|e| e.to_string())?;
            let found = samples(&page.text());
            holds(found == expected, || page.text())
        });
    };
    let command = |args: &[&str]| {
        let finished =
            logtally(folder.path(), args.iter().copied().chain(["--store", url, "--yes"]));
        assert_eq!(finished.code(), 0, "{finished:?}");
    };
    command(&["forget", "log_host_job_count{host=\"web1\"}"]);
    let web2 = "log_host_job_count{host=\"web2\",job_name=\"backup\"}";
    page("the series are gone", &[&format!("{web2} 1")]);
    append(&log, "web1,backup\n");
    let web1 = "log_host_job_count{host=\"web1\",job_name=\"backup\"}";
    page("the series begins again", &[&format!("{web1} 1"), &format!("{web2} 1")]);
    let rows = json(&logtally(folder.path(), ["sources", "--store", url, "-o", "json"]));
    let id = rows[0]["source"].as_str().expect("an id");
    command(&["sources", "rewind", id, "--to", "0"]);
    let sync = "log_host_job_count{host=\"web1\",job_name=\"sync\"} 1";
    page("all is counted again", &[&format!("{web1} 4"), sync, &format!("{web2} 2")]);
    program.assert_running();
}
