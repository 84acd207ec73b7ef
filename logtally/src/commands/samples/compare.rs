//! What was expected against what a page has. The order of series and labels does not matter, and
//! logtally's own metrics only where they are expected.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::page::{Page, Sample};

/// A series whose values differ.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(super) struct SampleDifference {
    series: String,
    expected: Option<String>,
    got: Option<String>,
}

impl SampleDifference {
    /// As a diff has it: what was expected, then what came.
    pub(crate) fn render(&self) -> String {
        let line = |sign: &str, value: &Option<String>| match value {
            Some(value) => format!("  {sign} {} {value}\n", self.series),
            None => String::new(),
        };
        line("-", &self.expected) + &line("+", &self.got)
    }
}

type Key = (String, Vec<(String, String)>);

/// All differences, in the order of the series.
pub(super) fn compare(expected: &[Sample], page: &Page) -> Vec<SampleDifference> {
    let mut both: BTreeMap<Key, (Option<&Sample>, Option<&Sample>)> = BTreeMap::new();
    for sample in expected {
        both.entry(key(sample)).or_default().0 = Some(sample);
    }
    for sample in &page.samples {
        both.entry(key(sample)).or_default().1 = Some(sample);
    }
    both.into_values().filter_map(|(expected, got)| difference(expected, got)).collect()
}

fn difference(expected: Option<&Sample>, got: Option<&Sample>) -> Option<SampleDifference> {
    let either = expected.or(got)?;
    if expected.is_none() && either.metric.starts_with("logtally_") {
        return None;
    }
    if let (Some(expected), Some(got)) = (expected, got)
        && same(&expected.value, &got.value)
    {
        return None;
    }
    let value = |sample: Option<&Sample>| sample.map(|sample| sample.value.clone());
    Some(SampleDifference { series: either.series(), expected: value(expected), got: value(got) })
}

fn key(sample: &Sample) -> Key {
    let mut labels = sample.labels.clone();
    labels.sort();
    (sample.metric.clone(), labels)
}

/// Whether two values are the same number, however they are written.
fn same(a: &str, b: &str) -> bool {
    a == b
        || matches!((a.parse::<f64>(), b.parse::<f64>()), (Ok(a), Ok(b)) if a.to_bits() == b.to_bits())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::parse;

    fn differences(expected: &str, got: &str) -> String {
        let expected = parse(expected).expect("samples").samples;
        let all = compare(&expected, &parse(got).expect("a page"));
        all.iter().map(SampleDifference::render).collect()
    }

    #[test]
    fn order_and_writing_do_not_matter() {
        let got = "a{x=\"1\",y=\"2\"} 1.50\nb 3\nlogtally_records_read_total 5\n";
        assert_eq!(differences("b 3\na{y=\"2\",x=\"1\"} 1.5\n", got), "");
        let read = differences("a{y=\"2\",x=\"1\"} 1.5\nb 3\nlogtally_records_read_total 4\n", got);
        assert_eq!(read, "  - logtally_records_read_total 4\n  + logtally_records_read_total 5\n");
    }

    #[test]
    fn differences_are_told_by_series() {
        assert_eq!(differences("a 1\nb 2\n", "b 3\nc 4\n"), "  - a 1\n  - b 2\n  + b 3\n  + c 4\n");
    }
}
