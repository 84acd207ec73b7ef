//! How much a file has: what was seen of its size, what was read, and what a truncation loses.

use crate::content::Compression;
use crate::discover::Stamp;

/// What is known of the bytes of a source.
///
/// The size of a compressed file says nothing about the bytes in it, so it is not used.
pub(crate) struct FileExtent {
    compression: Option<Compression>,
    /// Stamp of the file when its end was last reached.
    read_stamp: Option<Stamp>,
    /// Bytes of an incomplete last record.
    pending: u64,
    /// Size when last seen, for the lag.
    size: u64,
    /// The largest size seen since the content was last found to be another one: bytes below it that
    /// were not read before a truncation are lost.
    largest: u64,
}

impl FileExtent {
    /// A source whose file has this size; nothing of it was read yet.
    pub(crate) fn new(compression: Option<Compression>, size: u64) -> Self {
        let size = if compression.is_none() { size } else { 0 };
        Self { compression, read_stamp: None, pending: 0, size, largest: 0 }
    }

    /// How the file is compressed.
    pub(crate) fn compression(&self) -> Option<Compression> {
        self.compression
    }

    /// The size, as far as it is known.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Notes the size of the file.
    pub(crate) fn note_size(&mut self, size: u64) {
        if self.compression.is_none() {
            self.size = size;
        }
    }

    /// Notes the stamp of the file, and says what that means.
    pub(crate) fn note_stamp(&mut self, stamp: Stamp) -> StampNews {
        if self.compression.is_none() {
            self.largest = self.largest.max(stamp.size);
        }
        match self.read_stamp {
            Some(known) if known == stamp => StampNews::Same,
            Some(_) => StampNews::Changed,
            None => StampNews::Unread,
        }
    }

    /// Notes that everything up to `position` was read, except for `pending` bytes after it that are
    /// an incomplete record.
    pub(crate) fn note_read(&mut self, position: u64, pending: u64) {
        self.pending = pending;
        self.size = self.size.max(position + pending);
        self.largest = self.largest.max(self.size);
    }

    /// Notes that the end was reached. `stamp` was taken before the read, so what was appended during
    /// it shows as a change.
    pub(crate) fn note_end(&mut self, stamp: Option<Stamp>) {
        self.read_stamp = stamp;
    }

    /// Notes that the file could not be read. What is damaged, and what cannot be unpacked, stays so
    /// until the file changes; anything else is tried again at the next discovery.
    pub(crate) fn note_failure(&mut self, stamp: Option<Stamp>, is_damaged: bool) {
        let wait_for_change = is_damaged || self.compression.is_some();
        self.read_stamp = if wait_for_change { stamp } else { None };
    }

    /// The content was found to be another one: how many bytes were seen of the one before and not
    /// read. copytruncate loses what was written between the copy and the truncation, and more if
    /// the reader was behind.
    pub(crate) fn take_lost(&mut self, read_to: u64) -> u64 {
        let largest = std::mem::take(&mut self.largest);
        self.size = 0;
        largest.saturating_sub(read_to)
    }

    /// Whether the end has been reached since the last problem.
    pub(crate) fn has_reached_end(&self) -> bool {
        self.read_stamp.is_some()
    }

    /// Whether the file was read to its end when it had this stamp.
    pub(crate) fn is_read_as(&self, stamp: Stamp) -> bool {
        self.read_stamp == Some(stamp)
    }

    /// Whether a last record waits for its end.
    pub(crate) fn has_incomplete_record(&self) -> bool {
        self.pending > 0
    }
}

/// What the stamp of a file says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum StampNews {
    /// Nothing has changed since the end was reached.
    Same,
    /// Something has changed since then.
    Changed,
    /// The end has not been reached yet.
    Unread,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(size: u64) -> Stamp {
        Stamp { size, modified: (0, 0) }
    }

    #[test]
    fn a_truncation_loses_what_was_seen_and_not_read() {
        let mut file = FileExtent::new(None, 0);
        file.note_stamp(stamp(100));
        file.note_stamp(stamp(20));
        assert_eq!(file.take_lost(30), 70, "the largest size counts");
        assert_eq!(file.take_lost(0), 0, "it is reported once");
        file.note_read(40, 5);
        assert_eq!(file.take_lost(40), 5, "an incomplete record was seen");
        assert_eq!(file.size(), 0);
    }

    #[test]
    fn the_size_of_a_compressed_file_says_nothing() {
        let mut file = FileExtent::new(Some(Compression::Gzip), 100);
        file.note_size(100);
        file.note_stamp(stamp(100));
        assert_eq!((file.size(), file.take_lost(0)), (0, 0));
    }

    #[test]
    fn only_a_new_stamp_is_news() {
        let mut file = FileExtent::new(None, 0);
        assert_eq!(file.note_stamp(stamp(1)), StampNews::Unread);
        file.note_end(Some(stamp(1)));
        assert_eq!(file.note_stamp(stamp(1)), StampNews::Same);
        assert_eq!(file.note_stamp(stamp(2)), StampNews::Changed);
        assert!(file.is_read_as(stamp(1)) && !file.is_read_as(stamp(2)));
    }

    #[test]
    fn damage_is_looked_at_again_when_the_file_changes_and_other_failures_always() {
        let check = |compression, is_damaged, expected| {
            let mut file = FileExtent::new(compression, 0);
            file.note_failure(Some(stamp(1)), is_damaged);
            assert_eq!(file.note_stamp(stamp(1)), expected);
        };
        check(None, true, StampNews::Same);
        check(None, false, StampNews::Unread);
        check(Some(Compression::Zstd), false, StampNews::Same);
    }
}
