//! The exporter as a program, and as a part of another one.

use anyhow::Context as _;
use logtally_service::{
    Context, ExitError, bind, bind_std, cancel_on_signal, init_telemetry, spawn_admin, version,
};
use logtally_store::redis::RedisOptions;
use tokio::net::TcpListener;

use crate::args::ExporterArgs;
use crate::exporter::Exporter;
use crate::http::{self, TelemetryPath};
use crate::keep_up::keep_up;

/// Serves `/metrics` until the shutdown of the context, then lets responses finish for a limited
/// time. Follows the store all the while.
///
/// # Errors
/// If the exporter has failed for good and only a restart helps; the context is shut down then.
pub async fn serve(
    listener: TcpListener,
    exporter: Exporter,
    context: &Context,
) -> anyhow::Result<()> {
    serve_at(&TelemetryPath::default(), listener, exporter, context).await
}

/// As [`serve`], with another path for the page of counts.
pub(crate) async fn serve_at(
    path: &TelemetryPath,
    listener: TcpListener,
    exporter: Exporter,
    context: &Context,
) -> anyhow::Result<()> {
    let following = async {
        let followed = keep_up(&exporter, context).await;
        // Without a view there is nothing to serve: whoever started this process starts it anew.
        context.shutdown.cancel();
        followed
    };
    let serving = http::serve(listener, exporter.clone(), path, context);
    let (followed, ()) = tokio::join!(following, serving);
    followed.context("the exporter has failed")
}

/// The whole program.
pub async fn run(args: ExporterArgs) -> anyhow::Result<()> {
    let url = args.store.server_url().map_err(ExitError::usage)?;
    let telemetry = init_telemetry("logtally-exporter", &args.log)?;
    let context = Context::new("logtally-exporter", version());
    let store = url.open(RedisOptions::default())?;
    let exporter = Exporter::new(store, args.view.options(), &context);
    let listener = bind("--web.listen-address", &args.web_listen_address).await?;
    let admin = bind_std("--admin.listen-address", &args.admin_listen_address).await?;
    let admin = spawn_admin(admin, context.clone(), "logtally-exporter");
    cancel_on_signal(context.shutdown.clone());
    tracing::info!(
        address = %args.web_listen_address,
        path = args.web_telemetry_path.as_str(),
        "waiting for scrapes"
    );
    let served = serve_at(&args.web_telemetry_path, listener, exporter, &context).await;
    admin.stop();
    telemetry.shutdown();
    served
}
