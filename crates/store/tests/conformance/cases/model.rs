//! Random histories against a naive model: two readers that know too little, deltas that come late,
//! twice or never, openings, folds, reports, and a store that loses its last steps.
//!
//! A history is a function of its seed. A failing one prints its seed; run it alone with
//! `LOGTALLY_SEED=<seed>`.

mod naive;

mod readers;

use std::collections::BTreeSet;

use logtally_core::batch::{Batch, Verdict};
use logtally_core::delta::Delta;
use logtally_core::journal::{Mark, Nonce, follow};
use logtally_core::series::SeriesKey;
use logtally_store::{Changes, Opening, TRIM_GRACE_MS};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

use self::naive::Naive;
use self::readers::{NAMES, Reader};
use crate::backend::Backend;
use crate::words::{P, Sums, changes, load, source, state, sums_of};

const STEPS: usize = 150;

pub(crate) async fn random_histories_match_a_naive_model<B: Backend>(_kind: B) {
    let chosen = std::env::var("LOGTALLY_SEED").ok().and_then(|seed| seed.parse().ok());
    let seeds = chosen.map_or(0..B::HISTORIES, |seed: u64| seed..seed + 1);
    for seed in seeds {
        let _told = TellSeed(seed);
        let mut history = History::<B>::new(seed).await;
        for _ in 0..STEPS {
            history.step().await;
        }
        history.check().await;
    }
}

/// Tells which history failed.
struct TellSeed(u64);

impl Drop for TellSeed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("history with LOGTALLY_SEED={}", self.0);
        }
    }
}

struct History<B> {
    rng: StdRng,
    place: B,
    naive: Naive,
    saved: Option<Naive>,
    readers: [Reader; 2],
    /// Deltas on their way. Some arrive more than once, some after a rollback.
    under_way: Vec<Delta>,
    /// Every place of the journal that there ever was.
    places: BTreeSet<(u64, u64)>,
}

impl<B: Backend> History<B> {
    async fn new(seed: u64) -> Self {
        let place = B::fresh().await;
        place.store().create(Some(1)).await.expect("a fresh place");
        Self {
            rng: StdRng::seed_from_u64(seed),
            place,
            naive: Naive::default(),
            saved: None,
            readers: Default::default(),
            under_way: Vec::new(),
            places: BTreeSet::from([(0, 0)]),
        }
    }

    async fn step(&mut self) {
        match self.rng.random_range(0..100) {
            0..30 => self.read(),
            30..60 => self.commit().await,
            60..72 => self.open().await,
            72..80 => self.fold().await,
            80..86 => self.report().await,
            86..87 => self.save().await,
            87..89 => self.roll_back().await,
            89 => self.forget_source().await,
            90..92 => self.forget().await,
            92 => self.tick().await,
            93..95 if B::CLOCK_IS_OURS => self.place.advance(TRIM_GRACE_MS / 2).await,
            _ => self.check().await,
        }
    }

    /// A reader reads on from where it believes to be.
    fn read(&mut self) {
        let reader = self.rng.random_range(0..2);
        let length = self.rng.random_range(1..=9);
        let wrong_tail = self.rng.random_bool(0.05);
        let read = self.readers[reader].read(pick(&mut self.rng), length, wrong_tail);
        self.under_way.extend(read);
    }

    /// Some of the deltas under way arrive together, and what fits is committed.
    async fn commit(&mut self) {
        let arrived: Vec<Delta> =
            (0..self.rng.random_range(1..=4)).filter_map(|_| self.next_arrival()).collect();
        let (batch, later) = Batch::build(arrived);
        self.under_way.extend(later);
        if batch.is_empty() {
            return;
        }
        let verdicts = self.commit_batch(&batch).await;
        let rest = batch.only_admitted(&verdicts);
        let is_refused = verdicts.len() > rest.deltas().len();
        if is_refused && !rest.is_empty() {
            self.commit_batch(&rest).await;
        }
    }

    fn next_arrival(&mut self) -> Option<Delta> {
        if self.under_way.is_empty() {
            return None;
        }
        // Mostly in order: the oldest, else any.
        let oldest = self.rng.random_bool(0.8);
        let i = if oldest { 0 } else { self.rng.random_range(0..self.under_way.len()) };
        let comes_again = self.rng.random_bool(0.2);
        let delta = self.under_way[i].clone();
        if !comes_again {
            self.under_way.remove(i);
        }
        Some(delta)
    }

    async fn commit_batch(&mut self, batch: &Batch) -> Vec<Verdict> {
        let nonce = Nonce(self.rng.random_range(1..u64::MAX));
        let expected = self.naive.commit(batch.deltas(), nonce);
        let committed = self.place.store().commit(P, batch, nonce).await.expect("answers");
        assert_eq!(committed.applied, expected.applied);
        let admissions: Vec<_> = committed.verdicts.iter().map(|v| v.admission).collect();
        assert_eq!(admissions, expected.admissions);
        self.places.extend(committed.applied.map(|mark| (mark.seq, mark.nonce.0)));
        for (delta, verdict) in batch.deltas().iter().zip(&committed.verdicts) {
            let name = delta.source.as_str();
            let stored = verdict.stored.map(|s| (s.generation.0, s.position));
            assert_eq!(stored, self.naive.state(name));
            self.tell_somebody(name, stored);
        }
        committed.verdicts
    }

    /// One reader hears where the store is; the other goes on with what it believes.
    fn tell_somebody(&mut self, name: &str, stored: Option<(u64, u64)>) {
        let reader = self.rng.random_range(0..2);
        self.readers[reader].hear(name, stored);
    }

    /// A reader opens a source, seeing what is stored, or what it believes is stored.
    async fn open(&mut self) {
        let name = pick(&mut self.rng);
        let reader = self.rng.random_range(0..2);
        let looked = self.rng.random_bool(0.7);
        let stored = self.naive.state(name);
        // Restarts of a source that is counted are rare.
        if looked && stored.is_some() && self.rng.random_bool(0.8) {
            self.readers[reader].hear(name, stored);
            return;
        }
        let seen = if looked { stored } else { self.readers[reader].at(name) };
        let generation = self.rng.random_range(1..u64::MAX);
        let opening = Opening {
            source: source(name),
            expected: seen.map(|(generation, position)| state(generation, position)),
            fresh: state(generation, 0),
        };
        let opened = self.place.store().open(P, &opening).await.expect("answers");
        assert_eq!(opened.installed, self.naive.open(name, seen, generation), "{name}: {seen:?}");
        let stored = opened.stored.map(|s| (s.generation.0, s.position));
        assert_eq!(stored, self.naive.state(name));
        self.readers[reader].hear(name, stored);
    }

    async fn fold(&mut self) {
        let store = self.place.store();
        let folded = store.fold(P).await.expect("one folder alone");
        assert_eq!((folded.entries, folded.waiting), (self.naive.fold(), 0));
        assert_eq!(store.fold(P).await.expect("one folder alone").entries, 0);
    }

    async fn forget(&mut self) {
        let known: Vec<_> = self.naive.sums().into_keys().collect();
        let Some(key) = known.choose(&mut self.rng).cloned() else { return };
        let nonce = Nonce(self.rng.random_range(1..u64::MAX));
        let forgotten = self.place.store().forget(P, std::slice::from_ref(&key), nonce).await;
        let mark = self.naive.forget(key, nonce);
        assert_eq!(forgotten.expect("answers"), Some(mark));
        self.places.insert((mark.seq, mark.nonce.0));
    }

    async fn tick(&mut self) {
        let nonce = Nonce(self.rng.random_range(1..u64::MAX));
        let mark = self.place.store().tick(P, nonce).await.expect("answers");
        assert_eq!(mark, self.naive.tick(nonce));
        self.places.insert((mark.seq, mark.nonce.0));
    }

    /// Somebody forgets a source, as it was when it was looked at.
    async fn forget_source(&mut self) {
        let name = pick(&mut self.rng);
        let stale = self.rng.random_bool(0.3);
        let store = self.place.store();
        let seen = store.states(P, &[source(name)]).await.expect("answers")[0];
        let seen = seen.map(|mut seen| {
            seen.records.counted += u64::from(stale);
            seen
        });
        let Some(seen) = seen else { return };
        let forgotten = store.forget_source(P, &source(name), &seen).await.expect("answers");
        let wanted = (!stale).then_some((seen.generation.0, seen.position));
        assert_eq!(forgotten, self.naive.forget_source(name, wanted));
    }

    async fn report(&mut self) {
        let (name, reader) = (pick(&mut self.rng), self.rng.random_range(0..2));
        let Some((generation, position)) = self.readers[reader].at(name) else { return };
        let acknowledged = state(generation, position);
        let store = self.place.store();
        let behind = store.report_acknowledged(P, &source(name), &acknowledged).await;
        let expected = self.naive.report(name, generation, position);
        assert_eq!(behind.expect("answers"), expected, "{name}: {acknowledged:?}");
    }

    async fn save(&mut self) {
        self.place.save().await;
        self.saved = Some(self.naive.clone());
    }

    async fn roll_back(&mut self) {
        if let Some(saved) = self.saved.clone() {
            self.place.roll_back().await;
            self.naive = saved;
        }
    }

    /// Everything that can be asked, compared with the model.
    async fn check(&mut self) {
        let store = self.place.store();
        let snapshot = load(&store).await;
        assert_eq!(snapshot.at, self.naive.last());
        assert_eq!(sums_of(&snapshot), self.naive.sums());
        assert_eq!(snapshot.recovering.sources, self.naive.reported() as u64);
        let states = store.states(P, &NAMES.map(source)).await.expect("answers");
        for (name, stored) in NAMES.into_iter().zip(states) {
            assert_eq!(stored.map(|s| (s.generation.0, s.position)), self.naive.state(name));
            let read = stored.map_or(0, |s| s.records.read());
            assert_eq!(read, stored.map_or(0, |s| s.position), "one record per position");
        }
        let places: Vec<_> = self.places.iter().copied().collect();
        for (seq, nonce) in places.choose_multiple(&mut self.rng, 5) {
            self.check_changes(Mark { seq: *seq, nonce: Nonce(*nonce) }).await;
        }
    }

    async fn check_changes(&self, since: Mark) {
        let Changes::Linked { entries, .. } = changes(&self.place.store(), since).await else {
            let may_be_trimmed = self.naive.is_folded(since) && B::CLOCK_IS_OURS;
            assert!(!self.naive.knows(since) || may_be_trimmed, "{since:?} is not known any more");
            return;
        };
        assert!(self.naive.knows(since), "{since:?} was rolled back");
        assert_eq!(follow(since, &entries), Some(self.naive.last()));
        let mut sums = Sums::new();
        for (key, n) in entries.iter().flat_map(|e| e.increments.iter()) {
            let key = SeriesKey::parse(key).expect("checked");
            if n.count == 0 {
                sums.remove(&key);
            } else {
                *sums.entry(key).or_default() += n.count;
            }
        }
        assert_eq!(sums, self.naive.sums_after(since));
    }
}

fn pick(rng: &mut StdRng) -> &'static str {
    NAMES.choose(rng).expect("there are names")
}
