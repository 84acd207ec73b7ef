//! Configurations that are right become the expected specifications.

use std::io;
use std::path::Path;
use std::time::Duration;

use logtally_config::Config;
use logtally_formats::spec::{CsvSpec, FormatSpec};
use logtally_rules::spec::{
    Compare, Condition, Invalid, LabelSource, LabelSpec, LabelStep, Measure, Relabel,
    RelabelAction, RuleSpec, TenantSpec, TimeFormat, TimeSpec, ValueSpec,
};

const FULL: &str = include_str!("good/full.yaml");

fn files(name: &str) -> io::Result<String> {
    match name {
        "my.grok" => Ok("# mine\nWORDS \\w+ \\w+\n\nMINE over\n".into()),
        "hosts.csv" => Ok("10.0.0.1,web\n\"a,b\",\"x \"\"y\"\"\"\n".into()),
        _ => Err(io::ErrorKind::NotFound.into()),
    }
}

fn parse(text: &str) -> Config {
    Config::parse("c.yaml", text, &files).unwrap_or_else(|error| panic!("{error}"))
}

fn rules(text: &str) -> Vec<RuleSpec> {
    parse(text).inputs.remove(0).rules
}

fn column(name: &str) -> LabelSpec {
    label(name, LabelSource::Column(name.into()))
}

fn label(name: &str, from: LabelSource) -> LabelSpec {
    LabelSpec {
        name: name.into(),
        from,
        steps: Vec::new(),
        missing: Invalid::Reject,
        invalid: Invalid::Reject,
        length_max: None,
        truncate: false,
    }
}

#[test]
fn the_example_is_valid() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/logtally.yaml");
    let config = Config::load(&path).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(config.inputs.len(), 3);
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
}

#[test]
fn nothing_written_is_the_default() {
    for text in ["", "# nothing\n", "{}", "samples: {rejected: 0}"] {
        let config = parse(text);
        assert_eq!(config.inputs, Config::default().inputs, "{text}");
    }
    let config = Config::default();
    assert_eq!(config.inputs[0].files, None);
    assert_eq!(config.inputs[0].rules[0].labels, [column("host"), column("job_name")]);
    assert_eq!(config.location_of(0, Some(0), "labels.host").to_string(), "command line");
}

#[test]
fn inputs_have_formats_labels_and_names() {
    let config = parse(FULL);
    let jobs = &config.inputs[0];
    assert_eq!((jobs.name.as_str(), config.inputs[1].name.as_str()), ("jobs", "input2"));
    let csv = CsvSpec {
        delimiter: b';',
        quote: Some(b'"'),
        escape: Some(b'\\'),
        comment: Some(b'#'),
        columns: ["time", "host", "job_name"].map(String::from).to_vec(),
        ..CsvSpec::default()
    };
    assert_eq!(jobs.format, FormatSpec::Csv(csv));
    let (env, dc) = (LabelSource::Constant("prod".into()), LabelSource::Path("cluster".into()));
    let expected = [column("host"), column("job_name"), label("env", env), label("dc", dc)];
    assert_eq!(jobs.rules[0].labels, expected);
    let definitions = [("MINE", r"\d"), ("WORDS", r"\w+ \w+")];
    let definitions = definitions.map(|(name, text)| (name.into(), text.into())).into();
    let grok = FormatSpec::Grok { pattern: "%{MINE:x}".into(), definitions };
    assert_eq!(config.inputs[1].format, grok);
    assert_eq!(config.samples_per_reason, 3);
}

#[test]
fn labels_are_changed_in_a_fixed_order() {
    let config = parse(FULL);
    let labels = &config.inputs[1].rules[0].labels;
    let replace = LabelStep::Replace { regex: "x+".into(), with: "y".into() };
    assert_eq!(labels[3].steps, [LabelStep::Trim, LabelStep::Lower, replace]);
    assert_eq!(labels[3].missing, Invalid::Skip);
    assert_eq!(labels[3].invalid, Invalid::Default("x".into()));
    assert_eq!((labels[3].length_max, labels[3].truncate), (Some(64), true));
    let extract = LabelStep::Extract { regex: r"^(\d)".into(), to: "${1}xx".into() };
    assert_eq!(labels[1].steps, [extract]);
    let table = [("7", "true"), ("backup", "ops"), ("report", "finance")];
    let table = table.map(|(key, value)| (key.into(), value.into())).into();
    assert_eq!(labels[2].steps, [LabelStep::Lookup { table }]);
}

#[test]
fn tables_come_from_files_too() {
    let text = "lookups: {h: {file: hosts.csv}}\nrules: [{metric: a, labels: {x: {column: y, lookup: h}}}]";
    let table = [("10.0.0.1", "web"), ("a,b", "x \"y\"")];
    let table = table.map(|(key, value)| (key.into(), value.into())).into();
    assert_eq!(rules(text)[0].labels[0].steps, [LabelStep::Lookup { table }]);
}

#[test]
fn measures_keep_their_decimals() {
    let config = parse(FULL);
    let [_, took, sent, temperature] = &config.inputs[1].rules[..] else { panic!("four rules") };
    let value = ValueSpec {
        column: "ms".into(),
        scale: Some("0.001".into()),
        invalid: Invalid::Default("0".into()),
    };
    let buckets = ["0.10", "0.5", "1", "1e3"].map(String::from).to_vec();
    assert_eq!(took.measure, Measure::Histogram { value, buckets });
    let value =
        |column: &str| ValueSpec { column: column.into(), scale: None, invalid: Invalid::Reject };
    assert_eq!(sent.measure, Measure::SumCounter(value("bytes")));
    let format = TimeFormat::Pattern("%Y-%m-%d".into());
    let time = TimeSpec { column: "time".into(), format };
    assert_eq!(temperature.measure, Measure::Last { value: value("t"), time });
    let gauge = rules("rules: [{metric: a, type: sum, value: v}]").remove(0);
    assert_eq!((gauge.measure, gauge.help.as_str()), (Measure::SumGauge(value("v")), "Sum of v"));
}

fn is(column: &str, value: &str) -> Condition {
    Condition::In { column: column.into(), values: vec![value.into()] }
}

fn not(condition: Condition) -> Condition {
    Condition::Not(Box::new(condition))
}

#[test]
fn conditions_are_maps_lists_and_texts() {
    let when = |text: &str| rules(&format!("rules: [{{metric: a, when: {text}}}]")).remove(0).when;
    assert_eq!(when("'a == 1'"), Some(Condition::Cel("a == 1".into())));
    assert_eq!(when("{a: 007}"), Some(is("a", "007")));
    assert_eq!(when("{a: no}"), Some(is("a", "no")));
    assert_eq!(when("[{a: b}, {c: d}]"), Some(Condition::All(vec![is("a", "b"), is("c", "d")])));
    let any = Condition::Any(vec![is("a", "b"), not(is("c", "d"))]);
    assert_eq!(when("{any: [{a: b}, {not: {c: d}}]}"), Some(any.clone()));
    let both = Condition::All(vec![any, not(Condition::Exists("x".into()))]);
    assert_eq!(when("{any: [{a: b}, {c: {not: d}}], x: {exists: false}}"), Some(both));
    let number = Condition::Number { column: "b".into(), compare: Compare::Ge, with: "1e6".into() };
    assert_eq!(when("{b: {ge: 1e6}}"), Some(number));
    let time = TimeSpec { column: "t".into(), format: TimeFormat::UnixMs };
    let with = "2026-01-01T00:00:00Z".to_owned();
    let after = Condition::Time { time, compare: Compare::Gt, with };
    assert_eq!(when("{t: {format: unix_ms, after: 2026-01-01T00:00:00Z}}"), Some(after));
}

#[test]
fn limits_and_relabelling_have_the_defaults_of_prometheus() {
    let config = parse(FULL);
    let rule = &config.inputs[1].rules[0];
    assert_eq!(rule.series_max, Some(10_000));
    assert_eq!(rule.tenant, Some(TenantSpec { label: "team".into(), series_max: 100 }));
    assert_eq!((rule.ttl, rule.backfill), (Some(Duration::from_hours(24)), true));
    let rule = rules("rules: [{metric: a, relabel: [{target_label: x}]}]").remove(0);
    let expected = Relabel {
        action: RelabelAction::Replace,
        source_labels: Vec::new(),
        separator: ";".into(),
        regex: "(.*)".into(),
        target_label: "x".into(),
        replacement: "$1".into(),
    };
    assert_eq!(rule.relabel, [expected]);
}

#[test]
fn rules_of_one_metric_share_order_and_help() {
    let rules = rules(
        "rules:
          - {metric: a, labels: [x, y]}
          - {metric: a, labels: [y, x], help: H}",
    );
    assert_eq!(rules[0].help, "H");
    assert_eq!(rules[1].labels, [column("x"), column("y")]);
}

#[test]
fn target_labels_and_unused_rules_are_warnings() {
    let text = "rules: [{metric: a, labels: [job]}]\ninputs: [{rules: [{metric: b, labels: {instance: i}}]}]";
    let config = parse(text);
    let warnings: Vec<_> = config.warnings.iter().map(|w| w.location.to_string()).collect();
    assert_eq!(warnings.len(), 3, "{:?}", config.warnings);
    assert!(config.warnings.iter().all(|w| w.render("warning").contains("warning: ")));
}

#[test]
fn anchors_and_merges_save_typing() {
    let rules = rules(
        "rules:
          - &base {metric: a, labels: [x]}
          - {<<: *base, metric: b_total}",
    );
    assert_eq!((rules[1].metric.as_str(), &rules[1].labels), ("b_total", &rules[0].labels));
}

#[test]
fn later_errors_find_their_place() {
    let config = parse(FULL);
    let at = |input, rule, field: &str| {
        let location = config.location_of(input, rule, field);
        let text: String = location.text.chars().skip(location.column as usize - 1).collect();
        text.chars().take(location.width as usize).collect::<String>()
    };
    assert_eq!(at(0, None, "files.0"), "'/logs/{cluster}/{host}.csv*'");
    assert_eq!(at(0, None, "format.delimiter"), "';'");
    assert_eq!(at(0, Some(0), "labels.host"), "host");
    assert_eq!(at(0, Some(0), "labels.env"), "prod", "inherited from the input");
    assert_eq!(at(1, None, "format.patterns.MINE"), r"'\d'");
    assert_eq!(at(1, Some(0), "labels.status.extract"), r"'^(\d)'");
    assert_eq!(at(1, Some(0), "relabel.0.regex"), "'test.*'");
    assert_eq!(at(1, Some(0), "when.bytes.le"), "1e6");
    assert_eq!(at(1, Some(1), "value.scale"), "0.001");
    assert_eq!(at(1, Some(1), "when"), r#"'status == "500"'"#);
    assert_eq!(at(1, Some(2), "value.column"), "bytes", "the short form stands for its column");
    assert_eq!(config.location_of(1, Some(1), "buckets.3").to_string(), "c.yaml:41:29");
    let error = config.error_at(1, Some(1), "when", "no such function", None);
    let again = error.clone().and(error.clone());
    assert_eq!(again, error);
    assert!(error.to_string().starts_with("c.yaml:42:11: error: no such function\n"), "{error}");
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = Config::load(Path::new("/absent/logtally.yaml")).expect_err("absent");
    let expected = "/absent/logtally.yaml: error: the configuration cannot be read: no such file or directory\n  help: name it with --config.file";
    assert_eq!(error.to_string(), expected);
}
