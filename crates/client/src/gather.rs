//! Records on their way into a message. Never splits one.

use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use logtally_core::limits::PUSH_BYTES_MAX;
use tokio::time::Instant;

use crate::error::Error;

/// Records that wait for others.
#[derive(Debug)]
pub(crate) struct Gather {
    target: usize,
    linger: Duration,
    records: BytesMut,
    due: Option<Instant>,
}

impl Gather {
    pub(crate) fn new(target: usize, linger: Duration) -> Self {
        Self { target, linger, records: BytesMut::new(), due: None }
    }

    /// The length of a record in a message, if it fits one.
    pub(crate) fn length(record: &[u8]) -> Result<usize, Error> {
        let length = record.len() + usize::from(!record.ends_with(b"\n"));
        if length > PUSH_BYTES_MAX { Err(Error::too_large(length)) } else { Ok(length) }
    }

    /// Adds a record, and its line end if it lacks one. What waited is first, if both are too much for
    /// one message.
    pub(crate) fn add(&mut self, record: &[u8], now: Instant) -> Option<Bytes> {
        let full = self.records.len() + record.len() + 1 > self.target;
        let before = if full { self.take() } else { None };
        self.records.extend_from_slice(record);
        if !record.ends_with(b"\n") {
            self.records.put_u8(b'\n');
        }
        self.due.get_or_insert(now + self.linger);
        before
    }

    /// What waits, if it has waited long enough or is enough.
    pub(crate) fn take_due(&mut self, now: Instant) -> Option<Bytes> {
        let due = self.due.is_some_and(|due| due <= now) || self.records.len() >= self.target;
        if due { self.take() } else { None }
    }

    /// What waits.
    pub(crate) fn take(&mut self) -> Option<Bytes> {
        self.due = None;
        (!self.records.is_empty()).then(|| self.records.split().freeze())
    }

    /// When it will have waited long enough.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.due
    }

    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_ended_and_never_split() {
        let now = Instant::now();
        let mut gather = Gather::new(8, Duration::from_secs(1));
        assert_eq!(gather.add(b"abc", now), None);
        assert_eq!(gather.add(b"de\n", now), None);
        assert_eq!(gather.add(b"fgh", now).as_deref(), Some(&b"abc\nde\n"[..]));
        assert_eq!(gather.take_due(now), None, "neither late nor enough");
        assert_eq!(gather.add(b"longer than a message", now).as_deref(), Some(&b"fgh\n"[..]));
        let alone = gather.take_due(now);
        assert_eq!(alone.as_deref(), Some(&b"longer than a message\n"[..]), "enough");
    }

    #[test]
    fn records_wait_no_longer_than_the_first_of_them_may() {
        let now = Instant::now();
        let mut gather = Gather::new(100, Duration::from_secs(1));
        gather.add(b"a", now);
        gather.add(b"b", now + Duration::from_millis(900));
        assert_eq!(gather.due(), Some(now + Duration::from_secs(1)));
        assert_eq!(gather.take_due(now + Duration::from_secs(1)).as_deref(), Some(&b"a\nb\n"[..]));
        assert_eq!((gather.due(), gather.take()), (None, None));
    }
}
