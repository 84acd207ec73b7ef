//! Random pushes against a second, naive reading of them: line by line, without types of its own.
//!
//! On a page every sample but a gauge is the sum of what was pushed, buckets included, because sums of
//! cumulative buckets are cumulative. So the model knows no histograms: it adds up lines.

use std::collections::BTreeMap;

use logtally_core::decimal::Decimal;
use logtally_core::push::Group;
use logtally_core::series::{Amount, Family, FamilyId, Kind, SeriesKey, Value};
use logtally_exposition::{Pushed, convert};
use proptest::prelude::*;

/// Values by series as on a page, in 10⁻¹².
type Page = BTreeMap<String, i128>;

/// What one push of the tests says.
#[derive(Clone, Debug)]
struct Push {
    zone: u8,
    /// Metric, label, hundredths.
    counters: Vec<(u8, u8, u32)>,
    gauges: Vec<(u8, u8, i32)>,
    /// Label, observations by bucket, hundredths of the sum.
    histograms: Vec<(u8, [u8; 4], u32)>,
    /// Label, hundredths of the sum, count.
    summaries: Vec<(u8, u32, u8)>,
}

fn push() -> impl Strategy<Value = Push> {
    let counters = prop::collection::vec((0..3_u8, 0..3_u8, any::<u32>()), 0..6);
    let gauges = prop::collection::vec((0..3_u8, 0..3_u8, any::<i32>()), 0..6);
    let histograms = prop::collection::vec((0..3_u8, any::<[u8; 4]>(), any::<u32>()), 0..3);
    let summaries = prop::collection::vec((0..3_u8, any::<u32>(), any::<u8>()), 0..3);
    (0..2_u8, counters, gauges, histograms, summaries).prop_map(
        |(zone, counters, gauges, histograms, summaries)| {
            let mut push = Push { zone, counters, gauges, histograms, summaries };
            // A series stands in a push once.
            push.counters.sort_by_key(|(metric, label, _)| (*metric, *label));
            push.counters.dedup_by_key(|(metric, label, _)| (*metric, *label));
            push.gauges.sort_by_key(|(metric, label, _)| (*metric, *label));
            push.gauges.dedup_by_key(|(metric, label, _)| (*metric, *label));
            push.histograms.sort_by_key(|(label, ..)| *label);
            push.histograms.dedup_by_key(|(label, ..)| *label);
            push.summaries.sort_by_key(|(label, ..)| *label);
            push.summaries.dedup_by_key(|(label, ..)| *label);
            push
        },
    )
}

fn hundredths(n: impl Into<i64>) -> String {
    let n: i64 = n.into();
    let sign = if n < 0 { "-" } else { "" };
    format!("{sign}{}.{:02}", n.abs() / 100, n.abs() % 100)
}

/// Values that need escapes, among them.
fn label(n: u8) -> &'static str {
    ["plain", "C:\\\\tmp \\\"x\\\"", "two\\nlines"][usize::from(n)]
}

impl Push {
    fn group(&self) -> Group {
        logtally_exposition::group(&format!("job/j/zone/z{}", self.zone)).expect("a group")
    }

    fn body(&self) -> String {
        let mut body = Vec::new();
        for metric in 0..3 {
            let of = |(of, ..): &&(u8, u8, u32)| *of == metric;
            body.push(format!("# HELP c{metric} Help\n# TYPE c{metric} counter\n"));
            for (_, l, n) in self.counters.iter().filter(of) {
                body.push(format!("c{metric}{{l=\"{}\"}} {}\n", label(*l), hundredths(*n)));
            }
            for (_, l, n) in self.gauges.iter().filter(|(of, ..)| *of == metric) {
                body.push(format!("g{metric}{{l=\"{}\"}} {}\n", label(*l), hundredths(*n)));
            }
        }
        body.push("# TYPE h histogram\n".to_owned());
        for (l, buckets, sum) in &self.histograms {
            let mut below = 0_u64;
            for (le, n) in ["0.5", "1", "10", "+Inf"].iter().zip(buckets) {
                below += u64::from(*n);
                body.push(format!("h_bucket{{l=\"{}\",le=\"{le}\"}} {below}\n", label(*l)));
            }
            let sum = if below == 0 { 0 } else { *sum };
            body.push(format!("h_sum{{l=\"{}\"}} {}\n", label(*l), hundredths(sum)));
            body.push(format!("h_count{{l=\"{}\"}} {below}.0\n", label(*l)));
        }
        body.push("# TYPE s summary\n".to_owned());
        for (l, sum, count) in &self.summaries {
            body.push(format!("s_sum{{l=\"{}\"}} {}\n", label(*l), hundredths(*sum)));
            body.push(format!("s_count{{l=\"{}\"}} {count}\n", label(*l)));
            body.push(format!("s{{l=\"{}\",quantile=\"0.5\"}} {}\n", label(*l), hundredths(*sum)));
        }
        body.concat()
    }

    /// The naive reading, added to a page.
    fn add_to(&self, page: &mut Page) {
        for line in self.body().lines().filter(|line| !line.starts_with('#')) {
            let (series, value) = line.rsplit_once(' ').expect("a value");
            let zone = format!("zone=\"z{}\"}}", self.zone);
            let series =
                series.replacen('{', "{job=\"j\",", 1).replacen('}', &format!(",{zone}"), 1);
            let is_gauge = series.starts_with('g') || series.starts_with("s{");
            let at = page.entry(sorted(&series)).or_default();
            *at = units(value) + if is_gauge { 0 } else { *at };
        }
    }
}

/// A series with its labels in order. None of the test's label values has a comma.
fn sorted(series: &str) -> String {
    let (name, labels) = series.trim_end_matches('}').split_once('{').expect("labels");
    let mut labels: Vec<&str> = labels.split(',').collect();
    labels.sort_unstable();
    format!("{name}{{{}}}", labels.join(","))
}

fn units(value: &str) -> i128 {
    let (whole, part) = value.split_once('.').unwrap_or((value, ""));
    format!("{whole}{part:0<12}").parse().expect("digits")
}

/// The page of some pushes, as what they count.
#[derive(Default)]
struct Store {
    families: BTreeMap<FamilyId, Family>,
    rows: BTreeMap<Vec<u8>, Amount>,
}

impl Store {
    fn add(&mut self, pushed: &Pushed) {
        self.families.extend(pushed.families.iter().map(|family| (family.id(), family.clone())));
        for (key, amount) in pushed.increments.iter() {
            let before = self.rows.get(key);
            let sum = before.map_or(amount, |sum| sum.merge(amount).expect("one kind"));
            self.rows.insert(key.to_vec(), sum);
        }
    }

    fn page(&self) -> Page {
        let mut page = Page::new();
        for (key, amount) in &self.rows {
            let key = SeriesKey::parse(key).expect("a key");
            let family = &self.families[&key.family()];
            let values: Vec<&str> = key.values().collect();
            assert_eq!(values.len(), family.labels.len());
            assert!(family.group.iter().all(|name| family.labels.contains(name)));
            let named = |n: usize| -> Vec<String> {
                let pairs = family.labels.iter().zip(&values).take(n);
                pairs.map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect()
            };
            let mut add = |name: &str, labels: &[String], units: i128| {
                let series = sorted(&format!("{name}{{{}}}", labels.join(",")));
                *page.entry(series).or_default() += units;
            };
            match amount.value {
                Value::Sum(sum) if family.kind == Kind::Histogram => {
                    let labels = named(values.len() - 1);
                    let le = values[values.len() - 1];
                    add("h_sum", &labels, sum.units());
                    add("h_count", &labels, ones(amount.count));
                    let bounds = family.buckets.iter().map(String::as_str).chain(["+Inf"]);
                    let mut is_above = false;
                    for bound in bounds {
                        is_above |= bound == le;
                        let count = if is_above { amount.count } else { 0 };
                        let with = [&labels[..], &[format!("le=\"{bound}\"")]].concat();
                        add("h_bucket", &with, ones(count));
                    }
                }
                Value::Sum(sum) => add(&family.name, &named(values.len()), sum.units()),
                Value::Last(last) => add(&family.name, &named(values.len()), last.value.units()),
                other => panic!("{other:?}"),
            }
        }
        page
    }
}

fn ones(count: u64) -> i128 {
    i128::from(count) * 1_000_000_000_000
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// Histograms without observations are on no page before their first one.
fn without_empty(mut page: Page) -> Page {
    let empty: Vec<String> = page
        .iter()
        .filter(|(series, count)| series.starts_with("h_count") && **count == 0)
        .map(|(series, _)| series.trim_start_matches("h_count{job=").to_owned())
        .collect();
    page.retain(|series, _| {
        // The labels of a bucket have its bound between them: job, l, le, zone.
        let labels = series.split_once("{job=").map_or("", |(_, labels)| labels);
        let labels: Vec<&str> = labels.split(',').filter(|l| !l.starts_with("le=")).collect();
        !(series.starts_with("h_") && empty.contains(&labels.join(",")))
    });
    page
}

proptest! {
    #[test]
    fn pushes_add_up_in_any_order(
        pushes in prop::collection::vec(push(), 0..6),
        order in any::<prop::sample::Index>(),
    ) {
        let mut expected = Page::new();
        for push in &pushes {
            push.add_to(&mut expected);
        }
        let counted = |(tie, push): (u64, &Push)| {
            convert(push.body().as_bytes(), &push.group(), 60, tie).expect("a good push")
        };
        let mut counted: Vec<Pushed> = (1..).zip(&pushes).map(counted).collect();
        if !counted.is_empty() {
            let at = order.index(counted.len());
            counted.rotate_left(at);
            counted[at..].reverse();
        }
        let mut store = Store::default();
        for pushed in &counted {
            store.add(pushed);
        }
        prop_assert_eq!(store.page(), without_empty(expected));
    }

    #[test]
    fn no_body_is_too_strange(body in prop::collection::vec(any::<u8>(), 0..300)) {
        let group = logtally_exposition::group("job/j").expect("a group");
        let _ = convert(&body, &group, 0, 0);
    }

    #[test]
    fn nor_is_one_that_is_almost_right(
        lines in prop::collection::vec(
            "(# TYPE h histogram|# TYPE s summary|# TYPE c counter|# HELP h x|\
             h_bucket\\{le=\"[0-3]\"\\} [0-3]|h_bucket\\{le=\"\\+Inf\"\\} [0-3]|h_sum [0-3]|\
             h_count [0-3]|s\\{quantile=\"0.5\"\\} (1|NaN)|s_(sum|count) [0-3]|c(\\{a=\"\"\\})? -?1|h 1)",
            0..12,
        ),
    ) {
        let group = logtally_exposition::group("job/j").expect("a group");
        let body: String = lines.into_iter().map(|line| line + "\n").collect();
        if let Ok(pushed) = convert(body.as_bytes(), &group, 0, 0) {
            for (key, amount) in pushed.increments.iter() {
                prop_assert!(amount.count > 0 && SeriesKey::parse(key).is_ok());
            }
        }
    }
}

#[test]
fn the_model_reads_what_it_says() {
    let push = Push {
        zone: 1,
        counters: vec![(0, 2, 150)],
        gauges: vec![(1, 0, -5)],
        histograms: vec![(1, [1, 0, 2, 0], 325)],
        summaries: vec![],
    };
    let mut page = Page::new();
    push.add_to(&mut page);
    push.add_to(&mut page);
    let value = |series: &str| Decimal::from_units(page[series]).to_string();
    assert_eq!(value("c0{job=\"j\",l=\"two\\nlines\",zone=\"z1\"}"), "3");
    assert_eq!(value("g1{job=\"j\",l=\"plain\",zone=\"z1\"}"), "-0.05");
    let bucket = "h_bucket{job=\"j\",l=\"C:\\\\tmp \\\"x\\\"\",le=\"10\",zone=\"z1\"}";
    assert_eq!(value(bucket), "6");
}
