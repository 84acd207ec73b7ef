//! What series have counted, from a store or from a page. Pure.

use std::collections::BTreeMap;

use logtally_core::names::HistogramSuffix;

use crate::page::Page;
use crate::series::{Counted, Named};

/// Series and what they have counted.
pub(super) type Values = BTreeMap<Named, f64>;

/// The series of a store: how many records each has counted.
pub(super) fn of_store(counted: &Counted) -> Values {
    counted.records().into_iter().map(|(series, records)| (series, records as f64)).collect()
}

/// The series of a page; of a histogram, the number of its values.
pub(super) fn of_page(page: &Page) -> Values {
    let mut values = Values::new();
    for sample in &page.samples {
        let metric = match of_histogram(page, &sample.metric) {
            Some((_, HistogramSuffix::Bucket | HistogramSuffix::Sum)) => continue,
            Some((histogram, HistogramSuffix::Count)) => histogram,
            None => &sample.metric,
        };
        if let Ok(value) = sample.value.parse() {
            let (metric, labels) = (metric.to_owned(), sample.labels.clone());
            values.insert(Named { metric, labels }, value);
        }
    }
    values
}

/// The histogram of the page that a sample belongs to, and which of its samples this is.
fn of_histogram<'a>(page: &Page, sample: &'a str) -> Option<(&'a str, HistogramSuffix)> {
    let (base, suffix) = HistogramSuffix::split(sample)?;
    (page.types.get(base)? == "histogram").then_some((base, suffix))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page;

    #[test]
    fn histograms_of_a_page_are_one_series() {
        let text = "# TYPE s histogram\ns_bucket{a=\"1\",le=\"1\"} 2\ns_bucket{a=\"1\",le=\"+Inf\"} 3\n\
                    s_sum{a=\"1\"} 4.5\ns_count{a=\"1\"} 3\n# TYPE b_count gauge\nb_count 7\n";
        let values = of_page(&page::parse(text).expect("a page"));
        let shown: Vec<_> = values.iter().map(|(s, v)| format!("{} {v}", s.written())).collect();
        assert_eq!(shown, ["b_count 7", "s{a=\"1\"} 3"]);
    }
}
