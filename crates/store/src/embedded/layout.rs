//! The stored layout: every table, and how its keys and values are written.
//!
//! | table | key | value |
//! | --- | --- | --- |
//! | [`META`] | `meta` | `layout hash state-id partitions created-ms` |
//! | [`HEADS`] | partition | `state-id last-seq last-nonce folded-seq folded-nonce last-time-ms` |
//! | [`POSITIONS`] | partition, source | the text form of a source's state |
//! | [`FAMILIES`] | partition, family id | the JSON form of a family |
//! | [`JOURNAL`] | partition, sequence number | nonce, previous nonce, time in ms, bytes of the increments, the first of them |
//! | [`PARTS`] | partition, sequence number, number of the part | more bytes of the increments of a large entry |
//! | [`COUNTS`] | partition, hash that the block begins at | hash that the next one begins at (0 for none), packed rows: see `counts` and `partition_log::block` |
//! | [`RECOVERING`] | partition, source | `generation position time-ms` of the latest report |
//!
//! Keys begin with the partition in two bytes, so that a partition is one range of every table.
//! Numbers in keys, and in front of the increments and rows of values, are big-endian, eight bytes each; the small tables
//! hold text, ids and nonces in 16 hexadecimal digits. Nothing here touches the database.
//!
//! A change of anything here needs another [`VERSION`], and a way for old stores to get there.

use bytes::Bytes;
use logtally_core::journal::{Entry, Mark, Nonce};
use logtally_core::partition::Partition;
use logtally_core::series::Increments;
use logtally_core::source::{Generation, SourceId};
use redb::TableDefinition;

use crate::error::StoreError;
use crate::identity::Meta;
use crate::partition_log::block::Block;
use crate::partition_log::{Head, Reported};

/// Version of this layout.
pub(super) const VERSION: u32 = 3;

/// All tables have this type: order is the order of the key's bytes.
pub(super) type Definition = TableDefinition<'static, &'static [u8], &'static [u8]>;

/// Who the store is.
pub(super) const META: Definition = Definition::new("meta");
/// Where each partition's journal stands.
pub(super) const HEADS: Definition = Definition::new("heads");
/// How far each source is counted.
pub(super) const POSITIONS: Definition = Definition::new("positions");
/// What the series are called.
pub(super) const FAMILIES: Definition = Definition::new("families");
/// Commits that are not folded, or were a moment ago.
pub(super) const JOURNAL: Definition = Definition::new("journal");
/// What does not fit into the rows of the journal.
pub(super) const PARTS: Definition = Definition::new("parts");
/// What is folded.
pub(super) const COUNTS: Definition = Definition::new("counts");
/// Sources that are behind what was acknowledged.
pub(super) const RECOVERING: Definition = Definition::new("recovering");

/// Every table.
pub(super) const ALL: [Definition; 8] =
    [META, HEADS, POSITIONS, FAMILIES, JOURNAL, PARTS, COUNTS, RECOVERING];

/// Bytes of an entry for which memory is made at once, whatever its row says.
const ENTRY_BYTES_SANE: usize = 1 << 30;

/// The one key of [`META`].
pub(super) const META_KEY: &[u8] = b"meta";

/// Bytes of a partition in a key.
pub(super) const PARTITION_BYTES: usize = 2;

/// The key of `name` in a partition; the partition's own key for an empty name, which is also the
/// lowest key of its range.
pub(super) fn key(at: Partition, name: &[u8]) -> Vec<u8> {
    [&at.0.to_be_bytes(), name].concat()
}

/// The source in a key of the positions.
pub(super) fn source_of(key: &[u8]) -> Result<SourceId, StoreError> {
    let name = text("position key", key.get(PARTITION_BYTES..).unwrap_or_default())?;
    SourceId::new(name).map_err(|e| StoreError::Damaged(format!("position key: {e}")))
}

/// The key of a journal entry.
pub(super) fn journal_key(at: Partition, seq: u64) -> Vec<u8> {
    key(at, &seq.to_be_bytes())
}

/// The key of a part of a journal entry.
pub(super) fn part_key(at: Partition, seq: u64, part: u32) -> Vec<u8> {
    [&journal_key(at, seq)[..], &part.to_be_bytes()].concat()
}

/// The sequence number in a key of the journal.
pub(super) fn seq_of(key: &[u8]) -> Result<u64, StoreError> {
    let seq = key.get(PARTITION_BYTES..).and_then(|seq| seq.try_into().ok());
    seq.map(u64::from_be_bytes).ok_or_else(|| unreadable("journal key", key))
}

pub(super) fn encode_meta(meta: &Meta) -> String {
    let Meta { layout, hash, state_id, partitions, created_ms } = meta;
    format!("{layout} {hash} {state_id:016x} {partitions} {created_ms}")
}

pub(super) fn decode_meta(value: &[u8]) -> Result<Meta, StoreError> {
    let mut words = Words::of("meta", value);
    let meta = Meta {
        layout: words.number()?,
        hash: words.number()?,
        state_id: words.hex()?,
        partitions: words.number()?,
        created_ms: words.number()?,
    };
    words.end(meta)
}

pub(super) fn encode_head(head: Head) -> String {
    let Head { state_id, last, folded, time_ms } = head;
    format!("{state_id:016x} {} {} {time_ms}", last.encode(), folded.encode())
}

pub(super) fn decode_head(value: &[u8]) -> Result<Head, StoreError> {
    let mut words = Words::of("head", value);
    let head = Head {
        state_id: words.hex()?,
        last: words.mark()?,
        folded: words.mark()?,
        time_ms: words.number()?,
    };
    words.end(head)
}

pub(super) fn encode_reported(reported: Reported) -> String {
    let Reported { generation, position, time_ms } = reported;
    format!("{:016x} {position} {time_ms}", generation.0)
}

pub(super) fn decode_reported(value: &[u8]) -> Result<Reported, StoreError> {
    let mut words = Words::of("report", value);
    let reported = Reported {
        generation: Generation(words.hex()?),
        position: words.number()?,
        time_ms: words.number()?,
    };
    words.end(reported)
}

/// The key of a block of counts.
pub(super) fn block_key(at: Partition, lower: u64) -> Vec<u8> {
    key(at, &lower.to_be_bytes())
}

/// What stands before the rows of a block.
pub(super) fn block_head(block: &Block) -> [u8; 8] {
    block.upper.unwrap_or(0).to_be_bytes()
}

pub(super) fn decode_block(key: &[u8], value: &[u8]) -> Result<Block, StoreError> {
    let lower = key.get(PARTITION_BYTES..).and_then(|hash| hash.try_into().ok());
    let Some((lower, ([upper], rows))) = lower.map(u64::from_be_bytes).zip(numbers(value)) else {
        return Err(unreadable("block of counts", key));
    };
    let upper = (upper > 0).then_some(upper);
    Ok(Block { lower, upper, rows: Bytes::copy_from_slice(rows) })
}

/// What stands before the increments of a journal entry.
pub(super) fn entry_head(entry: &Entry) -> [u8; 32] {
    let mut head = [0; 32];
    let bytes = entry.increments.len() as u64;
    let numbers = [entry.mark.nonce.0, entry.previous.0, entry.time_ms, bytes];
    head.copy_from_slice(numbers.map(u64::to_be_bytes).as_flattened());
    head
}

/// The time of an entry, without reading the rest.
pub(super) fn decode_entry_time(value: &[u8]) -> Result<u64, StoreError> {
    match numbers(value) {
        Some(([_, _, time_ms, _], _)) => Ok(time_ms),
        None => Err(unreadable("journal entry", value)),
    }
}

/// How many bytes of increments an entry has, of which the value of its row holds the first ones.
pub(super) fn entry_bytes(value: &[u8]) -> Result<u64, StoreError> {
    match numbers(value) {
        Some(([_, _, _, bytes], _)) => Ok(bytes),
        None => Err(unreadable("journal entry", value)),
    }
}

/// Reads an entry. `rest` appends what its parts hold, if the value of its row is not all of it.
pub(super) fn decode_entry(
    seq: u64,
    value: &[u8],
    rest: impl FnOnce(&mut Vec<u8>) -> Result<(), StoreError>,
) -> Result<Entry, StoreError> {
    let Some(([nonce, previous, time_ms, bytes], first)) = numbers(value) else {
        return Err(unreadable("journal entry", value));
    };
    let mut block = Vec::with_capacity((bytes as usize).min(ENTRY_BYTES_SANE));
    block.extend_from_slice(first);
    if (block.len() as u64) < bytes {
        rest(&mut block)?;
    }
    if block.len() as u64 != bytes {
        return Err(StoreError::Damaged(format!("a part of journal entry {seq} is gone")));
    }
    let increments = Increments::parse_stored(block.into())
        .map_err(|e| StoreError::Damaged(format!("journal entry {seq}: {e}")))?;
    let mark = Mark { seq, nonce: Nonce(nonce) };
    Ok(Entry { mark, previous: Nonce(previous), time_ms, increments })
}

/// The text of a value that is text.
pub(super) fn text<'a>(what: &str, value: &'a [u8]) -> Result<&'a str, StoreError> {
    std::str::from_utf8(value).map_err(|_| unreadable(what, value))
}

/// The first `N` numbers of a value, and the rest.
pub(super) fn numbers<const N: usize>(value: &[u8]) -> Option<([u64; N], &[u8])> {
    let (head, rest) = value.split_at_checked(8 * N)?;
    let (words, _) = head.as_chunks::<8>();
    let mut numbers = [0; N];
    for (number, word) in numbers.iter_mut().zip(words) {
        *number = u64::from_be_bytes(*word);
    }
    Some((numbers, rest))
}

/// The words of a value that is text.
struct Words<'a> {
    what: &'static str,
    value: &'a [u8],
    rest: std::str::Split<'a, char>,
}

impl<'a> Words<'a> {
    fn of(what: &'static str, value: &'a [u8]) -> Self {
        // What is not UTF-8 has no words, and the first one asked for is missing.
        Self { what, value, rest: std::str::from_utf8(value).unwrap_or_default().split(' ') }
    }

    fn unreadable(&self) -> StoreError {
        unreadable(self.what, self.value)
    }

    fn number<T: std::str::FromStr>(&mut self) -> Result<T, StoreError> {
        let word = self.rest.next().and_then(|word| word.parse().ok());
        word.ok_or_else(|| self.unreadable())
    }

    fn hex(&mut self) -> Result<u64, StoreError> {
        let word = self.rest.next().and_then(|word| u64::from_str_radix(word, 16).ok());
        word.ok_or_else(|| self.unreadable())
    }

    fn mark(&mut self) -> Result<Mark, StoreError> {
        Ok(Mark { seq: self.number()?, nonce: Nonce(self.hex()?) })
    }

    fn end<T>(mut self, value: T) -> Result<T, StoreError> {
        if self.rest.next().is_some() { Err(self.unreadable()) } else { Ok(value) }
    }
}

pub(super) fn unreadable(what: &str, value: &[u8]) -> StoreError {
    let start = &value[..value.len().min(80)];
    StoreError::Damaged(format!("unreadable {what}: {:?}", String::from_utf8_lossy(start)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const P: Partition = Partition(0x0102);

    /// Checks the stored bytes, and that they are read as what was written.
    fn check<T: PartialEq + std::fmt::Debug>(
        stored: impl AsRef<[u8]>,
        pinned: &[u8],
        decode: impl Fn(&[u8]) -> Result<T, StoreError>,
        written: &T,
    ) {
        assert_eq!(stored.as_ref(), pinned);
        assert_eq!(&decode(pinned).expect("readable"), written);
        for cut in [&pinned[..pinned.len() - 1], &[pinned, b" 1"].concat()[..]] {
            assert!(!decode(cut).is_ok_and(|read| read == *written), "{cut:?}");
        }
        assert!(matches!(decode(b""), Err(StoreError::Damaged(_))));
    }

    #[test]
    fn keys_are_pinned() {
        assert_eq!(key(P, b""), b"\x01\x02");
        assert_eq!(key(P, b"file/local/1a"), b"\x01\x02file/local/1a");
        assert_eq!(journal_key(P, 0x0304), b"\x01\x02\0\0\0\0\0\0\x03\x04");
        assert_eq!(seq_of(&journal_key(P, 0x0304)).expect("readable"), 0x0304);
        assert!(seq_of(b"\x01\x02\0").is_err());
        assert!(journal_key(P, 0xff) < journal_key(P, 0x100), "order of bytes is order of numbers");
    }

    #[test]
    fn texts_are_pinned() {
        let meta = Meta { layout: 3, hash: 1, state_id: 0xabc, partitions: 4, created_ms: 17 };
        check(encode_meta(&meta), b"3 1 0000000000000abc 4 17", decode_meta, &meta);
        let last = Mark { seq: 12, nonce: Nonce(0xdef) };
        let folded = Mark { seq: 9, nonce: Nonce(0x12) };
        let head = Head { state_id: 0xabc, last, folded, time_ms: 99 };
        let pinned = b"0000000000000abc 12 0000000000000def 9 0000000000000012 99";
        check(encode_head(head), pinned, decode_head, &head);
        let reported = Reported { generation: Generation(7), position: 42, time_ms: 17 };
        check(encode_reported(reported), b"0000000000000007 42 17", decode_reported, &reported);
    }

    #[test]
    fn numbers_are_pinned() {
        let increments = Increments::pack([(b"gabcdef\0a".as_slice(), 5)]);
        let mark = Mark { seq: 6, nonce: Nonce(1) };
        let entry = Entry { mark, previous: Nonce(2), time_ms: 3, increments };
        let pinned =
            b"\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\x03\0\0\0\0\0\0\0\x0c\x01\x09gabcdef\0a\x05";
        let stored = [&entry_head(&entry), entry.increments.as_bytes().as_ref()].concat();
        check(stored, pinned, |value| decode_entry(6, value, |_| Ok(())), &entry);
        let (small, large) = (part_key(P, 2, 1), part_key(P, 2, 2));
        assert_eq!(small, b"\x01\x02\0\0\0\0\0\0\0\x02\0\0\0\x01");
        assert!(small < large && large < part_key(P, 3, 1));
        assert_eq!(decode_entry_time(pinned).expect("readable"), 3);
    }
}
