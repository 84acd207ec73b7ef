//! `logtally run`: ingest, aggregator and exporter in one process.
//!
//! The three parts are the same as in the distributed form and talk the same protocol; only the
//! connection between ingest and aggregator is a pipe in memory instead of a socket.

mod args;

use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use logtally_aggregator::AggregatorOptions;
use logtally_core::limits::LOCAL_MESSAGE_BYTES_MAX;
use logtally_exporter::{Exporter, PageFormat};
use logtally_ingest::{Reads, Reloader};
use logtally_receive::Listeners;
use logtally_service::{
    AdminHandle, Context, ExitError, bind, bind_std, cancel_on_signal, init_telemetry,
    spawn_admin_with, version,
};
use logtally_store::StoreUrl;
use logtally_store::redis::RedisOptions;
use logtally_tail::discover::check_volume;
use logtally_tail::reader::SpanLimits;
use logtally_tail::shard::Shard;
use logtally_tail::{FollowView, raise_file_limit};
use tokio::task::JoinHandle;

use crate::pipeline;
use crate::store;

pub(crate) use self::args::RunArgs;

/// Runs until told to stop, or, with `--once`, until everything is counted and printed.
pub(crate) async fn run(args: RunArgs) -> anyhow::Result<()> {
    let telemetry = init_telemetry("logtally", &args.log)?;
    let context = Context::new("logtally", version());
    cancel_on_signal(context.shutdown.clone());
    check_volume(&args.volume).map_err(|text| ExitError::usage(anyhow::anyhow!(text)))?;
    let reloader = Reloader::start(&args.config, &args.files, Reads::Files, &context.registry)?;
    let result = if args.end.once {
        once(&args, &reloader, &context).await
    } else {
        serve(&args, &reloader, &context).await
    };
    telemetry.shutdown();
    result
}

async fn once(args: &RunArgs, reloader: &Reloader, context: &Context) -> anyhow::Result<()> {
    let url =
        if args.end.dry_run { StoreUrl::Memory } else { store::named_or_default(&args.store)? };
    let store = url.open(redis_options(args))?;
    let exporter = Exporter::new(Arc::clone(&store) as _, args.view.options(), context);
    raise_file_limit();
    let job = job(args, reloader, &url, FollowView::default(), Listeners::default());
    let outcome = pipeline::count(job, store, context).await?;
    if context.shutdown.is_cancelled() {
        bail!("interrupted before everything was counted; run it again to go on from there");
    }
    if !args.end.quiet {
        let body = exporter.exposition(PageFormat::Text).await?;
        std::io::stdout().write_all(&body).context("cannot write to standard output")?;
    }
    if args.end.dry_run {
        tracing::info!("a dry run: counted from the beginning of the files, nothing was kept");
    }
    match outcome.problems.as_slice() {
        [] => Ok(()),
        problems => bail!("not all inputs were counted: {}", problems.join("; ")),
    }
}

async fn serve(args: &RunArgs, reloader: &Reloader, context: &Context) -> anyhow::Result<()> {
    let url = store::named_or_default(&args.store)?;
    let web = bind("--web.listen-address", &args.listen.web_listen_address).await?;
    let admin = bind_std("--admin.listen-address", &args.listen.admin_listen_address).await?;
    let (grpc, http) = (&args.listen.grpc_listen_address, &args.listen.push_listen_address);
    let pushes = Listeners::bind(grpc.as_ref(), http.as_ref()).await?;
    let store = url.open(redis_options(args))?;
    let exporter = Exporter::new(Arc::clone(&store) as _, args.view.options(), context);
    let view = FollowView::default();
    let extra = reloader.admin(view.clone());
    let admin: AdminHandle = spawn_admin_with(admin, context.clone(), "logtally", extra);
    reloader.reload_on_hangup(context.shutdown.clone());
    tracing::info!(
        version = version(),
        store = %url,
        metrics = page_url(web.local_addr()?),
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
    raise_file_limit();
    let job = job(args, reloader, &url, view, pushes);
    let counted = pipeline::count(job, store, context).await;
    context.shutdown.cancel();
    scrapes.await??;
    admin.stop();
    counted.map(drop)
}

fn redis_options(args: &RunArgs) -> RedisOptions {
    RedisOptions { durability: args.durability.into(), ..RedisOptions::default() }
}

/// What ingest and aggregator do over the store at `url`.
fn job(
    args: &RunArgs,
    reloader: &Reloader,
    url: &StoreUrl,
    view: FollowView,
    pushes: Listeners,
) -> pipeline::Job {
    let shard = Shard { index: 0, total: 1 };
    let mut options = args.follow.options(args.volume.clone(), shard, args.end.once, true);
    let key_retention = args.retention.key_retention;
    let mut aggregator = AggregatorOptions { key_retention, ..AggregatorOptions::default() };
    if !url.is_server() {
        // A server would be held up by commits of that size; a store of our own is not.
        options.limits = SpanLimits::LOCAL;
        aggregator.message_bytes_max = LOCAL_MESSAGE_BYTES_MAX;
    }
    pipeline::Job { options, plans: reloader.plans(), view, pushes, aggregator }
}

/// The page of the counts, as a person on this machine can open it.
fn page_url(address: SocketAddr) -> String {
    if address.ip().is_unspecified() {
        format!("http://localhost:{}/metrics", address.port())
    } else {
        format!("http://{address}/metrics")
    }
}
