//! What a rule is, as a person says it. Plain data: checked and compiled by [`crate`].

use std::collections::BTreeMap;
use std::time::Duration;

use logtally_core::rule::default_family;
use logtally_core::series::Family;

/// What a rule makes of the records that it matches.
#[derive(Clone, PartialEq, Debug)]
pub struct RuleSpec {
    /// Name of the metric.
    pub metric: String,
    /// What is kept per series.
    pub measure: Measure,
    /// The help line.
    pub help: String,
    /// The labels, in order of their names on the page.
    pub labels: Vec<LabelSpec>,
    /// Which records it matches; `None` for all.
    pub when: Option<Condition>,
    /// How many series it may have; `None` for the default limit.
    pub series_max: Option<u64>,
    /// A label whose every value may have so many series only.
    pub tenant: Option<TenantSpec>,
    /// Series without records for so long are hidden until the next one.
    pub ttl: Option<Duration>,
    /// Whether files that are there when the rule is new are counted from their beginning.
    pub backfill: bool,
    /// Changes to the labels, in order.
    pub relabel: Vec<Relabel>,
}

/// A limit of series per value of one label.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TenantSpec {
    /// The label.
    pub label: String,
    /// Series per value.
    pub series_max: u64,
}

/// What is kept per series.
#[derive(Clone, PartialEq, Debug)]
pub enum Measure {
    /// The number of records, as a counter.
    Counter,
    /// The number of records, as a gauge.
    Gauge,
    /// The sum of a value, as a counter: negative values are rejected.
    SumCounter(ValueSpec),
    /// The sum of a value, as a gauge.
    SumGauge(ValueSpec),
    /// How many values are at or below each bound, and their sum.
    Histogram {
        /// The value.
        value: ValueSpec,
        /// Upper bounds as decimals, ascending, without `+Inf`.
        buckets: Vec<String>,
    },
    /// The smallest value.
    Min(ValueSpec),
    /// The largest value.
    Max(ValueSpec),
    /// The value of the record with the latest time.
    Last {
        /// The value.
        value: ValueSpec,
        /// The record's time.
        time: TimeSpec,
    },
}

/// A decimal number in a record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ValueSpec {
    /// The column.
    pub column: String,
    /// A decimal to multiply it with, e.g. `0.001` for milliseconds that are shown in seconds.
    pub scale: Option<String>,
    /// What a record without a valid number is.
    pub invalid: Invalid,
}

/// What becomes of a record whose value is missing or invalid.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Invalid {
    /// It is rejected, with the reason.
    Reject,
    /// This rule does not match it.
    Skip,
    /// It counts with this text (label) or number (value).
    Default(String),
}

/// A time in a record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TimeSpec {
    /// The column.
    pub column: String,
    /// How it is written.
    pub format: TimeFormat,
}

/// How a time is written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TimeFormat {
    /// `2026-11-21T02:20:00.5+01:00`, also with a blank for the `T`; without offset it is UTC.
    Rfc3339,
    /// Seconds since 1970, with or without a fraction.
    Unix,
    /// Milliseconds since 1970.
    UnixMs,
    /// A `strftime` pattern; without an offset in it the time is UTC.
    Pattern(String),
}

/// One label.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LabelSpec {
    /// Its name.
    pub name: String,
    /// Where its value comes from.
    pub from: LabelSource,
    /// Changes to the value, in order.
    pub steps: Vec<LabelStep>,
    /// What a record without the value, or with an invalid one, is. Invalid are values with NUL, not
    /// in UTF-8, or longer than the limit.
    pub missing: Invalid,
    /// What a record with an invalid value is.
    pub invalid: Invalid,
    /// Longest value in bytes; longer ones are cut at a character if `truncate`, else invalid.
    pub length_max: Option<usize>,
    /// Whether a longer value is cut instead of being invalid.
    pub truncate: bool,
}

/// Where a label's value comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LabelSource {
    /// A column of the record.
    Column(String),
    /// Always the same.
    Constant(String),
    /// A placeholder of the input's path.
    Path(String),
}

/// A change to a value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LabelStep {
    /// To lower case (Unicode).
    Lower,
    /// To upper case (Unicode).
    Upper,
    /// Without blanks at both ends.
    Trim,
    /// All matches of a regular expression are replaced; `$1` and `${name}` stand for groups.
    Replace {
        /// The expression.
        regex: String,
        /// What stands for each match.
        with: String,
    },
    /// The whole value becomes this text if the expression matches, with its groups; a value that
    /// does not match is missing.
    Extract {
        /// The expression.
        regex: String,
        /// The new value, e.g. `${1}xx`.
        to: String,
    },
    /// Looked up in a table; a value that is not in it is missing.
    Lookup {
        /// The table, by value.
        table: BTreeMap<String, String>,
    },
}

/// Which records a rule matches.
#[derive(Clone, PartialEq, Debug)]
pub enum Condition {
    /// All of these hold.
    All(Vec<Condition>),
    /// One of these holds.
    Any(Vec<Condition>),
    /// This one does not hold.
    Not(Box<Condition>),
    /// The column is there (and not empty).
    Exists(String),
    /// The column is one of these texts.
    In {
        /// The column.
        column: String,
        /// The texts.
        values: Vec<String>,
    },
    /// The column matches.
    Matches {
        /// The column.
        column: String,
        /// The expression, searched in the value.
        regex: String,
    },
    /// The column is a number and compares so. A value that is not a number does not hold.
    Number {
        /// The column.
        column: String,
        /// How.
        compare: Compare,
        /// With which decimal.
        with: String,
    },
    /// The column is a time and compares so. A value that is not a time does not hold.
    Time {
        /// The record's time.
        time: TimeSpec,
        /// How.
        compare: Compare,
        /// With which RFC 3339 time.
        with: String,
    },
    /// A CEL expression over the columns in it.
    Cel(String),
}

/// A comparison.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Compare {
    /// Equal.
    Eq,
    /// Not equal.
    Ne,
    /// Less.
    Lt,
    /// Less or equal.
    Le,
    /// Greater.
    Gt,
    /// Greater or equal.
    Ge,
}

/// A step of Prometheus-style relabelling.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Relabel {
    /// What is done.
    pub action: RelabelAction,
    /// The labels whose values are joined; `__name__` is the metric.
    pub source_labels: Vec<String>,
    /// Between the joined values.
    pub separator: String,
    /// An anchored expression.
    pub regex: String,
    /// For `replace`: the label that is set.
    pub target_label: String,
    /// For `replace` and `labelmap`: the new value or name.
    pub replacement: String,
}

/// What a relabelling step does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RelabelAction {
    /// Only series that match are kept.
    Keep,
    /// Series that match are dropped.
    Drop,
    /// The target label becomes the replacement if the source labels match.
    Replace,
    /// Labels whose names match get new names.
    LabelMap,
    /// Labels whose names match are removed.
    LabelDrop,
    /// Labels whose names do not match are removed.
    LabelKeep,
}

impl RuleSpec {
    /// Columns `host` and `job_name` into the gauge that the naive exporter had.
    pub fn default_rule() -> Self {
        let Family { name: metric, help, labels, .. } = default_family();
        Self {
            metric,
            measure: Measure::Gauge,
            help,
            labels: labels.iter().map(|name| LabelSpec::column(name)).collect(),
            when: None,
            series_max: None,
            tenant: None,
            ttl: None,
            backfill: false,
            relabel: Vec::new(),
        }
    }
}

impl LabelSpec {
    /// A label with the name and the value of a column.
    pub fn column(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            from: LabelSource::Column(name.to_owned()),
            steps: Vec::new(),
            missing: Invalid::Reject,
            invalid: Invalid::Reject,
            length_max: None,
            truncate: false,
        }
    }
}
