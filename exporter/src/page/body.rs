//! A page on its way to a client: the shared parts, one after the other, without a copy of them.
//!
//! Must never let go of its turn before everything is sent: so the number of pages in memory is
//! bounded even if each of them is of another version.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::sync::OwnedSemaphorePermit;

use super::snapshot::PageSnapshot;

/// The body of an answer.
pub(crate) struct PageBody {
    page: Arc<PageSnapshot>,
    next: usize,
    left: u64,
    turn: Arc<OwnedSemaphorePermit>,
}

impl PageBody {
    /// A body that keeps a turn until it is sent.
    pub(crate) fn new(page: Arc<PageSnapshot>, turn: OwnedSemaphorePermit) -> Self {
        let left = page.len() as u64;
        Self { page, next: 0, left, turn: Arc::new(turn) }
    }
}

/// A part that is being sent.
struct Taken {
    part: Arc<Vec<u8>>,
    _turn: Arc<OwnedSemaphorePermit>,
}

impl AsRef<[u8]> for Taken {
    fn as_ref(&self) -> &[u8] {
        &self.part
    }
}

impl Body for PageBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(part) = self.page.part(self.next).cloned() else { return Poll::Ready(None) };
        self.next += 1;
        self.left -= part.len() as u64;
        let taken = Taken { part, _turn: Arc::clone(&self.turn) };
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_owner(taken)))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
