//! What rules make of records, each case as a person would write it.

use std::collections::BTreeMap;

use logtally_core::rule::Reject;
use logtally_core::series::{SeriesKey, Value};
use proptest::prelude::*;

use crate::condition::Condition as Compiled;
use crate::spec::*;
use crate::*;

/// A record as columns with values.
type Record<'a> = &'a [(&'a str, &'a str)];

struct Cells(Vec<Option<String>>);

impl Row for Cells {
    fn get(&self, slot: usize) -> Option<&[u8]> {
        self.0[slot].as_deref().map(str::as_bytes)
    }
}

fn cells(rules: &RuleSet, record: Record<'_>) -> Cells {
    let find = |column: &String| record.iter().find(|(name, _)| name == column);
    Cells(rules.columns().iter().map(|c| find(c).map(|(_, value)| (*value).to_owned())).collect())
}

/// The hits as `metric{value,…} kept`.
fn hits(specs: &[RuleSpec], record: Record<'_>) -> Result<Vec<String>, Reject> {
    let rules = RuleSet::compile(specs).expect("valid rules");
    let path = vec![Some("eu".to_owned()); rules.placeholders().len()];
    let origin = Origin { path: &path, position: 7, missing: Reject::Ragged };
    let mut found = Hits::default();
    rules.evaluate(&cells(&rules, record), origin, &mut found)?;
    found.iter().try_for_each(|(hit, key)| hit.check(key))?;
    Ok(found
        .iter()
        .map(|(hit, key)| {
            let key = SeriesKey::parse(key).expect("a valid key");
            let values: Vec<_> = key.values().collect();
            let kept = match hit.value {
                Value::None => String::new(),
                Value::Sum(d) | Value::Min(d) | Value::Max(d) => format!(" {d}"),
                Value::Last(latest) => format!(" {}@{}", latest.value, latest.time_ns),
            };
            format!("{}{{{}}}{kept}", rules.rules()[hit.rule].family.name, values.join(","))
        })
        .collect())
}

fn rule(metric: &str, labels: &[&str]) -> RuleSpec {
    let labels = labels.iter().map(|label| LabelSpec::column(label)).collect();
    RuleSpec { metric: metric.to_owned(), labels, ..RuleSpec::default_rule() }
}

fn value(column: &str) -> ValueSpec {
    ValueSpec { column: column.to_owned(), scale: None, invalid: Invalid::Reject }
}

fn measured(measure: Measure) -> RuleSpec {
    RuleSpec { measure, ..rule("m", &["host"]) }
}

const RECORD: Record<'static> = &[
    ("host", "web1"),
    ("status", "503"),
    ("ms", "1500"),
    ("path", "/api/users"),
    ("time", "2026-01-01T00:00:00Z"),
    ("request.method", "GET"),
];

#[test]
fn a_record_counts_in_every_rule_that_matches_it() {
    let specs = [
        rule("a", &["host"]),
        RuleSpec {
            when: Some(Condition::In { column: "status".into(), values: vec!["200".into()] }),
            ..rule("b", &["host"])
        },
        rule("c", &["status", "host"]),
    ];
    assert_eq!(hits(&specs, RECORD), Ok(vec!["a{web1}".into(), "c{503,web1}".into()]));
    assert_eq!(hits(&specs[1..2], RECORD), Ok(vec![]));
}

#[test]
fn a_record_that_one_rule_cannot_count_counts_in_none() {
    let specs = [rule("a", &["host"]), rule("b", &["nothing"])];
    assert_eq!(hits(&specs, RECORD), Err(Reject::Ragged));
    let nul: Record<'_> = &[("host", "a\0b")];
    assert_eq!(hits(&specs[..1], nul), Err(Reject::Nul));
    let long = "x".repeat(1025);
    assert_eq!(hits(&specs[..1], &[("host", long.as_str())]), Err(Reject::LabelTooLong));
}

#[test]
fn every_measure_keeps_its_value() {
    let check = |measure: Measure, expected: Result<&str, Reject>| {
        let expected = expected.map(|text| vec![text.to_owned()]);
        assert_eq!(hits(&[measured(measure.clone())], RECORD), expected, "{measure:?}");
    };
    check(Measure::Counter, Ok("m{web1}"));
    check(Measure::SumCounter(value("ms")), Ok("m{web1} 1500"));
    let seconds = ValueSpec { scale: Some("0.001".into()), ..value("ms") };
    check(Measure::SumGauge(seconds.clone()), Ok("m{web1} 1.5"));
    check(Measure::Min(value("ms")), Ok("m{web1} 1500"));
    check(Measure::Max(value("ms")), Ok("m{web1} 1500"));
    let histogram = |buckets: &[&str]| Measure::Histogram {
        value: seconds.clone(),
        buckets: buckets.iter().map(|b| (*b).to_owned()).collect(),
    };
    check(histogram(&["0.5", "1.50", "2"]), Ok("m{web1,1.5} 1.5"));
    check(histogram(&["0.5", "1"]), Ok("m{web1,+Inf} 1.5"));
    let time = TimeSpec { column: "time".into(), format: TimeFormat::Rfc3339 };
    let last = Measure::Last { value: value("ms"), time };
    check(last, Ok("m{web1} 1500@1767225600000000000"));
    check(Measure::Max(value("path")), Err(Reject::NotANumber));
    let skip = ValueSpec { invalid: Invalid::Skip, ..value("path") };
    assert_eq!(hits(&[measured(Measure::Max(skip))], RECORD), Ok(vec![]));
    let zero = ValueSpec { invalid: Invalid::Default("0".into()), ..value("path") };
    check(Measure::Max(zero), Ok("m{web1} 0"));
    let time = TimeSpec { column: "host".into(), format: TimeFormat::Unix };
    check(Measure::Last { value: value("ms"), time }, Err(Reject::NotATime));
}

#[test]
fn negative_values_do_not_lower_a_counter() {
    let record: Record<'_> = &[("host", "a"), ("ms", "-1")];
    let spec = measured(Measure::SumCounter(value("ms")));
    assert_eq!(hits(&[spec], record), Err(Reject::NotANumber));
    let spec = measured(Measure::SumGauge(value("ms")));
    assert_eq!(hits(&[spec], record), Ok(vec!["m{a} -1".into()]));
}

fn label(column: &str, steps: Vec<LabelStep>) -> LabelSpec {
    LabelSpec { steps, ..LabelSpec::column(column) }
}

#[test]
fn label_values_are_changed_step_by_step() {
    let check = |label: LabelSpec, text: &str, expected: Result<&str, Reject>| {
        let spec = RuleSpec { labels: vec![label], ..rule("m", &[]) };
        let expected = expected.map(|t| if t == "-" { vec![] } else { vec![format!("m{{{t}}}")] });
        assert_eq!(
            hits(std::slice::from_ref(&spec), &[("c", text)]),
            expected,
            "{:?}",
            spec.labels
        );
    };
    check(label("c", vec![LabelStep::Trim, LabelStep::Lower]), "  GÉT ", Ok("gét"));
    check(label("c", vec![LabelStep::Upper]), "get", Ok("GET"));
    let replace = LabelStep::Replace { regex: r"\d+".into(), with: "N".into() };
    check(label("c", vec![replace]), "/a/17/b/2", Ok("/a/N/b/N"));
    let extract = LabelStep::Extract { regex: r"^(\d)".into(), to: "${1}xx".into() };
    check(label("c", vec![extract.clone()]), "503", Ok("5xx"));
    check(label("c", vec![extract.clone()]), "abc", Err(Reject::Missing));
    let skip = LabelSpec { missing: Invalid::Skip, ..label("c", vec![extract.clone()]) };
    check(skip, "abc", Ok("-"));
    let other =
        LabelSpec { missing: Invalid::Default("other".into()), ..label("c", vec![extract]) };
    check(other, "abc", Ok("other"));
    let table = BTreeMap::from([("backup".to_owned(), "ops".to_owned())]);
    let lookup = label("c", vec![LabelStep::Lookup { table }]);
    check(lookup.clone(), "backup", Ok("ops"));
    check(lookup, "x", Err(Reject::Missing));
    let short = LabelSpec { length_max: Some(3), ..LabelSpec::column("c") };
    check(short.clone(), "abcd", Err(Reject::LabelTooLong));
    check(LabelSpec { truncate: true, ..short.clone() }, "abéd", Ok("ab"));
    check(LabelSpec { invalid: Invalid::Default("long".into()), ..short }, "abcd", Ok("long"));
}

#[test]
fn labels_come_from_constants_and_paths() {
    let constant = LabelSpec { from: LabelSource::Constant("x".into()), ..LabelSpec::column("a") };
    let path = LabelSpec { from: LabelSource::Path("dc".into()), ..LabelSpec::column("b") };
    let spec = RuleSpec { labels: vec![constant, path], ..rule("m", &[]) };
    assert_eq!(hits(&[spec], RECORD), Ok(vec!["m{x,eu}".into()]));
}

fn holds(when: Condition) -> bool {
    let spec = RuleSpec { when: Some(when), ..rule("m", &["host"]) };
    !hits(&[spec], RECORD).expect("countable").is_empty()
}

#[test]
fn conditions() {
    let number =
        |compare, with: &str| Condition::Number { column: "ms".into(), compare, with: with.into() };
    assert!(holds(number(Compare::Gt, "1499.9")) && !holds(number(Compare::Gt, "1500")));
    assert!(holds(number(Compare::Ge, "1.5e3")) && holds(number(Compare::Ne, "2")));
    let text = |compare| Condition::Number { column: "host".into(), compare, with: "1".into() };
    assert!(!holds(text(Compare::Ne)), "a text is no number at all");
    let time = |compare, with: &str| Condition::Time {
        time: TimeSpec { column: "time".into(), format: TimeFormat::Rfc3339 },
        compare,
        with: with.into(),
    };
    assert!(holds(time(Compare::Lt, "2026-01-01T00:00:01Z")));
    assert!(!holds(time(Compare::Lt, "2026-01-01")));
    assert!(holds(Condition::Exists("host".into())) && !holds(Condition::Exists("user".into())));
    let matches = Condition::Matches { column: "path".into(), regex: "^/api/".into() };
    assert!(holds(matches.clone()));
    assert!(!holds(Condition::Not(Box::new(matches.clone()))));
    let never = Condition::Exists("user".into());
    assert!(holds(Condition::Any(vec![never.clone(), matches.clone()])));
    assert!(!holds(Condition::All(vec![matches, never])));
}

fn compiled(source: &str) -> Compiled {
    let when = Some(Condition::Cel(source.into()));
    let spec = RuleSpec { when, ..rule("m", &["host"]) };
    let rules = RuleSet::compile(&[spec]).expect(source);
    rules.rules()[0].condition.clone().expect("a condition")
}

#[test]
fn cel_says_the_same_whether_it_is_lowered_or_not() {
    for (source, expected) in [
        (r#"status == "503""#, true),
        (r#"status != "503""#, false),
        (r#"status in ["500", "503"] && host == "web1""#, true),
        (r#"request.method == "GET""#, true),
        (r#"record["request.method"] == "GET" || host == "x""#, true),
        (r#"path.matches("^/api")"#, true),
        (r#"!(path.matches("^/api"))"#, false),
        ("double(ms) >= 1500.0", true),
        ("double(ms) > 1500.0", false),
        (r#"user == """#, true),
        ("double(host) < 1.0", false),
    ] {
        let lowered = compiled(source);
        assert!(!matches!(lowered, Compiled::Cel(_)), "{source} is simple");
        // `|| false` keeps it from being lowered.
        let whole = format!("({source}) || false");
        assert!(matches!(compiled(&whole), Compiled::Cel(_)), "{whole}");
        assert_eq!(holds(Condition::Cel(source.into())), expected, "{source}");
        assert_eq!(holds(Condition::Cel(whole.clone())), expected, "{whole}");
    }
}

#[test]
fn cel_can_do_what_the_simple_form_cannot() {
    for (source, expected) in [
        ("int(ms) / 1000 == 1 && size(host) == 4", true),
        (r#"["a", "web1"].exists(x, x == host)"#, true),
        (r#"timestamp(time) < timestamp("2026-06-01T00:00:00Z")"#, true),
        (r#"path.startsWith("/api") && !path.endsWith("s")"#, false),
        ("int(host) > 1", false),
        ("!(double(host) > 1.0)", false),
        ("!(double(ms) > 1e9)", true),
    ] {
        assert!(matches!(compiled(source), Compiled::Cel(_)), "{source}");
        assert_eq!(holds(Condition::Cel(source.into())), expected, "{source}");
    }
}

fn relabel(action: RelabelAction, sources: &[&str], regex: &str) -> Relabel {
    Relabel {
        action,
        source_labels: sources.iter().map(|s| (*s).to_owned()).collect(),
        separator: ";".into(),
        regex: regex.into(),
        target_label: String::new(),
        replacement: "$1".into(),
    }
}

#[test]
fn relabelling_works_as_in_prometheus() {
    let check = |steps: Vec<Relabel>, labels: &[&str], expected: &[&str]| {
        let spec = RuleSpec { relabel: steps, ..rule("m", &["status", "host"]) };
        let rules = RuleSet::compile(std::slice::from_ref(&spec)).expect("valid");
        assert_eq!(rules.rules()[0].family.labels, labels);
        assert_eq!(hits(&[spec], RECORD), Ok(expected.iter().map(|e| (*e).to_owned()).collect()));
    };
    let both = ["host", "status"];
    check(vec![relabel(RelabelAction::Keep, &["host"], "web.*")], &both, &["m{web1,503}"]);
    check(vec![relabel(RelabelAction::Keep, &["host"], "web")], &both, &[]);
    check(vec![relabel(RelabelAction::Drop, &["status", "host"], "503;web1")], &both, &[]);
    let replace = Relabel {
        target_label: "class".into(),
        replacement: "${1}xx".into(),
        ..relabel(RelabelAction::Replace, &["status"], r"(\d).*")
    };
    let drop = relabel(RelabelAction::LabelDrop, &[], "status");
    check(vec![replace, drop], &["class", "host"], &["m{5xx,web1}"]);
    let map =
        Relabel { replacement: "log_$1".into(), ..relabel(RelabelAction::LabelMap, &[], "(host)") };
    let keep = relabel(RelabelAction::LabelKeep, &[], "log_.*");
    check(vec![map, keep], &["log_host"], &["m{web1}"]);
    check(vec![relabel(RelabelAction::Drop, &["__name__"], "m")], &both, &[]);
}

#[test]
fn wrong_rules_name_the_field_and_the_fix() {
    let check = |spec: RuleSpec, field: &str, message: &str| {
        let errors = RuleSet::compile(&[rule("ok", &["a"]), spec]).expect_err("refused");
        let [error] = errors.as_slice() else { panic!("{errors:?}") };
        assert_eq!((error.rule, error.field.as_str()), (1, field), "{error}");
        assert!(error.message.contains(message), "{error}");
    };
    let cel = |text: &str| RuleSpec { when: Some(Condition::Cel(text.into())), ..rule("m", &[]) };
    check(cel("status =="), "when", "not a valid CEL expression");
    check(cel("1 == 1"), "when", "uses no column");
    check(cel("statuss(host) == 1"), "when", "no function statuss");
    let bad = Condition::Matches { column: "a".into(), regex: "(".into() };
    check(RuleSpec { when: Some(bad), ..rule("m", &[]) }, "when", "unclosed group");
    let extract = vec![LabelStep::Extract { regex: "[".into(), to: String::new() }];
    let spec = RuleSpec { labels: vec![label("c", extract)], ..rule("m", &[]) };
    check(spec, "labels.c.extract", "not a valid regular expression");
    let buckets = vec!["2".to_owned(), "1".to_owned()];
    let histogram = Measure::Histogram { value: value("ms"), buckets };
    check(measured(histogram), "buckets", "ascend");
    let scale = ValueSpec { scale: Some("x".into()), ..value("ms") };
    check(measured(Measure::Min(scale)), "value.scale", "\"x\"");
    let tenant = Some(TenantSpec { label: "x".into(), series_max: 1 });
    check(RuleSpec { tenant, ..rule("m", &["a"]) }, "limit_per", "no label \"x\"");
}

#[test]
fn a_changed_rule_counts_anew_and_the_same_rule_does_not() {
    let name = |spec: RuleSpec| {
        let spec = RuleSpec { backfill: true, ..spec };
        RuleSet::compile(&[spec]).expect("valid").rules()[0].backfill.clone().expect("named")
    };
    let plain = rule("m", &["host"]);
    assert_eq!(name(plain.clone()), name(RuleSpec { help: "other".into(), ..plain.clone() }));
    let when = Some(Condition::Exists("host".into()));
    assert_ne!(name(plain.clone()), name(RuleSpec { when, ..plain }));
}

proptest! {
    /// The selector only leaves out rules that do not take the record.
    #[test]
    fn the_selector_loses_nothing(
        wanted in prop::collection::vec(prop::collection::vec("[ab]", 1..3), 1..20),
        a in "[ab]{0,1}", b in "[ab]{0,1}",
    ) {
        let condition = |i: usize, values: &Vec<String>| Condition::In {
            column: if i.is_multiple_of(2) { "a" } else { "b" }.into(),
            values: values.clone(),
        };
        let specs: Vec<_> = wanted.iter().enumerate().map(|(i, values)| RuleSpec {
            when: (i % 5 < 4).then(|| condition(i, values)),
            ..rule(&format!("m{i}"), &[])
        }).collect();
        let record: Record<'_> = &[("a", &a), ("b", &b)];
        let expected: Vec<String> = specs.iter().filter(|spec| match &spec.when {
            None => true,
            Some(Condition::In { column, values }) => {
                values.contains(if column == "a" { &a } else { &b })
            }
            Some(_) => false,
        }).map(|spec| format!("{}{{}}", spec.metric)).collect();
        prop_assert_eq!(hits(&specs, record), Ok(expected));
    }
}

/// What can be wrong with a label, and what is to be done with it then.
fn odd_label(name: &str, kind: u8, missing: u8, invalid: u8) -> LabelSpec {
    let choice = |n: u8| match n {
        0 => Invalid::Reject,
        1 => Invalid::Skip,
        _ => Invalid::Default("none".into()),
    };
    let column = ["host", "gone", "nul", "long", "empty"][usize::from(kind)];
    let length_max = (kind == 3).then_some(4);
    let from = LabelSource::Column(column.into());
    let (missing, invalid) = (choice(missing), choice(invalid));
    LabelSpec { name: name.into(), from, missing, invalid, length_max, ..LabelSpec::column(column) }
}

#[test]
fn what_is_to_be_skipped_is_skipped_whatever_else_is_wrong() {
    let skipped = |column: &str| LabelSpec { missing: Invalid::Skip, ..LabelSpec::column(column) };
    let number = ValueSpec { invalid: Invalid::Skip, ..value("gone") };
    let of = |labels: Vec<LabelSpec>, measure: Measure, relabel: Vec<Relabel>| RuleSpec {
        measure,
        labels,
        relabel,
        ..rule("m", &[])
    };
    let record: Record<'_> = &[("host", "web"), ("nul", "a\0b")];
    let sum = Measure::SumGauge(number);
    for bad in ["gone", "nul"] {
        let (bad, skip) = (LabelSpec::column(bad), skipped("absent"));
        let lower = LabelSpec { steps: vec![LabelStep::Lower], ..bad.clone() };
        for labels in [[bad.clone(), skip.clone()], [skip.clone(), bad.clone()], [lower, skip]] {
            let steps = vec![relabel(RelabelAction::LabelDrop, &[], "none")];
            for relabel in [Vec::new(), steps] {
                let spec = of(labels.to_vec(), Measure::Counter, relabel.clone());
                let both = [rule("other", &["host"]), spec];
                assert_eq!(hits(&both, record), Ok(vec!["other{web}".into()]));
                let spec = of(labels[..1].to_vec(), sum.clone(), relabel);
                assert_eq!(hits(&[spec], record), Ok(vec![]), "a number that is to be skipped");
            }
        }
        assert!(hits(&[of(vec![bad], Measure::Counter, Vec::new())], record).is_err());
    }
}

proptest! {
    #[test]
    fn the_order_of_labels_changes_nothing(
        labels in prop::collection::vec((0_u8..5, 0_u8..3, 0_u8..3), 1..5),
        turn in 0_usize..5,
        relabelled in any::<bool>(),
    ) {
        let record: Record<'_> =
            &[("host", "web"), ("nul", "a\0b"), ("long", "too long"), ("empty", "")];
        let names = ["a", "b", "c", "d", "e"];
        let labels: Vec<LabelSpec> = labels
            .iter()
            .zip(names)
            .map(|((kind, missing, invalid), name)| odd_label(name, *kind, *missing, *invalid))
            .collect();
        let steps = vec![relabel(RelabelAction::LabelMap, &[], "(.*)")];
        let of = |labels: Vec<LabelSpec>| {
            let relabel = if relabelled { steps.clone() } else { Vec::new() };
            let found = hits(&[RuleSpec { labels, relabel, ..rule("m", &[]) }], record);
            found.map(|found| found.len())
        };
        let mut turned = labels.clone();
        turned.rotate_left(turn % labels.len());
        let reversed = labels.iter().rev().cloned().collect();
        let expected = of(labels);
        prop_assert_eq!(of(turned), expected);
        prop_assert_eq!(of(reversed), expected);
    }
}

#[test]
fn an_empty_label_does_not_exist_for_relabelling() {
    let map = |regex: &str, to: &str| Relabel {
        replacement: to.into(),
        ..relabel(RelabelAction::LabelMap, &[], regex)
    };
    let replace = |source: &str, target: &str, to: &str| Relabel {
        target_label: target.into(),
        replacement: to.into(),
        ..relabel(RelabelAction::Replace, &[source], "(.*)")
    };
    let check = |record: Record<'_>, steps: Vec<Relabel>, expected: &str| {
        let spec = RuleSpec { relabel: steps, ..rule("m", &["a", "b", "c"]) };
        assert_eq!(hits(&[spec], record), Ok(vec![expected.to_owned()]));
    };
    let (full, gap): (Record<'_>, Record<'_>) =
        (&[("a", "1"), ("b", "2"), ("c", "3")], &[("a", "1"), ("b", ""), ("c", "")]);
    check(full, vec![map("[ab]", "x")], "m{1,2,3,2}");
    check(gap, vec![map("[ab]", "x")], "m{1,,,1}");
    check(gap, vec![map("[bc]", "a")], "m{1,,}");
    // What a step before has emptied is gone, and what it has changed is copied last.
    check(full, vec![replace("a", "b", ""), map("[ab]", "x")], "m{1,,3,1}");
    check(full, vec![replace("a", "a", "9"), map("[abc]", "x")], "m{9,2,3,9}");
    check(full, vec![map("[abc]", "x"), replace("a", "x", ""), map("a", "x")], "m{1,2,3,1}");
    // All are copied as they were before the step.
    let spec = RuleSpec { relabel: vec![map("(a*)", "a$1")], ..rule("m", &["a", "aa"]) };
    assert_eq!(hits(&[spec], &[("a", "1"), ("aa", "2")]), Ok(vec!["m{1,1,2}".to_owned()]));
}
