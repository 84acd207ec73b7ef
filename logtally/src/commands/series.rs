//! `logtally series`: which series there are, which of them count most, and which labels have many
//! values. Only reads, from a store or from an exporter's page.

mod describe;
mod values;

use std::time::Duration;

use clap::ValueEnum;
use logtally_core::duration;
use logtally_core::secret_url::SecretUrl;
use logtally_store::StoreArgs;

use self::describe::Description;
use self::values::{Values, of_page, of_store};
use crate::http;
use crate::output::OutputArgs;
use crate::page;
use crate::series::Counted;
use crate::store;

/// Flags of `logtally series`.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct SeriesArgs {
    /// The page of an exporter. Without this and `--store`: <http://localhost:8000/metrics>.
    #[arg(long, value_name = "URL")]
    pub(crate) from: Option<SecretUrl>,

    /// The store.
    #[command(flatten)]
    pub(crate) store: StoreArgs,

    /// Show this metric only. Without it: all metrics but logtally's own.
    #[arg(long, value_name = "NAME")]
    pub(crate) metric: Option<String>,

    /// How many series to show, and how many values of a label (3 at most).
    #[arg(long, default_value_t = 10)]
    pub(crate) top: usize,

    /// The order of the series.
    #[arg(long, value_enum, default_value = "count")]
    pub(crate) by: By,

    /// With `--by rate`: the time between the two measurements.
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = duration::parse)]
    pub(crate) interval: Duration,

    /// What is printed.
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// An order of series.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum By {
    /// By their count: the number of records in a store, the value on a page.
    Count,
    /// By their growth per second.
    Rate,
}

const EXAMPLES: &str = "\
Examples:
  The largest series on the page of the exporter on this machine:
    logtally series
  The series that grow fastest:
    logtally series --by rate --interval 10s --top 3
  One metric in a store:
    logtally series --store redis://localhost:6379 --metric http_requests_total -o json";

/// Describes the series.
pub(crate) async fn series(args: &SeriesArgs) -> anyhow::Result<()> {
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
