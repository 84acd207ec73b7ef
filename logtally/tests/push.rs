//! `logtally push` as a program, against the test double of the client's tests: what it sends, where it
//! goes on, and what it says.

#[path = "../../crates/client/tests/push/server.rs"]
#[allow(dead_code, reason = "the client's own tests use the rest of it")]
mod server;

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use server::{Faults, Ingest, Store};
use tokio::runtime::Runtime;

struct Bench {
    store: Store,
    url: String,
    folder: tempfile::TempDir,
    _runtime: Runtime,
}

impl Bench {
    fn start(faults: Faults) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let store = Store::new(true);
        let ingest = Ingest { store: store.clone(), faults, seed: 1 };
        let url = format!("http://{}", runtime.block_on(ingest.start()));
        let folder = tempfile::tempdir().expect("a folder");
        Self { store, url, folder, _runtime: runtime }
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).expect("written");
        path.to_str().expect("a path in UTF-8").to_owned()
    }

    fn push(&self, args: &[&str]) -> Output {
        self.command(args).output().expect("the program starts")
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_logtally"));
        command.args(["push", "--log.level", "off", "--to", &self.url]).args(args);
        command.stdin(Stdio::null());
        command
    }

    fn producers(&self) -> Vec<String> {
        self.store.lock().producers.keys().cloned().collect()
    }
}

fn lines(from: u32, to: u32) -> String {
    (from..to).fold(String::new(), |text, n| text + &format!("web{n},backup\n"))
}

fn error_of(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_file_counts_once_and_goes_on_when_it_has_grown() {
    let bench = Bench::start(Faults { lose_answer: 0.2, drain: 0.1, ..Faults::default() });
    let all = lines(0, 60_000);
    let file = bench.file("a b.log", &all);
    for _ in 0..2 {
        let output = bench.push(&[&file]);
        assert!(output.status.success(), "{output:?}");
    }
    let producer = bench.producers().pop().expect("a producer");
    assert!(producer.ends_with("/a%20b.log"), "{producer}");
    assert_eq!(bench.store.text(&producer), all);
    let more = format!("{all}{}", lines(60_000, 60_100));
    bench.file("a b.log", &more);
    let output = bench.push(&["-o", "json", &file]);
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(report["files"][0]["resumed_at"], all.len());
    assert_eq!(report["files"][0]["position"], more.len());
    assert_eq!(bench.store.text(&producer), more);
}

#[test]
fn every_message_of_a_csv_file_has_the_header() {
    let bench = Bench::start(Faults::default());
    let header = "host,job_name\n";
    let file = bench.file("a.csv", &format!("{header}{}", lines(0, 40_000)));
    assert!(bench.push(&[&file]).status.success());
    let producer = bench.producers().pop().expect("a producer");
    let messages = bench.store.lock().producers[&producer].messages.clone();
    assert!(messages.len() > 1 && messages.iter().all(|(m, _)| m.starts_with(header.as_bytes())));
    assert_eq!(bench.store.text(&producer).replace(header, ""), lines(0, 40_000));
    let again = bench.push(&["-o", "json", &file]);
    let report: Value = serde_json::from_slice(&again.stdout).expect("JSON");
    assert_eq!(report["files"][0]["messages"], 0, "the header is in the hash of the last message");
}

#[test]
fn another_file_of_the_same_name_is_refused() {
    let bench = Bench::start(Faults::default());
    let file = bench.file("a.log", "a,b\nc,d\n");
    assert!(bench.push(&[&file]).status.success());
    for other in ["a,b\n", "a,b\nc,x\ne,f\n"] {
        bench.file("a.log", other);
        let error = error_of(&bench.push(&[&file]));
        assert!(error.contains("--producer NAME"), "{error}");
    }
    let output = bench.push(&["--producer", "second", &file]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(bench.store.text("second"), "a,b\nc,x\ne,f\n");
}

#[test]
fn standard_input_counts_once_with_a_name_and_at_least_once_without() {
    let bench = Bench::start(Faults::default());
    let give = |args: &[&str], text: &str| {
        let mut child = bench
            .command(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        child.stdin.take().expect("piped").write_all(text.as_bytes()).expect("written");
        String::from_utf8(child.wait_with_output().expect("it ends").stdout).expect("UTF-8")
    };
    assert!(give(&["--producer", "p", "-"], "a,b\n").contains("exactly once"));
    assert!(give(&["--producer", "p", "-"], "a,b\nc,d\n").contains("exactly once"));
    assert_eq!(bench.store.text("p"), "a,b\nc,d\n");
    assert!(give(&["-"], "e,f").contains("at least once"));
    assert_eq!(bench.store.lock().unnamed, ["e,f"]);
}

#[test]
fn mistakes_and_absence_are_one_line() {
    let bench = Bench::start(Faults::default());
    let file = bench.file("a.log", "a,b\n");
    assert_eq!(bench.push(&["--producer", "p", &file, "-"]).status.code(), Some(2));
    assert_eq!(bench.push(&[&file, &file]).status.code(), Some(2));
    assert_eq!(bench.push(&["--format", "xml", &file]).status.code(), Some(2));
    let missing = Path::new(&file).with_extension("gone");
    assert!(error_of(&bench.push(&[missing.to_str().expect("UTF-8")])).contains("cannot read"));
    let refused = error_of(&bench.push(&[&bench.file("r.log", "refuse,x\n")]));
    assert!(refused.contains("TOO_MANY_SERIES"), "{refused}");
    let nobody = Command::new(env!("CARGO_BIN_EXE_logtally"))
        .args(["push", "--to", "http://127.0.0.1:1", "--give-up", "100ms", "--log.level", "off"])
        .arg(&file)
        .output()
        .expect("the program starts");
    let error = error_of(&nobody);
    assert!(error.contains("given up") && error.lines().count() == 1, "{error}");
}
