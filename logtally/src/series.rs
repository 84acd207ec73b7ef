//! Series as people and pages write them, and everything that a store counted, summed over its
//! partitions. Only reads.

use std::collections::{BTreeMap, HashMap};

use logtally_core::batch::Batch;
use logtally_core::delta::{Delta, Span};
use logtally_core::journal::Nonce;
use logtally_core::partition::Partition;
use logtally_core::series::{Amount, Family, FamilyId, Increments, SeriesKey, Value};
use logtally_core::source::{Generation, RecordCounts, SourceId, SourceState, Tail};
use logtally_exporter::{Exporter, PageFormat, ViewOptions};
use logtally_service::{Context, version};
use logtally_store::memory::MemoryStore;
use logtally_store::{CountStore, Opening, SharedStore};

use crate::page::written;

/// Everything that a store counted.
#[derive(Default)]
pub(crate) struct Counted {
    /// The families, by id.
    pub(crate) families: HashMap<FamilyId, Family>,
    /// The amounts of all partitions together.
    pub(crate) amounts: HashMap<SeriesKey, Amount>,
}

impl Counted {
    /// Loads a whole store.
    pub(crate) async fn load(store: &SharedStore) -> anyhow::Result<Self> {
        let partitions = store.info().await?.partitions;
        let mut all = Self::default();
        for partition in (0..partitions).map(Partition) {
            let snapshot = store.load(partition).await?;
            all.families.extend(snapshot.families.into_iter().map(|f| (f.id(), f)));
            for (key, count) in snapshot.counts.to_map() {
                all.add(key, count.amount);
            }
        }
        Ok(all)
    }

    /// Adds to a series.
    pub(crate) fn add(&mut self, key: SeriesKey, amount: Amount) {
        let merge = |known: &mut Amount| *known = known.merge_sticky(amount);
        self.amounts.entry(key).and_modify(merge).or_insert(amount);
    }

    /// The family of a series; `None` if the store has lost its description.
    pub(crate) fn family(&self, key: &SeriesKey) -> Option<&Family> {
        self.families.get(&key.family())
    }

    /// Records by series; a histogram's buckets are one series.
    pub(crate) fn records(&self) -> BTreeMap<Named, u64> {
        let mut records = BTreeMap::new();
        for (key, amount) in &self.amounts {
            if let Some(family) = self.family(key) {
                *records.entry(Named::of(family, key)).or_default() += amount.count;
            }
        }
        records
    }
}

/// The name of a series: metric and labels, without the buckets of a histogram.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Named {
    /// The metric.
    pub(crate) metric: String,
    /// Label names and values.
    pub(crate) labels: Vec<(String, String)>,
}

impl Named {
    /// The name of a series of a family.
    pub(crate) fn of(family: &Family, key: &SeriesKey) -> Self {
        let labels = key.labels(family).map(|(name, value)| (name.to_owned(), value.to_owned()));
        let labels = labels.collect();
        Self { metric: family.name.clone(), labels }
    }

    /// The value of a label.
    pub(crate) fn value(&self, label: &str) -> Option<&str> {
        self.labels.iter().find(|(name, _)| name == label).map(|(_, value)| value.as_str())
    }

    /// As it is written on a page.
    pub(crate) fn written(&self) -> String {
        written(&self.metric, self.labels.iter().map(|(n, v)| (n.as_str(), v.as_str())))
    }
}

/// A row of a series with all its labels, the bucket included, as it is written on a page.
pub(crate) fn row_name(family: &Family, key: &SeriesKey) -> String {
    written(&family.name, family.labels.iter().map(String::as_str).zip(key.values()))
}

/// An amount as a person reads it: the value if there is one, else the number of records.
pub(crate) fn shown(amount: Amount) -> String {
    match amount.value {
        Value::None => amount.count.to_string(),
        Value::Sum(sum) => format!("{sum} ({} records)", amount.count),
        Value::Min(value) | Value::Max(value) => value.to_string(),
        Value::Last(latest) => latest.value.to_string(),
    }
}

/// The page that an exporter makes of these amounts, with everything that it does to them.
pub(crate) async fn page_of<'a>(
    families: impl IntoIterator<Item = &'a Family>,
    amounts: impl IntoIterator<Item = (&'a [u8], Amount)>,
) -> anyhow::Result<String> {
    let context = Context::new("logtally", version());
    let store = std::sync::Arc::new(MemoryStore::new());
    store.create(Some(1)).await?;
    let source = SourceId::new("recount")?;
    let fresh = SourceState::start(Generation(1));
    let opening = Opening { source: source.clone(), expected: None, fresh };
    store.open(Partition(0), &opening).await?;
    let delta = Delta {
        source,
        generation: Generation(1),
        span: Span::new(0, 1)?,
        tail_before: Tail::empty(),
        tail_after: Tail::empty(),
        note: None,
        records: RecordCounts::default(),
        families: families.into_iter().cloned().collect(),
        limits: Vec::new(),
        increments: Increments::pack(amounts),
    };
    let (batch, _) = Batch::build([delta]);
    store.commit(Partition(0), &batch, Nonce(1)).await?;
    let exporter = Exporter::new(store, ViewOptions::default(), &context);
    let page = exporter.exposition(PageFormat::Text).await?;
    Ok(String::from_utf8_lossy(&page).into_owned())
}

#[cfg(test)]
mod tests {
    use logtally_core::series::Kind;

    use super::*;

    #[test]
    fn buckets_are_one_series() {
        let mut counted = Counted::default();
        let family = Family::new("seconds", Kind::Histogram, "", &["job", "le"]);
        for (le, n) in [("1", 2), ("+Inf", 3)] {
            counted.add(SeriesKey::new(family.id(), ["a", le]), Amount::records(n));
        }
        counted.families.insert(family.id(), family);
        let records: Vec<_> = counted.records().into_iter().collect();
        assert_eq!(records.len(), 1);
        assert_eq!((records[0].0.written().as_str(), records[0].1), ("seconds{job=\"a\"}", 5));
        assert_eq!(records[0].0.value("job"), Some("a"));
    }

    #[tokio::test]
    async fn pages_are_those_of_an_exporter() {
        let family = Family::new("a_total", Kind::Counter, "Help", &["x"]);
        let key = SeriesKey::new(family.id(), ["1"]);
        let page = page_of([&family], [(key.as_bytes(), Amount::records(3))]).await;
        assert!(page.expect("a page").contains("\na_total{x=\"1\"} 3\n"));
    }
}
