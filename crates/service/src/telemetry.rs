//! Logs to stderr, and traces over OTLP to whoever the standard `OTEL_…` variables name.
//!
//! Must never hold up or fail the work that it describes: spans that cannot be exported are lost,
//! with one warning.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry::{Key, Value};
use opentelemetry_otlp::SpanExporter as OtlpExporter;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanExporter};
use tokio::runtime::{Handle, Runtime};
use tracing::level_filters::LevelFilter;
use tracing::{Subscriber, info, warn};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;

use crate::log::{LogArgs, LogFormat};
use crate::logfmt::{Logfmt, NoSpanFields, UtcMillis};
use crate::program::ExitError;

/// How long the end of a program may wait for its last spans to be exported.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(5);

/// Spans of these crates are exported. Not those of the gRPC client, since the export of a span
/// would make new ones for ever.
const EXPORTED_TARGETS: &str = "logtally";

/// Said first when the exporter rejects its settings, whose own words are about its build options.
const CANNOT_EXPORT: &str = "cannot export traces (to an http:// endpoint, over gRPC, without TLS)";

/// Keeps the export of traces alive. Dropping it is the same as [`shutdown`](Self::shutdown).
#[must_use = "traces are exported only as long as this lives"]
pub struct Telemetry {
    export: Option<Export>,
}

/// Sets up logs and traces for the whole process, once.
///
/// Traces are off unless `OTEL_EXPORTER_OTLP_ENDPOINT` or `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` is
/// set, and off with `OTEL_SDK_DISABLED=true` or `OTEL_TRACES_EXPORTER=none`. The service is named
/// `program` unless the environment names it. The sampler, batch and exporter variables of the
/// OpenTelemetry specification apply.
///
/// Fails when the environment asks for an export that is not possible ([`ExitError::usage`]) and
/// when the process already has a subscriber.
pub fn init_telemetry(program: &'static str, log: &LogArgs) -> anyhow::Result<Telemetry> {
    opentelemetry::global::set_text_map_propagator(TraceContextPropagator::new());
    let wanted = export_wanted(|name| std::env::var(name).ok());
    let export = if wanted? { Some(Export::start(program)?) } else { None };
    let traces = export.as_ref().map(|export| trace_layer(&export.provider, program));
    let subscriber =
        tracing_subscriber::registry().with(log_layer(log, std::io::stderr)).with(traces);
    tracing::subscriber::set_global_default(subscriber)
        .context("logs are already set up in this process")?;
    Ok(Telemetry { export })
}

impl Telemetry {
    /// Exports the last spans, for at most 5 seconds, during which it blocks the thread.
    ///
    /// May be called anywhere, also on the thread of a runtime.
    pub fn shutdown(self) {
        drop(self);
    }
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        if let Some(export) = self.export.take() {
            export.stop();
        }
    }
}

/// Whether the environment asks for traces; an error when it asks for what we cannot do.
fn export_wanted(env: impl Fn(&str) -> Option<String>) -> anyhow::Result<bool> {
    // The specification: an empty value is the same as none.
    let env = |name: &str| env(name).filter(|value| !value.is_empty());
    let signal_or_all = |signal: &'static str, all: &'static str| {
        env(signal).map(|value| (signal, value)).or_else(|| env(all).map(|value| (all, value)))
    };
    let endpoint =
        signal_or_all("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT");
    let disabled = env("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true"));
    let exporters = env("OTEL_TRACES_EXPORTER").unwrap_or_else(|| "otlp".to_owned());
    let otlp = exporters.split(',').any(|exporter| exporter.trim() == "otlp");
    if endpoint.is_none() || disabled || !otlp {
        return Ok(false);
    }
    match signal_or_all("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL") {
        Some((name, value)) if value != "grpc" => Err(unsupported_protocol(name, &value)),
        _ => Ok(true),
    }
}

fn unsupported_protocol(name: &str, value: &str) -> anyhow::Error {
    let error = anyhow!(
        "{name}={value} is not supported; set it to grpc, or turn traces off with \
         OTEL_TRACES_EXPORTER=none"
    );
    ExitError::usage(error).into()
}

fn log_layer<S, W>(log: &LogArgs, writer: W) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(writer)
        // It would report a broken stderr on stderr, and panic.
        .log_internal_errors(false);
    let filter = log.level.to_env_filter();
    match log.format {
        LogFormat::Logfmt => {
            layer.event_format(Logfmt).fmt_fields(NoSpanFields).with_filter(filter).boxed()
        }
        LogFormat::Json => {
            let json = layer.json().flatten_event(true).with_timer(UtcMillis);
            json.with_current_span(false).with_span_list(false).with_filter(filter).boxed()
        }
    }
}

/// Has a filter of its own: fewer logs must not mean fewer traces.
fn trace_layer<S>(provider: &SdkTracerProvider, program: &'static str) -> impl Layer<S> + use<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    tracing_opentelemetry::layer()
        .with_tracer(provider.tracer(program))
        .with_location(false)
        .with_threads(false)
        .with_filter(Targets::new().with_target(EXPORTED_TARGETS, LevelFilter::INFO))
}

/// A running export of spans.
struct Export {
    provider: SdkTracerProvider,
    /// Ends when nobody needs it any more.
    _runtime: ExportRuntime,
}

impl Export {
    fn start(program: &'static str) -> anyhow::Result<Self> {
        let runtime = ExportRuntime::start()?;
        let exporter = Exporter::new(runtime.handle())
            .map_err(|error| ExitError::usage(anyhow!("{CANNOT_EXPORT}: {}", shown(&error))))?;
        let provider = SdkTracerProvider::builder()
            .with_resource(resource(program))
            .with_batch_exporter(exporter)
            .build();
        Ok(Self { provider, _runtime: runtime })
    }

    fn stop(self) {
        if let Err(error) = self.provider.shutdown_with_timeout(FLUSH_TIMEOUT) {
            warn!(%error, "the last spans may be lost");
        }
    }
}

/// A runtime for the export alone, so that spans are exported before the program has a runtime,
/// after it has left it, and while it is overloaded.
///
/// `None` only while it is dropped.
struct ExportRuntime(Option<Runtime>);

impl ExportRuntime {
    fn start() -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("traces")
            .enable_all()
            .build();
        Ok(Self(Some(runtime.context("cannot start the runtime for traces")?)))
    }

    fn handle(&self) -> Handle {
        self.0.as_ref().expect("it is not being dropped").handle().clone()
    }
}

impl Drop for ExportRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            // Any other way to drop a runtime panics inside of another one.
            runtime.shutdown_background();
        }
    }
}

/// An error with its causes. The client repeats the endpoint, which may hold a password: the name of
/// its variable stands in its place.
fn shown(error: &impl fmt::Display) -> String {
    let variables = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    without_secrets(&format!("{error:#}"), variables)
}

fn without_secrets(text: &str, variables: impl Iterator<Item = (String, String)>) -> String {
    let mut shown = text.to_owned();
    for (name, value) in variables {
        let may_be_secret = name.ends_with("_ENDPOINT") || name.ends_with("_HEADERS");
        if name.starts_with("OTEL_") && may_be_secret && !value.is_empty() {
            shown = shown.replace(&value, &format!("${name}"));
        }
    }
    shown
}

/// The resource of the environment, named `program` if the environment does not name it.
fn resource(program: &'static str) -> Resource {
    let detected = Resource::builder().build();
    let name = detected.get_ref(&Key::from_static_str("service.name")).map(Value::as_str);
    // What the specification prescribes where nobody chose a name.
    let unnamed = name.is_none_or(|name| name.starts_with("unknown_service"));
    if unnamed { Resource::builder().with_service_name(program).build() } else { detected }
}

/// Sends spans on the runtime of the export and tells when that fails.
#[derive(Debug)]
struct Exporter {
    otlp: Arc<OtlpExporter>,
    runtime: Handle,
    failing: AtomicBool,
}

impl Exporter {
    fn new(runtime: Handle) -> anyhow::Result<Self> {
        let otlp = {
            // The gRPC client looks for a runtime when it is built.
            let _inside = runtime.enter();
            Arc::new(OtlpExporter::builder().with_tonic().build()?)
        };
        Ok(Self { otlp, runtime, failing: AtomicBool::new(false) })
    }

    /// Logs only a change, not every batch of a long outage.
    fn report(&self, result: &OTelSdkResult) {
        let was_failing = self.failing.swap(result.is_err(), Ordering::Relaxed);
        match result {
            Err(error) if !was_failing => {
                warn!(error = shown(error), "cannot export traces, spans are lost");
            }
            Ok(()) if was_failing => info!("traces are exported again"),
            _ => {}
        }
    }
}

impl SpanExporter for Exporter {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let otlp = Arc::clone(&self.otlp);
        let export = self.runtime.spawn(async move { otlp.export(batch).await });
        match export.await {
            Ok(result) => {
                self.report(&result);
                result
            }
            // The program ends, and whoever ends it tells so.
            Err(aborted) => Err(OTelSdkError::InternalFailure(aborted.to_string())),
        }
    }

    fn set_resource(&mut self, resource: &Resource) {
        // Called before the first export, when nobody else has the exporter.
        if let Some(otlp) = Arc::get_mut(&mut self.otlp) {
            otlp.set_resource(resource);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENDPOINT: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4317");

    fn check(variables: &[(&str, &str)], expect: Result<bool, &str>) {
        let env = |name: &str| {
            let found = variables.iter().find(|(variable, _)| *variable == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let wanted = export_wanted(env).map_err(|error| error.to_string());
        assert_eq!(wanted, expect.map_err(str::to_owned), "{variables:?}");
    }

    #[test]
    fn traces_are_off_unless_there_is_an_endpoint() {
        check(&[], Ok(false));
        check(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "")], Ok(false));
        check(&[("OTEL_TRACES_EXPORTER", "otlp")], Ok(false));
        check(&[("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")], Ok(false));
        check(&[ENDPOINT], Ok(true));
        check(&[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://localhost:4317")], Ok(true));
    }

    #[test]
    fn traces_can_be_turned_off() {
        check(&[ENDPOINT, ("OTEL_SDK_DISABLED", "true")], Ok(false));
        check(&[ENDPOINT, ("OTEL_SDK_DISABLED", "TRUE")], Ok(false));
        check(&[ENDPOINT, ("OTEL_SDK_DISABLED", "false")], Ok(true));
        check(&[ENDPOINT, ("OTEL_SDK_DISABLED", "1")], Ok(true));
        check(&[ENDPOINT, ("OTEL_TRACES_EXPORTER", "none")], Ok(false));
        check(&[ENDPOINT, ("OTEL_TRACES_EXPORTER", "")], Ok(true));
        check(&[ENDPOINT, ("OTEL_TRACES_EXPORTER", "console, otlp")], Ok(true));
    }

    #[test]
    fn only_grpc_is_spoken() {
        let all = ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf");
        let refused = "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf is not supported; set it to grpc, \
                       or turn traces off with OTEL_TRACES_EXPORTER=none";
        check(&[ENDPOINT, all], Err(refused));
        check(&[ENDPOINT, all, ("OTEL_TRACES_EXPORTER", "none")], Ok(false));
        check(&[ENDPOINT, all, ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "grpc")], Ok(true));
    }

    #[test]
    fn endpoints_and_headers_are_named_and_not_shown() {
        let variables = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://u:secret@h"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "key=secret"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let text = "grpc: http://u:secret@h refuses key=secret";
        let shown = without_secrets(text, variables.into_iter());
        let expect = "grpc: $OTEL_EXPORTER_OTLP_ENDPOINT refuses $OTEL_EXPORTER_OTLP_HEADERS";
        assert_eq!(shown, expect);
    }

    #[test]
    fn json_lines_are_flat() {
        let log = LogArgs { level: "info".parse().expect("valid"), format: LogFormat::Json };
        let (writer, written) = crate::testing::shared_buffer();
        let subscriber = tracing_subscriber::registry().with(log_layer(&log, writer));
        tracing::subscriber::with_default(subscriber, || {
            let _span = tracing::info_span!("span", inside = 1).entered();
            info!(target: "t", path = "a\nb", "followed file");
            tracing::debug!(target: "t", "not important enough");
        });
        let line = written();
        let (time, rest) = line.split_once(',').expect("several fields");
        assert!(time.starts_with(r#"{"timestamp":"20"#) && time.ends_with(r#"Z""#), "{time}");
        let expect = r#""level":"INFO","message":"followed file","path":"a\nb","target":"t"}"#;
        assert_eq!(rest, format!("{expect}\n"));
    }
}
