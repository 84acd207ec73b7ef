//! From the specification of a rule to a rule: everything that can be known before the first record.

use logtally_core::delta::{SeriesLimit, TenantSeriesLimit};
use logtally_core::hash::hash64;
use logtally_core::limits::LABELS_MAX;
use logtally_core::series::{Family, Kind};

use crate::columns::Columns;
use crate::compile_condition::compile_condition;
use crate::error::Wrong;
use crate::label::Label;
use crate::measure::Measure;
use crate::relabel::Relabeller;
use crate::rule::Rule;
use crate::spec::{Relabel, RuleSpec};

/// Compiles a rule. Its columns get slots.
pub(crate) fn compile(spec: &RuleSpec, columns: &mut Columns) -> Result<Rule, Wrong> {
    let condition = match &spec.when {
        Some(condition) => Some(compile_condition("when", condition, columns)?),
        None => None,
    };
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
    Ok(Rule {
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
        Ok(TenantSeriesLimit { label, series_max: tenant.series_max })
    });
    let tenant = tenant.transpose()?;
    let limited = spec.series_max.is_some() || tenant.is_some();
    let series_max = spec.series_max.unwrap_or(u64::MAX);
    Ok(limited.then(|| SeriesLimit { family: family.id(), series_max, tenant }))
}
