//! The examples of pushing do what they say, against a real ingest.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use logtally_e2e::cluster::{Cluster, Layout, assert_page_exact};
use logtally_e2e::http;
use logtally_e2e::program::Program;
use logtally_e2e::recount::Recount;
use logtally_e2e::wait::{holds, until};
use logtally_testkit::local;

/// Set to 1 where Python packages cannot be had: the test then says that it did nothing.
const SKIP: &str = "LOGTALLY_SKIP_PYTHON";
const WITHIN: Duration = Duration::from_secs(40);

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("the workspace")
}

fn python_example() -> PathBuf {
    root().join("examples/push/python")
}

/// The interpreter of an environment with the packages of the example. It is made once, and again when
/// the list changes; of several tests at the same time one makes it.
fn python() -> Option<PathBuf> {
    if std::env::var_os(SKIP).is_some_and(|skip| skip == "1") {
        println!("skipped: {SKIP}=1");
        return None;
    }
    let tools = root().join("target/tools");
    fs::create_dir_all(&tools).expect("a folder for tools");
    let lock = fs::File::create(tools.join("push-python.lock")).expect("a lock");
    lock.lock().expect("the lock");
    let (venv, requirements) =
        (tools.join("push-python"), python_example().join("requirements.txt"));
    let wanted = fs::read(&requirements).expect("the requirements");
    if fs::read(venv.join("installed")).ok().as_ref() != Some(&wanted) {
        let _ = fs::remove_dir_all(&venv);
        run(Command::new("python3").args(["-m", "venv"]).arg(&venv));
        let mut pip = Command::new(venv.join("bin/pip"));
        pip.args(["install", "--quiet", "--disable-pip-version-check", "--requirement"]);
        run(pip.arg(&requirements));
        fs::write(venv.join("installed"), wanted).expect("a stamp");
    }
    Some(venv.join("bin/python"))
}

fn run(command: &mut Command) -> Output {
    let output = command.output();
    let output = output.unwrap_or_else(|e| panic!("{command:?}: {e}; to go without, set {SKIP}=1"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}\nto go without, set {SKIP}=1");
    output
}

fn cluster(ingests: usize) -> Cluster {
    let layout = Layout { aggregators: 1, ingests, exporters: 1, ..Layout::default() };
    let mut cluster = Cluster::prepare(layout);
    cluster.start();
    cluster
}

fn assert_counted(cluster: &Cluster, file: &Path) {
    let mut recount = Recount::default();
    recount.add(&fs::read(file).expect("what was pushed"));
    cluster.wait_for_records(recount.records, WITHIN);
    let page = http::get(cluster.exporters[0].port, "/metrics").expect("a page");
    assert_page_exact(&recount, &page.text());
}

fn lines(count: usize) -> String {
    (0..count).fold(String::new(), |text, i| text + &format!("host{},job{}\n", i % 7, i % 3))
}

#[test]
fn the_python_example_counts_each_line_once() {
    let Some(python) = python() else { return };
    let mut cluster = cluster(2);
    let targets: Vec<String> = cluster.push_ports().into_iter().map(local).collect();
    let file = cluster.folder().join("jobs.csv");
    fs::write(&file, lines(300_000)).expect("writing");
    let push = |name: &str| {
        Program::at(cluster.folder(), name, &python)
            .arg(python_example().join("push.py"))
            .args(["--to", &targets.join(","), "--producer", "host1/jobs"])
            .arg(&file)
    };
    // Killed in the middle; and then the ingest dies on the one that goes on.
    let (mut first, second) = (push("first"), push("second"));
    let (third, fourth) = (push("third"), push("fourth"));
    first.start();
    until("something is counted", WITHIN, || {
        let read = cluster.scrape(0)?.get(logtally_e2e::exposition::READ).copied();
        holds(read > Some(0), || "nothing is counted".to_owned())
    });
    if first.ended().is_none() {
        first.kill();
    }
    cluster.ingests[0].program.restart();
    let finished = second.run(WITHIN);
    assert_eq!(finished.code(), 0, "{finished:?}");
    assert_counted(&cluster, &file);

    let again = third.run(WITHIN);
    assert_eq!(again.stdout, "0 records counted in 0 messages\n", "{again:?}");
    fs::write(&file, lines(300_002) + "unfinished").expect("appending");
    let more = fourth.run(WITHIN);
    assert_eq!(more.stdout, "2 records counted in 1 messages\n", "{more:?}");
    fs::write(&file, lines(300_002)).expect("writing");
    assert_counted(&cluster, &file);
}

#[test]
fn a_python_producer_that_is_refused_says_why() {
    let Some(python) = python() else { return };
    let cluster = cluster(1);
    let file = cluster.folder().join("jobs.csv");
    fs::write(&file, "a,b\n").expect("writing");
    let finished = Program::at(cluster.folder(), "bad", &python)
        .arg(python_example().join("push.py"))
        .args(["--to", &local(cluster.ingests[0].port), "--producer", "two words"])
        .arg(&file)
        .run(WITHIN);
    assert_ne!(finished.code(), 0);
    assert!(finished.stderr.contains("INVALID_ARGUMENT"), "{finished:?}");
}

#[test]
fn the_curl_example_shows_what_it_says() {
    let cluster = cluster(1);
    let url = format!("http://{}", local(cluster.ingests[0].push));
    let script = root().join("examples/push/curl.sh");
    let run = |name: &str| Program::at(cluster.folder(), name, &script).arg(&url).run(WITHIN);
    let first = run("first");
    assert_eq!(first.code(), 0, "{first:?}");
    for said in
        ["\"exactly_once\"", "\"at_least_once\"", "\"duplicate\":true", "\"job\":\"backup\""]
    {
        assert!(first.stdout.contains(said), "{said} is not in\n{}", first.stdout);
    }
    let second = run("second");
    assert_eq!(second.code(), 0, "{second:?}");

    // Without a key or a producer everything counts twice; with one, once.
    let expected = [
        ("web1", "backup", 2),
        ("web1", "sync", 2),
        ("web2", "backup", 2),
        ("web2", "sync", 2),
        ("web3", "backup", 2),
        ("web4", "backup", 4),
        ("web5", "backup", 1),
        ("web6", "backup", 1),
        ("web6", "sync", 1),
    ];
    let page = until("the page", WITHIN, || {
        let page = http::get(cluster.exporters[0].port, "/metrics").map_err(|e| e.to_string())?;
        let text = page.text();
        let all = expected.iter().all(|(host, job, count)| {
            let series = logtally_e2e::exposition::series(host, job);
            text.lines().any(|line| line == format!("{series} {count}"))
        });
        holds(all, || text.clone())?;
        Ok(text)
    });
    let saved: Vec<&str> = page.lines().filter(|l| l.starts_with("backup_bytes_total{")).collect();
    assert!(saved.len() == 1 && saved[0].ends_with(" 2048"), "{saved:?}");
}
