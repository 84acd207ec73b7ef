//! `logtally sources`: what is read and how far, told by running processes or by the store itself; and
//! the two repairs of a position. Those only use compare-and-set calls, and only after `--yes`.

mod repair;
mod row;
mod stored;

use anyhow::{Context, bail};
use clap::Subcommand;
use logtally_core::secret_url::SecretUrl;
use logtally_store::{STORE_GROUP, StoreArgs};
use serde::{Deserialize, Serialize};

pub(crate) use self::repair::{ChangeArgs, ForgetSourceArgs, RewindArgs};
use self::row::{SourceRow, table};
use self::stored::StoreReport;
use crate::http;
use crate::output::{OutputArgs, Table};
use crate::store;
use crate::usage::usage;

/// Flags of `logtally sources`.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub(crate) struct SourcesArgs {
    /// Repairs.
    #[command(subcommand)]
    pub(crate) command: Option<SourcesCommand>,

    /// Admin listener of a running process; repeat the flag for several. Without this and `--store`:
    /// <http://localhost:8001>.
    #[arg(long, value_name = "URL")]
    pub(crate) from: Vec<SecretUrl>,

    /// The store.
    #[command(flatten)]
    pub(crate) store: StoreArgs,

    /// Show rejected records instead, if the configuration keeps some (`samples`).
    #[arg(long)]
    pub(crate) rejected: bool,

    /// With `--store`: also list idempotency keys and anonymous sources of pushes, of which there may be
    /// many.
    #[arg(long, requires = STORE_GROUP)]
    pub(crate) all: bool,

    /// What is printed.
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Repairs of a source.
#[derive(Subcommand, Clone, Debug)]
pub(crate) enum SourcesCommand {
    /// Count a source again from an earlier position. What was counted stays.
    Rewind(RewindArgs),
    /// Remove the position of a source. What was counted stays.
    Forget(ForgetSourceArgs),
}

const EXAMPLES: &str = "\
Examples:
  What the process on this machine reads:
    logtally sources
  What two ingests read:
    logtally sources --from http://host1:9501 --from http://host2:9501
  All positions in a store:
    logtally sources --store redis://localhost:6379
  Why records are rejected:
    logtally sources --rejected";

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct RejectedRow {
    from: String,
    reason: String,
    path: String,
    position: u64,
    text: String,
}

/// Shows sources, or repairs one.
pub(crate) async fn sources(args: &SourcesArgs) -> anyhow::Result<()> {
    match &args.command {
        Some(SourcesCommand::Rewind(args)) => return repair::rewind(args).await,
        Some(SourcesCommand::Forget(args)) => return repair::forget(args).await,
        None => {}
    }
    if args.from.is_empty()
        && let Some(url) = store::named(&args.store)?
    {
        if args.rejected {
            bail!(usage("a store keeps no rejected records; ask a running process with --from"));
        }
        let stored = StoreReport::read(&store::open_existing(&url)?, args.all).await?;
        return args.output.print(&stored.rows, || stored.render());
    }
    if args.rejected {
        return rejected(args).await;
    }
    let mut rows: Vec<SourceRow> = Vec::new();
    for from in processes(&args.from) {
        rows.extend(followed(&from).await?);
    }
    args.output.print(&rows, || table(&rows).render())
}

/// The processes to ask.
fn processes(from: &[SecretUrl]) -> Vec<SecretUrl> {
    if from.is_empty() { vec![SecretUrl::from("http://localhost:8001")] } else { from.to_vec() }
}

/// The sources that a process follows.
pub(crate) async fn followed(from: &SecretUrl) -> anyhow::Result<Vec<SourceRow>> {
    let mut rows: Vec<SourceRow> = list(from, "api/sources").await?;
    for row in &mut rows {
        row.from = from.to_string();
    }
    Ok(rows)
}

async fn list<T: for<'a> Deserialize<'a>>(from: &SecretUrl, path: &str) -> anyhow::Result<T> {
    let url = http::below(from, path);
    let page = http::page(&url).await?;
    serde_json::from_str(&page).with_context(|| {
        format!("{url} is not the admin listener of an ingest or of `logtally run`")
    })
}

async fn rejected(args: &SourcesArgs) -> anyhow::Result<()> {
    let mut rows: Vec<RejectedRow> = Vec::new();
    for from in processes(&args.from) {
        let found: Vec<RejectedRow> = list(&from, "api/rejected").await?;
        rows.extend(found.into_iter().map(|row| RejectedRow { from: from.to_string(), ..row }));
    }
    args.output.print(&rows, || {
        let mut table = Table::new(&["reason", "path", ">position", "record"]);
        for row in &rows {
            table.row([&row.reason, &row.path, &row.position.to_string(), &row.text]);
        }
        table.render()
    })
}
