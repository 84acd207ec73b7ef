//! `logtally run`: ingest, aggregator and exporter in one process.
//!
//! The three parts are the same as in the distributed form and talk the same protocol; only the
//! connection between ingest and aggregator is a pipe in memory instead of a socket.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use logtally_core::limits::LOCAL_MESSAGE_BYTES_MAX;
use logtally_exporter::{Exporter, Format};
use logtally_ingest::{Reads, Reloader};
use logtally_receive::Listeners;
use logtally_service::{
    AdminHandle, Context, ExitError, bind, bind_std, cancel_on_signal, init_telemetry,
    spawn_admin_with, version,
};
use logtally_store::SharedStore;
use logtally_tail::discover::check_volume;
use logtally_tail::reader::SpanLimits;
use logtally_tail::shard::Shard;
use logtally_tail::{FollowOutcome, FollowView, raise_file_limit};
use tokio::task::JoinHandle;

use crate::cli::RunArgs;
use crate::pipeline;
use crate::store::open_store;

/// Runs until told to stop, or, with `--once`, until everything is counted and printed.
pub async fn run(args: RunArgs) -> anyhow::Result<()> {
    let telemetry = init_telemetry("logtally", &args.log)?;
    let context = Context::new("logtally", version());
    cancel_on_signal(context.shutdown.clone());
    check_volume(&args.volume).map_err(|text| ExitError::usage(anyhow::anyhow!(text)))?;
    let reloader = Reloader::start(&args.config, &args.files, Reads::Files, &context.registry)?;
    let result = if args.once {
        once(&args, &reloader, &context).await
    } else {
        serve(&args, &reloader, &context).await
    };
    telemetry.shutdown();
    result
}

async fn once(args: &RunArgs, reloader: &Reloader, context: &Context) -> anyhow::Result<()> {
    let url = if args.dry_run { "memory:" } else { &args.store };
    let store = open_store(url, args.durability)?;
    let exporter = Exporter::new(Arc::clone(&store) as _, args.view.options(), context);
    let pushes = Listeners::default();
    let outcome = count(args, reloader, FollowView::default(), pushes, store, context).await?;
    if context.shutdown.is_cancelled() {
        bail!("interrupted before everything was counted; run it again to go on from there");
    }
    if !args.quiet {
        let body = exporter.exposition(Format::Text).await?;
        std::io::stdout().write_all(&body).context("cannot write to standard output")?;
    }
    if args.dry_run {
        tracing::info!("a dry run: counted from the beginning of the files, nothing was kept");
    }
    match outcome.problems.as_slice() {
        [] => Ok(()),
        problems => bail!("not all inputs were counted: {}", problems.join("; ")),
    }
}

async fn serve(args: &RunArgs, reloader: &Reloader, context: &Context) -> anyhow::Result<()> {
    let web = bind("--web.listen-address", &args.web_listen_address).await?;
    let admin = bind_std("--admin.listen-address", &args.admin_listen_address).await?;
    let (grpc, http) = (&args.grpc_listen_address, &args.push_listen_address);
    let pushes = Listeners::bind(grpc.as_ref(), http.as_ref()).await?;
    let store = open_store(&args.store, args.durability)?;
    let exporter = Exporter::new(Arc::clone(&store) as _, args.view.options(), context);
    let view = FollowView::default();
    let extra = reloader.admin(view.clone());
    let admin: AdminHandle = spawn_admin_with(admin, context.clone(), "logtally", extra);
    reloader.reload_on_hangup(context.shutdown.clone());
    tracing::info!(
        version = version(),
        store = without_password(&args.store),
        metrics = url(web.local_addr()?),
        "started"
    );
    let without_files = reloader.plans().borrow().inputs.iter().all(|i| i.patterns.is_empty());
    if without_files && pushes.is_empty() {
        tracing::warn!("no files are named; showing what was counted before");
    }
    let scrapes: JoinHandle<anyhow::Result<()>> = {
        let context = context.clone();
        tokio::spawn(async move { logtally_exporter::serve(web, exporter, &context).await })
    };
    let counted = count(args, reloader, view, pushes, store, context).await;
    context.shutdown.cancel();
    scrapes.await??;
    admin.stop();
    counted.map(drop)
}

/// Ingest and aggregator over `store`, until the shutdown or the end of the files.
async fn count(
    args: &RunArgs,
    reloader: &Reloader,
    view: FollowView,
    pushes: Listeners,
    store: SharedStore,
    context: &Context,
) -> anyhow::Result<FollowOutcome> {
    raise_file_limit();
    let shard = Shard { index: 0, total: 1 };
    let mut options = args.follow.options(args.volume.clone(), shard, args.once, true);
    let key_retention = args.retention.key_retention;
    let mut aggregator = logtally_aggregator::Options { key_retention, ..Default::default() };
    if !args.store.starts_with("redis:") {
        // A server would be held up by commits of that size; a store of our own is not.
        options.limits = SpanLimits::LOCAL;
        aggregator.message_bytes_max = LOCAL_MESSAGE_BYTES_MAX;
    }
    let job = pipeline::Job { options, plans: reloader.plans(), view, pushes, aggregator };
    pipeline::count(job, store, context).await
}

/// Where the counts are, as a person on this machine can open it.
fn url(address: SocketAddr) -> String {
    if address.ip().is_unspecified() {
        format!("http://localhost:{}/metrics", address.port())
    } else {
        format!("http://{address}/metrics")
    }
}

/// The store's address as it may be shown.
fn without_password(url: &str) -> String {
    match (url.find("://"), url.rfind('@')) {
        (Some(scheme), Some(at)) if at > scheme => format!("{}…{}", &url[..scheme + 3], &url[at..]),
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_not_shown() {
        assert_eq!(without_password("redis://u:secret@h:1"), "redis://…@h:1");
        assert_eq!(without_password("embedded:./data"), "embedded:./data");
    }
}
