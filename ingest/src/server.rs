//! Runs the ingest: the follower, the receiver of pushes, and their listeners. Must never decide anything
//! about files or pushes.

use logtally_receive::{Listeners, Pushing};
use logtally_service::{
    Context, bind_std, cancel_on_signal, init_telemetry, spawn_admin_with, version,
};
use logtally_tail::{FollowView, TailMetrics, follow, raise_file_limit};

use crate::args::IngestArgs;
use crate::reload::Reloader;

/// Runs the program until it is told to stop.
pub async fn run(args: IngestArgs) -> anyhow::Result<()> {
    let telemetry = init_telemetry("logtally-ingest", &args.log)?;
    let context = Context::new("logtally-ingest", version());
    cancel_on_signal(context.shutdown.clone());
    let (shard, peers) = (args.own_shard()?, args.peers()?);
    let reloader = Reloader::start(&args.config, &args.files, args.reads(), &context.registry)?;
    reloader.reload_on_hangup(context.shutdown.clone());
    let admin = bind_std("--admin.listen-address", &args.admin_listen_address).await?;
    let listeners =
        Listeners::bind(Some(&args.grpc_listen_address), Some(&args.push_listen_address)).await?;
    raise_file_limit();
    let metrics = TailMetrics::new(&context.registry)?;
    let view = FollowView::default();
    let admin =
        spawn_admin_with(admin, context.clone(), "logtally-ingest", reloader.admin(view.clone()));
    let pushing = Pushing::start(&peers, reloader.plans(), &context)?;
    let server = tokio::spawn(listeners.serve(pushing.push.clone(), context.clone()));
    tracing::info!(
        version = version(),
        shard = shard.index,
        shards = shard.total,
        volume = args.volume,
        "started"
    );
    let options = args.follow.options(args.volume.unwrap_or_default(), shard, false, false);
    follow(options, peers, reloader.plans(), view, metrics, &context).await;
    context.shutdown.cancel();
    pushing.finish().await;
    server.await??;
    admin.stop();
    telemetry.shutdown();
    Ok(())
}
