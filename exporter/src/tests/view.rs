//! The view against small histories, and against a plain sum.

use std::collections::{BTreeMap, HashMap};

use logtally_core::journal::{Entry, Mark, Nonce};
use logtally_core::partition::Partition;
use logtally_core::series::{Amount, Family, Increments, Kind, SeriesKey};
use logtally_store::{Count, Recovering, Snapshot};
use proptest::prelude::*;

use crate::layout::{LeftOut, View};
use crate::page::{PageFormat, render};
use crate::state::{Needs, NotLinked, Shortfall};
use crate::testing::{Follower, family, lines};

const P0: Partition = Partition(0);
const P1: Partition = Partition(1);

fn mark(seq: u64) -> Mark {
    Mark { seq, nonce: Nonce(seq * 10) }
}

fn snapshot(seq: u64, families: &[Family], counts: &[(&Family, &[&str], u64, u64)]) -> Snapshot {
    let count = |(family, values, value, created_ms): &(&Family, &[&str], u64, u64)| {
        let key = SeriesKey::new(family.id(), values.iter().copied());
        let (amount, touched_ms) = (Amount::records(*value), 0);
        (key, Count { amount, created_ms: *created_ms, touched_ms })
    };
    Snapshot {
        at: mark(seq),
        time_ms: seq,
        counts: counts.iter().map(count).collect(),
        families: families.to_vec(),
        recovering: Recovering::default(),
    }
}

fn entry(seq: u64, time_ms: u64, pairs: &[(&Family, &[&str], u64)]) -> Entry {
    let key =
        |family: &Family, values: &[&str]| SeriesKey::new(family.id(), values.iter().copied());
    let pairs: Vec<_> = pairs.iter().map(|(f, values, n)| (key(f, values), *n)).collect();
    Entry {
        mark: mark(seq),
        previous: mark(seq - 1).nonce,
        time_ms,
        increments: Increments::pack(pairs.iter().map(|(key, n)| (key.as_bytes(), *n))),
    }
}

/// A view of two partitions at the beginning of their journals.
fn fresh() -> View {
    let mut view = View::default();
    view.state.reset(2);
    for partition in [P0, P1] {
        assert_eq!(view.state.load(partition, snapshot(0, &[], &[])), Needs::Nothing);
    }
    view
}

fn page(view: &mut View, format: PageFormat) -> String {
    String::from_utf8(render(view.arrange(), format)).expect("UTF-8")
}

/// The lines of the page that are no comments.
fn check(view: &mut View, expect: &[&str]) {
    let page = page(view, PageFormat::Text);
    let samples: Vec<_> = page.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(samples, expect);
}

fn is_complete(view: &View) -> bool {
    [P0, P1].into_iter().all(|partition| view.state.mark(partition).is_some())
}

#[test]
fn a_view_is_complete_when_every_partition_is_loaded() {
    let mut view = View::default();
    assert!(!is_complete(&view));
    view.state.reset(2);
    assert_eq!((view.state.mark(P0), is_complete(&view)), (None, false));
    let _ = view.state.load(P0, snapshot(3, &[], &[]));
    assert_eq!((view.state.mark(P0), is_complete(&view)), (Some(mark(3)), false));
    let _ = view.state.load(P1, snapshot(0, &[], &[]));
    assert!(is_complete(&view));
}

#[test]
fn totals_are_sums_over_partitions() {
    let mut view = fresh();
    let f = lines();
    let _ = view.state.load(P0, snapshot(1, &[lines()], &[(&f, &["a"], 2, 0), (&f, &["b"], 3, 0)]));
    let _ = view.state.load(P1, snapshot(1, &[lines()], &[(&f, &["a"], 40, 0)]));
    check(&mut view, &["log_lines{host=\"a\"} 42", "log_lines{host=\"b\"} 3"]);
    let entries = [entry(2, 5, &[(&f, &["a"], 1)]), entry(3, 6, &[(&f, &["c"], 7)])];
    assert_eq!(view.state.apply(P1, &entries), Ok(Needs::Nothing));
    assert_eq!(view.state.mark(P1), Some(mark(3)));
    let expect = ["log_lines{host=\"a\"} 43", "log_lines{host=\"b\"} 3", "log_lines{host=\"c\"} 7"];
    check(&mut view, &expect);
    let _ = view.state.load(P0, snapshot(9, &[lines()], &[(&f, &["c"], 1, 0)]));
    check(&mut view, &["log_lines{host=\"a\"} 41", "log_lines{host=\"c\"} 8"]);
    assert_eq!(view.state.series(), 2);
}

#[test]
fn entries_that_do_not_link_change_nothing() {
    let mut view = fresh();
    let f = lines();
    let _ = view.state.load(P0, snapshot(1, &[lines()], &[(&f, &["a"], 2, 0)]));
    let version = view.version();
    let gap = [entry(3, 0, &[(&f, &["a"], 1)])];
    assert_eq!(view.state.apply(P0, &gap), Err(NotLinked));
    let linked_at_first = [entry(2, 0, &[(&f, &["a"], 1)]), entry(4, 0, &[(&f, &["a"], 1)])];
    assert_eq!(view.state.apply(P0, &linked_at_first), Err(NotLinked));
    assert_eq!(view.state.apply(Partition(7), &[]), Err(NotLinked));
    assert_eq!((view.version(), view.state.mark(P0)), (version, Some(mark(1))));
    check(&mut view, &["log_lines{host=\"a\"} 2"]);
}

#[test]
fn the_high_water_mark_is_per_series() {
    let mut view = fresh();
    let f = lines();
    let _ = view.state.load(P0, snapshot(1, &[lines()], &[(&f, &["a"], 2, 0), (&f, &["b"], 2, 0)]));
    view.state.mark_served();
    let _ = view.state.load(P0, snapshot(2, &[lines()], &[(&f, &["a"], 9, 0), (&f, &["b"], 1, 0)]));
    let series = "log_lines{host=\"b\"}".to_owned();
    let below = Shortfall { series, served: 2, total: 1, count: 1 };
    assert_eq!(view.state.below_high_water(), Some(below), "although the sum is higher");
    assert_eq!(view.state.apply(P1, &[entry(1, 0, &[(&f, &["b"], 1)])]), Ok(Needs::Nothing));
    assert_eq!(view.state.below_high_water(), None, "another partition may catch up as well");
    view.state.mark_served();
    let _ = view.state.load(P1, snapshot(0, &[], &[]));
    assert_eq!(
        view.state.below_high_water().map(|below| (below.served, below.total)),
        Some((2, 1))
    );
}

#[test]
fn a_vanished_series_is_below_its_high_water_mark() {
    let mut view = fresh();
    let f = lines();
    let _ = view.state.load(P0, snapshot(1, &[lines()], &[(&f, &["a"], 2, 0)]));
    view.state.mark_served();
    view.state.reset(2);
    assert_eq!(view.state.below_high_water().map(|below| below.total), Some(0));
    let _ = view.state.load(P0, snapshot(1, &[lines()], &[(&f, &["a"], 2, 0)]));
    assert_eq!(view.state.below_high_water(), None);
}

#[test]
fn what_was_not_served_has_no_high_water_mark() {
    let mut view = fresh();
    let f = lines();
    view.state.mark_served();
    assert_eq!(view.state.apply(P0, &[entry(1, 0, &[(&f, &["a"], 5)])]), Ok(Needs::Families));
    let _ = view.state.load(P0, snapshot(0, &[], &[]));
    assert_eq!(view.state.below_high_water(), None);
}

#[test]
fn an_accepted_loss_lowers_the_high_water_mark_to_what_is_left() {
    let mut view = fresh();
    let f = lines();
    let _ = view.state.load(P0, snapshot(1, &[lines()], &[(&f, &["a"], 9, 0), (&f, &["b"], 9, 0)]));
    view.state.mark_served();
    let _ = view.state.load(P0, snapshot(2, &[lines()], &[(&f, &["a"], 4, 0)]));
    assert_eq!(view.state.below_high_water().map(|below| below.count), Some(2));
    view.state.accept_loss();
    assert_eq!(view.state.below_high_water(), None);
    view.state.mark_served();
    let _ = view.state.load(P0, snapshot(3, &[lines()], &[(&f, &["a"], 3, 0)]));
    assert_eq!(view.state.below_high_water().map(|below| below.served), Some(4));
}

#[test]
#[should_panic(expected = "nothing below the high-water mark is served")]
fn nothing_below_the_high_water_mark_can_be_marked_as_served() {
    let mut view = fresh();
    let f = lines();
    let _ = view.state.load(P0, snapshot(1, &[lines()], &[(&f, &["a"], 9, 0)]));
    view.state.mark_served();
    let _ = view.state.load(P0, snapshot(2, &[], &[]));
    view.state.mark_served();
}

#[test]
fn an_unknown_family_is_asked_for_and_shown_once_it_is_known() {
    let mut view = fresh();
    let f = lines();
    let entries = [entry(1, 0, &[(&f, &["a"], 5)])];
    assert_eq!(view.state.apply(P0, &entries), Ok(Needs::Families));
    check(&mut view, &[]);
    assert_eq!(view.left_out(), LeftOut { unknown: 1, ..LeftOut::default() });
    assert!(view.state.asks_for_families());
    view.state.learn(&[lines()]);
    assert!(!view.state.asks_for_families());
    check(&mut view, &["log_lines{host=\"a\"} 5"]);
    assert_eq!(view.left_out(), LeftOut::default());
}

#[test]
fn a_family_that_is_nowhere_is_not_asked_for_for_ever() {
    let mut view = fresh();
    let f = lines();
    assert_eq!(view.state.apply(P0, &[entry(1, 0, &[(&f, &["a"], 5)])]), Ok(Needs::Families));
    view.state.stop_asking_for_families();
    assert_eq!(view.state.apply(P0, &[entry(2, 0, &[(&f, &["a"], 5)])]), Ok(Needs::Nothing));
    check(&mut view, &[]);
    view.state.learn(&[lines()]);
    check(&mut view, &["log_lines{host=\"a\"} 10"]);
}

#[test]
fn a_counter_began_when_its_first_partition_did() {
    let f = family(Kind::Counter, "lines_total", "", &[]);
    let mut view = fresh();
    let created = |view: &mut View, expect: &str| {
        let page = page(view, PageFormat::OpenMetrics);
        let line = page.lines().find(|line| line.starts_with("lines_created"));
        assert_eq!(line.unwrap_or_default(), expect);
    };
    let families = [f.clone()];
    let _ = view.state.load(P0, snapshot(1, &families, &[(&f, &[], 1, 5_000)]));
    created(&mut view, "lines_created 5.000");
    let entries = [entry(1, 4_250, &[(&f, &[], 1)]), entry(2, 1_000, &[(&f, &[], 1)])];
    assert_eq!(view.state.apply(P1, &entries), Ok(Needs::Nothing));
    created(&mut view, "lines_created 4.250");
    let _ = view.state.load(P1, snapshot(0, &[], &[]));
    created(&mut view, "lines_created 5.000");
    let _ = view.state.load(P0, snapshot(0, &[], &[]));
    created(&mut view, "");
    assert_eq!(view.state.apply(P0, &[entry(1, 9_001, &[(&f, &[], 1)])]), Ok(Needs::Nothing));
    created(&mut view, "lines_created 9.001");
    view.state.reset(2);
    let _ = view.state.load(P1, snapshot(1, &families, &[(&f, &[], 1, 9_002)]));
    created(&mut view, "lines_created 9.002");
}

#[test]
fn families_of_one_name_and_kind_are_one_metric() {
    let one = family(Kind::Gauge, "m", "One", &["a", "b"]);
    let other = family(Kind::Gauge, "m", "Other", &["b", "a"]);
    let fewer = family(Kind::Gauge, "m", "Fewer", &["a"]);
    let all = [one.clone(), other.clone(), fewer.clone()];
    let mut view = fresh();
    let counts: [(&Family, &[&str], u64, u64); 5] = [
        (&one, &["1", "2"], 1, 0),
        (&one, &["1", ""], 20, 0),
        (&other, &["2", "1"], 300, 0),
        (&fewer, &["1"], 4_000, 0),
        (&fewer, &["0"], 5, 0),
    ];
    let _ = view.state.load(P0, snapshot(1, &all, &counts));
    let page = page(&mut view, PageFormat::Text);
    let first = all.iter().min_by_key(|f| f.id()).expect("three");
    assert!(page.starts_with(&format!("# HELP m {}\n# TYPE m gauge\n", first.help)), "{page}");
    let values: Vec<_> =
        page.lines().skip(2).map(|l| l.rsplit_once(' ').expect("a value").1).collect();
    assert_eq!(values, ["5", "4020", "301"], "{page}");
}

#[test]
fn of_two_kinds_the_smaller_id_is_shown() {
    let counter = family(Kind::Counter, "m", "", &[]);
    let gauge = family(Kind::Gauge, "m", "", &[]);
    let mut view = fresh();
    let counts: [(&Family, &[&str], u64, u64); 2] = [(&gauge, &[], 1, 0), (&counter, &[], 2, 7)];
    let _ = view.state.load(P0, snapshot(1, &[gauge.clone(), counter.clone()], &counts));
    check(&mut view, &["m 2"]);
    assert_eq!(view.left_out(), LeftOut { conflicting: 1, ..LeftOut::default() });
    let _ = view.state.load(P0, snapshot(2, &[], &[(&gauge, &[], 1, 0)]));
    check(&mut view, &["m 1"]);
    assert_eq!(view.left_out(), LeftOut::default());
}

#[test]
fn what_cannot_be_shown_is_left_out_and_counted() {
    let bad_name = family(Kind::Gauge, "no name", "", &[]);
    let f = lines();
    let mut view = fresh();
    let counts: [(&Family, &[&str], u64, u64); 4] =
        [(&bad_name, &[], 1, 0), (&f, &["a", "b"], 2, 0), (&f, &[], 2, 0), (&f, &["ok"], 3, 0)];
    let _ = view.state.load(P0, snapshot(1, &[bad_name.clone(), lines()], &counts));
    check(&mut view, &["log_lines{host=\"ok\"} 3"]);
    assert_eq!(view.left_out(), LeftOut { invalid: 1, strays: 2, ..LeftOut::default() });
}

#[test]
fn strays_of_a_family_learned_late_are_left_out() {
    let f = lines();
    let mut view = fresh();
    let entries = [entry(1, 0, &[(&f, &["a", "b"], 2), (&f, &["a"], 1)])];
    assert_eq!(view.state.apply(P0, &entries), Ok(Needs::Families));
    view.state.learn(&[lines()]);
    check(&mut view, &["log_lines{host=\"a\"} 1"]);
    assert_eq!(view.left_out(), LeftOut { strays: 1, ..LeftOut::default() });
}

/// Its place is found once, however often it has come.
#[test]
fn a_series_that_came_went_and_came_again_between_two_looks_stands_once() {
    let f = family(Kind::Gauge, "log", "", &["host"]);
    let (mut view, families) = (fresh(), [f.clone()]);
    view.state.learn(&families);
    assert_eq!(view.state.apply(P0, &[entry(1, 1, &[(&f, &["old"], 1)])]), Ok(Needs::Nothing));
    check(&mut view, &["log{host=\"old\"} 1"]);
    let key = SeriesKey::new(f.id(), ["new"]);
    let forgotten = Entry { increments: Increments::forget([key.as_bytes()]), ..entry(3, 1, &[]) };
    let counted = |seq| entry(seq, 1, &[(&f, &["new"], 2)]);
    let entries = [counted(2), forgotten, counted(4)];
    assert_eq!(view.state.apply(P0, &entries), Ok(Needs::Nothing));
    check(&mut view, &["log{host=\"new\"} 2", "log{host=\"old\"} 1"]);
    assert_eq!(view.state.apply(P0, &[counted(5)]), Ok(Needs::Nothing));
    check(&mut view, &["log{host=\"new\"} 4", "log{host=\"old\"} 1"]);
}

#[test]
fn a_beginning_that_moves_alone_is_on_the_next_page() {
    let f = family(Kind::Counter, "lines_total", "", &[]);
    let (mut view, mut follower) = (fresh(), Follower::new());
    let families = [f.clone()];
    let _ = view.state.load(P0, snapshot(1, &families, &[(&f, &[], 1, 5_000)]));
    follower.check(&mut view, 0b1111);
    assert_eq!(view.state.apply(P1, &[entry(1, 4_250, &[(&f, &[], 1)])]), Ok(Needs::Nothing));
    follower.check(&mut view, 0b1111);
    assert!(page(&mut view, PageFormat::OpenMetrics).contains("lines_created 4.250\n"));
}

/// One step of a history: a partition counts something, forgets a series, or is loaded again; or
/// somebody looks. Between two looks a series can go and come again any number of times.
#[derive(Clone, Debug)]
enum Step {
    Count { partition: u16, pairs: Vec<(usize, String, u64)> },
    Forget { partition: u16, family: usize, value: String },
    Reload { partition: u16 },
    Look,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let pair = (0..4_usize, "[ab\"\\\\]{0,1}", 1..100_u64);
    let count = (0..2_u16, prop::collection::vec(pair, 1..6))
        .prop_map(|(partition, pairs)| Step::Count { partition, pairs });
    let reload = (0..2_u16).prop_map(|partition| Step::Reload { partition });
    let forget = (0..2_u16, 0..4_usize, "[ab\"\\\\]{0,1}")
        .prop_map(|(partition, family, value)| Step::Forget { partition, family, value });
    let step = prop_oneof![8 => count, 4 => forget, 1 => reload, 3 => Just(Step::Look)];
    prop::collection::vec(step, 0..40)
}

/// Families among which names, labels and kinds collide.
fn colliding() -> [Family; 4] {
    [
        family(Kind::Gauge, "m", "One", &["a"]),
        family(Kind::Gauge, "m", "Two", &["a"]),
        family(Kind::Counter, "m", "Three", &["a"]),
        family(Kind::Gauge, "m", "Four", &["b"]),
    ]
}

/// What each partition has counted.
type Held = HashMap<(u16, usize, String), u64>;

fn snapshot_of(held: &Held, partition: u16, seq: u64) -> Snapshot {
    let families = colliding();
    let rows = held.iter().filter(|((p, ..), _)| *p == partition);
    let count = |((_, f, value), n): (&(u16, usize, String), &u64)| {
        let created_ms = u64::from(families[*f].kind == Kind::Counter);
        (
            SeriesKey::new(families[*f].id(), [value.as_str()]),
            Count { amount: Amount::records(*n), created_ms, touched_ms: 0 },
        )
    };
    let counts = rows.map(count).collect();
    Snapshot { counts, ..snapshot(seq, &families, &[]) }
}

/// The samples of the page by a plain sum.
fn expected(held: &Held) -> BTreeMap<String, u64> {
    let families = colliding();
    let shown = held.keys().map(|(_, f, _)| &families[*f]).min_by_key(|family| family.id());
    let mut sums = BTreeMap::new();
    for ((_, f, value), n) in held {
        if shown.is_some_and(|shown| shown.kind == families[*f].kind) {
            let label = if value.is_empty() { "" } else { &families[*f].labels[0] };
            *sums.entry(format!("{label}={value}")).or_default() += n;
        }
    }
    sums
}

/// The same from a page.
fn read_back(page: &str) -> BTreeMap<String, u64> {
    let sample = |line: &str| {
        let (labels, n) = line.trim_start_matches("m{").rsplit_once("\"} ").expect("a sample");
        let (label, value) = labels.split_once("=\"").expect("a label");
        let value = value.replace("\\\"", "\"").replace("\\\\", "\\");
        let label = if value.is_empty() { "" } else { label };
        (format!("{label}={value}"), n.parse().expect("a count"))
    };
    page.lines().filter(|line| !line.starts_with('#')).map(sample).collect()
}

proptest! {
    #[test]
    fn every_way_to_a_state_gives_its_plain_sum_and_the_same_page(steps in steps(), lines in 1..4_usize) {
        let families = colliding();
        let mut held = Held::new();
        let mut seqs = [0_u64; 2];
        let mut view = View::in_pieces_of(lines);
        view.state.reset(2);
        for partition in [P0, P1] {
            let _ = view.state.load(partition, snapshot(0, &[], &[]));
        }
        view.state.learn(&families);
        let mut follower = Follower::new();
        for step in steps {
            match step {
                Step::Count { partition, pairs } => {
                    let keys: Vec<_> = pairs.iter().map(|(f, value, n)| {
                        *held.entry((partition, *f, value.clone())).or_default() += n;
                        (&families[*f], [value.as_str()], *n)
                    }).collect();
                    let keys: Vec<_> = keys.iter().map(|(f, v, n)| (*f, &v[..], *n)).collect();
                    let seq = &mut seqs[usize::from(partition)];
                    *seq += 1;
                    let applied = view.state.apply(Partition(partition), &[entry(*seq, 1, &keys)]);
                    prop_assert_eq!(applied, Ok(Needs::Nothing));
                }
                Step::Forget { partition, family, value } => {
                    let key = SeriesKey::new(families[family].id(), [value.as_str()]);
                    held.remove(&(partition, family, value));
                    let seq = &mut seqs[usize::from(partition)];
                    *seq += 1;
                    let forgotten = Entry {
                        increments: Increments::forget([key.as_bytes()]),
                        ..entry(*seq, 1, &[])
                    };
                    let applied = view.state.apply(Partition(partition), &[forgotten]);
                    prop_assert_eq!(applied, Ok(Needs::Nothing));
                }
                Step::Reload { partition } => {
                    let seq = seqs[usize::from(partition)];
                    let _ = view.state.load(Partition(partition), snapshot_of(&held, partition, seq));
                }
                Step::Look => {
                    prop_assert_eq!(view.state.below_high_water(), None);
                    follower.check(&mut view, 0b1111);
                    let page = page(&mut view, PageFormat::Text);
                    prop_assert_eq!(page.lines().filter(|l| !l.starts_with('#')).count(), expected(&held).len());
                    prop_assert_eq!(read_back(&page), expected(&held));
                }
            }
        }
        follower.check(&mut view, 0b1111);
        prop_assert_eq!(read_back(&page(&mut view, PageFormat::Text)), expected(&held));
        let mut other = View::in_pieces_of(lines);
        other.state.reset(2);
        for partition in [1, 0] {
            let seq = seqs[usize::from(partition)];
            let _ = other.state.load(Partition(partition), snapshot_of(&held, partition, seq));
        }
        for format in [PageFormat::Text, PageFormat::OpenMetrics] {
            prop_assert_eq!(page(&mut view, format), page(&mut other, format));
        }
        follower.check_alike(&mut view, &mut other);
    }
}
