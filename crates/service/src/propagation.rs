//! Carrying a trace from one process to the next, as a W3C `traceparent`
//! (<https://www.w3.org/TR/trace-context/>).
//!
//! Must never fail: counting does not depend on tracing.

use std::collections::HashMap;

use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::TraceContextExt;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

const TRACEPARENT: &str = "traceparent";

/// The `traceparent` of the current span; empty when there is none, when it is not sampled, or when
/// traces are off.
pub fn current_traceparent() -> String {
    let context = Span::current().context();
    let span = context.span();
    let id = span.span_context();
    if !id.is_valid() || !id.is_sampled() {
        return String::new();
    }
    format!("00-{}-{}-{:02x}", id.trace_id(), id.span_id(), id.trace_flags().to_u8())
}

/// Makes `span` a child of the span that `traceparent` names, in whatever process that was.
///
/// Does nothing when `traceparent` is empty or malformed. Call it before the span is first entered:
/// a span that has started keeps its parent.
pub fn set_parent(span: &Span, traceparent: &str) {
    if let Some(remote) = remote_context(traceparent) {
        // Fails when traces are off, which is fine.
        let _ = span.set_parent(remote);
    }
}

/// Links `span` to the span that `traceparent` names, as one of several causes.
///
/// Does nothing when `traceparent` is empty or malformed.
pub fn add_link(span: &Span, traceparent: &str) {
    if let Some(remote) = remote_context(traceparent) {
        span.add_link(remote.span().span_context().clone());
    }
}

fn remote_context(traceparent: &str) -> Option<opentelemetry::Context> {
    if traceparent.is_empty() {
        return None;
    }
    let carrier = HashMap::from([(TRACEPARENT.to_owned(), traceparent.to_owned())]);
    let context = TraceContextPropagator::new().extract(&carrier);
    context.span().span_context().is_valid().then_some(context)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use opentelemetry::trace::TracerProvider as _;
    use opentelemetry_sdk::error::OTelSdkResult;
    use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanExporter};
    use tracing::info_span;
    use tracing_subscriber::prelude::*;

    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const SPAN: &str = "00f067aa0ba902b7";

    fn sampled() -> String {
        format!("00-{TRACE}-{SPAN}-01")
    }

    /// Keeps the spans that would be exported.
    #[derive(Clone, Debug, Default)]
    struct Exported(Arc<Mutex<Vec<SpanData>>>);

    impl SpanExporter for Exported {
        async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
            self.0.lock().expect("not poisoned").extend(batch);
            Ok(())
        }
    }

    /// Does `work` with traces on and returns its spans, in the order of their ends.
    fn traced(work: impl FnOnce()) -> Vec<SpanData> {
        let exported = Exported::default();
        let provider = SdkTracerProvider::builder().with_simple_exporter(exported.clone()).build();
        let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), work);
        let spans = exported.0.lock().expect("not poisoned");
        spans.clone()
    }

    #[test]
    fn a_child_span_has_its_remote_parent() {
        let mut handed_on = String::new();
        let spans = traced(|| {
            let span = info_span!("commit");
            set_parent(&span, &sampled());
            handed_on = span.in_scope(current_traceparent);
        });
        let [span] = &spans[..] else { panic!("one span, not {spans:?}") };
        assert_eq!(span.span_context.trace_id().to_string(), TRACE);
        assert_eq!(span.parent_span_id.to_string(), SPAN);
        assert_eq!(handed_on, format!("00-{TRACE}-{}-01", span.span_context.span_id()));
    }

    #[test]
    fn links_keep_the_trace_of_the_span() {
        let spans = traced(|| {
            let span = info_span!("commit");
            add_link(&span, &sampled());
            add_link(&span, "");
            add_link(&span, "nonsense");
        });
        let [span] = &spans[..] else { panic!("one span, not {spans:?}") };
        assert_ne!(span.span_context.trace_id().to_string(), TRACE);
        let links: Vec<_> =
            span.links.iter().map(|link| link.span_context.span_id().to_string()).collect();
        assert_eq!(links, [SPAN]);
    }

    #[test]
    fn a_malformed_parent_changes_nothing() {
        for malformed in ["", "nonsense", &format!("00-{TRACE}-{}-01", "0".repeat(16))] {
            let spans = traced(|| set_parent(&info_span!("commit"), malformed));
            let [span] = &spans[..] else { panic!("one span, not {spans:?}") };
            assert_eq!(span.parent_span_id, opentelemetry::trace::SpanId::INVALID, "{malformed}");
        }
    }

    #[test]
    fn nothing_is_handed_on_when_not_sampled_outside_of_spans_and_without_traces() {
        let mut handed_on = vec![info_span!("commit").in_scope(current_traceparent)];
        let spans = traced(|| {
            handed_on.push(current_traceparent());
            let span = info_span!("commit");
            set_parent(&span, &format!("00-{TRACE}-{SPAN}-00"));
            handed_on.push(span.in_scope(current_traceparent));
        });
        assert!(spans.is_empty(), "{spans:?}");
        assert_eq!(handed_on, ["", "", ""]);
    }
}
