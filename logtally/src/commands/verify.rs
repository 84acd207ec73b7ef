//! `logtally verify`: counts files once more, by itself and in one go, and compares series by series.
//! Splits records with a second parser, so that an error of the first one shows; the rules are the
//! same. Never changes anything, and says what it cannot know.

mod compare;
mod recount;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use logtally_core::partition::{Partition, partition_of};
use logtally_core::secret_url::SecretUrl;
use logtally_core::source::{SourceId, SourceState};
use logtally_count::plan::Plan;
use logtally_store::{SharedStore, StoreArgs};
use logtally_tail::discover::{Discovery, Search, discover};
use logtally_tail::shard::Shard;
use serde::Serialize;

use self::compare::{CountDifference, compare_pages, compare_sums};
use self::recount::{FileCount, Recount};
use super::config_file::ConfigFile;
use crate::http;
use crate::output::{OutputArgs, Table, count_of};
use crate::page;
use crate::series::{Counted, page_of};
use crate::store;
use crate::usage::usage;

/// Flags of `logtally verify`.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = EXAMPLES)]
#[command(mut_arg("store", |arg| arg.help(STORE_HELP)))]
pub(crate) struct VerifyArgs {
    /// Files or globs to count again. Without any: those of the configuration.
    #[arg(value_name = "FILES")]
    pub(crate) files: Vec<String>,

    /// The configuration.
    #[command(flatten)]
    pub(crate) config: ConfigFile,

    /// The store.
    #[command(flatten)]
    pub(crate) store: StoreArgs,

    /// Compare with the page of an exporter instead. Files are counted up to their last line feed.
    #[arg(long, value_name = "URL")]
    pub(crate) from: Option<SecretUrl>,

    /// Name of the volume of the files, as in the flags of the ingest.
    #[arg(long, env = "LOGTALLY_VOLUME", default_value = "local")]
    pub(crate) volume: String,

    /// Require equal counts. Without it, a store or page that has counted more is accepted, because it
    /// may count other sources as well; unless the store has no other sources.
    #[arg(long)]
    pub(crate) exact: bool,

    /// What is printed.
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

const STORE_HELP: &str = "\
The store to compare with: redis://HOST:PORT, or embedded:DIR while no process uses it. Without it: \
embedded:./logtally-data. Files are counted as far as the store says that they were read";

const EXAMPLES: &str = "\
Examples:
  Check a store against its files; exits with 1 if a count differs:
    logtally verify 'logs/*.csv' --store embedded:./logtally-data
  Check the page of a running exporter:
    logtally verify --config.file logtally.yaml --from http://localhost:8000/metrics";

#[derive(Serialize)]
struct Verified {
    ok: bool,
    exact: bool,
    files: Vec<FileCount>,
    series: usize,
    differences: Vec<CountDifference>,
    notes: Vec<String>,
}

/// Recounts and compares.
pub(crate) async fn verify(args: &VerifyArgs) -> anyhow::Result<()> {
    let (config, plan) = args.config.load(&args.files)?;
    let found = find(args, &plan)?;
    let mut recount = Recount::new(&config, &plan);
    let verified = match &args.from {
        Some(url) => against_page(args, url, &found, &mut recount).await?,
        None => against_store(args, &found, &mut recount).await?,
    };
    args.output.print(&verified, || verified.render())?;
    match verified.differences.len() {
        0 => Ok(()),
        n => bail!("{} differ", count_of(n as u64, "series")),
    }
}

/// A file to count.
struct ToCount {
    path: PathBuf,
    source: SourceId,
    input: usize,
}

fn find(args: &VerifyArgs, plan: &Plan) -> anyhow::Result<Vec<ToCount>> {
    let named = if args.files.is_empty() { plan.clone() } else { Plan::of_files(&args.files)? };
    let shard = Shard { index: 0, total: 1 };
    let search = Search { inputs: named.inputs, volume: args.volume.clone(), shard };
    let Discovery { files, problems, .. } = discover(&search);
    if let Some(problem) = problems.first() {
        bail!("{problem}");
    }
    if files.is_empty() {
        bail!(usage("no files are named; name those to count again"));
    }
    let input = |path: &Path| {
        let found = plan.inputs.iter().position(|input| input.matches(path));
        found.with_context(|| format!("no input of the configuration matches {}", path.display()))
    };
    files
        .into_iter()
        .map(|(source, file)| Ok(ToCount { input: input(&file.path)?, path: file.path, source }))
        .collect()
}

async fn against_page(
    args: &VerifyArgs,
    url: &SecretUrl,
    files: &[ToCount],
    recount: &mut Recount<'_>,
) -> anyhow::Result<Verified> {
    for file in files {
        recount.file(&file.path, file.input, None)?;
    }
    let theirs = page::parse(&http::page(url).await?)?;
    let counted = recount.counted();
    let amounts = counted.amounts.iter().map(|(key, amount)| (key.as_bytes(), *amount));
    let ours = page::parse(&page_of(counted.families.values(), amounts).await?)?;
    let differences = compare_pages(&ours, &theirs, &counted, args.exact);
    let mut notes = notes(args.exact);
    notes.push("lines that were appended after the page was made are missing on it".to_owned());
    Ok(verified(args.exact, recount, ours.samples.len(), differences, notes))
}

async fn against_store(
    args: &VerifyArgs,
    files: &[ToCount],
    recount: &mut Recount<'_>,
) -> anyhow::Result<Verified> {
    let store = store::open_existing(&store::named_or_default(&args.store)?)?;
    let theirs = Counted::load(&store).await?;
    let known = states(&store).await?;
    let mut notes = Vec::new();
    for file in files {
        match known.get(&file.source) {
            Some(state) => recount.file(&file.path, file.input, Some(state.position))?,
            None => notes.push(format!("{} is not in the store (yet)", file.path.display())),
        }
    }
    // What a rule counted afterwards of a file is a source of its own, with an accounting of its own.
    let is_ours = |id: &SourceId| files.iter().any(|file| file.source == *id);
    let exact = args.exact || known.keys().all(is_ours);
    notes.extend(self::notes(exact));
    let ours = recount.counted();
    let differences = compare_sums(&ours, &theirs, exact);
    Ok(verified(exact, recount, ours.amounts.len(), differences, notes))
}

/// The sources of a store and how far they are counted.
async fn states(store: &SharedStore) -> anyhow::Result<BTreeMap<SourceId, SourceState>> {
    let partitions = store.info().await?.partitions;
    let mut all = BTreeMap::new();
    for at in (0..partitions).map(Partition) {
        let own = store.sources(at).await?.into_iter();
        all.extend(own.filter(|(id, _)| partition_of(id, partitions) == at));
    }
    Ok(all)
}

fn verified(
    exact: bool,
    recount: &Recount<'_>,
    series: usize,
    differences: Vec<CountDifference>,
    notes: Vec<String>,
) -> Verified {
    let files = recount.files().to_vec();
    Verified { ok: differences.is_empty(), exact, files, series, differences, notes }
}

/// What a recount cannot know.
fn notes(exact: bool) -> Vec<String> {
    let mut notes = vec![
        "not known here: files that were rotated away or changed since, rules that were other ones \
         then, rewinds, forgotten series, series at their limit"
            .to_owned(),
    ];
    if !exact {
        notes.push(
            "other sources may count into the same series: only fewer counts than here are taken for \
             an error (--exact demands equality)"
                .to_owned(),
        );
    }
    notes
}

impl Verified {
    fn render(&self) -> String {
        let mut files = Table::new(&["file", ">bytes", ">counted", ">filtered", ">rejected"]);
        for file in &self.files {
            files.row([
                &file.path,
                &file.bytes.to_string(),
                &file.counted.to_string(),
                &file.filtered.to_string(),
                &file.rejected.to_string(),
            ]);
        }
        let mut text = files.render();
        text.push('\n');
        if self.differences.is_empty() {
            let agree = if self.exact { "agree" } else { "have at least as many" };
            let series = count_of(self.series as u64, "series");
            // Writing to a string does not fail.
            let _ = writeln!(text, "ok: {series} {agree}");
        } else {
            let mut table = Table::new(&[">recount", ">store", "series"]);
            for difference in &self.differences {
                table.row([&difference.recount, &difference.store, &difference.series]);
            }
            text += &table.render();
        }
        for note in &self.notes {
            let _ = writeln!(text, "note: {note}");
        }
        text
    }
}
