//! `logtally sources`: what is read and how far, told by running processes or by the store itself; and
//! the two repairs of a position. Those only use compare-and-set calls, and only after `--yes`.

mod repair;

mod stored;

use anyhow::{Context, bail};
use clap::Subcommand;
use logtally_core::secret_url::SecretUrl;
use logtally_store::{STORE_GROUP, StoreArgs};
use serde::{Deserialize, Serialize};

pub use self::repair::{ChangeArgs, ForgetSourceArgs, RewindArgs};
use self::stored::Stored;
use super::usage;
use crate::http;
use crate::output::{OutputArgs, Table};
use crate::store;

/// Flags of `logtally sources`.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub struct SourcesArgs {
    /// Repairs.
    #[command(subcommand)]
    pub command: Option<SourcesCommand>,

    /// Admin listeners of running processes, one flag each; <http://localhost:8001> if neither this nor
    /// `--store` is given.
    #[arg(long, value_name = "URL")]
    pub from: Vec<SecretUrl>,

    /// The store.
    #[command(flatten)]
    pub store: StoreArgs,

    /// Show rejected records that the processes keep (`samples` in the configuration) instead.
    #[arg(long)]
    pub rejected: bool,

    /// Of a store: list the keys and lanes of pushes as well, of which there may be many.
    #[arg(long, requires = STORE_GROUP)]
    pub all: bool,

    /// What is printed.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Repairs of a source.
#[derive(Subcommand, Clone, Debug)]
pub enum SourcesCommand {
    /// Count a source again from an earlier position. What was counted stays.
    Rewind(RewindArgs),
    /// Remove the position of a source. What was counted stays.
    Forget(ForgetSourceArgs),
}

const EXAMPLES: &str = "\
Examples:
  Of the process on this machine:
    logtally sources
  Of two ingests:
    logtally sources --from http://host1:9501 --from http://host2:9501
  Positions in a store, whoever reads the files:
    logtally sources --store redis://localhost:6379
  Why records are rejected:
    logtally sources --rejected";

/// One source, as an admin listener tells it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct SourceRow {
    /// Who told it.
    pub from: String,
    /// Its name.
    pub source: String,
    /// Its path; unknown to a store.
    pub path: Option<String>,
    /// The input that reads it.
    pub input: Option<String>,
    /// `file`, `backfill`, `stdin`, `producer`, `key` or `lane`.
    pub role: Option<String>,
    /// What it waits for; `stored` if a store told it.
    pub state: String,
    /// Its life.
    pub generation: Option<String>,
    /// How far it is counted: bytes; of what is pushed, the number of its last message.
    pub position: u64,
    /// Where it ends.
    pub size: Option<u64>,
    /// When a key or a lane was opened, seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opened_s: Option<u64>,
    /// What is missing.
    pub lag_bytes: Option<u64>,
    /// For how long.
    pub lag_seconds: Option<f64>,
    /// Records counted in this life.
    pub counted: u64,
    /// Records that no rule took.
    pub filtered: u64,
    /// Records rejected.
    pub rejected: u64,
    /// The last problem with it.
    pub last_error: Option<String>,
}

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
pub async fn sources(args: &SourcesArgs) -> anyhow::Result<()> {
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
        let stored = Stored::read(&store::open_existing(&url)?, args.all).await?;
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

fn table<'a>(rows: impl IntoIterator<Item = &'a SourceRow>) -> Table {
    let mut table = Table::new(&[
        "path",
        "input",
        ">position",
        ">size",
        ">lag",
        ">counted",
        ">filtered",
        ">rejected",
        "generation",
        "state",
        "source",
        "last error",
    ]);
    let number = |n: Option<u64>| n.map_or("-".to_owned(), |n| n.to_string());
    let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    for row in rows {
        table.row([
            text(&row.path),
            text(&row.input),
            row.position.to_string(),
            number(row.size),
            number(row.lag_bytes),
            row.counted.to_string(),
            row.filtered.to_string(),
            row.rejected.to_string(),
            text(&row.generation),
            row.state.clone(),
            row.source.clone(),
            row.last_error.clone().unwrap_or_default(),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_an_ingest_are_read_whatever_it_adds() {
        let text = r#"[{"source":"file/v/1/2","path":"a.csv","input":"input1","role":"file",
            "state":"reading","generation":null,"position":5,"size":9,"lag_bytes":4,
            "lag_seconds":0.5,"counted":1,"filtered":0,"rejected":0,"last_error":null,"new":1}]"#;
        let rows: Vec<SourceRow> = serde_json::from_str(text).expect("rows");
        let shown = table(&rows).render();
        assert!(
            shown.lines().nth(1).is_some_and(|line| line.starts_with("a.csv  input1")),
            "{shown}"
        );
    }
}
