//! One reading step, done on a blocking thread: everything that touches the file system or burns
//! processor time for a source happens here.

use logtally_core::delta::{Delta, Span};
use logtally_core::source::{Generation, SourceId};

use crate::discover::Stamp;
use crate::metrics::Metrics;
use crate::reader::{End, ReadError, ReadSpan, Reader, Scratch};

/// A reading step.
pub struct Job {
    /// The source.
    pub source: SourceId,
    /// Its life; deltas name it.
    pub generation: Generation,
    /// The slot's epoch when the job was made.
    pub epoch: u64,
    /// Whether anything can follow.
    pub end: End,
    /// The reader.
    pub reader: Box<Reader>,
    /// Buffers.
    pub scratch: Scratch,
}

/// What a step brought back.
pub struct Done {
    /// The source.
    pub source: SourceId,
    /// The slot's epoch when the job was made.
    pub epoch: u64,
    /// Whether the step was told that nothing follows.
    pub end: End,
    /// The reader.
    pub reader: Box<Reader>,
    /// Buffers.
    pub scratch: Scratch,
    /// The file's stamp before it was read.
    pub stamp: Option<Stamp>,
    /// What was read.
    pub result: Result<Step, ReadError>,
}

/// What was read.
pub struct Step {
    /// The span.
    pub span: ReadSpan,
    /// The delta, if the position moved, and the trace that began with it.
    pub delta: Option<(Delta, tracing::Span)>,
}

/// Does one step.
pub fn work(job: Job, metrics: &Metrics) -> Done {
    let Job { source, generation, epoch, end, mut reader, mut scratch } = job;
    // Before the read: what is appended during the read then shows as a new stamp.
    let stamp = reader.file().metadata().ok().map(|m| Stamp::of(&m));
    let trace = tracing::info_span!(
        "read", otel.kind = "producer", source = %source,
        from = tracing::field::Empty, to = tracing::field::Empty, records = tracing::field::Empty,
    );
    let result = trace.in_scope(|| reader.read_span(&mut scratch, end));
    let result = result.map(|span| {
        let delta = (span.to > span.from).then(|| {
            (make_delta(&source, generation, &span, &mut scratch, metrics), trace.clone())
        });
        if let Some((delta, _)) = &delta {
            trace.record("from", span.from);
            trace.record("to", span.to);
            trace.record("records", delta.records.read());
        }
        Step { span, delta }
    });
    Done { source, epoch, end, reader, scratch, stamp, result }
}

fn make_delta(
    source: &SourceId,
    generation: Generation,
    span: &ReadSpan,
    scratch: &mut Scratch,
    metrics: &Metrics,
) -> Delta {
    for (reason, n) in scratch.tally.rejected().filter(|(_, n)| *n > 0) {
        metrics.rejected.with_label_values(&[reason.as_str()]).inc_by(n);
        tracing::warn!(
            %source, reason = reason.as_str(), records = n, from = span.from, to = span.to,
            "rejected records"
        );
    }
    let (families, increments, records) = scratch.tally.take();
    metrics.lines.inc_by(records.read());
    metrics.bytes.inc_by(span.to - span.from);
    Delta {
        source: source.clone(),
        generation,
        span: Span::new(span.from, span.to).expect("a span that moved, within a file"),
        tail_before: span.tail_before,
        tail_after: span.tail_after,
        header: span.header,
        records,
        families,
        increments,
    }
}
