//! `logtally check`: whether a configuration is valid, without a network, a store or a log file.

use serde::Serialize;

use super::config_file::ConfigFile;
use crate::output::{OutputArgs, count_of, print};

/// Flags of `logtally check`.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CheckArgs {
    /// Files or globs for the inputs whose files the configuration does not name.
    #[arg(value_name = "FILES")]
    pub(crate) files: Vec<String>,

    /// The configuration.
    #[command(flatten)]
    pub(crate) config: ConfigFile,

    /// Print the JSON schema of the configuration, for editors, and exit.
    #[arg(long)]
    pub(crate) schema: bool,

    /// What is printed.
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

const EXAMPLES: &str = "\
Examples:
  Check a configuration before it is deployed; exits with 3 if it is not valid:
    logtally check --config.file logtally.yaml
  The schema for an editor:
    logtally check --schema > logtally.schema.json";

#[derive(Serialize)]
struct Checked {
    ok: bool,
    inputs: usize,
    rules: usize,
    warnings: Vec<Warning>,
}

#[derive(Serialize)]
struct Warning {
    file: String,
    line: u32,
    column: u32,
    message: String,
    help: Option<String>,
}

/// Checks, or prints the schema.
pub(crate) fn check(args: &CheckArgs) -> anyhow::Result<()> {
    if args.schema {
        return print(&format!("{:#}\n", logtally_config::schema()));
    }
    let (config, plan) = args.config.load(&args.files)?;
    let rules = plan.inputs.iter().map(|input| input.rules.rules().len()).sum();
    let warning = |d: &logtally_config::Diagnostic| Warning {
        file: d.location.file.clone(),
        line: d.location.line,
        column: d.location.column,
        message: d.message.clone(),
        help: d.help.clone(),
    };
    let warnings = config.warnings.iter().map(warning).collect();
    let checked = Checked { ok: true, inputs: plan.inputs.len(), rules, warnings };
    args.output.print(&checked, || {
        let mut text: String = config.warnings.iter().map(|d| d.render("warning")).collect();
        let inputs = count_of(checked.inputs as u64, "input");
        text.push_str("ok: ");
        text + &inputs + ", " + &count_of(rules as u64, "rule") + "\n"
    })
}
