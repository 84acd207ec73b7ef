//! What happens to files behind a reader's back: truncated, replaced, compressed, rotated with an
//! unfinished line, their inode given to another file.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use logtally_e2e::cluster::{scrape, wait_for_records};
use logtally_e2e::exposition::{Counts, counted_series, series};
use logtally_e2e::one_process::OneProcess;
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
        let one = one.args(&["--follow.rotate-wait-ms", "1000"]);
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
fn out_of_sight_for_a_moment_with_an_unfinished_line() {
    let scene = Scene::start(10);
    append(&scene.log(), "old,j");
    // As if the folder could not be listed for a moment.
    fs::rename(scene.log(), scene.folder.path().join("elsewhere")).expect("moving the log away");
    scene.one.program.wait_for_output("gone from its path", CATCH_UP);
    fs::rename(scene.folder.path().join("elsewhere"), scene.log()).expect("moving it back");
    // Longer than the wait after which the last line of a rotated file counts: nothing may happen.
    std::thread::sleep(Duration::from_millis(2_500));
    append(&scene.log(), "ob\n");
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
