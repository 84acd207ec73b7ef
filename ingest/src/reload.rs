//! The configuration in force: loaded at the start, replaced at SIGHUP and `POST /-/reload`.
//!
//! A configuration that is not valid is refused, and the old one stays in force. Must never look at
//! sources: what a new plan means for each of them is decided by whoever reads it.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post};
use logtally_config::{Config, ConfigError};
use logtally_count::plan::Plan;
use logtally_service::{EXIT_CONFIG, ExitError, Extra, register};
use logtally_tail::FollowView;
use prometheus::{Gauge, IntCounterVec, IntGauge, Opts, Registry};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::args::{ConfigArgs, Reads};

/// Loads configurations and hands out the plans made from them. Clones are handles to the same state.
#[derive(Clone)]
pub struct Reloader {
    inner: Arc<Inner>,
}

struct Inner {
    args: ConfigArgs,
    files: Vec<String>,
    reads: Reads,
    plans: watch::Sender<Arc<Plan>>,
    metrics: ReloadMetrics,
}

struct ReloadMetrics {
    successful: IntGauge,
    success_time: Gauge,
    reloads: IntCounterVec,
}

impl Reloader {
    /// Loads the first configuration: that of the flag, else the default rule over `files`.
    pub fn start(
        args: &ConfigArgs,
        files: &[String],
        reads: Reads,
        registry: &Registry,
    ) -> anyhow::Result<Self> {
        let plan =
            load(args, files, reads).map_err(|error| ExitError::report(EXIT_CONFIG, error))?;
        let metrics = ReloadMetrics::new(registry)?;
        metrics.note(true);
        let plans = watch::Sender::new(Arc::new(plan));
        let (args, files) = (args.clone(), files.to_vec());
        Ok(Self { inner: Arc::new(Inner { args, files, reads, plans, metrics }) })
    }

    /// The plan in force, and each that comes after it.
    pub fn plans(&self) -> watch::Receiver<Arc<Plan>> {
        self.inner.plans.subscribe()
    }

    /// Loads the configuration again. If it is not valid, the old one stays in force.
    pub fn reload(&self) -> Result<(), ConfigError> {
        let Inner { args, files, reads, plans, metrics } = &*self.inner;
        let loaded = load(args, files, *reads);
        metrics.note(loaded.is_ok());
        metrics.reloads.with_label_values(&[if loaded.is_ok() { "ok" } else { "refused" }]).inc();
        match loaded {
            Ok(plan) => {
                plans.send_replace(Arc::new(plan));
                Ok(())
            }
            Err(error) => {
                for diagnostic in error.diagnostics() {
                    let at = &diagnostic.location;
                    tracing::error!(
                        file = at.file,
                        line = at.line,
                        column = at.column,
                        problem = diagnostic.message,
                        "the new configuration is refused, the old one goes on"
                    );
                }
                Err(error)
            }
        }
    }

    /// Reloads at each SIGHUP until the shutdown.
    pub fn reload_on_hangup(&self, shutdown: CancellationToken) {
        let reloader = self.clone();
        match signal(SignalKind::hangup()) {
            Err(error) => tracing::error!(%error, "cannot catch SIGHUP"),
            Ok(mut hangups) => drop(tokio::spawn(async move {
                while let Some(Some(())) = shutdown.run_until_cancelled(hangups.recv()).await {
                    let _ = reloader.reload();
                }
            })),
        }
    }

    /// What the admin listener serves of an ingest: its sources, rejected records that are kept, and
    /// the reload, if the flag allows it.
    pub fn admin(&self, view: FollowView) -> Extra {
        let (sources, ring) = (view.clone(), view.clone());
        let mut routes = Router::new()
            .route("/api/sources", get(|| async move { Json(sources.sources().await) }))
            .route("/api/aggregators", get(|| async move { Json(ring.aggregators()) }))
            .route("/api/rejected", get(|| async move { Json(view.samples()) }));
        if self.inner.args.enable_lifecycle {
            routes = routes
                .merge(Router::new().route("/-/reload", post(reload)).with_state(self.clone()));
        }
        let links = vec![
            ("/api/sources", "Sources: position, lag, last error"),
            ("/api/rejected", "Rejected records, if the configuration keeps some"),
        ];
        Extra { routes, links }
    }
}

async fn reload(State(reloader): State<Reloader>) -> Response {
    match reloader.reload() {
        Ok(()) => "reloaded\n".into_response(),
        Err(error) => {
            (StatusCode::BAD_REQUEST, format!("{}\n", error.to_string().trim_end())).into_response()
        }
    }
}

fn load(args: &ConfigArgs, files: &[String], reads: Reads) -> Result<Plan, ConfigError> {
    let config = match &args.config_file {
        Some(path) => Config::load(path)?,
        None => Config::default(),
    };
    for warning in &config.warnings {
        let at = &warning.location;
        tracing::warn!(
            file = at.file,
            line = at.line,
            problem = warning.message,
            "suspicious configuration"
        );
    }
    let plan = Plan::compile(&config, files)?;
    let with_files = plan.inputs.iter().position(|input| !input.patterns.is_empty());
    if let Some(index) = with_files
        && reads == Reads::PushesOnly
    {
        let message = "files are to be read, but their volume, which is a part of their identity, is not named";
        let help = "start with --volume NAME: the same on every host that sees the same disk";
        return Err(config.error_at(index, None, "files", message, Some(help.to_owned())));
    }
    Ok(plan)
}

impl ReloadMetrics {
    fn new(registry: &Registry) -> prometheus::Result<Self> {
        let reloads = Opts::new("logtally_config_reloads_total", "Reloads, by result");
        Ok(Self {
            successful: register(
                registry,
                IntGauge::new(
                    "logtally_config_last_reload_successful",
                    "Whether the last configuration that was loaded was valid",
                ),
            )?,
            success_time: register(
                registry,
                Gauge::new(
                    "logtally_config_last_reload_success_timestamp_seconds",
                    "When a valid configuration was loaded last",
                ),
            )?,
            reloads: register(registry, IntCounterVec::new(reloads, &["result"]))?,
        })
    }

    fn note(&self, ok: bool) {
        self.successful.set(i64::from(ok));
        if ok {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            self.success_time.set(now.as_secs_f64());
        }
    }
}
