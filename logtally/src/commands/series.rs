//! `logtally series`: which series there are, which of them count most, and which labels have many
//! values. Only reads, from a store or from an exporter's page.

mod describe;

use std::collections::BTreeMap;
use std::time::Duration;

use clap::ValueEnum;
use logtally_core::secret_url::SecretUrl;
use logtally_service::parse_duration;
use logtally_store::StoreArgs;

use self::describe::Description;
use crate::http;
use crate::output::OutputArgs;
use crate::page::{self, Page};
use crate::series::{Counted, Named};
use crate::store;

/// Flags of `logtally series`.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = EXAMPLES)]
pub struct SeriesArgs {
    /// The page of an exporter; <http://localhost:8000/metrics> if neither this nor `--store` is given.
    #[arg(long, value_name = "URL")]
    pub from: Option<SecretUrl>,

    /// The store.
    #[command(flatten)]
    pub store: StoreArgs,

    /// One metric only. Without it, all but logtally's own accounting.
    #[arg(long, value_name = "NAME")]
    pub metric: Option<String>,

    /// How many series, and values per label, are shown.
    #[arg(long, default_value_t = 10)]
    pub top: usize,

    /// What comes first.
    #[arg(long, value_enum, default_value = "count")]
    pub by: By,

    /// With `--by rate`: time between the two looks.
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = parse_duration)]
    pub interval: Duration,

    /// What is printed.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// An order of series.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum By {
    /// By what they have counted: records in a store, values on a page.
    Count,
    /// By what they count now, per second.
    Rate,
}

const EXAMPLES: &str = "\
Examples:
  The largest series, and labels with many values, of the exporter on this machine:
    logtally series
  What grows now:
    logtally series --by rate --interval 10s --top 3
  One metric in a store:
    logtally series --store redis://localhost:6379 --metric http_requests_total -o json";

/// Series and what they have counted.
pub(crate) type Values = BTreeMap<Named, f64>;

/// Describes the series.
pub async fn series(args: &SeriesArgs) -> anyhow::Result<()> {
    let mut before = None;
    if args.by == By::Rate {
        before = Some((look(args).await?, std::time::Instant::now()));
        tokio::time::sleep(args.interval).await;
    }
    let now = look(args).await?;
    let since = before.as_ref().map(|(before, at)| (before, at.elapsed()));
    let description = Description::of(&now, since, args.top);
    args.output.print(&description, || description.render())
}

async fn look(args: &SeriesArgs) -> anyhow::Result<Values> {
    let mut values = all(args).await?;
    match &args.metric {
        Some(metric) => values.retain(|series, _| series.metric == *metric),
        // The accounting would always come first, and says nothing of series.
        None => values.retain(|series, _| !series.metric.starts_with("logtally_")),
    }
    Ok(values)
}

async fn all(args: &SeriesArgs) -> anyhow::Result<Values> {
    if args.from.is_none()
        && let Some(url) = store::named(&args.store)?
    {
        let store = store::open_existing(&url)?;
        return Ok(of_store(&Counted::load(&store).await?));
    }
    let here = SecretUrl::from("http://localhost:8000/metrics");
    let page = http::page(args.from.as_ref().unwrap_or(&here)).await?;
    Ok(of_page(&page::parse(&page)?))
}

fn of_store(counted: &Counted) -> Values {
    counted.records().into_iter().map(|(series, records)| (series, records as f64)).collect()
}

/// The series of a page; of a histogram, the number of its values.
fn of_page(page: &Page) -> Values {
    let histogram = |metric: &str, suffix: &str| {
        let base = metric.strip_suffix(suffix)?;
        (page.types.get(base)? == "histogram").then(|| base.to_owned())
    };
    let mut values = Values::new();
    for sample in &page.samples {
        let skipped = ["_bucket", "_sum"].iter().any(|s| histogram(&sample.metric, s).is_some());
        if let (false, Ok(value)) = (skipped, sample.value.parse()) {
            let metric = histogram(&sample.metric, "_count").unwrap_or(sample.metric.clone());
            values.insert(Named { metric, labels: sample.labels.clone() }, value);
        }
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn histograms_of_a_page_are_one_series() {
        let text = "# TYPE s histogram\ns_bucket{a=\"1\",le=\"1\"} 2\ns_bucket{a=\"1\",le=\"+Inf\"} 3\n\
                    s_sum{a=\"1\"} 4.5\ns_count{a=\"1\"} 3\n# TYPE b_count gauge\nb_count 7\n";
        let values = of_page(&page::parse(text).expect("a page"));
        let shown: Vec<_> = values.iter().map(|(s, v)| format!("{} {v}", s.written())).collect();
        assert_eq!(shown, ["b_count 7", "s{a=\"1\"} 3"]);
    }
}
