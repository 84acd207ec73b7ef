//! `logtally doctor`: looks at everything that counting depends on, and says one line each, with the
//! fix where something is wrong. Only looks; changes nothing.

mod files;
mod findings;
mod processes;
mod store;

use std::path::Path;

use anyhow::bail;
use logtally_core::secret_url::SecretUrl;
use logtally_store::{StoreArgs, StoreUrl};

use self::findings::Findings;
use super::config_file::ConfigFile;
use crate::output::{OutputArgs, count_of};
use crate::store::DEFAULT_FOLDER;

/// Flags of `logtally doctor`.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = EXAMPLES)]
#[command(mut_arg("store", |arg| arg.help(STORE_HELP)))]
pub(crate) struct DoctorArgs {
    /// Files or globs for the inputs whose files the configuration does not name.
    #[arg(value_name = "FILES")]
    pub(crate) files: Vec<String>,

    /// The configuration.
    #[command(flatten)]
    pub(crate) config: ConfigFile,

    /// The store.
    #[command(flatten)]
    pub(crate) store: StoreArgs,

    /// Admin listener of a running process; repeat the flag for several.
    #[arg(long, value_name = "URL")]
    pub(crate) from: Vec<SecretUrl>,

    /// What is printed.
    #[command(flatten)]
    pub(crate) output: OutputArgs,
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

/// Looks at everything.
pub(crate) async fn doctor(args: &DoctorArgs) -> anyhow::Result<()> {
    let mut findings = Findings::default();
    files::look(&args.config, &args.files, &mut findings);
    match args.store.url() {
        Ok(Some(url)) => store::look(&url, &mut findings).await,
        Ok(None) if Path::new(DEFAULT_FOLDER).exists() => {
            store::look(&StoreUrl::Embedded(DEFAULT_FOLDER.into()), &mut findings).await;
        }
        Ok(None) => findings.skipped("store", "no store is named: add --store URL"),
        Err(error) => findings.error("store", error.to_string()),
    }
    processes::look(&args.from, &mut findings).await;
    args.output.print(&findings.all(), || findings.render())?;
    match findings.errors() {
        0 => Ok(()),
        errors => bail!("found {}", count_of(errors, "error")),
    }
}
