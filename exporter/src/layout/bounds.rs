//! The bounds of a histogram's buckets: which ones are shown, and how they are spelled.

use std::collections::BTreeMap;

use logtally_core::decimal::Decimal;
use logtally_core::series::{Family, Kind};

/// The upper bound of a bucket.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Bound {
    /// The number.
    pub(crate) value: Decimal,
    /// The label value in the text format.
    pub(crate) text: String,
    /// The label value in `OpenMetrics`, which knows one spelling of every number only.
    pub(crate) canonical: String,
}

fn bound(text: &str) -> Option<Decimal> {
    Decimal::parse(text.as_bytes()).ok()
}

/// The bounds that all families of a metric have. How many values lie below another one, those
/// families cannot tell that do not have it, so it is not shown.
pub(super) fn common_bounds<'f>(families: impl Iterator<Item = &'f Family>) -> Vec<Bound> {
    let (mut known, mut count) = (BTreeMap::<Decimal, usize>::new(), 0);
    for family in families.filter(|family| family.kind == Kind::Histogram) {
        count += 1;
        for value in family.buckets.iter().filter_map(|text| bound(text)) {
            *known.entry(value).or_default() += 1;
        }
    }
    let common = known.into_iter().filter(|(_, families)| *families == count);
    common.map(|(value, _)| Bound::new(value)).collect()
}

impl Bound {
    fn new(value: Decimal) -> Self {
        let text = value.to_string();
        let canonical = canonical(&text);
        Self { value, text, canonical }
    }
}

/// The spelling of a number that `OpenMetrics` wants: `1.0`, `0.5`, `1e+06`, `2.5e-05`.
fn canonical(text: &str) -> String {
    let shortest = text.parse::<f64>().map_or_else(|_| text.to_owned(), |n| format!("{n:e}"));
    let Some((digits, exponent)) = shortest.split_once('e') else { return shortest };
    match exponent.parse::<i32>() {
        Ok(e) if (-4..6).contains(&e) && text.contains('.') => text.to_owned(),
        Ok(e) if (-4..6).contains(&e) => format!("{text}.0"),
        Ok(e) if e < 0 => format!("{digits}e-{:02}", -e),
        Ok(e) => format!("{digits}e+{e:02}"),
        Err(_) => shortest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_have_one_spelling() {
        for (text, expected) in [
            ("0", "0.0"),
            ("1", "1.0"),
            ("-1", "-1.0"),
            ("0.5", "0.5"),
            ("0.0001", "0.0001"),
            ("0.00001", "1e-05"),
            ("0.000025", "2.5e-05"),
            ("100000", "100000.0"),
            ("1000000", "1e+06"),
            ("-2500000", "-2.5e+06"),
            ("1000000000000000", "1e+15"),
        ] {
            assert_eq!(canonical(text), expected, "{text}");
        }
    }

    #[test]
    fn only_bounds_that_all_have_are_shown() {
        let family = |buckets: &[&str]| Family {
            buckets: buckets.iter().map(|text| (*text).to_owned()).collect(),
            ..Family::new("h", Kind::Histogram, "", &["le"])
        };
        let texts = |families: &[Family]| -> Vec<String> {
            common_bounds(families.iter()).into_iter().map(|bound| bound.text).collect()
        };
        let (one, other) = (family(&["0.5", "1", "10"]), family(&["1.0", "5", "1e1"]));
        assert_eq!(texts(std::slice::from_ref(&one)), ["0.5", "1", "10"]);
        assert_eq!(texts(&[one, other]), ["1", "10"]);
    }
}
