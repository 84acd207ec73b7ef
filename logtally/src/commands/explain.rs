//! `logtally explain`: what becomes of one line, rule by rule. Uses the same parser and the same rules
//! as an ingest, and neither a network nor a store.

mod line;
mod names;
mod rules;

use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::bail;
use logtally_core::limits::PARTITIONS_DEFAULT_REDIS;
use logtally_core::partition::partition_of;
use logtally_core::ring::Ring;
use logtally_core::rule::Reject;
use logtally_core::source::SourceId;
use logtally_session::uplink::Peer;
use logtally_tail::discover::identity;
use serde::Serialize;

use self::line::{Cell, Line};
use self::rules::RuleSays;
use super::config_file::ConfigFile;
use crate::output::OutputArgs;
use crate::usage::usage;

/// Flags of `logtally explain`.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ExplainArgs {
    /// The line, as it is in the log.
    #[arg(value_name = "LINE", allow_hyphen_values = true)]
    pub(crate) line: String,

    /// The configuration.
    #[command(flatten)]
    pub(crate) config: ConfigFile,

    /// The input that reads the line. Needed if there are several.
    #[arg(long)]
    pub(crate) input: Option<String>,

    /// The file that the line comes from. It selects the input, and its path fills {placeholders}.
    #[arg(long)]
    pub(crate) path: Option<PathBuf>,

    /// The header line of the file.
    #[arg(long, value_name = "LINE")]
    pub(crate) header: Option<String>,

    /// Show which partition and aggregator count this source. Without it: the source of `--path`, if that
    /// file exists.
    #[arg(long, value_name = "ID")]
    pub(crate) source: Option<String>,

    /// Name of the volume of `--path`, as in the flags of the ingest.
    #[arg(long, env = "LOGTALLY_VOLUME", default_value = "local")]
    pub(crate) volume: String,

    /// Number of partitions of the store.
    #[arg(long, default_value_t = PARTITIONS_DEFAULT_REDIS, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) partitions: u16,

    /// The aggregators, as in the flags of the ingests: shows which of them the source is sent to.
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    pub(crate) aggregators: Vec<String>,

    /// What is printed.
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

const EXAMPLES: &str = "\
Examples:
  By the default rule:
    logtally explain 'web1,backup'
  With the header of the file:
    logtally explain 'backup,web1' --header 'job_name,host'
  With a configuration, the values that the path gives, and the aggregator of the file:
    logtally explain \"$(tail -1 /logs/eu/web1.log)\" --config.file logtally.yaml \\
      --path /logs/eu/web1.log --aggregators a:9510,b:9510";

#[derive(Serialize)]
struct Explained {
    input: String,
    /// `counted`, `filtered`, `rejected`, `header` or `blank`.
    outcome: &'static str,
    /// Why it is rejected.
    reason: Option<&'static str>,
    columns: Vec<Cell>,
    rules: Vec<RuleSays>,
    source: Option<Placement>,
}

#[derive(Serialize)]
struct Placement {
    source: String,
    partition: u16,
    partitions: u16,
    aggregator: Option<String>,
}

/// Explains a line.
pub(crate) async fn explain(args: &ExplainArgs) -> anyhow::Result<()> {
    let path = args.path.iter().map(|path| path.display().to_string()).collect::<Vec<_>>();
    let (config, plan) = args.config.load(&path)?;
    let index = input_of(args, &plan)?;
    let spec = &config.inputs[index];
    let (header, file) = (args.header.as_deref(), args.path.as_deref());
    let line = Line::parse(spec, &plan.inputs[index], &args.line, header, file)?;
    let rules = rules::explain(spec, &line).await?;
    let (outcome, reason) = line.outcome(&plan.inputs[index]);
    let explained = Explained {
        input: spec.name.clone(),
        outcome,
        reason,
        rules,
        columns: line.columns,
        source: place(args)?,
    };
    args.output.print(&explained, || explained.render())
}

fn input_of(args: &ExplainArgs, plan: &logtally_count::plan::Plan) -> anyhow::Result<usize> {
    let names = || plan.inputs.iter().map(|i| i.name.as_str()).collect::<Vec<_>>().join(", ");
    if let Some(name) = &args.input {
        return match plan.inputs.iter().position(|input| input.name == *name) {
            Some(index) => Ok(index),
            None => Err(usage(format!("there is no input {name:?}; the inputs are {}", names()))),
        };
    }
    if plan.inputs.len() == 1 {
        return Ok(0);
    }
    let Some(path) = &args.path else {
        let names = names();
        bail!(usage(format!("there are several inputs; choose one with --input: {names}")));
    };
    if let Some(index) = plan.inputs.iter().position(|input| input.matches(path)) {
        return Ok(index);
    }
    let (path, names) = (path.display(), names());
    Err(usage(format!("no input matches {path}; choose one with --input: {names}")))
}

/// Where the source is counted, if one is named or the path exists.
fn place(args: &ExplainArgs) -> anyhow::Result<Option<Placement>> {
    let source = match (&args.source, args.path.as_ref().and_then(|path| path.metadata().ok())) {
        (Some(id), _) => SourceId::new(id),
        (None, Some(metadata)) if metadata.is_file() => identity(&args.volume, &metadata),
        _ => return Ok(None),
    };
    let source = source.map_err(|error| usage(format!("--source or --volume: {error}")))?;
    let peers = args.aggregators.iter().map(|text| Peer::parse(text));
    let peers: Vec<Peer> = peers
        .collect::<Result<_, _>>()
        .map_err(|error| usage(format!("--aggregators: {error}")))?;
    let ring = Ring::new(peers.iter().map(Peer::name));
    Ok(Some(Placement {
        partition: partition_of(&source, args.partitions).0,
        partitions: args.partitions,
        aggregator: ring.owner(&source).map(str::to_owned),
        source: source.as_str().to_owned(),
    }))
}

impl Explained {
    fn render(&self) -> String {
        let mut text = format!("input   {}\n", self.input);
        // Writing to a string does not fail.
        let _ = match self.reason {
            Some(reason) => writeln!(text, "result  {}: {reason}", self.outcome),
            None => writeln!(text, "result  {}", self.outcome),
        };
        if self.reason == Some(Reject::NoHeader.as_str()) {
            text += "        give the header that stands before the line with --header\n";
        }
        if !self.columns.is_empty() {
            text += "columns\n";
        }
        for Cell { name, value } in &self.columns {
            let value = value.as_ref().map_or("(missing)".to_owned(), |value| format!("{value:?}"));
            let _ = writeln!(text, "  {name} = {value}");
        }
        for rule in &self.rules {
            text += &rule.render();
        }
        if let Some(place) = &self.source {
            let Placement { source, partition, partitions, aggregator } = place;
            let _ = write!(text, "source  {source}\n        partition {partition} of {partitions}");
            let _ = match aggregator {
                Some(name) => writeln!(text, ", aggregator {name}"),
                None => writeln!(text),
            };
        }
        text
    }
}
