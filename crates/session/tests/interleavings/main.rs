//! Conversations with a store that is only the admission rule, over links that break, change, answer
//! late, twice or not at all, while the store goes back in time. Whatever happens, nothing counts twice,
//! and once it stops, everything is counted.
//!
//! The choices are random. A failure names its seed; `LOGTALLY_TEST_SEED` repeats it.

mod file;
mod model;
mod producer;

use file::FileUser;
use producer::ProducerUser;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// Histories of each kind.
const HISTORIES: u64 = 2_000;

/// Things that happen in one history.
const STEPS: u32 = 200;

/// Tells which history failed.
struct TellSeed(u64);

impl Drop for TellSeed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("LOGTALLY_TEST_SEED={}", self.0);
        }
    }
}

/// Runs histories, each with its own seed.
fn histories(run: impl Fn(StdRng)) {
    let chosen = std::env::var("LOGTALLY_TEST_SEED").ok();
    let chosen = chosen.map(|seed| seed.parse::<u64>().expect("a seed is a number"));
    let first = chosen.unwrap_or_else(|| u64::from(rand::random::<u32>()));
    let count = if chosen.is_some() { 1 } else { HISTORIES };
    for seed in first..first + count {
        let _tell = TellSeed(seed);
        run(StdRng::seed_from_u64(seed));
    }
}

#[test]
fn a_file_counts_once_whatever_happens() {
    histories(|rng| {
        let mut user = FileUser::new(rng);
        for _ in 0..STEPS {
            user.step();
        }
        user.finish();
    });
}

#[test]
fn a_producer_counts_once_through_two_ingests() {
    histories(|mut rng| {
        let mut user = ProducerUser::new(StdRng::seed_from_u64(rng.random()));
        for _ in 0..STEPS {
            user.step();
        }
        user.finish();
    });
}
