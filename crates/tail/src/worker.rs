//! One reading step, done on a blocking thread: everything that touches the file system or burns
//! processor time for a source happens here.

use std::path::PathBuf;

use logtally_core::delta::{Delta, Span};
use logtally_core::series::Family;
use logtally_core::source::{Generation, SourceId};

use crate::content::{Compression, Content};
use crate::discover::Stamp;
use crate::followed::ReadTicket;
use crate::metrics::TailMetrics;
use crate::open::open;
use crate::reader::{End, ReadError, ReadSpan, Reader, Scratch};
use logtally_count::tally::{Counted, RejectedSample};

/// A reading step.
pub(crate) struct ReadJob {
    /// The source.
    pub(crate) source: SourceId,
    /// Its generation; deltas name it.
    pub(crate) generation: Generation,
    /// Which step of the source it is.
    pub(crate) ticket: ReadTicket,
    /// Whether anything can follow.
    pub(crate) end: End,
    /// The reader.
    pub(crate) reader: Box<Reader>,
    /// The file, in case the reader is closed.
    pub(crate) file: FileAt,
    /// Buffers.
    pub(crate) scratch: Scratch,
}

/// Where to open a file again.
pub(crate) struct FileAt {
    /// Its path.
    pub(crate) path: PathBuf,
    /// Its identity; another file at the path is not opened.
    pub(crate) id: SourceId,
    /// The volume, which is a part of the identity.
    pub(crate) volume: String,
    /// How it is compressed.
    pub(crate) compression: Option<Compression>,
}

/// What a step brought back.
pub(crate) struct ReadDone {
    /// The source.
    pub(crate) source: SourceId,
    /// Which step of the source it is.
    pub(crate) ticket: ReadTicket,
    /// Whether the step was to take what it met as the end.
    pub(crate) end: End,
    /// The reader.
    pub(crate) reader: Box<Reader>,
    /// Buffers.
    pub(crate) scratch: Scratch,
    /// Whether the file had to be opened for this step.
    pub(crate) opened: bool,
    /// The file's stamp before it was read.
    pub(crate) stamp: Option<Stamp>,
    /// What was read.
    pub(crate) result: Result<ReadStep, ReadError>,
}

/// What was read.
pub(crate) struct ReadStep {
    /// The span.
    pub(crate) span: ReadSpan,
    /// The delta, if the position moved, and the trace that began with it.
    pub(crate) delta: Option<(Delta, tracing::Span)>,
    /// Rejected records that are kept for a person to look at.
    pub(crate) samples: Vec<RejectedSample>,
}

/// Does one step.
pub(crate) fn work(job: ReadJob, metrics: &TailMetrics) -> ReadDone {
    let ReadJob { source, generation, ticket, end, mut reader, file, mut scratch } = job;
    let opened = match reopen(&mut reader, &file) {
        Ok(opened) => opened,
        Err(error) => {
            let result = Err(ReadError::Io { offset: 0, source: error });
            return ReadDone {
                source,
                ticket,
                end,
                reader,
                scratch,
                opened: false,
                stamp: None,
                result,
            };
        }
    };
    // Before the read: what is appended during the read then shows as a new stamp.
    let file = reader.content().and_then(Content::file);
    let stamp = file.and_then(|f| f.metadata().ok()).map(|m| Stamp::of(&m));
    let trace = tracing::info_span!(
        "read", otel.kind = "producer", source = %source,
        from = tracing::field::Empty, to = tracing::field::Empty, records = tracing::field::Empty,
    );
    let result = trace.in_scope(|| reader.read_span(&mut scratch, end));
    let result = result.map(|span| {
        let samples = scratch.tally.take_samples();
        let delta = (span.to > span.from).then(|| {
            (make_delta(&source, generation, &span, &reader, &mut scratch, metrics), trace.clone())
        });
        if let Some((delta, _)) = &delta {
            trace.record("from", span.from);
            trace.record("to", span.to);
            trace.record("records", delta.records.read());
        }
        ReadStep { span, delta, samples }
    });
    ReadDone { source, ticket, end, reader, scratch, opened, stamp, result }
}

/// Opens the file of a reader that was closed to save handles. Whether it had to be opened.
fn reopen(reader: &mut Reader, at: &FileAt) -> std::io::Result<bool> {
    if reader.content().is_some() {
        return Ok(false);
    }
    match open(&at.path, &at.volume, &at.id)? {
        Some(file) => {
            reader.open(Content::of_file(file, at.compression));
            Ok(true)
        }
        None => Err(std::io::Error::other("another file is at its path now")),
    }
}

fn make_delta(
    source: &SourceId,
    generation: Generation,
    span: &ReadSpan,
    reader: &Reader,
    scratch: &mut Scratch,
    metrics: &TailMetrics,
) -> Delta {
    for (reason, n) in scratch.tally.rejected().filter(|(_, n)| *n > 0) {
        metrics.reads.rejected.with_label_values(&[reason.as_str()]).inc_by(n);
        tracing::warn!(
            %source, reason = reason.as_str(), records = n, from = span.from, to = span.to,
            "rejected records"
        );
    }
    let Counted { families, limits, increments, records } = scratch.tally.take(reader.input());
    metrics.reads.lines.inc_by(records.read());
    metrics.reads.bytes.inc_by(span.to - span.from);
    Delta {
        source: source.clone(),
        generation,
        span: Span::new(span.from, span.to).expect("a span that moved, within a file"),
        tail_before: span.tail_before,
        tail_after: span.tail_after,
        note: span.header,
        records,
        families: families.iter().map(|family| Family::clone(family)).collect(),
        limits,
        increments,
    }
}
