//! The series of one push, while they are gathered: labels, keys, families, and how large they are.
//!
//! Must never hold more than one commit may: a short body can stand for long series, because each of
//! them has the labels of its group.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use logtally_core::limits::{DELTA_BYTES_MAX, LABELS_MAX};
use logtally_core::names::BUCKET_LABEL;
use logtally_core::push::Group;
use logtally_core::series::{Amount, Family, FamilyId, Increments, Kind, SeriesKey};

use crate::error::{ExpositionError, LineProblem};
use crate::pushed::Pushed;

/// The labels of a series, ascending by name.
pub(crate) type LabelSet<'s> = Vec<(&'s str, &'s str)>;

/// The series of one push.
pub(crate) struct SeriesTable<'g> {
    group: &'g Group,
    group_names: Vec<String>,
    ttl_s: u64,
    families: Vec<Family>,
    rows: Vec<(SeriesKey, Amount)>,
    seen: HashSet<SeriesKey>,
    bytes: usize,
}

/// Families of one metric, which have different labels.
pub(crate) struct Shapes<'m> {
    name: Cow<'m, str>,
    help: &'m str,
    kind: Kind,
    known: HashMap<Shape, FamilyId>,
}

/// Label names, and the bounds of buckets.
type Shape = (Vec<String>, Vec<String>);

impl<'m> Shapes<'m> {
    pub(crate) fn new(name: impl Into<Cow<'m, str>>, help: &'m str, kind: Kind) -> Self {
        Self { name: name.into(), help, kind, known: HashMap::new() }
    }
}

impl<'g> SeriesTable<'g> {
    pub(crate) fn new(group: &'g Group, ttl_s: u64) -> Self {
        let group_names = group.labels().iter().map(|(name, _)| name.clone()).collect();
        let (families, rows, seen) = (Vec::new(), Vec::new(), HashSet::new());
        Self { group, group_names, ttl_s, families, rows, seen, bytes: 0 }
    }

    /// The labels of a series that those of the group leave it. An empty value means the same as no
    /// label.
    pub(crate) fn own_labels<'s>(
        &self,
        all: impl Iterator<Item = (&'s str, &'s str)>,
    ) -> LabelSet<'s> {
        let is_own =
            |(name, value): &(&str, &str)| !value.is_empty() && self.group.value(name).is_none();
        let mut labels: LabelSet<'s> = all.filter(is_own).collect();
        labels.sort_unstable();
        labels
    }

    /// A series' own labels with those of the group, empty ones of the group included.
    pub(crate) fn with_group<'s>(&self, own: &LabelSet<'s>) -> LabelSet<'s>
    where
        'g: 's,
    {
        let group = self.group.labels().iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let mut labels: LabelSet<'s> = own.iter().copied().chain(group).collect();
        labels.sort_unstable();
        labels
    }

    /// The family of series with these labels; `buckets` are the bounds of a histogram.
    pub(crate) fn family(
        &mut self,
        shapes: &mut Shapes<'_>,
        labels: &LabelSet<'_>,
        buckets: &[String],
    ) -> Result<FamilyId, Refusal> {
        let mut names: Vec<String> = labels.iter().map(|(name, _)| (*name).to_owned()).collect();
        if shapes.kind == Kind::Histogram {
            names.push(BUCKET_LABEL.to_owned());
        }
        if names.len() > LABELS_MAX {
            return Err(LineProblem::TooManyLabels(shapes.name.to_string()).into());
        }
        let shape = (names, buckets.to_vec());
        if let Some(id) = shapes.known.get(&shape) {
            return Ok(*id);
        }
        let (labels, buckets) = shape.clone();
        let (name, help) = (shapes.name.to_string(), shapes.help.to_owned());
        let (ttl_s, group, kind) = (self.ttl_s, self.group_names.clone(), shapes.kind);
        let family = Family { name, kind, help, labels, buckets, ttl_s, group };
        self.charge(family.encode().len())?;
        let id = family.id();
        self.families.push(family);
        shapes.known.insert(shape, id);
        Ok(id)
    }

    /// Adds a series that stands alone.
    pub(crate) fn add(
        &mut self,
        shapes: &mut Shapes<'_>,
        labels: &LabelSet<'_>,
        amount: Amount,
    ) -> Result<(), Refusal> {
        let id = self.family(shapes, labels, &[])?;
        let key = SeriesKey::new(id, labels.iter().map(|(_, value)| *value));
        self.charge(key.as_bytes().len())?;
        if !self.seen.insert(key.clone()) {
            return Err(LineProblem::SeriesTwice(shapes.name.to_string()).into());
        }
        self.rows.push((key, amount));
        Ok(())
    }

    /// Adds a row of which it is known that it stands here once.
    pub(crate) fn add_row(&mut self, key: SeriesKey, amount: Amount) -> Result<(), Refusal> {
        self.charge(key.as_bytes().len())?;
        self.rows.push((key, amount));
        Ok(())
    }

    fn charge(&mut self, bytes: usize) -> Result<(), Refusal> {
        self.bytes += bytes;
        if self.bytes > DELTA_BYTES_MAX { Err(Refusal::TooLarge) } else { Ok(()) }
    }

    /// Everything that was added.
    pub(crate) fn finish(self) -> Pushed {
        let rows = self.rows.iter().map(|(key, amount)| (key.as_bytes(), *amount));
        Pushed { families: self.families, increments: Increments::pack(rows) }
    }
}

/// Why a series is refused, without the line.
pub(crate) enum Refusal {
    LineProblem(LineProblem),
    TooLarge,
}

impl From<LineProblem> for Refusal {
    fn from(problem: LineProblem) -> Self {
        Self::LineProblem(problem)
    }
}

impl Refusal {
    pub(crate) fn at(self, line: usize) -> ExpositionError {
        match self {
            Self::LineProblem(problem) => problem.at(line),
            Self::TooLarge => ExpositionError::TooLarge,
        }
    }
}
