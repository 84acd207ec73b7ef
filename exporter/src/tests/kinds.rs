//! Every kind, with and without a time-to-live, against a naive model that keeps every record.

use std::collections::BTreeMap;

use logtally_core::decimal::Decimal;
use logtally_core::journal::{Entry, Mark, Nonce};
use logtally_core::partition::Partition;
use logtally_core::series::{Amount, Family, Increments, Kind, Latest, SeriesKey, Value};
use logtally_store::{Count, Recovering, Snapshot};
use proptest::prelude::*;

use crate::layout::{LeftOut, View};
use crate::page::{PageFormat, render};
use crate::state::Needs;
use crate::testing::Follower;

const PARTITIONS: u16 = 2;
const TTL_MS: u64 = 2_000;
/// Label values.
const LABELS: u8 = 5;
const BOUNDS: [&str; 3] = ["-1", "0.5", "2"];

fn families() -> Vec<Family> {
    let of_kind = |kind: Kind, ttl_s| {
        let is_counter = matches!(kind, Kind::Counter | Kind::SumCounter);
        let name = format!("{kind:?}{ttl_s}{}", if is_counter { "_total" } else { "" });
        let is_histogram = kind == Kind::Histogram;
        let labels: &[&str] = if is_histogram { &["a", "le"] } else { &["a"] };
        let bounds = if is_histogram { &BOUNDS[..] } else { &[] };
        let buckets = bounds.iter().map(|bound| (*bound).to_owned()).collect();
        Family { buckets, ttl_s, ..Family::new(&name, kind, "", labels) }
    };
    let ttl_s = TTL_MS / 1000;
    Kind::ALL.into_iter().flat_map(|kind| [of_kind(kind, 0), of_kind(kind, ttl_s)]).collect()
}

/// One record: a value in quarters.
#[derive(Clone, Copy, Debug)]
struct Record {
    quarters: i64,
    time_ns: i64,
    position: u64,
    /// Whether the latest value comes without a time; its position is its tie then.
    arrived: bool,
}

impl Record {
    fn amount(self, kind: Kind) -> Amount {
        let value = decimal(self.quarters);
        let value = match kind {
            Kind::Counter | Kind::Gauge => Value::None,
            Kind::SumCounter | Kind::SumGauge | Kind::Histogram => Value::Sum(value),
            Kind::Min => Value::Min(value),
            Kind::Max => Value::Max(value),
            Kind::Last if self.arrived => Value::Last(Latest::arrived(self.position, value)),
            Kind::Last => {
                let Self { time_ns, position, .. } = self;
                Value::Last(Latest { time_ns, position, value })
            }
        };
        Amount { count: 1, value }
    }

    fn key(self, family: &Family, label: &str) -> SeriesKey {
        let le = BOUNDS.iter().find(|bound| self.quarters <= quarters_of(bound));
        match family.kind {
            Kind::Histogram => SeriesKey::new(family.id(), [label, le.unwrap_or(&"+Inf")]),
            _ => SeriesKey::new(family.id(), [label]),
        }
    }
}

fn decimal(quarters: i64) -> Decimal {
    Decimal::from_units(i128::from(quarters) * 250_000_000_000)
}

fn quarters_of(bound: &str) -> i64 {
    (bound.parse::<f64>().expect("a number") * 4.0).round() as i64
}

#[derive(Clone, Debug)]
enum Step {
    Count {
        partition: u16,
        records: Vec<(usize, u8, Record)>,
    },
    /// Forgets a series in one partition.
    Forget {
        partition: u16,
        family: usize,
        label: u8,
    },
    Tick {
        partition: u16,
    },
    Reload {
        partition: u16,
    },
}

fn steps() -> impl Strategy<Value = Vec<(u64, u8, Step)>> {
    let record = (-9..20_i64, 0..3_i64, 0..3_u64, any::<bool>()).prop_map(
        |(quarters, time_ns, position, arrived)| Record { quarters, time_ns, position, arrived },
    );
    let counted = (0..16_usize, 0..LABELS, record);
    let partition = || 0..PARTITIONS;
    let step = prop_oneof![
        6 => (partition(), prop::collection::vec(counted, 1..12))
            .prop_map(|(partition, records)| Step::Count { partition, records }),
        1 => (partition(), 0..16_usize, 0..LABELS)
            .prop_map(|(partition, family, label)| Step::Forget { partition, family, label }),
        1 => partition().prop_map(|partition| Step::Tick { partition }),
        1 => partition().prop_map(|partition| Step::Reload { partition }),
    ];
    prop::collection::vec((0..1_500_u64, any::<u8>(), step), 0..25)
}

/// What one partition holds of a series: every record, with the time of its commit.
type Rows = BTreeMap<SeriesKey, Vec<(u64, Record)>>;

#[derive(Clone, Default)]
struct Part {
    seq: u64,
    time_ms: u64,
    rows: Rows,
}

impl Part {
    fn snapshot(&self, families: &[Family]) -> Snapshot {
        let count = |(key, records): (&SeriesKey, &Vec<(u64, Record)>)| {
            let (kind, has_ttl) = (key.family().kind(), key.family().has_ttl());
            let amounts = records.iter().map(|(_, record)| record.amount(kind));
            let amount = amounts.reduce(|a, b| a.merge(b).expect("in range")).expect("a record");
            let created_ms = if kind.has_created() { records[0].0 } else { 0 };
            let touched_ms = if has_ttl { records[records.len() - 1].0 } else { 0 };
            (key.clone(), Count { amount, created_ms, touched_ms })
        };
        Snapshot {
            at: mark(self.seq),
            time_ms: self.time_ms,
            counts: self.rows.iter().map(count).collect(),
            families: families.to_vec(),
            recovering: Recovering::default(),
        }
    }

    fn entry(&mut self, time_ms: u64, increments: Increments) -> Entry {
        self.seq += 1;
        self.time_ms = time_ms;
        let previous = mark(self.seq - 1).nonce;
        Entry { mark: mark(self.seq), previous, time_ms, increments }
    }
}

fn mark(seq: u64) -> Mark {
    Mark { seq, nonce: Nonce(seq * 10) }
}

/// The samples of the text page, told from all records.
fn expected(parts: &[Part], families: &[Family]) -> BTreeMap<String, String> {
    let now_ms = parts.iter().map(|part| part.time_ms).max().expect("parts");
    let mut samples = BTreeMap::new();
    for family in families {
        for label in (0..LABELS).map(|label| label.to_string()) {
            let label = label.as_str();
            let of_series =
                |key: &SeriesKey| key.family() == family.id() && key.values().next() == Some(label);
            let rows = parts.iter().flat_map(|part| &part.rows);
            let rows = rows.filter(|(key, _)| of_series(key));
            let records: Vec<_> = rows.flat_map(|(_, records)| records.iter().copied()).collect();
            let Some(last_ms) = records.iter().map(|(time_ms, _)| *time_ms).max() else { continue };
            if family.ttl_s == 0 || last_ms + TTL_MS > now_ms {
                let records: Vec<Record> = records.into_iter().map(|(_, record)| record).collect();
                push_samples(&mut samples, family, label, &records);
            }
        }
    }
    samples
}

fn push_samples(
    samples: &mut BTreeMap<String, String>,
    family: &Family,
    label: &str,
    records: &[Record],
) {
    let name = &family.name;
    let number = |quarters: i64| decimal(quarters).to_string();
    let quarters = || records.iter().map(|record| record.quarters);
    let sum = || quarters().sum::<i64>();
    let value = match family.kind {
        Kind::Counter | Kind::Gauge => records.len().to_string(),
        Kind::SumCounter | Kind::SumGauge => number(sum()),
        Kind::Min => number(quarters().min().expect("a record")),
        Kind::Max => number(quarters().max().expect("a record")),
        Kind::Last => {
            let last = records.iter().max_by_key(|r| (r.time_ns, r.position, r.quarters));
            number(last.expect("a record").quarters)
        }
        Kind::Histogram => {
            for le in BOUNDS.iter().chain(&["+Inf"]) {
                let below = |n: &i64| *le == "+Inf" || *n <= quarters_of(le);
                let count = quarters().filter(below).count().to_string();
                samples.insert(format!("{name}_bucket{{a=\"{label}\",le=\"{le}\"}}"), count);
            }
            samples.insert(format!("{name}_sum{{a=\"{label}\"}}"), number(sum()));
            let count = records.len().to_string();
            samples.insert(format!("{name}_count{{a=\"{label}\"}}"), count);
            return;
        }
    };
    samples.insert(format!("{name}{{a=\"{label}\"}}"), value);
}

fn samples_of(page: &[u8]) -> BTreeMap<String, String> {
    let text = std::str::from_utf8(page).expect("UTF-8");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let pairs = lines.map(|line| line.rsplit_once(' ').expect("a sample"));
    pairs.map(|(series, value)| (series.to_owned(), value.to_owned())).collect()
}

/// What is left of the values of one series that arrive in one entry: the one with the highest tie, at
/// the place of the entry.
fn last_arrived(
    keyed: &[(SeriesKey, Kind, Record)],
    key: &SeriesKey,
    time_ms: u64,
    seq: u64,
) -> Record {
    let together = keyed.iter().filter(|(k, _, record)| k == key && record.arrived);
    let last = together.map(|(.., record)| (record.position, record.quarters)).max();
    let (_, quarters) = last.expect("the series has one");
    let ns = i64::try_from(time_ms).expect("in range") * 1_000_000;
    Record { quarters, time_ns: ns, position: seq, arrived: false }
}

fn take(view: &mut View, parts: &mut [Part], families: &[Family], time_ms: u64, step: Step) {
    let (partition, increments) = match step {
        Step::Reload { partition } => {
            let snapshot = parts[usize::from(partition)].snapshot(families);
            assert_eq!(view.state.load(Partition(partition), snapshot), Needs::Nothing);
            return;
        }
        Step::Tick { partition } => (partition, Increments::default()),
        Step::Forget { partition, family, label } => {
            let (id, label) = (families[family].id(), label.to_string());
            let is_of =
                |key: &SeriesKey| key.family() == id && key.values().next() == Some(label.as_str());
            let rows = &mut parts[usize::from(partition)].rows;
            let keys: Vec<SeriesKey> = rows.keys().filter(|key| is_of(key)).cloned().collect();
            rows.retain(|key, _| !is_of(key));
            (partition, Increments::forget(keys.iter().map(SeriesKey::as_bytes)))
        }
        Step::Count { partition, records } => {
            let keyed = records.iter().map(|(family, label, record)| {
                let family = &families[*family];
                (record.key(family, &label.to_string()), family.kind, *record)
            });
            let keyed: Vec<_> = keyed.collect();
            let part = &mut parts[usize::from(partition)];
            for (key, kind, record) in &keyed {
                let settled = match kind {
                    Kind::Last if record.arrived => {
                        last_arrived(&keyed, key, time_ms, part.seq + 1)
                    }
                    _ => *record,
                };
                part.rows.entry(key.clone()).or_default().push((time_ms, settled));
            }
            let pairs = keyed.iter().map(|(key, kind, r)| (key.as_bytes(), r.amount(*kind)));
            // As a commit does it: what arrives together is merged before it has its place.
            (partition, Increments::merge([&Increments::pack(pairs), &Increments::default()]))
        }
    };
    let entry = parts[usize::from(partition)].entry(time_ms, increments);
    assert_eq!(view.state.apply(Partition(partition), &[entry]), Ok(Needs::Nothing));
}

proptest! {
    #[test]
    fn every_way_to_a_state_gives_the_page_of_its_records(steps in steps(), lines in 1..6_usize) {
        let families = families();
        let mut parts = vec![Part::default(); usize::from(PARTITIONS)];
        let mut view = View::in_pieces_of(lines);
        view.state.reset(PARTITIONS);
        view.cut_by(7);
        let mut follower = Follower::new();
        for (at, part) in (0..).zip(&parts) {
            let _ = view.state.load(Partition(at), part.snapshot(&families));
        }
        let mut time_ms = 1_700_000_000_000;
        for (pause_ms, forms, step) in steps {
            time_ms += pause_ms;
            let version = view.state.version();
            let before = render(view.arrange(), PageFormat::Text);
            take(&mut view, &mut parts, &families, time_ms, step);
            prop_assert_eq!(view.state.below_high_water(), None);
            follower.check(&mut view, forms);
            let page = render(view.arrange(), PageFormat::Text);
            prop_assert!(view.state.version() > version || page == before, "changed without a version");
            prop_assert_eq!(samples_of(&page), expected(&parts, &families));
        }
        let mut cold = View::in_pieces_of(lines);
        cold.state.reset(PARTITIONS);
        cold.cut_by(7);
        for at in (0..PARTITIONS).rev() {
            let _ = cold.state.load(Partition(at), parts[usize::from(at)].snapshot(&families));
        }
        for format in [PageFormat::Text, PageFormat::OpenMetrics] {
            let (warm, cold) = (render(view.arrange(), format), render(cold.arrange(), format));
            prop_assert_eq!(String::from_utf8_lossy(&warm), String::from_utf8_lossy(&cold));
        }
        follower.check_alike(&mut view, &mut cold);
    }
}

/// A view of two partitions, and what to count in it.
struct Bench {
    view: View,
    parts: Vec<Part>,
    families: Vec<Family>,
}

impl Bench {
    fn new(families: Vec<Family>) -> Self {
        let mut view = View::default();
        view.state.reset(PARTITIONS);
        let parts = vec![Part::default(); usize::from(PARTITIONS)];
        for (at, part) in (0..).zip(&parts) {
            let _ = view.state.load(Partition(at), part.snapshot(&families));
        }
        Self { view, parts, families }
    }

    fn step(&mut self, time_ms: u64, step: Step) {
        take(&mut self.view, &mut self.parts, &self.families, time_ms, step);
    }

    fn count(&mut self, time_ms: u64, partition: u16, family: usize) {
        let record = Record { quarters: 4, time_ns: 0, position: 0, arrived: false };
        self.step(time_ms, Step::Count { partition, records: vec![(family, 0, record)] });
    }

    fn check(&mut self, expect: &[&str]) {
        assert_eq!(self.view.state.below_high_water(), None);
        self.view.state.mark_served();
        let page = render(self.view.arrange(), PageFormat::Text);
        let text = String::from_utf8(page).expect("UTF-8");
        let lines: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(lines, expect);
        assert_eq!(text.contains("# TYPE"), !expect.is_empty(), "no heads without lines: {text}");
    }
}

fn lasting(name: &str, ttl_s: u64) -> Family {
    Family { ttl_s, ..Family::new(name, Kind::Gauge, "", &["a"]) }
}

#[test]
fn a_hidden_series_comes_back_with_its_whole_value() {
    let mut bench = Bench::new(vec![lasting("m", 2)]);
    bench.count(10_000, 0, 0);
    bench.step(11_999, Step::Tick { partition: 1 });
    bench.check(&["m{a=\"0\"} 1"]);
    bench.step(12_000, Step::Tick { partition: 1 });
    bench.check(&[]);
    bench.step(12_000, Step::Reload { partition: 0 });
    bench.check(&[]);
    bench.count(20_000, 1, 0);
    bench.check(&["m{a=\"0\"} 2"]);
}

#[test]
fn a_line_is_hidden_only_if_all_its_families_have_a_time_to_live_and_none_lives() {
    let mut bench = Bench::new(vec![lasting("m", 0), lasting("m", 2), lasting("m", 10)]);
    bench.count(10_000, 0, 1);
    bench.check(&["m{a=\"0\"} 1"]);
    bench.count(11_000, 1, 2);
    bench.step(20_999, Step::Tick { partition: 0 });
    bench.check(&["m{a=\"0\"} 2"]);
    bench.step(21_000, Step::Tick { partition: 0 });
    bench.check(&[]);
    // Counted without a time-to-live from here on, as after its removal from the configuration.
    bench.count(30_000, 0, 0);
    bench.check(&["m{a=\"0\"} 3"]);
    bench.step(90_000, Step::Tick { partition: 0 });
    bench.check(&["m{a=\"0\"} 3"]);
}

#[test]
fn a_series_forgotten_where_it_counted_last_is_hidden_earlier() {
    let mut bench = Bench::new(vec![lasting("m", 2)]);
    let mut follower = Follower::new();
    bench.count(10_000, 0, 0);
    bench.count(11_500, 1, 0);
    follower.check(&mut bench.view, 0b1111);
    bench.step(11_900, Step::Forget { partition: 1, family: 0, label: 0 });
    follower.check(&mut bench.view, 0b1111);
    bench.step(12_000, Step::Tick { partition: 1 });
    follower.check(&mut bench.view, 0b1111);
    bench.check(&[]);
}

#[test]
fn a_forgotten_series_is_no_loss() {
    let mut bench = Bench::new(vec![lasting("m", 0)]);
    bench.count(1, 0, 0);
    bench.count(2, 1, 0);
    bench.count(3, 1, 0);
    bench.check(&["m{a=\"0\"} 3"]);
    bench.step(4, Step::Forget { partition: 1, family: 0, label: 0 });
    bench.check(&["m{a=\"0\"} 1"]);
    bench.step(5, Step::Forget { partition: 0, family: 0, label: 0 });
    bench.check(&[]);
    assert_eq!(bench.view.state.series(), 0);
    bench.count(6, 1, 0);
    bench.check(&["m{a=\"0\"} 1"]);
}

#[test]
fn a_loss_beside_a_forgotten_series_is_still_seen() {
    let mut bench = Bench::new(vec![lasting("m", 0), lasting("n", 0)]);
    bench.count(1, 0, 0);
    bench.count(2, 0, 1);
    let image = bench.parts[0].clone();
    bench.count(3, 0, 1);
    bench.check(&["m{a=\"0\"} 1", "n{a=\"0\"} 2"]);
    bench.parts[0] = image;
    bench.step(4, Step::Reload { partition: 0 });
    bench.step(5, Step::Forget { partition: 0, family: 0, label: 0 });
    assert_eq!(bench.view.state.below_high_water().map(|below| below.served), Some(2));
    bench.step(6, Step::Forget { partition: 0, family: 1, label: 0 });
    bench.check(&[]);
}

#[test]
fn what_arrives_later_is_shown_whatever_its_tie() {
    let mut bench = Bench::new(vec![Family::new("m", Kind::Last, "", &["a"])]);
    let arrive = |bench: &mut Bench, time_ms, values: &[(u64, i64)]| {
        let record = |(position, quarters): &(u64, i64)| {
            (0, 0, Record { quarters: *quarters, time_ns: 0, position: *position, arrived: true })
        };
        let records = values.iter().map(record).collect();
        bench.step(time_ms, Step::Count { partition: 1, records });
    };
    arrive(&mut bench, 10, &[(9, 80)]);
    bench.check(&["m{a=\"0\"} 20"]);
    arrive(&mut bench, 10, &[(1, 4), (3, -4), (2, 8)]);
    bench.check(&["m{a=\"0\"} -1"]);
    bench.step(10, Step::Reload { partition: 1 });
    bench.check(&["m{a=\"0\"} -1"]);
    arrive(&mut bench, 10, &[(0, -8)]);
    bench.check(&["m{a=\"0\"} -2"]);
    bench.step(10, Step::Forget { partition: 1, family: 0, label: 0 });
    bench.check(&[]);
    arrive(&mut bench, 10, &[(0, -40)]);
    bench.check(&["m{a=\"0\"} -10"]);
}

#[test]
fn a_histogram_yields_to_a_metric_with_the_name_of_its_sample() {
    let buckets = vec!["1".to_owned()];
    let histogram = Family { buckets, ..Family::new("m", Kind::Histogram, "", &["a", "le"]) };
    let mut bench = Bench::new(vec![histogram, lasting("m_count", 0)]);
    bench.count(1, 0, 0);
    bench.count(2, 0, 1);
    bench.check(&["m_count{a=\"0\"} 1"]);
    assert_eq!(bench.view.left_out(), LeftOut { conflicting: 1, ..LeftOut::default() });
}
