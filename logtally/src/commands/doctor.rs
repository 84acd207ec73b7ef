//! `logtally doctor`: looks at everything that counting depends on, and says one line each, with the
//! fix where something is wrong. Only looks; changes nothing.

mod files;
mod processes;
mod store;

use std::path::Path;

use anyhow::bail;
use logtally_core::secret_url::SecretUrl;
use logtally_store::{StoreArgs, StoreUrl};
use serde::Serialize;

use super::ConfigFile;
use crate::output::{OutputArgs, count_of, one_line};
use crate::store::DEFAULT_FOLDER;

/// Flags of `logtally doctor`.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = EXAMPLES)]
#[command(mut_arg("store", |arg| arg.help(STORE_HELP)))]
pub struct DoctorArgs {
    /// Files or globs of inputs whose files the configuration does not name.
    #[arg(value_name = "FILES")]
    pub files: Vec<String>,

    /// The configuration.
    #[command(flatten)]
    pub config: ConfigFile,

    /// The store.
    #[command(flatten)]
    pub store: StoreArgs,

    /// Admin listeners of running processes, one flag each.
    #[arg(long, value_name = "URL")]
    pub from: Vec<SecretUrl>,

    /// What is printed.
    #[command(flatten)]
    pub output: OutputArgs,
}

const STORE_HELP: &str = "\
The store: redis://HOST:PORT, or embedded:DIR while no process uses it. Without it: \
embedded:./logtally-data, if that is there";

const EXAMPLES: &str = "\
Examples:
  Before the first start:
    logtally doctor --config.file logtally.yaml 'logs/*.csv'
  A distributed system; exits with 1 if something is wrong:
    logtally doctor --store redis://localhost:6379 --from http://host1:9501 --from http://host2:9501";

/// How a check went.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum Status {
    Ok,
    Warning,
    Error,
    Skipped,
}

/// A check and what it found.
#[derive(Clone, Debug, Serialize)]
struct Finding {
    check: &'static str,
    status: Status,
    message: String,
}

/// What was found so far.
#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, check: &'static str, status: Status, message: impl Into<String>) {
        self.0.push(Finding { check, status, message: one_line(&message.into()) });
    }

    fn ok(&mut self, check: &'static str, message: impl Into<String>) {
        self.add(check, Status::Ok, message);
    }

    fn warning(&mut self, check: &'static str, message: impl Into<String>) {
        self.add(check, Status::Warning, message);
    }

    fn error(&mut self, check: &'static str, message: impl Into<String>) {
        self.add(check, Status::Error, message);
    }

    fn skipped(&mut self, check: &'static str, message: impl Into<String>) {
        self.add(check, Status::Skipped, message);
    }

    fn render(&self) -> String {
        let line = |Finding { check, status, message }: &Finding| {
            let status = format!("{status:?}").to_lowercase();
            format!("{status:<8} {check:<14} {message}\n")
        };
        self.0.iter().map(line).collect()
    }
}

/// Looks at everything.
pub async fn doctor(args: &DoctorArgs) -> anyhow::Result<()> {
    let mut findings = Findings::default();
    files::look(args, &mut findings);
    match args.store.url() {
        Ok(Some(url)) => store::look(&url, &mut findings).await,
        Ok(None) if Path::new(DEFAULT_FOLDER).exists() => {
            store::look(&StoreUrl::Embedded(DEFAULT_FOLDER.into()), &mut findings).await;
        }
        Ok(None) => findings.skipped("store", "no store is named: add --store URL"),
        Err(error) => findings.error("store", error.to_string()),
    }
    processes::look(&args.from, &mut findings).await;
    args.output.print(&findings.0, || findings.render())?;
    match findings.0.iter().filter(|finding| finding.status == Status::Error).count() {
        0 => Ok(()),
        errors => bail!("found {}", count_of(errors as u64, "error")),
    }
}
