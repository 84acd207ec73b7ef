//! What is committed, to logtally's store and to the baseline.

use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{Rng as _, SeedableRng as _};

/// What is committed: the same to both sides.
pub struct Load {
    /// Series of the increments.
    pub series: usize,
    /// Increments of a commit.
    size: usize,
    /// Series and amount of each increment, commit after commit.
    increments: Vec<(usize, u64)>,
}

impl Load {
    /// As many whole commits as make so many increments. No series comes twice in a commit, because a
    /// batch is merged before it is committed.
    pub fn new(seed: u64, series: usize, size: usize, increments: usize) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let size = size.min(series);
        let mut order: Vec<usize> = (0..series).collect();
        let mut all = Vec::with_capacity(increments + size);
        while all.len() < increments {
            order.shuffle(&mut rng);
            all.extend(order[..size].iter().map(|which| (*which, rng.random_range(1..20))));
        }
        Self { series, size, increments: all }
    }

    /// What each commit increments.
    pub fn commits(&self) -> impl Iterator<Item = &[(usize, u64)]> {
        self.increments.chunks(self.size)
    }

    /// What each series must be at the end.
    pub fn sums(&self) -> Vec<u64> {
        let mut sums = vec![0; self.series];
        for (series, amount) in &self.increments {
            sums[*series] += amount;
        }
        sums
    }

    /// Processor time per increment (microseconds).
    pub fn micros(&self, seconds: f64) -> f64 {
        seconds * 1e6 / self.increments.len() as f64
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_commit_has_each_series_once_and_the_sums_are_those_of_all() {
        let load = Load::new(1, 100, 30, 1_000);
        for commit in load.commits() {
            let series: BTreeSet<usize> = commit.iter().map(|(series, _)| *series).collect();
            assert_eq!(series.len(), 30);
        }
        let all: u64 = load.increments.iter().map(|(_, amount)| amount).sum();
        assert_eq!(load.sums().iter().sum::<u64>(), all);
    }
}
