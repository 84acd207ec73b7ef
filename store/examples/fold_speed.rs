#![allow(missing_docs, clippy::pedantic, clippy::unwrap_used)]
use logtally_core::{
    batch::Batch, delta::*, journal::Nonce, partition::Partition, series::*, source::*,
};
use logtally_store::{embedded::EmbeddedStore, *};
use std::time::Instant;
fn rss() -> u64 {
    let s = std::fs::read_to_string("/proc/self/status").unwrap();
    let f = |n: &str| {
        s.lines()
            .find(|l| l.starts_with(n))
            .unwrap()
            .split_whitespace()
            .nth(1)
            .unwrap()
            .parse::<u64>()
            .unwrap()
            / 1024
    };
    f("VmHWM") * 100000 + f("VmRSS")
}
#[tokio::main]
async fn main() {
    let total: u64 = std::env::args().nth(1).unwrap().parse().unwrap();
    let per: u64 = 4000;
    let p = Partition(0);
    let dir = std::path::Path::new("/tmp/foldspeed");
    let _ = std::fs::remove_dir_all(dir);
    let s = EmbeddedStore::open(dir).unwrap();
    s.create(None).await.unwrap();
    let fam = Family {
        name: "l".into(),
        kind: Kind::Counter,
        help: "x".into(),
        labels: vec!["host".into(), "job".into()],
    };
    let src = SourceId::new("file/a").unwrap();
    let tail = |p: u64| if p == 0 { Tail::empty() } else { Tail(p) };
    s.open(
        p,
        &Opening { source: src.clone(), expected: None, fresh: SourceState::start(Generation(1)) },
    )
    .await
    .unwrap();
    let mut at = 0;
    for pass in 0..2 {
        let (mut tc, mut tf) = (0.0, 0.0);
        let mut i = 0;
        let mut n = 0;
        while i < total {
            let keys: Vec<SeriesKey> = (i..(i + per).min(total))
                .map(|k| {
                    let k = (k * 7919) % total;
                    SeriesKey::new(
                        fam.id(),
                        [
                            format!("server-{:05}.example", k / 100).as_str(),
                            format!("backup-job-{}", k % 100).as_str(),
                        ],
                    )
                })
                .collect();
            i += per;
            let d = Delta {
                source: src.clone(),
                generation: Generation(1),
                span: Span::new(at, at + 1).unwrap(),
                tail_before: tail(at),
                tail_after: tail(at + 1),
                header: None,
                records: RecordCounts::default(),
                families: vec![fam.clone()],
                increments: Increments::pack(keys.iter().map(|k| (k.as_bytes(), 1))),
            };
            at += 1;
            let (b, _) = Batch::build([d]);
            let t = Instant::now();
            assert!(s.commit(p, &b, Nonce(at)).await.unwrap().applied.is_some());
            tc += t.elapsed().as_secs_f64();
            n += 1;
            if n % 64 == 0 {
                let t = Instant::now();
                s.fold(p).await.unwrap();
                tf += t.elapsed().as_secs_f64();
            }
        }
        let t = Instant::now();
        s.fold(p).await.unwrap();
        tf += t.elapsed().as_secs_f64();
        println!(
            "pass {pass}: commits {n} {tc:.2}s, fold {tf:.2}s, rss hwm/now {}/{}",
            rss() / 100000,
            rss() % 100000
        );
    }
    println!("file {} MB", std::fs::metadata(dir.join("logtally.redb")).unwrap().len() >> 20);
    let t = Instant::now();
    let snap = s.load(p).await.unwrap();
    println!(
        "load {} in {:.2}s rss {}",
        snap.counts.len(),
        t.elapsed().as_secs_f64(),
        rss() % 100000
    );
    drop(snap);
    let t = Instant::now();
    drop(s);
    println!("close {:.2}", t.elapsed().as_secs_f64());
    if std::env::args().nth(2).is_some() {
        let s = EmbeddedStore::open(dir).unwrap();
        std::mem::forget(s);
    }
}
