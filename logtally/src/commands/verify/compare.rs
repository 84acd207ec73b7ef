//! Two sets of sums, series by series. Pure.

use logtally_core::series::{Amount, Family, Kind, SeriesKey, Value};
use serde::Serialize;

use crate::page::Page;
use crate::series::{Counted, row_name, shown};

/// A series with different counts.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
pub(super) struct CountDifference {
    /// The series, as it is written on a page.
    pub(crate) series: String,
    /// What was counted again.
    pub(crate) recount: String,
    /// What the store or the page has.
    pub(crate) store: String,
}

/// Compares rows. Without `exact`, the store may have more, but never less.
pub(super) fn compare_sums(ours: &Counted, theirs: &Counted, exact: bool) -> Vec<CountDifference> {
    let mut differences = Vec::new();
    for (key, amount) in &ours.amounts {
        let stored = theirs.amounts.get(key);
        let found = stored.copied().unwrap_or(Amount { count: 0, ..*amount });
        let is_known = amount.count > 0 || stored.is_some();
        if is_known && differ(*amount, found, exact) {
            differences.extend(difference(ours.family(key), key, Some(amount), stored));
        }
    }
    if exact {
        for (key, amount) in &theirs.amounts {
            if !ours.amounts.contains_key(key) {
                differences.extend(difference(theirs.family(key), key, None, Some(amount)));
            }
        }
    }
    differences.sort();
    differences
}

/// None for a series whose family the store has lost.
fn difference(
    family: Option<&Family>,
    key: &SeriesKey,
    ours: Option<&Amount>,
    theirs: Option<&Amount>,
) -> Option<CountDifference> {
    let text = |amount: Option<&Amount>| amount.map_or("-".to_owned(), |amount| shown(*amount));
    let series = row_name(family?, key);
    Some(CountDifference { series, recount: text(ours), store: text(theirs) })
}

fn differ(ours: Amount, theirs: Amount, exact: bool) -> bool {
    let counts = ours.count.cmp(&theirs.count);
    counts.is_gt()
        || (counts.is_eq() && !same(ours.value, theirs.value))
        || (exact && counts.is_lt())
}

fn same(ours: Value, theirs: Value) -> bool {
    match (ours, theirs) {
        // Where the record of the latest time stood is nobody's business.
        (Value::Last(a), Value::Last(b)) => (a.time_ns, a.value) == (b.time_ns, b.value),
        (a, b) => a == b,
    }
}

/// Compares pages. Without `exact`, values that only grow may be larger on the other one, and values
/// that do not grow are left alone.
pub(super) fn compare_pages(
    ours: &Page,
    theirs: &Page,
    counted: &Counted,
    exact: bool,
) -> Vec<CountDifference> {
    let of = |page: &Page| -> std::collections::BTreeMap<String, String> {
        page.samples.iter().map(|sample| (sample.series(), sample.value.clone())).collect()
    };
    let grows = |metric: &str| {
        let kind = counted.families.values().find(|f| f.name == metric).map(|f| f.kind);
        !matches!(kind, Some(Kind::Min | Kind::Max | Kind::Last | Kind::SumGauge))
    };
    let (theirs, number) = (of(theirs), |text: &str| text.parse::<f64>().unwrap_or(f64::NAN));
    let mut differences = Vec::new();
    for sample in &ours.samples {
        let series = sample.series();
        let stored = theirs.get(&series).map_or("0", String::as_str);
        let wrong = if exact {
            number(stored).to_bits() != number(&sample.value).to_bits()
        } else {
            grows(&sample.metric) && number(stored) < number(&sample.value)
        };
        if wrong {
            let (recount, store) = (sample.value.clone(), stored.to_owned());
            differences.push(CountDifference { series, recount, store });
        }
    }
    if exact {
        let known = of(ours);
        for (series, value) in theirs.into_iter().filter(|(series, _)| !known.contains_key(series))
        {
            if number(&value) != 0.0 {
                differences.push(CountDifference { series, recount: "-".to_owned(), store: value });
            }
        }
    }
    differences.sort();
    differences
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::parse;

    fn counted(rows: &[(&str, u64)]) -> Counted {
        let family = Family::new("m", Kind::Gauge, "", &["host"]);
        let mut counted = Counted::default();
        for (host, n) in rows {
            counted.add(SeriesKey::new(family.id(), [*host]), Amount::records(*n));
        }
        counted.families.insert(family.id(), family);
        counted
    }

    #[test]
    fn fewer_counts_are_always_wrong_and_more_only_if_exact() {
        let ours = counted(&[("a", 2), ("b", 2), ("c", 1)]);
        let theirs = counted(&[("a", 3), ("b", 1), ("d", 5)]);
        let show = |exact| -> Vec<String> {
            let all = compare_sums(&ours, &theirs, exact);
            all.iter().map(|d| format!("{} {} {}", d.series, d.recount, d.store)).collect()
        };
        assert_eq!(show(false), ["m{host=\"b\"} 2 1", "m{host=\"c\"} 1 -"]);
        assert_eq!(show(true).len(), 4);
        assert!(compare_sums(&ours, &ours, true).is_empty());
    }

    #[test]
    fn pages_are_compared_alike() {
        let (ours, theirs) =
            (parse("m 2\nn 1\n").expect("a page"), parse("m 3\n").expect("a page"));
        let none = Counted::default();
        assert_eq!(compare_pages(&ours, &theirs, &none, false).len(), 1, "n is missing");
        assert_eq!(compare_pages(&ours, &theirs, &none, true).len(), 2);
        assert!(compare_pages(&ours, &ours, &none, true).is_empty());
    }
}
