//! What committing, loading and folding many series costs an embedded store, in CPU time.

use std::sync::Arc;
use std::time::Instant;

use logtally_core::batch::Batch;
use logtally_core::delta::{Delta, Span};
use logtally_core::journal::Nonce;
use logtally_core::partition::Partition;
use logtally_core::series::{Family, Increments, Kind, SeriesKey};
use logtally_core::source::{Generation, RecordCounts, SourceId, SourceState, Tail};
use logtally_store::embedded::EmbeddedStore;
use logtally_store::{Opening, SharedStore};

const P: Partition = Partition(0);

/// User and system time of this process, in hundredths of a second.
fn cpu() -> (u64, u64) {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let after = stat.rsplit_once(')').expect("a name").1;
    let words: Vec<u64> = after.split_whitespace().skip(1).filter_map(|w| w.parse().ok()).collect();
    (words[9], words[10])
}

struct Step(&'static str, (u64, u64), Instant);

impl Step {
    fn begin(name: &'static str) -> Self {
        Self(name, cpu(), Instant::now())
    }

    fn end(self) {
        let (user, sys) = cpu();
        let stat = std::fs::read_to_string("/proc/self/status").expect("Linux");
        let rss: Vec<&str> =
            stat.lines().filter(|l| l.starts_with("VmHWM") || l.starts_with("VmRSS")).collect();
        println!(
            "{:20} user {:4} sys {:4} ms, wall {:5} ms {rss:?}",
            self.0,
            (user - self.1.0) * 10,
            (sys - self.1.1) * 10,
            self.2.elapsed().as_millis()
        );
    }
}

fn delta(source: &SourceId, number: u64, id: &Family, keys: impl Iterator<Item = u64>) -> Delta {
    let keys = keys.map(|n| {
        let n = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        SeriesKey::new(id.id(), [&*format!("host-{:04}", n % 5000), &*format!("job-{n}")])
    });
    let keys: Vec<SeriesKey> = keys.collect();
    let tail = |n: u64| if n == 0 { Tail::empty() } else { Tail(n) };
    Delta {
        source: source.clone(),
        generation: Generation(1),
        span: Span::new(number, number + 1).expect("valid"),
        tail_before: tail(number),
        tail_after: tail(number + 1),
        note: None,
        records: RecordCounts::default(),
        families: vec![id.clone()],
        limits: Vec::new(),
        increments: Increments::pack(keys.iter().map(|key| (key.as_bytes(), 3))),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let args: Vec<u64> = std::env::args().skip(1).filter_map(|a| a.parse().ok()).collect();
    let (series, deltas) =
        (args.first().copied().unwrap_or(1_700_000), args.get(1).copied().unwrap_or(2));
    let dir = tempfile::tempdir_in(".").expect("a folder");
    let store: SharedStore = Arc::new(EmbeddedStore::open(dir.path()).expect("opens"));
    store.create(None).await.expect("creates");
    let source = SourceId::new("a").expect("valid");
    let fresh = SourceState::start(Generation(1));
    store.open(P, &Opening { source: source.clone(), expected: None, fresh }).await.expect("opens");
    let family = Family::new("n", Kind::Gauge, "", &["host", "job"]);
    for number in 0..deltas {
        let shift = number * series / 9;
        let delta = delta(&source, number, &family, shift..shift + series);
        println!("{} bytes", delta.increments.len());
        let step = Step::begin("parse");
        let again = Increments::parse(delta.increments.as_bytes().clone()).expect("packed by us");
        step.end();
        assert_eq!(again, delta.increments);
        let step = Step::begin("batch and commit");
        let (batch, _) = Batch::build([delta]);
        let done = store.commit(P, &batch, Nonce(number + 1)).await.expect("commits");
        step.end();
        assert!(done.applied.is_some());
    }
    let step = Step::begin("load from journal");
    let loaded = store.load(P).await.expect("loads").counts;
    step.end();
    let step = Step::begin("sum");
    let sum: u64 = loaded.iter().map(|(_, count)| count.amount.count).sum();
    step.end();
    println!("{} series, {sum} records", loaded.len());
    let step = Step::begin("fold");
    store.fold(P).await.expect("folds");
    step.end();
    let step = Step::begin("load from counts");
    let loaded = store.load(P).await.expect("loads").counts;
    step.end();
    let again: u64 = loaded.iter().map(|(_, count)| count.amount.count).sum();
    assert_eq!(again, sum);
    for number in deltas..deltas + 5 {
        let delta = delta(&source, number, &family, number * 1000..number * 1000 + 300);
        let (batch, _) = Batch::build([delta]);
        store.commit(P, &batch, Nonce(number + 1)).await.expect("commits");
        let step = Step::begin("fold of 300 series");
        store.fold(P).await.expect("folds");
        step.end();
    }
    println!(
        "{} bytes of file",
        std::fs::metadata(dir.path().join("logtally.redb")).expect("there").len()
    );
}
