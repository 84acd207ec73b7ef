//! Prometheus-style relabelling of a rule's series. Label names are known before the first record, so
//! everything about names is decided here once; only values are left for each record.

use logtally_core::rule::check_value;
use regex::Regex;

use crate::error::{Wrong, regex};
use crate::label::Label;
use crate::matched::{Matched, earlier};
use crate::row::{Origin, Row};
use crate::spec;
use crate::spec::RelabelAction;

const METRIC: &str = "__name__";

/// Compiled steps. Places are indexes into the values of one record.
#[derive(Clone, Debug)]
pub(crate) struct Relabeller {
    metric: String,
    places: usize,
    steps: Vec<Step>,
    /// The places that are shown, in the order of their names.
    shown: Vec<usize>,
}

#[derive(Clone, Debug)]
enum Step {
    Keep(Sources),
    Drop(Sources),
    Replace {
        sources: Sources,
        target: usize,
        replacement: String,
    },
    /// Copies, each from a place to one, in the order of the names that are copied.
    Map(Vec<[usize; 2]>),
    Clear(usize),
}

#[derive(Clone, Debug)]
struct Sources {
    places: Vec<usize>,
    separator: String,
    regex: Regex,
}

/// Names on the way through the steps: the place of each and whether it may have a value.
struct Names {
    names: Vec<String>,
    alive: Vec<bool>,
}

impl Names {
    fn place(&mut self, name: &str) -> usize {
        self.names.iter().position(|n| n == name).unwrap_or_else(|| {
            self.names.push(name.to_owned());
            self.alive.push(false);
            self.names.len() - 1
        })
    }
}

impl Relabeller {
    /// Compiles the steps for a rule with these labels. Returns the names that the series have then.
    pub(crate) fn compile(
        metric: &str,
        labels: &[String],
        steps: &[spec::Relabel],
    ) -> Result<(Self, Vec<String>), Wrong> {
        let mut names = Names { names: vec![METRIC.to_owned()], alive: vec![true] };
        for label in labels {
            let place = names.place(label);
            names.alive[place] = true;
        }
        let mut compiled = Vec::new();
        for (index, step) in steps.iter().enumerate() {
            compile_step(index, step, &mut names, &mut compiled)?;
        }
        let mut shown: Vec<usize> = (0..names.names.len())
            .filter(|place| names.alive[*place] && !names.names[*place].starts_with("__"))
            .collect();
        shown.sort_by(|a, b| names.names[*a].cmp(&names.names[*b]));
        let labels = shown.iter().map(|place| names.names[*place].clone()).collect();
        let relabeller =
            Self { metric: metric.to_owned(), places: names.names.len(), steps: compiled, shown };
        Ok((relabeller, labels))
    }

    /// Appends the values of the changed labels.
    pub(crate) fn push(
        &self,
        labels: &[Label],
        row: &impl Row,
        origin: Origin<'_>,
        out: &mut Vec<u8>,
        scratch: &mut Vec<Vec<u8>>,
    ) -> Matched<()> {
        scratch.resize_with(self.places.max(scratch.len()), Vec::new);
        let values = &mut scratch[..self.places];
        values.iter_mut().for_each(Vec::clear);
        values[0].extend_from_slice(self.metric.as_bytes());
        let mut rejected = None;
        for (label, value) in labels.iter().zip(&mut values[1..]) {
            match label.push(row, origin, value) {
                Matched::Yes(()) => {}
                Matched::No => return Matched::No,
                Matched::Rejected(reason) => rejected = Some(earlier(rejected, reason)),
            }
        }
        for reason in values.iter().filter_map(|value| check_value(value).err()) {
            rejected = Some(earlier(rejected, reason));
        }
        if let Some(reason) = rejected {
            return Matched::Rejected(reason);
        }
        let mut series = Series { values, changed: Vec::new() };
        if !self.steps.iter().all(|step| step.apply(&mut series)) {
            return Matched::No;
        }
        for place in &self.shown {
            if let Err(reason) = check_value(&values[*place]) {
                return Matched::Rejected(reason);
            }
            out.push(0);
            out.extend_from_slice(&values[*place]);
        }
        Matched::Yes(())
    }
}

/// The labels of one series on their way through the steps. An empty label does not exist.
struct Series<'a> {
    values: &'a mut [Vec<u8>],
    /// The places that steps have given a value, in the order in which they got their first one.
    changed: Vec<usize>,
}

impl Series<'_> {
    fn set(&mut self, place: usize, value: Vec<u8>) {
        if value.is_empty() {
            self.changed.retain(|changed| *changed != place);
        } else if !self.changed.contains(&place) {
            self.changed.push(place);
        }
        self.values[place] = value;
    }

    /// Copies labels, all as they are before the first copy. If several have one target, the last one
    /// counts, in the order of Prometheus: the labels that no step has changed, then the changed ones.
    fn map(&mut self, copies: &[[usize; 2]]) {
        let mut copies: Vec<_> = copies
            .iter()
            .filter(|[from, _]| !self.values[*from].is_empty())
            .map(|[from, to]| (self.changed.iter().position(|c| c == from), *from, *to))
            .map(|(changed, from, to)| (changed, to, self.values[from].clone()))
            .collect();
        copies.sort_by_key(|(changed, ..)| *changed);
        for (_, to, value) in copies {
            self.set(to, value);
        }
    }
}

impl Step {
    /// Changes the labels. Whether the series is kept.
    fn apply(&self, series: &mut Series<'_>) -> bool {
        match self {
            Self::Keep(sources) => return sources.regex.is_match(&sources.joined(series.values)),
            Self::Drop(sources) => return !sources.regex.is_match(&sources.joined(series.values)),
            Self::Replace { sources, target, replacement } => {
                let joined = sources.joined(series.values);
                if let Some(captures) = sources.regex.captures(&joined) {
                    let mut value = String::new();
                    captures.expand(replacement, &mut value);
                    series.set(*target, value.into_bytes());
                }
            }
            Self::Map(copies) => series.map(copies),
            Self::Clear(place) => series.set(*place, Vec::new()),
        }
        true
    }
}

impl Sources {
    fn joined(&self, values: &[Vec<u8>]) -> String {
        let parts: Vec<_> =
            self.places.iter().map(|place| String::from_utf8_lossy(&values[*place])).collect();
        parts.join(&self.separator)
    }
}

fn compile_step(
    index: usize,
    step: &spec::Relabel,
    names: &mut Names,
    out: &mut Vec<Step>,
) -> Result<(), Wrong> {
    let anchored = regex(&format!("relabel.{index}.regex"), &format!("^(?s:{})$", step.regex))?;
    let places = step.source_labels.iter().map(|name| names.place(name)).collect();
    let separator = step.separator.clone();
    let sources = |regex: Regex| Sources { places, separator, regex };
    match step.action {
        RelabelAction::Keep => out.push(Step::Keep(sources(anchored))),
        RelabelAction::Drop => out.push(Step::Drop(sources(anchored))),
        RelabelAction::Replace => {
            check_name(index, "target_label", &step.target_label)?;
            let target = names.place(&step.target_label);
            names.alive[target] = true;
            let replacement = step.replacement.clone();
            out.push(Step::Replace { sources: sources(anchored), target, replacement });
        }
        RelabelAction::LabelMap => map_labels(index, &anchored, &step.replacement, names, out)?,
        RelabelAction::LabelDrop => clear_labels(names, out, |name| anchored.is_match(name)),
        RelabelAction::LabelKeep => clear_labels(names, out, |name| !anchored.is_match(name)),
    }
    Ok(())
}

fn map_labels(
    index: usize,
    regex: &Regex,
    replacement: &str,
    names: &mut Names,
    out: &mut Vec<Step>,
) -> Result<(), Wrong> {
    // A label that is made here is not copied in the same step.
    let mut known: Vec<usize> =
        (1..names.names.len()).filter(|place| names.alive[*place]).collect();
    known.sort_by(|a, b| names.names[*a].cmp(&names.names[*b]));
    let mut copies = Vec::new();
    for from in known {
        let name = names.names[from].clone();
        let Some(captures) = regex.captures(&name) else { continue };
        let mut target = String::new();
        captures.expand(replacement, &mut target);
        check_name(index, "replacement", &target)?;
        let to = names.place(&target);
        names.alive[to] = true;
        copies.push([from, to]);
    }
    out.push(Step::Map(copies));
    Ok(())
}

fn clear_labels(names: &mut Names, out: &mut Vec<Step>, goes: impl Fn(&str) -> bool) {
    for place in 1..names.names.len() {
        if names.alive[place] && goes(&names.names[place]) {
            names.alive[place] = false;
            out.push(Step::Clear(place));
        }
    }
}

fn check_name(index: usize, field: &str, name: &str) -> Result<(), Wrong> {
    let field = format!("relabel.{index}.{field}");
    if name == METRIC {
        return Err(Wrong::new(field, "a series cannot get another metric here")
            .help("give the rule the name that you want, in `metric`"));
    }
    let first = |c: char| c.is_ascii_alphabetic() || c == '_';
    let valid = name.starts_with(first) && name.chars().all(|c| first(c) || c.is_ascii_digit());
    if valid { Ok(()) } else { Err(Wrong::new(field, format!("{name:?} is not a label name"))) }
}
