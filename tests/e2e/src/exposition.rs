//! What a `/metrics` page says, as values that can be compared.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The metric that the default rule feeds.
pub const COUNT: &str = "log_host_job_count";

/// Records read from all sources.
pub const READ: &str = "logtally_records_read_total";

/// Records counted by a rule.
pub const COUNTED: &str = "logtally_records_counted_total";

/// Records that could not be counted, by reason.
const REJECTED: &str = "logtally_records_rejected_total";

/// Series (as written on the page, without the value) and their counts.
pub type Counts = BTreeMap<String, u64>;

/// Reads a page in the text format whose values are all counts. Anything else is an error: a test
/// that cannot read a page must not pass it.
pub fn parse(page: &str) -> Result<Counts, String> {
    let mut counts = Counts::new();
    if !page.is_empty() && !page.ends_with('\n') {
        return Err("the page does not end with a line feed".to_owned());
    }
    for line in page.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (series, value) = line.rsplit_once(' ').ok_or_else(|| format!("no value: {line}"))?;
        let value = value.parse().map_err(|_| format!("not a count: {line}"))?;
        if counts.insert(series.to_owned(), value).is_some() {
            return Err(format!("twice on one page: {series}"));
        }
    }
    Ok(counts)
}

/// The name of a series of the default rule, escaped as the text format demands.
pub fn series(host: &str, job: &str) -> String {
    format!("{COUNT}{{host=\"{}\",job_name=\"{}\"}}", escape(host), escape(job))
}

fn escape(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// The name of the series that counts rejections by one reason.
pub fn rejected(reason: &str) -> String {
    format!("{REJECTED}{{reason=\"{reason}\"}}")
}

/// The series of the default rule only, without the accounting ones.
pub fn counted_series(counts: &Counts) -> Counts {
    let ours = |name: &str| name.starts_with(COUNT);
    counts.iter().filter(|(name, _)| ours(name)).map(|(n, v)| (n.clone(), *v)).collect()
}

/// All rejections, whatever the reason.
pub fn rejected_total(counts: &Counts) -> u64 {
    counts.iter().filter(|(name, _)| name.starts_with(REJECTED)).map(|(_, value)| value).sum()
}

/// The first series of `page` that is lower than in `floor`, or gone; described for a person.
pub fn first_below(floor: &Counts, page: &Counts) -> Option<String> {
    floor.iter().find_map(|(series, before)| match page.get(series) {
        Some(now) if now >= before => None,
        now => Some(format!("{series} was {before} and is {now:?}")),
    })
}

/// How two sets of counts differ, in a few lines; empty if they do not.
pub fn difference(expected: &Counts, got: &Counts) -> String {
    const SHOWN: usize = 5;
    let names = expected.keys().chain(got.keys().filter(|name| !expected.contains_key(*name)));
    let different: Vec<&String> = names.filter(|n| expected.get(*n) != got.get(*n)).collect();
    let mut text = String::new();
    for name in different.iter().take(SHOWN) {
        let (want, have) = (expected.get(*name), got.get(*name));
        writeln!(text, "{name}: expected {want:?}, got {have:?}").expect("writing to a string");
    }
    if different.len() > SHOWN {
        writeln!(text, "and {} more", different.len() - SHOWN).expect("writing to a string");
    }
    text
}

/// One value of an admin page, where values may be fractions: the sum over all series of a metric.
pub fn admin_value(page: &str, metric: &str) -> Option<f64> {
    let belongs =
        |line: &&str| line.strip_prefix(metric).is_some_and(|rest| rest.starts_with([' ', '{']));
    let values: Vec<f64> = page
        .lines()
        .filter(belongs)
        .filter_map(|line| line.rsplit_once(' ')?.1.parse().ok())
        .collect();
    if values.is_empty() { None } else { Some(values.iter().sum()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_read_strictly() {
        let counts = parse("# TYPE a gauge\na{b=\"x y\"} 3\nc 4\n").expect("readable");
        assert_eq!(counts["a{b=\"x y\"}"], 3);
        for page in ["a 1", "a 1.5\n", "a\n", "a 1\na 1\n"] {
            assert!(parse(page).is_err(), "{page:?}");
        }
    }

    #[test]
    fn a_lower_and_a_missing_series_are_both_below() {
        let counts = |page| parse(page).expect("readable");
        let floor = counts("a 2\nb 1\n");
        assert_eq!(first_below(&floor, &counts("a 2\nb 1\nc 1\n")), None);
        assert!(first_below(&floor, &counts("a 2\n")).is_some());
        assert!(first_below(&floor, &counts("a 1\nb 1\n")).is_some());
    }

    #[test]
    fn admin_values_are_summed_by_whole_names() {
        let page = "a_total{x=\"1\"} 1\na_total{x=\"2\"} 2\na_total_more 9\n";
        assert_eq!(admin_value(page, "a_total"), Some(3.0));
        assert_eq!(admin_value(page, "b"), None);
    }
}
