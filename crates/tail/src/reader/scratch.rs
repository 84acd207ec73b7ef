//! The buffers of one worker, and when it closes a span. Never reads anything.

use logtally_core::limits::{
    DELTA_BYTES_TARGET, FAST_SPAN_BYTES_MAX, LOCAL_DELTA_BYTES_TARGET, LOCAL_SPAN_BYTES_MAX,
};
use logtally_count::tally::Tally;

/// How much one span may have before it is closed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SpanLimits {
    /// Bytes of the source, if its records take the fast path; others have
    /// [`SPAN_BYTES_MAX`](logtally_core::limits::SPAN_BYTES_MAX) at most.
    pub bytes: u64,
    /// Encoded increments, bytes.
    pub increments: usize,
}

impl Default for SpanLimits {
    fn default() -> Self {
        Self { bytes: FAST_SPAN_BYTES_MAX, increments: DELTA_BYTES_TARGET }
    }
}

impl SpanLimits {
    /// For an aggregator in the same process whose store takes large commits.
    pub const LOCAL: Self =
        Self { bytes: LOCAL_SPAN_BYTES_MAX, increments: LOCAL_DELTA_BYTES_TARGET };
}

/// Buffers of one worker, reused from span to span: first touch of memory is expensive.
#[derive(Default)]
pub struct Scratch {
    pub(super) buffer: Vec<u8>,
    /// The span's increments.
    pub tally: Tally,
    /// When a span is closed.
    pub limits: SpanLimits,
    /// Those of other workers that help with this span.
    pub helpers: Vec<Scratch>,
}

impl Scratch {
    /// Buffers that keep some rejected records per reason.
    pub fn new(samples_per_reason: usize) -> Self {
        Self { tally: Tally::new(samples_per_reason), ..Self::default() }
    }

    /// Closes spans at these limits.
    #[must_use]
    pub fn with_limits(self, limits: SpanLimits) -> Self {
        Self { limits, ..self }
    }
}

/// Makes room for so many bytes in a buffer.
pub(super) fn grow(buffer: &mut Vec<u8>, len: usize) {
    if buffer.len() < len {
        buffer.resize(len, 0);
    }
}
