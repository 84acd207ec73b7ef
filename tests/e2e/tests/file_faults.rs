//! What happens to files behind a reader's back: truncated, replaced, compressed, rotated with an
//! unfinished line, their inode given to another file.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use logtally_e2e::binaries::binary;
use logtally_e2e::cluster::{scrape, wait_for_records};
use logtally_e2e::exposition::{Counts, READ, counted_series, series};
use logtally_e2e::http;
use logtally_e2e::one_process::OneProcess;
use logtally_e2e::program::Program;
use logtally_e2e::wait::{holds, until};
use logtally_testkit::{free_port, local};
use tempfile::TempDir;

const CATCH_UP: Duration = Duration::from_mins(1);

/// A log and a process that follows everything that is named like it.
struct Scene {
    folder: TempDir,
    one: OneProcess,
}

impl Scene {
    /// A log with `lines` of `old,job`, all of them counted.
    fn start(lines: u64) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let pattern = folder.path().join("log.csv*");
        let one = OneProcess::new(folder.path(), "store", &[pattern]);
        let one = one.args(&["--follow.rotate-wait", "1s"]);
        let mut scene = Self { folder, one };
        write(&scene.log(), &line("old").repeat(lines as usize));
        scene.one.program.start();
        scene.counted(&[("old", lines)]);
        scene
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log.csv")
    }

    fn copy(&self) -> PathBuf {
        self.folder.path().join("log.csv.1")
    }

    /// Waits until there are as many records as expected, and demands that they are these.
    fn counted(&self, expected: &[(&str, u64)]) {
        let expected: Counts = expected.iter().map(|(h, n)| (series(h, "job"), *n)).collect();
        wait_for_records(self.one.port, expected.values().sum(), CATCH_UP);
        let got = counted_series(&scrape(self.one.port).expect("a page"));
        assert_eq!(got, expected);
    }

    /// A process that was killed knows no more than its store.
    fn restart(&mut self) {
        self.one.program.restart();
    }
}

fn line(host: &str) -> String {
    format!("{host},job\n")
}

/// Replaces the content in place, like `> log`.
fn write(path: &Path, text: &str) {
    fs::write(path, text).expect("writing a log");
}

fn append(path: &Path, text: &str) {
    let mut file = OpenOptions::new().append(true).open(path).expect("a log");
    file.write_all(text.as_bytes()).expect("appending to a log");
}

#[test]
fn truncated_and_grown_past_the_position() {
    let mut scene = Scene::start(1_000);
    write(&scene.log(), &line("new").repeat(3_000));
    scene.counted(&[("old", 1_000), ("new", 3_000)]);
    scene.restart();
    append(&scene.log(), &line("new"));
    scene.counted(&[("old", 1_000), ("new", 3_001)]);
}

#[test]
fn truncated_and_grown_while_nobody_looked() {
    let mut scene = Scene::start(1_000);
    scene.one.program.kill();
    write(&scene.log(), &line("new").repeat(3_000));
    scene.one.program.start();
    scene.counted(&[("old", 1_000), ("new", 3_000)]);
}

#[test]
fn truncated_to_nothing_and_begun_again() {
    let scene = Scene::start(1_000);
    write(&scene.log(), "");
    append(&scene.log(), &line("new"));
    scene.counted(&[("old", 1_000), ("new", 1)]);
}

#[test]
fn replaced_by_a_rename() {
    let scene = Scene::start(1_000);
    let next = scene.folder.path().join("next");
    write(&next, &line("new").repeat(10));
    fs::rename(&next, scene.log()).expect("replacing the log");
    scene.counted(&[("old", 1_000), ("new", 10)]);
}

#[test]
fn rotated_many_times_in_a_row() {
    const TIMES: u64 = 50;
    let scene = Scene::start(10);
    for n in 0..TIMES {
        append(&scene.log(), &line("last").repeat(3));
        let copy = scene.folder.path().join(format!("log.csv.{n}"));
        fs::rename(scene.log(), copy).expect("rotating the log");
        write(&scene.log(), &line("first"));
    }
    scene.counted(&[("old", 10), ("last", 3 * TIMES), ("first", TIMES)]);
}

#[test]
fn rotated_with_an_unfinished_line() {
    let scene = Scene::start(10);
    append(&scene.log(), "old,job");
    fs::rename(scene.log(), scene.copy()).expect("rotating the log");
    write(&scene.log(), &line("new"));
    scene.counted(&[("old", 11), ("new", 1)]);
}

#[test]
fn a_folder_that_cannot_be_listed_for_a_moment_changes_nothing() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let logs = folder.path().join("logs");
    fs::create_dir(&logs).expect("a folder");
    let log = logs.join("log.csv");
    write(&log, "old,job\nold,j");
    for path in [folder.path(), &logs] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("permissions");
    }
    let pattern = logs.join("log.csv*");
    let (port, admin) = (free_port(), free_port());
    // Root may list any folder; and whoever owns one could still open it.
    let mut program = Program::at(folder.path(), "nobody", "/usr/bin/setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(binary("logtally"))
        .args(["run", "--store", "memory:", "--follow.rotate-wait", "300ms"])
        .args(["--follow.poll-interval", "50ms"])
        .args(["--web.listen-address", &local(port), "--admin.listen-address", &local(admin)])
        .arg(&pattern);
    program.start();
    wait_for_records(port, 1, CATCH_UP);
    // Its files can be looked at and opened, but not found.
    fs::set_permissions(&logs, fs::Permissions::from_mode(0o711)).expect("permissions");
    program.wait_for_output("gone from its path", CATCH_UP);
    // Much longer than the wait after which the last line of a rotated file counts.
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(scrape(port).expect("a page")[READ], 1, "half a line was counted");
    fs::set_permissions(&logs, fs::Permissions::from_mode(0o755)).expect("permissions");
    append(&log, "ob\n");
    wait_for_records(port, 2, CATCH_UP);
    assert_eq!(scrape(port).expect("a page")[&series("old", "job")], 2);
}

/// The value of a metric of the process itself.
fn admin(scene: &Scene, name: &str) -> u64 {
    let page = http::get(scene.one.admin, "/metrics").expect("a page").text();
    let value = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.and_then(|v| v.parse().ok()).unwrap_or_else(|| panic!("no {name}"))
}

#[test]
fn copied_and_truncated() {
    const ROUNDS: u64 = 20;
    const LOST: &str = "logtally_ingest_suspected_lost_bytes_total";
    let scene = Scene::start(10);
    for n in 1..=ROUNDS {
        append(&scene.log(), &line(&format!("h{n}")).repeat(500));
        // What logrotate does: a copy, and then the log begins again in place.
        fs::copy(scene.log(), scene.folder.path().join("kept.by.logrotate")).expect("copying");
        write(&scene.log(), "");
    }
    append(&scene.log(), &line("last"));
    let newest = series("last", "job");
    until("the last line", CATCH_UP, || {
        holds(scrape(scene.one.port)?.contains_key(&newest), || "not counted".to_owned())
    });
    let page = counted_series(&scrape(scene.one.port).expect("a page"));
    assert_eq!((page[&newest], page[&series("old", "job")]), (1, 10));
    let lost: u64 = (1..=ROUNDS)
        .map(|n| page.get(&series(&format!("h{n}"), "job")).copied().unwrap_or(0))
        .inspect(|n| assert!(*n <= 500, "above the truth: {page:?}"))
        .map(|n| 500 - n)
        .sum();
    println!(
        "{lost} records were gone before they were read; suspected bytes: {}",
        admin(&scene, LOST)
    );
}

#[test]
fn a_truncation_before_everything_was_read_is_loud() {
    let scene = Scene::start(10);
    scene.one.program.pause();
    append(&scene.log(), &line("lost").repeat(100));
    scene.one.program.resume();
    scene.counted(&[("old", 10), ("lost", 100)]);
    assert_eq!(admin(&scene, "logtally_ingest_suspected_lost_bytes_total"), 0);
    append(&scene.log(), "half of a line that never ends");
    until("the half is seen", CATCH_UP, || {
        holds(admin(&scene, "logtally_ingest_behind_bytes") == 30, || "not seen".to_owned())
    });
    write(&scene.log(), &line("new"));
    scene.counted(&[("old", 10), ("lost", 100), ("new", 1)]);
    assert_eq!(admin(&scene, "logtally_ingest_suspected_lost_bytes_total"), 30);
}

#[test]
fn a_file_that_vanishes_and_comes_back_goes_on() {
    let scene = Scene::start(10);
    let away = scene.folder.path().join("elsewhere");
    fs::rename(scene.log(), &away).expect("moving the log away");
    scene.one.program.wait_for_output("closed the file", CATCH_UP);
    append(&away, &line("old").repeat(5));
    fs::rename(&away, scene.log()).expect("moving it back");
    scene.counted(&[("old", 15)]);
}

#[test]
fn links_are_followed_and_a_swapped_folder_is_another_one() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = |name: &str| folder.path().join(name);
    for (version, host) in [("v1", "one"), ("v2", "two")] {
        fs::create_dir(at(version)).expect("a folder");
        write(&at(version).join("log.csv"), &line(host).repeat(3));
    }
    // As a ConfigMap is mounted: a link to a folder that is swapped as a whole, and links through it.
    symlink("v1", at("data")).expect("a link");
    symlink("data/log.csv", at("log.csv")).expect("a link");
    let mut one = OneProcess::new(folder.path(), "store", &[at("log.csv")])
        .args(&["--follow.poll-interval", "50ms"]);
    one.program.start();
    wait_for_records(one.port, 3, CATCH_UP);
    symlink("v2", at("data.new")).expect("a link");
    fs::rename(at("data.new"), at("data")).expect("swapping the folder");
    wait_for_records(one.port, 6, CATCH_UP);
    let page = scrape(one.port).expect("a page");
    assert_eq!((page[&series("one", "job")], page[&series("two", "job")]), (3, 3));
}

#[test]
fn without_events_looking_from_time_to_time_is_enough() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let log = folder.path().join("log.csv");
    let one = OneProcess::new(folder.path(), "store", &[folder.path().join("log.csv*")]);
    let args = ["--follow.poll-only", "--follow.poll-interval", "50ms"];
    let mut scene = Scene { one: one.args(&args), folder };
    write(&log, &line("old"));
    scene.one.program.start();
    scene.counted(&[("old", 1)]);
    for n in 0..5 {
        append(&log, &line("old"));
        let copy = scene.folder.path().join(format!("log.csv.{n}"));
        fs::rename(&log, copy).expect("rotating the log");
        write(&log, &line("old"));
        scene.restart();
    }
    scene.counted(&[("old", 11)]);
}

#[test]
fn compressed_after_its_rotation() {
    let mut scene = Scene::start(1_000);
    fs::rename(scene.log(), scene.copy()).expect("rotating the log");
    write(&scene.log(), &line("new"));
    scene.counted(&[("old", 1_000), ("new", 1)]);
    let packed = fs::File::create(scene.folder.path().join("log.csv.1.gz")).expect("a file");
    let mut packed = GzEncoder::new(packed, Compression::fast());
    packed.write_all(&fs::read(scene.copy()).expect("the copy")).expect("packing");
    packed.finish().expect("packing");
    fs::remove_file(scene.copy()).expect("removing the copy");
    scene.restart();
    append(&scene.log(), &line("new"));
    scene.counted(&[("old", 1_000), ("new", 2)]);
}

#[test]
fn an_inode_that_comes_back_is_another_file() {
    let mut scene = Scene::start(1_000);
    let inode = fs::metadata(scene.log()).expect("the log").ino();
    // While the process follows the log it keeps the inode in use.
    scene.one.program.kill();
    fs::remove_file(scene.log()).expect("removing the log");
    let reused = (0..1_000).any(|n| {
        let path = scene.folder.path().join(format!("try.{n}"));
        write(&path, &line("new").repeat(2_000));
        let same = fs::metadata(&path).expect("a file").ino() == inode;
        fs::rename(&path, scene.log()).expect("putting a file in the log's place");
        same
    });
    println!("the inode was reused: {reused}");
    scene.one.program.start();
    scene.counted(&[("old", 1_000), ("new", 2_000)]);
}
