//! Text to be counted, and series to be incremented: the same for every run.

use std::fmt::Write as _;

use logtally_core::rule::default_family;
use logtally_core::series::SeriesKey;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

/// Records of a text.
pub(crate) const RECORDS: usize = 20_000;

/// Hosts, and jobs on each.
const HOSTS: u32 = 100;
const JOBS: u32 = 100;

/// Columns of [`narrow`].
pub(crate) const NARROW: &str = "host, job_name";

/// Columns of [`wide`].
pub(crate) const WIDE: &str = "timestamp, host, job_name, status, duration_ms, message";

/// Records of host and job, 27 bytes each.
pub(crate) fn narrow() -> String {
    text(|out, _, host, job| writeln!(out, "server-{host:04}.dc1,backup-{job:03}"))
}

/// Records of six columns, a third of them with a quoted message.
pub(crate) fn wide() -> String {
    text(|out, n, host, job| {
        let (status, ms) = (200 + n % 5, n * 7 % 1_000);
        let message = match n % 10 {
            0 => "\"said \"\"done\"\", twice\"",
            1 => "\"finished, with warnings\"",
            2 => "\"two\nlines\"",
            _ => "finished without any error",
        };
        writeln!(
            out,
            "2026-01-01T00:00:00Z,server-{host:04}.dc1,backup-{job:03},{status},{ms},{message}"
        )
    })
}

/// The key of a series.
pub(crate) fn key(series: usize) -> SeriesKey {
    let (host, job) =
        (format!("server-{:04}.dc1", series / 100), format!("backup-{:03}", series % 100));
    SeriesKey::new(default_family().id(), [host.as_str(), job.as_str()])
}

fn text(line: impl Fn(&mut String, usize, u32, u32) -> std::fmt::Result) -> String {
    let mut rng = StdRng::seed_from_u64(1);
    let mut out = String::new();
    for n in 0..RECORDS {
        let (host, job) = (skewed(&mut rng, HOSTS), skewed(&mut rng, JOBS));
        line(&mut out, n, host, job).expect("writing to a string");
    }
    out
}

/// A number below `n`; small ones are more frequent, as names in logs are.
#[expect(clippy::cast_sign_loss, reason = "a power of a positive number is positive")]
fn skewed(rng: &mut StdRng, n: u32) -> u32 {
    (f64::from(n).powf(rng.random::<f64>()) as u32).clamp(1, n) - 1
}
