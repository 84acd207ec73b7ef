//! Inputs that are no readable files: each is named in a clear error, never hangs the program, and
//! never keeps the others from being counted.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use logtally_e2e::binaries::binary;
use logtally_e2e::cluster::wait_for_records;
use logtally_e2e::exposition::{parse, series};
use logtally_e2e::one_process::{ONCE, OneProcess, once};
use logtally_e2e::program::{Finished, Program};
use tempfile::TempDir;

/// A folder with one good log of three records.
fn folder_with_log() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let good = folder.path().join("good.csv");
    fs::write(&good, "a,b\na,b\na,b\n").expect("writing a log");
    (folder, good)
}

/// The good log is counted, the bad input is named, and the exit code says that something was wrong.
fn check(bad: &Path, finished: &Finished) {
    let counts = parse(&finished.stdout).expect("a page");
    assert_eq!(counts.get(&series("a", "b")), Some(&3), "{finished:?}");
    assert_eq!(finished.code(), 1, "{finished:?}");
    let name = bad.file_name().expect("a name").to_string_lossy();
    let said = finished.stderr.lines().any(|line| line.contains(&*name));
    assert!(said, "{name} is not named in:\n{}", finished.stderr);
}

fn check_once(make: impl FnOnce(&Path) -> PathBuf) {
    let (folder, good) = folder_with_log();
    let bad = make(folder.path());
    check(&bad, &once(folder.path(), "memory:", &[&bad, &good]));
}

fn fifo(folder: &Path) -> PathBuf {
    let path = folder.join("pipe.csv");
    let made = Command::new("mkfifo").arg(&path).status().expect("mkfifo");
    assert!(made.success());
    path
}

fn link_to(folder: &Path, target: &str) -> PathBuf {
    let path = folder.join("link.csv");
    symlink(target, &path).expect("making a link");
    path
}

#[test]
fn a_missing_file() {
    check_once(|folder| folder.join("missing.csv"));
}

#[test]
fn a_pattern_without_a_match() {
    check_once(|folder| folder.join("*.nothing"));
}

#[test]
fn a_directory() {
    check_once(|folder| {
        let path = folder.join("folder.csv");
        fs::create_dir(&path).expect("making a directory");
        path
    });
}

#[test]
fn a_link_to_nothing() {
    check_once(|folder| link_to(folder, "nowhere"));
}

#[test]
fn a_link_to_itself() {
    check_once(|folder| link_to(folder, "link.csv"));
}

#[test]
fn a_pipe_that_nobody_writes() {
    check_once(fifo);
}

#[test]
fn a_device_without_an_end() {
    check_once(|_| PathBuf::from("/dev/zero"));
}

#[test]
fn a_file_without_permission() {
    let (folder, good) = folder_with_log();
    let bad = folder.path().join("secret.csv");
    fs::write(&bad, "a,b\n").expect("writing a log");
    fs::set_permissions(&bad, fs::Permissions::from_mode(0o000)).expect("forbidding to read");
    let finished = if fs::File::open(&bad).is_ok() {
        once_as_nobody(folder.path(), &[&bad, &good])
    } else {
        once(folder.path(), "memory:", &[&bad, &good])
    };
    check(&bad, &finished);
}

/// Root may read everything, so it becomes somebody else.
fn once_as_nobody(folder: &Path, inputs: &[&PathBuf]) -> Finished {
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).expect("opening the folder");
    let program = folder.join("logtally");
    fs::copy(binary("logtally"), &program).expect("a copy of the program for everybody");
    Program::at(folder, "nobody", "setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(program)
        .args(["run", "--once", "--store", "memory:"])
        .args(inputs)
        .run(ONCE)
}

#[test]
fn all_of_them_at_once_while_following() {
    let (folder, good) = folder_with_log();
    fifo(folder.path());
    link_to(folder.path(), "link.csv");
    fs::create_dir(folder.path().join("folder.csv")).expect("making a directory");
    let late = folder.path().join("late.csv");
    let inputs = [folder.path().join("*.csv"), folder.path().join("*.nothing"), late.clone()];
    let mut one = OneProcess::new(folder.path(), "store", &inputs);
    one.program.start();
    wait_for_records(one.port, 3, ONCE);
    // What is missing may come later.
    fs::copy(&good, &late).expect("writing a log");
    wait_for_records(one.port, 6, ONCE);
    one.program.assert_running();
}
