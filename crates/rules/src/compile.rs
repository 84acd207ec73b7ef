//! From specifications to a rule set: everything that can be known before the first record.

use std::sync::Arc;

use logtally_core::delta::{SeriesLimit, TenantLimit};
use logtally_core::hash::hash64;
use logtally_core::limits::LABELS_MAX;
use logtally_core::rule::default_family;
use logtally_core::series::{Family, FamilyId, Kind};

use crate::condition::Condition;
use crate::error::{RuleError, Wrong};
use crate::evaluate::Row;
use crate::label::Label;
use crate::measure::Measure;
use crate::relabel::Relabeller;
use crate::select::Selector;
use crate::spec::{Relabel, RuleSpec};

/// The rules of one input, ready for records.
#[derive(Clone, Debug, Default)]
pub struct RuleSet {
    columns: Columns,
    rules: Vec<Rule>,
    selector: Selector,
}

/// One rule.
#[derive(Clone, Debug)]
pub struct Rule {
    /// The metric family that it feeds.
    pub family: Arc<Family>,
    /// The family's id.
    pub id: FamilyId,
    /// How many series the family may have, if the rule says so.
    pub limit: Option<SeriesLimit>,
    /// For a rule that counts files from their beginning: its name as a part of source names. Another
    /// rule has another name, so that a changed rule counts from the beginning again.
    pub backfill: Option<String>,
    /// For a rule that counts records by columns as they stand there: the slots of its labels, in order.
    pub plain: Option<Vec<usize>>,
    pub(crate) condition: Option<Condition>,
    pub(crate) labels: Vec<Label>,
    pub(crate) measure: Measure,
    pub(crate) relabel: Option<Relabeller>,
}

/// The columns and placeholders that rules use, each with a slot.
#[derive(Clone, Debug, Default)]
pub struct Columns {
    columns: Vec<String>,
    placeholders: Vec<String>,
}

impl Columns {
    pub(crate) fn slot(&mut self, column: &str) -> usize {
        intern(&mut self.columns, column)
    }

    pub(crate) fn placeholder(&mut self, name: &str) -> usize {
        intern(&mut self.placeholders, name)
    }
}

fn intern(names: &mut Vec<String>, name: &str) -> usize {
    names.iter().position(|n| n == name).unwrap_or_else(|| {
        names.push(name.to_owned());
        names.len() - 1
    })
}

impl RuleSet {
    /// Compiles rules. All errors are found, not only the first one.
    pub fn compile(specs: &[RuleSpec]) -> Result<Self, Vec<RuleError>> {
        let mut columns = Columns::default();
        let (mut rules, mut errors) = (Vec::new(), Vec::new());
        for (index, spec) in specs.iter().enumerate() {
            match Rule::compile(spec, &mut columns) {
                Ok(rule) => rules.push(rule),
                Err(wrong) => errors.push(wrong.in_rule(index)),
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        let selector = Selector::new(rules.iter().map(|rule| rule.condition.as_ref()));
        Ok(Self { columns, rules, selector })
    }

    /// The columns that the rules use: the cell of a slot is the column's value.
    pub fn columns(&self) -> &[String] {
        &self.columns.columns
    }

    /// The placeholders of the path that the rules use.
    pub fn placeholders(&self) -> &[String] {
        &self.columns.placeholders
    }

    /// The rules.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Whether every rule counts by columns as they stand there ([`Rule::plain`]), so that keys can be
    /// put together without evaluating labels and values.
    pub fn is_plain(&self) -> bool {
        self.rules.iter().all(|rule| rule.plain.is_some())
    }

    /// The rules that may take a record, in their order; those that do also fulfil [`Rule::takes`].
    pub fn candidates(&self, row: &impl Row, out: &mut Vec<u32>) {
        self.selector.candidates(row, out);
    }

    pub(crate) fn selector(&self) -> &Selector {
        &self.selector
    }
}

impl Rule {
    fn compile(spec: &RuleSpec, columns: &mut Columns) -> Result<Self, Wrong> {
        let condition = spec.when.as_ref();
        let condition = condition.map(|c| Condition::compile("when", c, columns)).transpose()?;
        let labels = spec.labels.iter().map(|label| Label::compile(label, columns));
        let labels: Vec<Label> = labels.collect::<Result<_, _>>()?;
        let (measure, kind, buckets) = Measure::compile(&spec.measure, columns)?;
        let mut names: Vec<String> = spec.labels.iter().map(|label| label.name.clone()).collect();
        let mut relabel = None;
        if !spec.relabel.is_empty() {
            let (compiled, changed) = Relabeller::compile(&spec.metric, &names, &spec.relabel)?;
            (relabel, names) = (Some(compiled), changed);
        }
        if kind == Kind::Histogram {
            names.push("le".to_owned());
        }
        if names.len() > LABELS_MAX {
            return Err(Wrong::new("labels", format!("more than {LABELS_MAX} labels")));
        }
        let ttl_s = spec.ttl.map_or(0, |ttl| ttl.as_secs().max(1));
        let (name, help) = (spec.metric.clone(), spec.help.clone());
        let family = Family { name, kind, help, labels: names, buckets, ttl_s, group: Vec::new() };
        let id = family.id();
        let limit = limit_of(spec, &family)?;
        let backfill = spec.backfill.then(|| format!("{:012x}", fingerprint(spec) >> 16));
        let slots = labels.iter().map(Label::plain_column).collect::<Option<Vec<usize>>>();
        let plain = slots.filter(|_| matches!(measure, Measure::Count) && relabel.is_none());
        Ok(Self {
            family: family.into(),
            id,
            limit,
            backfill,
            plain,
            condition,
            labels,
            measure,
            relabel,
        })
    }

    /// Whether a record fulfils the rule's condition.
    pub fn takes(&self, row: &impl Row) -> bool {
        self.condition.as_ref().is_none_or(|condition| condition.holds(row))
    }

    /// Whether the rule takes every record that it can count.
    pub fn is_unconditional(&self) -> bool {
        self.condition.is_none()
    }
}

/// A hash of everything that decides what a rule counts.
fn fingerprint(spec: &RuleSpec) -> u64 {
    let RuleSpec { metric, measure, labels, when, relabel, .. } = spec;
    let relabel: &[Relabel] = relabel;
    hash64(format!("{metric:?} {measure:?} {labels:?} {when:?} {relabel:?}").as_bytes())
}

fn limit_of(spec: &RuleSpec, family: &Family) -> Result<Option<SeriesLimit>, Wrong> {
    let tenant = spec.tenant.as_ref().map(|tenant| {
        let label = family.labels.iter().position(|name| *name == tenant.label);
        let label = label.ok_or_else(|| {
            Wrong::new("limit_per", format!("the series have no label {:?}", tenant.label))
                .help(format!("the labels are: {}", family.labels.join(", ")))
        })?;
        Ok(TenantLimit { label, series_max: tenant.series_max })
    });
    let tenant = tenant.transpose()?;
    let limited = spec.series_max.is_some() || tenant.is_some();
    let series_max = spec.series_max.unwrap_or(u64::MAX);
    Ok(limited.then(|| SeriesLimit { family: family.id(), series_max, tenant }))
}

impl RuleSpec {
    /// Columns `host` and `job_name` into the gauge that the naive exporter had.
    pub fn default_rule() -> Self {
        let Family { name: metric, help, labels, .. } = default_family();
        Self {
            metric,
            measure: crate::spec::Measure::Gauge,
            help,
            labels: labels.iter().map(|name| crate::spec::LabelSpec::column(name)).collect(),
            when: None,
            series_max: None,
            tenant: None,
            ttl: None,
            backfill: false,
            relabel: Vec::new(),
        }
    }
}

impl crate::spec::LabelSpec {
    /// A label with the name and the value of a column.
    pub fn column(name: &str) -> Self {
        use crate::spec::{Invalid, LabelSource};
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
