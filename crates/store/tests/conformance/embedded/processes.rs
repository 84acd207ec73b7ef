//! Two processes and one directory: a second one is refused, and what a killed one acknowledged is
//! there. The other process is this test binary, told by its environment to run one helper.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;

use logtally_core::limits::POSITION_MAX;
use logtally_store::embedded::EmbeddedStore;
use logtally_store::{SharedStore, StoreError};

use crate::words::{P, apply, gauge, install, lines, load, state, stored, sums_of};

const DIR: &str = "LOGTALLY_TEST_DIR";

/// What the helper prints after each acknowledged commit, before the position.
const ACKNOWLEDGED: &str = "acknowledged ";

/// Starts a process that opens the store in `dir`, and commits and folds until it is killed.
fn start(dir: &Path) -> (Child, BufReader<ChildStdout>) {
    let mut child = Command::new(std::env::current_exe().expect("our path"))
        .args(["--exact", "embedded::processes::commit_for_ever", "--ignored", "--nocapture"])
        .env(DIR, dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("a process");
    let output = BufReader::new(child.stdout.take().expect("piped"));
    (child, output)
}

fn acknowledged(line: &str) -> Option<u64> {
    // The test harness may have written to the same line.
    line.split_once(ACKNOWLEDGED).and_then(|(_, position)| position.trim().parse().ok())
}

#[tokio::test]
#[ignore = "the other process of the tests in this module"]
async fn commit_for_ever() {
    let Some(dir) = std::env::var_os(DIR) else { return };
    let store: SharedStore = Arc::new(EmbeddedStore::open(Path::new(&dir)).expect("opens"));
    store.create(None).await.expect("creates");
    install(&store, "a", state(1, 0)).await;
    for at in 0..POSITION_MAX {
        apply(&store, lines("a", 1, at..at + 1, &format!("h{}", at % 3))).await;
        println!("{ACKNOWLEDGED}{}", at + 1);
        if at % 4 == 3 {
            store.fold(P).await.expect("folds");
        }
    }
}

#[tokio::test]
async fn what_a_killed_process_acknowledged_is_there() {
    for kill_after in [1, 10, 25] {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let (mut child, output) = start(dir.path());
        let mut lines = output.lines().map_while(Result::ok);
        let seen = lines.by_ref().filter_map(|l| acknowledged(&l)).find(|n| *n >= kill_after);
        assert!(seen.is_some(), "the process ended by itself");
        child.kill().expect("killed");
        child.wait().expect("gone");
        let last = lines.filter_map(|l| acknowledged(&l)).last().or(seen).expect("seen");

        let store: SharedStore = Arc::new(EmbeddedStore::open(dir.path()).expect("opens"));
        let position = stored(&store, "a").await.expect("registered").position;
        // One commit may have been made whose acknowledgement was not printed.
        assert!((last..=last + 1).contains(&position), "{last} acknowledged, {position} stored");
        let counts = sums_of(&load(&store).await);
        for host in 0..3_u64 {
            let counted = counts.get(&gauge(&format!("h{host}"))).copied().unwrap_or(0);
            assert_eq!(counted, (0..position).filter(|at| at % 3 == host).count() as u64);
        }
    }
}

#[tokio::test]
async fn a_second_process_is_refused() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let (mut child, output) = start(dir.path());
    let running = output.lines().map_while(Result::ok).any(|line| acknowledged(&line).is_some());
    assert!(running, "the process ended by itself");
    let refused = EmbeddedStore::open(dir.path()).err();
    child.kill().expect("killed");
    child.wait().expect("gone");
    assert!(matches!(refused, Some(StoreError::InUse(_))), "{refused:?}");
}
