//! Other rules while records come in: each record counts under exactly one set of rules, whatever
//! happens in between; a bad configuration changes nothing; new rules can count what was there.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use logtally_e2e::cluster::{scrape, wait_for_records};
use logtally_e2e::configuration::configure;
use logtally_e2e::exposition::{COUNTED, Counts, READ};
use logtally_e2e::http;
use logtally_e2e::one_process::OneProcess;
use logtally_e2e::seed;
use logtally_e2e::wait::{holds, until};
use rand::Rng;
use tempfile::TempDir;

const CATCH_UP: Duration = Duration::from_mins(1);

struct Scene {
    folder: TempDir,
    one: OneProcess,
}

impl Scene {
    /// A process that follows `log.csv*` by the rules.
    fn start(rules: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let none: [&str; 0] = [];
        let one = OneProcess::new(folder.path(), "store", &none)
            .config(folder.path(), &yaml(folder.path(), rules))
            .args(&["--web.enable-lifecycle"]);
        let mut scene = Self { folder, one };
        scene.append("web1,backup\n");
        scene.one.program.start();
        wait_for_records(scene.one.port, 1, CATCH_UP);
        scene
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log.csv")
    }

    fn append(&self, text: &str) {
        let mut file =
            OpenOptions::new().create(true).append(true).open(self.log()).expect("a log");
        file.write_all(text.as_bytes()).expect("appending to a log");
    }

    fn configure(&self, rules: &str) {
        configure(self.folder.path(), &yaml(self.folder.path(), rules));
    }

    /// Puts other rules in force and waits until the process has them.
    fn reload(&self, rules: &str) {
        self.configure(rules);
        let before = self.reloads("ok");
        self.one.program.hang_up();
        until("the reload", CATCH_UP, || {
            holds(self.reloads("ok") > before, || "not reloaded".to_owned())
        });
    }

    fn admin(&self, name: &str) -> Option<u64> {
        let page = http::get(self.one.admin, "/metrics").ok()?.text();
        page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
    }

    fn reloads(&self, result: &str) -> u64 {
        self.admin(&format!("logtally_config_reloads_total{{result=\"{result}\"}}")).unwrap_or(0)
    }

    /// A page; a process that was just restarted may need a moment.
    fn page(&self) -> Counts {
        until("a page", CATCH_UP, || scrape(self.one.port))
    }

    fn count(&self, series: &str) -> u64 {
        self.page().get(series).copied().unwrap_or(0)
    }

    fn wait_for(&self, series: &str, expected: u64) {
        until(series, CATCH_UP, || {
            let now = self.count(series);
            holds(now == expected, || format!("{now} instead of {expected}"))
        });
    }
}

fn yaml(folder: &Path, rules: &str) -> String {
    let pattern = folder.join("log.csv*").display().to_string();
    format!(
        "inputs:\n- files: '{pattern}'\n  format: {{type: csv, columns: [host, job_name]}}\n  rules: {rules}\n"
    )
}

/// Appends lines until it is told to stop; returns how many.
fn writer(path: PathBuf, stop: Arc<AtomicBool>, written: Arc<AtomicU64>) -> JoinHandle<u64> {
    std::thread::spawn(move || {
        let mut file = OpenOptions::new().append(true).open(path).expect("a log");
        let mut total = 0;
        while !stop.load(Ordering::Relaxed) {
            file.write_all("web1,backup\n".repeat(200).as_bytes()).expect("appending");
            total += 200;
            written.store(total, Ordering::Relaxed);
            std::thread::sleep(Duration::from_millis(1));
        }
        total
    })
}

#[test]
fn every_record_counts_under_exactly_one_set_of_rules() {
    const ROUNDS: u64 = 12;
    let mut rng = seed::rng();
    let rules = |n: u64| format!("[{{metric: set{n}_total}}, {{metric: all_total}}]");
    let mut scene = Scene::start(&rules(0));
    let (stop, written) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let writing = writer(scene.log(), Arc::clone(&stop), Arc::clone(&written));
    for round in 1..=ROUNDS {
        std::thread::sleep(Duration::from_millis(rng.random_range(20..150)));
        scene.reload(&rules(round % 4));
        if rng.random_bool(0.3) {
            scene.one.program.restart();
            scene.page();
        }
    }
    stop.store(true, Ordering::Relaxed);
    let total = writing.join().expect("the writer") + 1;
    wait_for_records(scene.one.port, total, CATCH_UP);
    let page = scene.page();
    let sets: Vec<u64> =
        (0..4).map(|n| page.get(&format!("set{n}_total")).copied().unwrap_or(0)).collect();
    println!("by set: {sets:?}");
    assert_eq!(sets.iter().sum::<u64>(), total, "each record under one set");
    assert_eq!(page["all_total"], total, "and once under the rule that all sets have");
    assert_eq!((page[READ], page[COUNTED]), (total, total));
    assert!(sets.iter().all(|n| *n > 0), "{sets:?}");
}

#[test]
fn a_bad_configuration_is_refused_and_the_old_one_goes_on() {
    let scene = Scene::start("[{metric: a_total}]");
    scene.configure("[{metric: a_total, wen: {host: x}}]");
    scene.one.program.hang_up();
    until("the refusal", CATCH_UP, || {
        holds(scene.reloads("refused") == 1, || "not refused".to_owned())
    });
    assert_eq!(scene.admin("logtally_config_last_reload_successful"), Some(0));
    let answer = http::post(scene.one.admin, "/-/reload").expect("an answer");
    assert_eq!(answer.status, 400);
    let text = answer.text();
    assert!(text.contains("logtally.yaml:4:") && text.contains("when"), "{text}");
    scene.append("web1,backup\n");
    scene.wait_for("a_total", 2);
    scene.configure("[{metric: b_total}]");
    assert_eq!(http::post(scene.one.admin, "/-/reload").expect("an answer").status, 200);
    assert_eq!(scene.admin("logtally_config_last_reload_successful"), Some(1));
    until("the new rules", CATCH_UP, || {
        scene.append("web1,backup\n");
        holds(scene.count("b_total") > 0, || "nothing counted by the new rule".to_owned())
    });
}

const OLD: &str = "{metric: old_total}";
const NEW: &str = "{metric: new_total, labels: [host], backfill: true}";
const LIVE: &str = "{metric: live_total}";

#[test]
fn a_new_rule_counts_from_now_on_or_from_the_beginning() {
    let mut scene = Scene::start(&format!("[{OLD}]"));
    scene.append(&"web1,backup\n".repeat(9));
    scene.wait_for("old_total", 10);
    scene.reload(&format!("[{OLD}, {NEW}, {LIVE}]"));
    scene.wait_for("new_total{host=\"web1\"}", 10);
    scene.append(&"web1,backup\n".repeat(5));
    scene.wait_for("old_total", 15);
    scene.wait_for("new_total{host=\"web1\"}", 15);
    assert_eq!(scene.count("live_total"), 5);
    scene.one.program.restart();
    scene.append("web1,backup\n");
    scene.wait_for("old_total", 16);
    assert_eq!(scene.count("new_total{host=\"web1\"}"), 16, "not from the beginning again");
    // Away and back: what was not counted in between stays so.
    scene.reload(&format!("[{OLD}]"));
    until("the rule is gone", CATCH_UP, || {
        scene.append("web1,backup\n");
        std::thread::sleep(Duration::from_millis(50));
        let page = scene.page();
        let (old, new) = (page["old_total"], page["new_total{host=\"web1\"}"]);
        holds(old > new, || format!("{old} {new}"))
    });
}

#[test]
fn a_backfill_survives_crashes_under_load() {
    const LINES: u64 = 400_000;
    let mut rng = seed::rng();
    let mut scene = Scene::start(&format!("[{OLD}]"));
    scene.append(&"web1,backup\n".repeat(LINES as usize - 1));
    scene.wait_for("old_total", LINES);
    let (stop, written) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let writing = writer(scene.log(), Arc::clone(&stop), Arc::clone(&written));
    scene.configure(&format!("[{OLD}, {NEW}]"));
    scene.one.program.hang_up();
    for _ in 0..6 {
        std::thread::sleep(Duration::from_millis(rng.random_range(5..200)));
        scene.one.program.restart();
    }
    stop.store(true, Ordering::Relaxed);
    let total = writing.join().expect("the writer") + LINES;
    scene.wait_for("old_total", total);
    scene.wait_for("new_total{host=\"web1\"}", total);
    // Nothing comes later.
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(scene.count("new_total{host=\"web1\"}"), total);
}
