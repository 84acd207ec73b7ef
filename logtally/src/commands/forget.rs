//! `logtally forget`: removes series for good. A dry run unless `--yes`; never touches logtally's own
//! accounting, whose sums must agree.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use anyhow::bail;
use logtally_core::journal::Nonce;
use logtally_core::partition::Partition;
use logtally_core::series::{Family, SeriesKey};
use logtally_store::{SharedStore, by_id, forget_pieces};
use serde::Serialize;

use super::sources::ChangeArgs;
use crate::output::count_of;
use crate::selector::Selector;
use crate::series::Named;
use crate::usage::usage;

/// Flags of `logtally forget`.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ForgetArgs {
    /// The series to remove: a metric with matchers (=, !=, =~, !~), as in Prometheus.
    pub(crate) selector: String,

    /// The store and how.
    #[command(flatten)]
    pub(crate) change: ChangeArgs,
}

const EXAMPLES: &str = "\
Examples:
  Show the series of a host that no longer exists, then remove them:
    logtally forget 'log_host_job_count{host=\"web1\"}' --store redis://localhost:6379
    logtally forget 'log_host_job_count{host=\"web1\"}' --store redis://localhost:6379 --yes
  All series of some paths:
    logtally forget 'http_requests_total{path=~\"/tmp/.*\"}' --store embedded:./logtally-data";

/// How many series are listed.
const LISTED_MAX: usize = 10;

#[derive(Serialize)]
struct Forgotten {
    selector: String,
    series: usize,
    /// The first of them.
    first: Vec<String>,
    done: bool,
}

/// What is to be removed from one partition.
struct Part {
    partition: Partition,
    keys: Vec<SeriesKey>,
}

/// Forgets series.
pub(crate) async fn forget(args: &ForgetArgs) -> anyhow::Result<()> {
    let selector = Selector::parse(&args.selector).map_err(|error| usage(format!("{error:#}")))?;
    if selector.metric().starts_with("logtally_") {
        bail!(usage(
            "logtally's own accounting cannot be forgotten: its sums would not agree any more"
        ));
    }
    let store = args.change.open()?;
    let (parts, names) = find(&store, &selector).await?;
    if args.change.yes {
        // Writing is only possible to a store whose partitions were looked at.
        store.create(Some(parts.len() as u16)).await?;
        for part in &parts {
            remove(&store, part).await?;
        }
    }
    let forgotten = Forgotten {
        selector: args.selector.clone(),
        series: names.len(),
        first: names.iter().take(LISTED_MAX).map(Named::written).collect(),
        done: args.change.yes,
    };
    args.change.output.print(&forgotten, || forgotten.render())
}

async fn find(
    store: &SharedStore,
    selector: &Selector,
) -> anyhow::Result<(Vec<Part>, BTreeSet<Named>)> {
    let (mut parts, mut names) = (Vec::new(), BTreeSet::new());
    for partition in (0..store.info().await?.partitions).map(Partition) {
        let snapshot = store.load(partition).await?;
        let families = by_id(&snapshot.families);
        for family in families.values().filter(|family| family.name == selector.metric()) {
            check_labels(selector, family)?;
        }
        let mut keys = Vec::new();
        for key in snapshot.counts.to_map().into_keys() {
            let Some(family) = families.get(&key.family()) else { continue };
            let series = Named::of(family, &key);
            if selector.matches(&series.metric, |label| series.value(label)) {
                names.insert(series);
                keys.push(key);
            }
        }
        parts.push(Part { partition, keys });
    }
    Ok((parts, names))
}

/// A label that the metric does not have would match all or nothing, and neither is meant.
fn check_labels(selector: &Selector, family: &Family) -> anyhow::Result<()> {
    let labels = family.labels_without_bucket();
    let unknown = selector.labels().find(|l| !labels.iter().any(|known| known == l));
    let Some(label) = unknown else { return Ok(()) };
    Err(usage(format!(
        "{} has no label {label:?}; its labels are {}",
        family.name,
        labels.join(", ")
    )))
}

async fn remove(store: &SharedStore, part: &Part) -> anyhow::Result<()> {
    for piece in forget_pieces(&part.keys) {
        store.forget(part.partition, piece, Nonce(rand::random::<u64>() | 1)).await?;
    }
    Ok(())
}

impl Forgotten {
    fn render(&self) -> String {
        let mut text = String::new();
        for series in &self.first {
            // Writing to a string does not fail.
            let _ = writeln!(text, "  {series}");
        }
        if self.series > self.first.len() {
            let more = self.series - self.first.len();
            let _ = writeln!(text, "  … and {more} more");
        }
        let series = count_of(self.series as u64, "series");
        let _ = match (self.series, self.done) {
            (0, _) => writeln!(text, "no series matches"),
            (_, true) => writeln!(text, "{series} forgotten"),
            (_, false) => writeln!(text, "{series} would be forgotten"),
        };
        if self.series > 0 {
            text += "records that come later begin such a series again from 0\n";
        }
        if !self.done {
            text += "dry run: nothing was changed; add --yes to do it\n";
        }
        text
    }
}
