//! Times that were measured, and what is said of them.

use crate::outcome::Figure;
use crate::stats::percentile;

/// How long it took each time (milliseconds).
pub struct Times(pub Vec<f64>);

impl Times {
    /// Their percentiles, and how large the 99th may be.
    pub fn figures(&self, p99_max: f64) -> Vec<Figure> {
        let at = |what: &str, percent| {
            Figure::new(what, "ms", vec![percentile(self.0.iter().copied(), percent)])
        };
        vec![at("p50", 50), at("p99", 99).at_most(p99_max), at("longest", 100)]
    }
}
