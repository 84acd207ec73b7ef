//! Rejected records, kept for a person to look at.

use logtally_core::rule::Reject;

/// Bytes of a rejected record that are kept.
const SAMPLE_BYTES_MAX: usize = 512;

/// A record that was rejected, kept for a person to look at.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RejectedSample {
    /// Why.
    pub reason: Reject,
    /// Position just after the record.
    pub position: u64,
    /// The beginning of its content.
    pub text: Vec<u8>,
}

/// The first rejected records of each reason.
#[derive(Default)]
pub(super) struct Samples {
    kept: Vec<RejectedSample>,
    per_reason: usize,
}

impl Samples {
    /// Keeps so many of each reason.
    pub(super) fn of(per_reason: usize) -> Self {
        Self { kept: Vec::new(), per_reason }
    }

    /// Keeps the record, which is the `nth` of its reason, if there are not enough of these.
    pub(super) fn keep(&mut self, nth: u64, reason: Reject, body: &[u8], position: u64) {
        if nth <= self.per_reason as u64 {
            let text = body[..body.len().min(SAMPLE_BYTES_MAX)].to_vec();
            self.kept.push(RejectedSample { reason, position, text });
        }
    }

    /// Hands over those that were kept.
    pub(super) fn take(&mut self) -> Vec<RejectedSample> {
        std::mem::take(&mut self.kept)
    }

    /// Takes those of another tally, as far as there is room.
    pub(super) fn absorb(&mut self, other: &mut Self) {
        let room = (self.per_reason * Reject::ALL.len()).saturating_sub(self.kept.len());
        self.kept.extend(other.kept.drain(..).take(room));
    }

    /// Forgets all.
    pub(super) fn clear(&mut self) {
        self.kept.clear();
    }
}
