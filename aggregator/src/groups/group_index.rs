//! From the rows of all partitions to the groups that they belong to. No I/O, no clock: what is hidden
//! is hidden by the journal's time, as on the page.

use std::collections::{BTreeMap, HashSet};

use logtally_core::hash::hash64;
use logtally_core::push::Group;
use logtally_core::series::{Family, Latest, SeriesKey, Value, hides_at, is_hidden};
use logtally_proto::v1;
use logtally_store::{Count, Snapshot, by_id};

/// The families that tell when a group was pushed to, and when that failed.
const PUSH_TIME: &str = "push_time_seconds";
const PUSH_FAILURE_TIME: &str = "push_failure_time_seconds";

/// What is known of all groups.
#[derive(Default)]
pub(super) struct GroupIndex {
    groups: BTreeMap<Group, GroupEntry>,
    /// The journal's time, milliseconds since 1970: the latest of all partitions.
    now_ms: u64,
}

/// What is known of one group.
#[derive(Default)]
struct GroupEntry {
    /// Hashes of the names of its series.
    series: HashSet<u64>,
    push_time: Option<Latest>,
    push_failure_time: Option<Latest>,
    /// The journal's time at which the last of its rows is hidden.
    hides_at_ms: u64,
}

impl GroupIndex {
    /// Takes in the time of a journal.
    pub(super) fn see_time(&mut self, time_ms: u64) {
        self.now_ms = self.now_ms.max(time_ms);
    }

    /// Takes in a partition.
    pub(super) fn take(&mut self, snapshot: &Snapshot) {
        self.see_time(snapshot.time_ms);
        let families = by_id(&snapshot.families);
        for (key, count) in snapshot.counts.iter() {
            let Ok(key) = SeriesKey::parse(key) else { continue };
            let Some(family) = families.get(&key.family()) else { continue };
            if let Some(group) = group_of(family, &key) {
                self.groups.entry(group).or_default().take(family, &key, &count);
            }
        }
    }

    /// The groups, in the order of their labels.
    pub(super) fn groups(self) -> Vec<v1::PushedGroup> {
        let now_ms = self.now_ms;
        self.groups.into_iter().map(|(group, entry)| entry.into_message(&group, now_ms)).collect()
    }
}

impl GroupEntry {
    fn take(&mut self, family: &Family, key: &SeriesKey, count: &Count) {
        self.series.insert(name_hash(family, key));
        self.hides_at_ms = self.hides_at_ms.max(hides_at(family, count.touched_ms));
        if let Value::Last(latest) = count.amount.value {
            match family.name.as_str() {
                PUSH_TIME => self.push_time = self.push_time.max(Some(latest)),
                PUSH_FAILURE_TIME => {
                    self.push_failure_time = self.push_failure_time.max(Some(latest));
                }
                _ => {}
            }
        }
    }

    fn into_message(self, group: &Group, now_ms: u64) -> v1::PushedGroup {
        let label = |(name, value): &(String, String)| v1::Label {
            name: name.clone(),
            value: value.clone(),
        };
        let seconds = |latest: Option<Latest>| latest.map(|l| l.value.to_string());
        v1::PushedGroup {
            labels: group.labels().iter().map(label).collect(),
            series: self.series.len() as u64,
            push_time_seconds: seconds(self.push_time).unwrap_or_default(),
            push_failure_time_seconds: seconds(self.push_failure_time).unwrap_or_default(),
            hidden: is_hidden(self.hides_at_ms, now_ms),
        }
    }
}

/// The group that a series belongs to; `None` if its family has none.
pub(super) fn group_of(family: &Family, key: &SeriesKey) -> Option<Group> {
    let value_of = |name: &String| {
        let at = family.labels.iter().position(|label| label == name)?;
        Some((name.clone(), key.values().nth(at)?.to_owned()))
    };
    Group::new(family.group.iter().map(value_of).collect::<Option<Vec<_>>>()?)
}

/// How many series rows are. The buckets of a histogram are one, and so are rows of two families that
/// differ in their description only.
pub(super) fn distinct_series<'a>(rows: impl Iterator<Item = (&'a Family, &'a SeriesKey)>) -> u64 {
    rows.map(|(family, key)| name_hash(family, key)).collect::<HashSet<u64>>().len() as u64
}

/// The hash of a series' name: metric and labels, without the bucket of a histogram.
fn name_hash(family: &Family, key: &SeriesKey) -> u64 {
    let shown = key.labels(family).filter(|(_, value)| !value.is_empty());
    let mut labels: Vec<(&str, &str)> = shown.collect();
    labels.sort_unstable();
    let mut text = family.name.clone();
    for part in labels.into_iter().flat_map(|(name, value)| [name, value]) {
        text.push('\0');
        text.push_str(part);
    }
    hash64(text.as_bytes())
}
