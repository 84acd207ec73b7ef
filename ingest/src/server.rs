//! The ingest as a program: follower, gRPC listener, admin listener.

use logtally_service::{
    Context, ExitError, bind, bind_std, cancel_on_signal, init_telemetry, spawn_admin_with, version,
};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Server;

use crate::args::Args;
use crate::follow::{View, follow};
use crate::metrics::Metrics;
use crate::reload::Reloader;

/// Runs the program until it is told to stop.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let telemetry = init_telemetry("logtally-ingest", &args.log)?;
    let context = Context::new("logtally-ingest", version());
    cancel_on_signal(context.shutdown.clone());
    if args.files.is_empty() && args.config.config_file.is_none() {
        let text = "nothing to read: name FILES, or a configuration with --config.file";
        return Err(ExitError::usage(anyhow::anyhow!(text)).into());
    }
    let (shard, peers) = (args.own_shard()?, args.peers()?);
    let reloader = Reloader::start(&args.config, &args.files, &context.registry)?;
    reloader.reload_on_hangup(context.shutdown.clone());
    let admin = bind_std("--admin.listen-address", &args.admin_listen_address).await?;
    let grpc = bind("--grpc.listen-address", &args.grpc_listen_address).await?;
    raise_file_limit();
    let metrics = Metrics::new(&context.registry)?;
    let view = View::default();
    let admin =
        spawn_admin_with(admin, context.clone(), "logtally-ingest", reloader.admin(view.clone()));
    let server = tokio::spawn(serve(grpc, context.clone()));
    tracing::info!(
        version = version(),
        shard = shard.index,
        shards = shard.total,
        volume = args.volume,
        "started"
    );
    let options = args.follow.options(args.volume, shard, false, false);
    follow(options, peers, reloader.plans(), view, metrics, &context).await;
    context.shutdown.cancel();
    server.await??;
    admin.stop();
    telemetry.shutdown();
    Ok(())
}

/// Lets the process open as many files as the system allows: each followed file is open.
pub fn raise_file_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = rustix::process::Rlimit { current: limit.maximum, maximum: limit.maximum };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, "cannot raise the limit of open files");
    }
}

/// Serves gRPC health and reflection until the context's shutdown.
pub async fn serve(listener: TcpListener, context: Context) -> anyhow::Result<()> {
    let (health, health_service) = tonic_health::server::health_reporter();
    health.set_service_status("", tonic_health::ServingStatus::Serving).await;
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1()?;
    Server::builder()
        .add_service(health_service)
        .add_service(reflection)
        .serve_with_incoming_shutdown(
            TcpListenerStream::new(listener),
            context.shutdown.cancelled_owned(),
        )
        .await?;
    Ok(())
}
