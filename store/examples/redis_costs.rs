//! What commits and folds cost a Redis server, beside pipelined HINCRBY on the same one; what a series
//! takes there; and what a cold load costs. Arguments: series, commits.

use std::time::Instant;

use logtally_core::batch::Batch;
use logtally_core::delta::{Delta, Span};
use logtally_core::journal::Nonce;
use logtally_core::partition::Partition;
use logtally_core::series::{Family, Increments, Kind, SeriesKey};
use logtally_core::source::{Generation, RecordCounts, SourceId, SourceState, Tail};
use logtally_store::redis::{RedisOptions, RedisStore};
use logtally_store::{CountStore, Opening, SnapshotReader};
use logtally_testkit::RedisServer;

const P: Partition = Partition(0);

/// Increments in one commit.
const PER_COMMIT: usize = 10_000;

/// Commits between two folds.
const PER_FOLD: u64 = 64;

struct Server(redis::Connection);

impl Server {
    fn info(&mut self, field: &str) -> f64 {
        let info: String = redis::cmd("INFO").query(&mut self.0).expect("answers");
        let line = info.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        line.and_then(|value| value.trim().parse().ok()).expect("a number")
    }

    fn cpu(&mut self) -> f64 {
        self.info("used_cpu_user") + self.info("used_cpu_sys")
    }

    fn slowest_ms(&mut self) -> f64 {
        let log: Vec<(u64, u64, u64, Vec<String>, String, String)> =
            redis::cmd("SLOWLOG").arg("GET").arg(-1).query(&mut self.0).expect("answers");
        let slowest = log.iter().max_by_key(|entry| entry.2);
        slowest.map_or(0.0, |entry| {
            println!("slowest: {:?}", &entry.3[..1]);
            entry.2 as f64 / 1000.0
        })
    }
}

fn own_cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let after = stat.rsplit_once(')').expect("a name").1;
    let words: Vec<u64> = after.split_whitespace().skip(1).filter_map(|w| w.parse().ok()).collect();
    (words[9] + words[10]) as f64 / 100.0
}

fn key(family: &Family, n: u64) -> SeriesKey {
    SeriesKey::new(family.id(), [&*format!("host-{:04}", n % 1000), &*format!("job-{n:06}")])
}

fn delta(source: &SourceId, number: u64, family: &Family, series: u64) -> Delta {
    let keys =
        (0..PER_COMMIT as u64).map(|i| key(family, (number * PER_COMMIT as u64 + i) % series));
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
        families: vec![family.clone()],
        limits: Vec::new(),
        increments: Increments::pack(keys.iter().map(|key| (key.as_bytes(), 3))),
    }
}

fn hincrby(server: &mut Server, family: &Family, series: u64, total: u64) -> f64 {
    let before = server.cpu();
    for first in (0..total).step_by(1_000) {
        let mut pipeline = redis::pipe();
        for n in first..first + 1_000 {
            let key = key(family, n % series);
            pipeline.cmd("HINCRBY").arg("h").arg(key.as_bytes()).arg(3).ignore();
        }
        pipeline.query::<()>(&mut server.0).expect("answers");
    }
    let used = server.cpu() - before;
    redis::cmd("DEL").arg("h").query::<()>(&mut server.0).expect("answers");
    used * 1e6 / total as f64
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let args: Vec<u64> = std::env::args().skip(1).filter_map(|a| a.parse().ok()).collect();
    let (series, commits) =
        (args.first().copied().unwrap_or(10_000), args.get(1).copied().unwrap_or(320));
    let redis = RedisServer::start(&[
        "--appendonly",
        "yes",
        "--appendfsync",
        "everysec",
        "--slowlog-log-slower-than",
        "3000",
    ]);
    let client = redis::Client::open(redis.url()).expect("an address");
    let mut server = Server(client.get_connection().expect("connects"));
    let family = Family::new("n", Kind::Counter, "", &["host", "job"]);
    let total = commits * PER_COMMIT as u64;
    let base = hincrby(&mut server, &family, series, total.min(2_000_000));
    println!("pipelined HINCRBY: {base:.3} us");

    let store = RedisStore::connect(&redis.url(), RedisOptions::default()).expect("an address");
    store.create(Some(1)).await.expect("creates");
    let source = SourceId::new("a").expect("valid");
    let fresh = SourceState::start(Generation(1));
    store.open(P, &Opening { source: source.clone(), expected: None, fresh }).await.expect("opens");
    let empty = server.info("used_memory");
    let (mut committing, mut folding, mut folder) = (0.0, 0.0, 0.0);
    for number in 0..commits {
        let (batch, _) = Batch::build([delta(&source, number, &family, series)]);
        let before = server.cpu();
        store
            .commit(P, &batch, Nonce(number + 1))
            .await
            .expect("commits")
            .applied
            .expect("applied");
        committing += server.cpu() - before;
        if number % PER_FOLD == PER_FOLD - 1 || number + 1 == commits {
            let (before, own) = (server.cpu(), own_cpu());
            store.fold(P).await.expect("folds");
            folding += server.cpu() - before;
            folder += own_cpu() - own;
        }
    }
    let each = |cpu: f64| cpu * 1e6 / total as f64;
    println!("commit: {:.3} us, 1/{:.1} of HINCRBY", each(committing), base / each(committing));
    println!("fold: {:.3} us at the server, {:.3} us here", each(folding), each(folder));
    println!(
        "both: {:.3} us, {:.2} of HINCRBY",
        each(committing + folding),
        each(committing + folding) / base
    );
    let counts: Vec<String> =
        redis::cmd("KEYS").arg("*counts*").query(&mut server.0).expect("answers");
    let bytes: u64 = counts
        .iter()
        .map(|key| {
            redis::cmd("MEMORY")
                .arg("USAGE")
                .arg(key)
                .arg("SAMPLES")
                .arg(0)
                .query::<u64>(&mut server.0)
                .expect("answers")
        })
        .sum();
    println!(
        "counts: {:.0} bytes per series; all of it: {:.0} MiB",
        bytes as f64 / series as f64,
        (server.info("used_memory") - empty) / 1_048_576.0
    );
    println!("slowest command so far: {:.1} ms", server.slowest_ms());
    redis::cmd("SLOWLOG").arg("RESET").query::<()>(&mut server.0).expect("answers");
    let (before, own, wall) = (server.cpu(), own_cpu(), Instant::now());
    let loaded = store.load(P).await.expect("loads").counts;
    println!(
        "load of {} series: {} ms, CPU {:.2} s here, {:.2} s at the server",
        loaded.len(),
        wall.elapsed().as_millis(),
        own_cpu() - own,
        server.cpu() - before
    );
    println!("slowest command of the load: {:.1} ms", server.slowest_ms());
}
