//! The series of the benchmarks of store and scrape: hosts and jobs of the default rule, by number.
//!
//! Must never know who stores or shows them.

use anyhow::{Context as _, Result, ensure};
use logtally_core::rule::default_family;
use logtally_core::series::SeriesKey;

/// Jobs of each host.
pub const JOBS: usize = 1_000;

/// Host and job of a series.
pub fn labels(series: usize) -> (String, String) {
    (format!("server-{:04}.dc1", series / JOBS), format!("backup-{:04}", series % JOBS))
}

/// What a series is at first: between 1 and 10,000, and not alike in neighbours, which a compressor
/// would like.
pub fn first(series: usize) -> u64 {
    ((series as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33) % 10_000 + 1
}

/// The key of a series.
pub fn key(series: usize) -> SeriesKey {
    let (host, job) = labels(series);
    SeriesKey::new(default_family().id(), [host.as_str(), job.as_str()])
}

/// Demands that a page shows exactly these values, in whatever order.
pub fn check_page(page: &[u8], expected: &[u64]) -> Result<()> {
    let name = default_family().name;
    let samples =
        page.split(|byte| *byte == b'\n').filter(|line| line.starts_with(name.as_bytes()));
    let mut seen = vec![false; expected.len()];
    for line in samples {
        let text = || String::from_utf8_lossy(line).into_owned();
        let (series, value) = sample(line).with_context(text)?;
        let wanted = expected.get(series).copied().with_context(text)?;
        ensure!(value == wanted, "{} instead of {wanted}", text());
        ensure!(!std::mem::replace(&mut seen[series], true), "{} is there twice", text());
    }
    let missing = (0..expected.len()).find(|series| expected[*series] > 0 && !seen[*series]);
    ensure!(missing.is_none(), "{:?} is not on the page", missing.map(labels));
    Ok(())
}

/// Series and value of a line.
fn sample(line: &[u8]) -> Option<(usize, u64)> {
    let line = std::str::from_utf8(line).ok()?;
    let number = |before: &str| -> Option<usize> {
        let (_, behind) = line.split_once(before)?;
        behind.get(..4)?.parse().ok()
    };
    let series = number("=\"server-")? * JOBS + number("=\"backup-")?;
    let value = line.rsplit_once(' ')?.1;
    // Some encoders write whole numbers as floating ones.
    Some((series, value.strip_suffix(".0").unwrap_or(value).parse().ok()?))
}

#[cfg(test)]
mod tests {
    use logtally_e2e::exposition;

    use super::*;

    fn page(values: &[u64]) -> String {
        let line = |(series, value): (usize, &u64)| {
            let (host, job) = labels(series);
            format!("{} {value}\n", exposition::series(&host, &job))
        };
        values.iter().enumerate().map(line).collect()
    }

    #[test]
    fn a_page_must_have_all_values_and_no_others() {
        let check = |text: &str, values: &[u64]| check_page(text.as_bytes(), values).is_ok();
        let text = page(&[1, 2, 3]);
        assert!(check(&text, &[1, 2, 3]));
        assert!(!check(&text, &[1, 2, 4]), "another value");
        assert!(!check(&text, &[1, 2, 3, 4]), "one is missing");
        assert!(!check(&text, &[1, 2]), "one too many");
        assert!(!check(&(page(&[1]) + &page(&[1])), &[1]), "twice");
        assert!(check(&text, &[1, 2, 3, 0]), "what is 0 need not be there");
    }
}
