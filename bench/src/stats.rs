//! Medians and percentiles of a few measurements.

/// The value in the middle, or the mean of the two there; 0 without any.
pub fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let sorted = sorted(values);
    match (sorted.len() / 2, sorted.len() % 2) {
        (0, 0) => 0.0,
        (half, 0) => f64::midpoint(sorted[half - 1], sorted[half]),
        (half, _) => sorted[half],
    }
}

/// The smallest value that so many per cent of all are not above; 0 without any.
pub fn percentile(values: impl IntoIterator<Item = f64>, percent: usize) -> f64 {
    let sorted = sorted(values);
    let rank = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(rank).copied().unwrap_or_default()
}

fn sorted(values: impl IntoIterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_and_the_ends_are_found() {
        let of = |n: u32| (1..=n).rev().map(f64::from);
        let medians = [0, 1, 4, 5].map(|n| median(of(n)).to_string());
        assert_eq!(medians, ["0", "1", "2.5", "3"]);
        let ends = [(100, 50), (100, 99), (1, 99), (0, 50)];
        let ends = ends.map(|(n, percent)| percentile(of(n), percent).to_string());
        assert_eq!(ends, ["50", "99", "1", "0"]);
    }
}
