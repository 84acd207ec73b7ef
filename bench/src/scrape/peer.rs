//! What one would write instead of an exporter: counts in the process, written by the encoder of a
//! client library at every scrape, behind the same HTTP server; or the bytes of a page from memory.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use axum::Router;
use axum::routing::get;
use bytes::Bytes;
use clap::ValueEnum;
use logtally_core::rule::default_family;
use logtally_e2e::program::Program;
use logtally_e2e::wait::until;
use logtally_testkit::{free_port, local};
use prometheus::{IntGaugeVec, Opts, Registry, TextEncoder};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;

use crate::client::Client;
use crate::process;
use crate::series::{self, check_page};

/// How long a server may take until it listens.
const PATIENCE: Duration = Duration::from_mins(1);

/// Who writes the page.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Encoder {
    /// The crate `prometheus`.
    Prometheus,
    /// The crate `prometheus-client`.
    PrometheusClient,
    /// Nobody: it is in a file.
    Bytes,
}

/// Flags of the server.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Where to listen.
    #[arg(long)]
    listen: SocketAddr,

    /// Who writes the page.
    #[arg(long)]
    encoder: Encoder,

    /// Series on the page.
    #[arg(long)]
    series: usize,

    /// The page, if nobody writes it.
    #[arg(long)]
    page: Option<PathBuf>,
}

/// Writes a page.
type Render = Arc<dyn Fn() -> Bytes + Send + Sync>;

/// Serves until it is killed.
pub fn run(args: &Args) -> Result<()> {
    let render = match args.encoder {
        Encoder::Prometheus => prometheus_page(args.series)?,
        Encoder::PrometheusClient => prometheus_client_page(args.series),
        Encoder::Bytes => {
            let page = args.page.as_ref().context("a page")?;
            let page = Bytes::from(std::fs::read(page)?);
            Arc::new(move || page.clone())
        }
    };
    let router = Router::new().route("/metrics", get(async move || render()));
    tokio::runtime::Runtime::new()?.block_on(async {
        let listener = tokio::net::TcpListener::bind(args.listen).await?;
        axum::serve(listener, router).await
    })?;
    Ok(())
}

fn prometheus_page(series: usize) -> Result<Render> {
    let family = default_family();
    let labels: Vec<&str> = family.labels.iter().map(String::as_str).collect();
    let gauge = IntGaugeVec::new(Opts::new(family.name, family.help), &labels)?;
    for which in 0..series {
        let (host, job) = series::labels(which);
        gauge.with_label_values(&[host, job]).set(series::first(which).cast_signed());
    }
    let registry = Registry::new();
    registry.register(Box::new(gauge))?;
    Ok(Arc::new(move || {
        let text = TextEncoder::new().encode_to_string(&registry.gather());
        text.unwrap_or_default().into()
    }))
}

fn prometheus_client_page(series: usize) -> Render {
    let family = default_family();
    let gauges = Family::<Vec<(String, String)>, Gauge<i64, AtomicI64>>::default();
    for which in 0..series {
        let (host, job) = series::labels(which);
        let labels = family.labels.iter().cloned().zip([host, job]).collect::<Vec<_>>();
        gauges.get_or_create(&labels).set(series::first(which).cast_signed());
    }
    let mut registry = prometheus_client::registry::Registry::default();
    registry.register(family.name, family.help, gauges);
    Arc::new(move || {
        let mut text = String::new();
        let written = prometheus_client::encoding::text::encode(&mut text, &registry);
        if written.is_ok() { text.into() } else { Bytes::new() }
    })
}

/// Starts a server, and returns the processor time of each scrape (milliseconds).
pub fn measure(encoder: Encoder, series: usize, scrapes: u32, page: &[u8]) -> Result<Vec<f64>> {
    let (folder, port) = (tempfile::tempdir()?, free_port());
    let file = folder.path().join("page");
    std::fs::write(&file, page)?;
    let name = encoder.to_possible_value().context("a name")?;
    let mut program = Program::at(folder.path(), "peer", std::env::current_exe()?)
        .args(["scrape-peer", "--listen", &local(port), "--encoder", name.get_name()])
        .args(["--series", &series.to_string(), "--page"])
        .arg(&file);
    program.start();
    let mut client =
        until("the peer", PATIENCE, || Client::connect(port).map_err(|error| error.to_string()));
    let expected: Vec<u64> = (0..series).map(series::first).collect();
    // The first one is not measured: what is allocated then is there for good.
    (0..=scrapes)
        .map(|_| {
            let begun = process::cpu_seconds(program.pid())?;
            let status = client.get(false)?;
            let used = (process::cpu_seconds(program.pid())? - begun) * 1e3;
            ensure!(status == 200, "{status}");
            match encoder {
                Encoder::Bytes => ensure!(client.body == page, "other bytes"),
                _ => check_page(&client.body, &expected)?,
            }
            Ok(used)
        })
        .skip(1)
        .collect()
}
