//! One seed per test run: printed, and given again with `LOGTALLY_TEST_SEED`.

use std::time::{SystemTime, UNIX_EPOCH};

use rand::SeedableRng;
use rand::rngs::StdRng;

/// The environment variable that repeats a run.
const VARIABLE: &str = "LOGTALLY_TEST_SEED";

/// A generator from the given seed, or from the clock. The seed stands in the output of a failed
/// test. It repeats every choice of the test, not the scheduling of the processes.
pub fn rng() -> StdRng {
    let seed = std::env::var(VARIABLE).map_or_else(
        |_| fresh(),
        |text| text.parse().unwrap_or_else(|_| panic!("{VARIABLE} is not a number: {text}")),
    );
    println!("{VARIABLE}={seed}");
    StdRng::seed_from_u64(seed)
}

fn fresh() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::from(now.subsec_nanos()) ^ now.as_secs() << 20
}
