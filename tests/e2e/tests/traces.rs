//! One trace from the line that was read to the commit that counted it, across two processes.

use std::collections::HashMap;
use std::fs;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use logtally_e2e::cluster::{Cluster, Layout};
use logtally_e2e::wait::until;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value;
use opentelemetry_proto::tonic::resource::v1::Resource;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Server;
use tonic::{Request, Response, Status};

const CATCH_UP: Duration = Duration::from_secs(30);
/// Longer than any exporter of spans waits before it sends.
const EXPORT: Duration = Duration::from_secs(30);

/// A span as far as the test looks at it.
#[derive(Clone, Debug)]
struct Span {
    service: String,
    name: String,
    parent: Vec<u8>,
}

/// Spans by (trace id, span id).
type Spans = HashMap<(Vec<u8>, Vec<u8>), Span>;

/// An OTLP endpoint that remembers what it is sent.
#[derive(Clone, Default)]
struct Receiver {
    spans: Arc<Mutex<Spans>>,
}

#[tonic::async_trait]
impl TraceService for Receiver {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let mut spans = self.spans.lock().unwrap_or_else(PoisonError::into_inner);
        for group in request.into_inner().resource_spans {
            let service = service_name(&group.resource.unwrap_or_default());
            for span in group.scope_spans.into_iter().flat_map(|scope| scope.spans) {
                let (name, parent) = (span.name, span.parent_span_id);
                let span_here = Span { service: service.clone(), name, parent };
                spans.insert((span.trace_id, span.span_id), span_here);
            }
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

fn service_name(resource: &Resource) -> String {
    let attribute = resource.attributes.iter().find(|a| a.key == "service.name");
    match attribute.and_then(|a| a.value.clone()).and_then(|v| v.value) {
        Some(any_value::Value::StringValue(name)) => name,
        _ => String::new(),
    }
}

impl Receiver {
    /// Serves on a free port until the runtime ends.
    async fn serve(&self) -> u16 {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let service = TraceServiceServer::new(self.clone());
        let incoming = TcpListenerStream::new(listener);
        tokio::spawn(Server::builder().add_service(service).serve_with_incoming(incoming));
        port
    }

    /// A span of the aggregator that descends from one of the ingest, and that one.
    fn commit_and_its_read(&self) -> Result<(Span, Span), String> {
        let spans = self.spans.lock().unwrap_or_else(PoisonError::into_inner);
        let commits = spans.iter().filter(|(_, span)| {
            span.service == "logtally-aggregator" && span.name.contains("commit")
        });
        let mut pairs = commits.filter_map(|((trace, _), commit)| {
            let read = ancestor_in_ingest(&spans, trace, commit)?;
            Some((commit.clone(), read))
        });
        pairs.next().ok_or_else(|| {
            let mut seen: Vec<String> =
                spans.values().map(|s| format!("{}: {}", s.service, s.name)).collect();
            seen.sort();
            seen.dedup();
            format!("spans so far: {seen:?}")
        })
    }
}

fn ancestor_in_ingest(spans: &Spans, trace: &[u8], span: &Span) -> Option<Span> {
    let mut span = span;
    for _ in 0..spans.len() {
        span = spans.get(&(trace.to_vec(), span.parent.clone()))?;
        if span.service == "logtally-ingest" && span.name.contains("read") {
            return Some(span.clone());
        }
    }
    None
}

#[test]
fn a_commit_descends_from_the_read_in_the_other_process() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let receiver = Receiver::default();
    let port = runtime.block_on(receiver.serve());
    let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT".to_owned(), format!("http://127.0.0.1:{port}"));
    let layout = Layout { aggregators: 1, ingests: 1, exporters: 1, ..Layout::default() };
    let mut cluster = Cluster::prepare(Layout { env: vec![endpoint], ..layout });
    fs::write(cluster.logs().join("log.csv"), "server1,backup\n").expect("writing a log");
    cluster.start();
    cluster.wait_for_records(1, CATCH_UP);
    let (commit, read) = until("one trace over both", EXPORT, || receiver.commit_and_its_read());
    println!("{commit:?} descends from {read:?}");
}
