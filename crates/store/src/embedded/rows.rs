//! The rows of an embedded store inside one transaction of the database.
//!
//! All tables have one type, so reading is written once for both kinds of transaction.

use std::ops::Range;

use logtally_core::journal::Entry;
use logtally_core::limits::JOURNAL_ROW_BYTES;
use logtally_core::partition::Partition;
use logtally_core::series::Family;
use logtally_core::source::{SourceId, SourceState};
use redb::{ReadOnlyTable, ReadTransaction, ReadableTable, Table, TableError, WriteTransaction};

use super::failure::failure;
use super::layout::{self, Definition};
use crate::error::StoreError;
use crate::identity::{Meta, Root, RootMut, explain_absent_head};
use crate::partition_log::block::Block;
use crate::partition_log::{Head, ReadLimit, Reported, Rows, RowsMut};

/// A table in a transaction that only reads.
pub(super) type ReadTable = ReadOnlyTable<&'static [u8], &'static [u8]>;

/// A table in a transaction that writes.
pub(super) type WriteTable<'txn> = Table<'txn, &'static [u8], &'static [u8]>;

/// What the two have in common.
pub(super) trait Readable: ReadableTable<&'static [u8], &'static [u8]> {}

impl<T: ReadableTable<&'static [u8], &'static [u8]>> Readable for T {}

/// All tables of one transaction.
pub(super) struct Tables<T> {
    meta: T,
    heads: T,
    positions: T,
    families: T,
    journal: T,
    parts: T,
    counts: T,
    recovering: T,
}

impl Tables<ReadTable> {
    pub(super) fn of_read(transaction: &ReadTransaction) -> Result<Self, StoreError> {
        Self::open(|definition| transaction.open_table(definition))
    }
}

impl<'txn> Tables<WriteTable<'txn>> {
    pub(super) fn of_write(transaction: &'txn WriteTransaction) -> Result<Self, StoreError> {
        Self::open(|definition| transaction.open_table(definition))
    }
}

impl<T> Tables<T> {
    fn open(open: impl Fn(Definition) -> Result<T, TableError>) -> Result<Self, StoreError> {
        let open = |definition| open(definition).map_err(failure);
        Ok(Self {
            meta: open(layout::META)?,
            heads: open(layout::HEADS)?,
            positions: open(layout::POSITIONS)?,
            families: open(layout::FAMILIES)?,
            journal: open(layout::JOURNAL)?,
            parts: open(layout::PARTS)?,
            counts: open(layout::COUNTS)?,
            recovering: open(layout::RECOVERING)?,
        })
    }
}

impl<T: Readable> Tables<T> {
    /// The rows of a partition, which has a head.
    pub(super) fn into_part(self, at: Partition) -> Result<Part<T>, StoreError> {
        match self.head_id(at)? {
            Some(_) => Ok(Part { tables: self, at }),
            None => Err(explain_absent_head(&self, at)),
        }
    }

    fn head(&self, at: Partition) -> Result<Option<Head>, StoreError> {
        get(&self.heads, &layout::key(at, b""), layout::decode_head)
    }
}

impl<T: Readable> Root for Tables<T> {
    const LAYOUT: u32 = layout::VERSION;

    fn meta(&self) -> Result<Option<Meta>, StoreError> {
        get(&self.meta, layout::META_KEY, layout::decode_meta)
    }

    fn head_id(&self, at: Partition) -> Result<Option<u64>, StoreError> {
        Ok(self.head(at)?.map(|head| head.state_id))
    }

    fn holds_rows(&self) -> Result<bool, StoreError> {
        let Self { meta: _, heads, positions, families, journal, parts, counts, recovering } = self;
        for table in [heads, positions, families, journal, parts, counts, recovering] {
            if !table.is_empty().map_err(failure)? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl RootMut for Tables<WriteTable<'_>> {
    fn install(&mut self, meta: &Meta) -> Result<(), StoreError> {
        put(&mut self.meta, layout::META_KEY, layout::encode_meta(meta).as_bytes())?;
        let head = layout::encode_head(Head::fresh(meta.state_id));
        for at in (0..meta.partitions).map(Partition) {
            put(&mut self.heads, &layout::key(at, b""), head.as_bytes())?;
        }
        Ok(())
    }
}

/// The rows of one partition.
pub(super) struct Part<T> {
    tables: Tables<T>,
    at: Partition,
}

impl<T> Part<T> {
    fn key(&self, name: &[u8]) -> Vec<u8> {
        layout::key(self.at, name)
    }

    fn source_key(&self, source: &SourceId) -> Vec<u8> {
        self.key(source.as_str().as_bytes())
    }

    /// The keys of this partition from `first` on.
    fn keys_from(&self, first: Vec<u8>) -> Range<Vec<u8>> {
        first..layout::key(Partition(self.at.0 + 1), b"")
    }

    fn keys(&self) -> Range<Vec<u8>> {
        self.keys_from(self.key(b""))
    }
}

impl<T: Readable> Part<T> {
    /// Appends the increments of an entry that its own row does not hold.
    fn read_parts(&self, seq: u64, block: &mut Vec<u8>) -> Result<(), StoreError> {
        let keys = layout::part_key(self.at, seq, 0)..layout::journal_key(self.at, seq + 1);
        each(&self.tables.parts, keys, |_, part| {
            block.extend_from_slice(part);
            Ok(true)
        })
    }
}

impl<T: Readable> Rows for Part<T> {
    fn head(&self) -> Result<Head, StoreError> {
        let head = self.tables.head(self.at)?;
        head.ok_or_else(|| explain_absent_head(&self.tables, self.at))
    }

    fn state(&self, source: &SourceId) -> Result<Option<SourceState>, StoreError> {
        get(&self.tables.positions, &self.source_key(source), decode_state)
    }

    fn sources(&self) -> Result<Vec<(SourceId, SourceState)>, StoreError> {
        self.sources_after(None, usize::MAX)
    }

    fn sources_after(
        &self,
        after: Option<&str>,
        max: usize,
    ) -> Result<Vec<(SourceId, SourceState)>, StoreError> {
        // No name contains the byte, so nothing stands between a name and this.
        let first = after.map(|name| self.key(&[name.as_bytes(), b"\0"].concat()));
        let keys = first.map_or_else(|| self.keys(), |first| self.keys_from(first));
        let mut sources = Vec::new();
        each(&self.tables.positions, keys, |key, value| {
            sources.push((layout::source_of(key)?, decode_state(value)?));
            Ok(sources.len() < max)
        })?;
        Ok(sources)
    }

    fn families(&self) -> Result<Vec<Family>, StoreError> {
        let mut families = Vec::new();
        each(&self.tables.families, self.keys(), |_, value| {
            let family = Family::decode(layout::text("family", value)?);
            families.push(family.map_err(|e| StoreError::Damaged(e.to_string()))?);
            Ok(true)
        })?;
        Ok(families)
    }

    fn entries(&self, after: u64, limit: ReadLimit) -> Result<Vec<Entry>, StoreError> {
        let mut entries = Vec::new();
        let Some(first) = after.checked_add(1) else { return Ok(entries) };
        let keys = self.keys_from(layout::journal_key(self.at, first));
        each(&self.tables.journal, keys, |key, value| {
            let seq = layout::seq_of(key)?;
            let parts = |block: &mut Vec<u8>| self.read_parts(seq, block);
            entries.push(layout::decode_entry(seq, value, parts)?);
            Ok(limit.leaves_room(&entries))
        })?;
        Ok(entries)
    }

    fn oldest(&self) -> Result<Option<u64>, StoreError> {
        let mut oldest = None;
        each(&self.tables.journal, self.keys(), |key, _| {
            oldest = Some(layout::seq_of(key)?);
            Ok(false)
        })?;
        Ok(oldest)
    }

    fn time_of(&self, seq: u64) -> Result<Option<u64>, StoreError> {
        get(&self.tables.journal, &layout::journal_key(self.at, seq), layout::decode_entry_time)
    }

    fn block(&self, hash: u64) -> Result<Option<Block>, StoreError> {
        let (first, last) = (self.key(b""), layout::block_key(self.at, hash));
        let blocks = self.tables.counts.range(first.as_slice()..=last.as_slice());
        let Some(block) = blocks.map_err(failure)?.next_back() else { return Ok(None) };
        let (key, value) = block.map_err(failure)?;
        layout::decode_block(key.value(), value.value()).map(Some)
    }

    fn has_blocks(&self) -> Result<bool, StoreError> {
        let mut found = false;
        each(&self.tables.counts, self.keys(), |_, _| {
            found = true;
            Ok(false)
        })?;
        Ok(found)
    }

    fn blocks(&self) -> Result<Vec<Block>, StoreError> {
        let mut blocks = Vec::new();
        each(&self.tables.counts, self.keys(), |key, value| {
            blocks.push(layout::decode_block(key, value)?);
            Ok(true)
        })?;
        Ok(blocks)
    }

    fn reported(&self, source: &SourceId) -> Result<Option<Reported>, StoreError> {
        get(&self.tables.recovering, &self.source_key(source), layout::decode_reported)
    }

    fn all_reported(&self) -> Result<Vec<Reported>, StoreError> {
        let mut reported = Vec::new();
        each(&self.tables.recovering, self.keys(), |_, value| {
            reported.push(layout::decode_reported(value)?);
            Ok(true)
        })?;
        Ok(reported)
    }
}

impl RowsMut for Part<WriteTable<'_>> {
    fn put_head(&mut self, head: Head) -> Result<(), StoreError> {
        let key = self.key(b"");
        put(&mut self.tables.heads, &key, layout::encode_head(head).as_bytes())
    }

    fn put_state(&mut self, source: &SourceId, state: SourceState) -> Result<(), StoreError> {
        let key = self.source_key(source);
        put(&mut self.tables.positions, &key, state.encode().as_bytes())
    }

    fn remove_state(&mut self, source: &SourceId) -> Result<(), StoreError> {
        let key = self.source_key(source);
        remove(&mut self.tables.positions, &key)
    }

    fn add_family(&mut self, family: &Family) -> Result<(), StoreError> {
        let key = self.key(family.id().as_bytes());
        match get(&self.tables.families, &key, |_| Ok(()))? {
            Some(()) => Ok(()),
            None => put(&mut self.tables.families, &key, family.encode().as_bytes()),
        }
    }

    fn append(&mut self, entry: Entry) -> Result<(), StoreError> {
        let key = layout::journal_key(self.at, entry.mark.seq);
        let head = layout::entry_head(&entry);
        let mut parts = entry.increments.as_bytes().chunks(JOURNAL_ROW_BYTES);
        put_parts(&mut self.tables.journal, &key, &head, parts.next().unwrap_or_default())?;
        for (part, number) in parts.zip(1..) {
            let key = layout::part_key(self.at, entry.mark.seq, number);
            put_parts(&mut self.tables.parts, &key, &[], part)?;
        }
        Ok(())
    }

    fn remove_entry(&mut self, seq: u64) -> Result<(), StoreError> {
        let key = layout::journal_key(self.at, seq);
        let bytes = get(&self.tables.journal, &key, layout::entry_bytes)?.unwrap_or(0);
        for number in 1..bytes.div_ceil(JOURNAL_ROW_BYTES as u64) {
            remove(&mut self.tables.parts, &layout::part_key(self.at, seq, number as u32))?;
        }
        remove(&mut self.tables.journal, &key)
    }

    fn put_block(&mut self, block: Block) -> Result<(), StoreError> {
        let key = layout::block_key(self.at, block.lower);
        put_parts(&mut self.tables.counts, &key, &layout::block_head(&block), &block.rows)
    }

    fn remove_block(&mut self, lower: u64) -> Result<(), StoreError> {
        remove(&mut self.tables.counts, &layout::block_key(self.at, lower))
    }

    fn put_reported(&mut self, source: &SourceId, reported: Reported) -> Result<(), StoreError> {
        let key = self.source_key(source);
        put(&mut self.tables.recovering, &key, layout::encode_reported(reported).as_bytes())
    }

    fn remove_reported(&mut self, source: &SourceId) -> Result<(), StoreError> {
        let key = self.source_key(source);
        remove(&mut self.tables.recovering, &key)
    }
}

fn decode_state(value: &[u8]) -> Result<SourceState, StoreError> {
    let text = layout::text("position", value)?;
    SourceState::decode(text).map_err(|e| StoreError::Damaged(e.to_string()))
}

fn get<R>(
    table: &impl Readable,
    key: &[u8],
    decode: impl FnOnce(&[u8]) -> Result<R, StoreError>,
) -> Result<Option<R>, StoreError> {
    table.get(key).map_err(failure)?.map(|value| decode(value.value())).transpose()
}

fn put(table: &mut WriteTable<'_>, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
    table.insert(key, value).map(drop).map_err(failure)
}

/// Writes a value in two parts, without joining them first.
fn put_parts(
    table: &mut WriteTable<'_>,
    key: &[u8],
    head: &[u8],
    rest: &[u8],
) -> Result<(), StoreError> {
    let mut value = table.insert_reserve(key, head.len() + rest.len()).map_err(failure)?;
    let (first, second) = value.as_mut().split_at_mut(head.len());
    first.copy_from_slice(head);
    second.copy_from_slice(rest);
    Ok(())
}

fn remove(table: &mut WriteTable<'_>, key: &[u8]) -> Result<(), StoreError> {
    table.remove(key).map(drop).map_err(failure)
}

/// Visits rows in the order of their keys, until `visit` says that it wants no more.
fn each(
    table: &impl Readable,
    keys: Range<Vec<u8>>,
    mut visit: impl FnMut(&[u8], &[u8]) -> Result<bool, StoreError>,
) -> Result<(), StoreError> {
    let rows = table.range(keys.start.as_slice()..keys.end.as_slice()).map_err(failure)?;
    for row in rows {
        let (key, value) = row.map_err(failure)?;
        if !visit(key.value(), value.value())? {
            break;
        }
    }
    Ok(())
}
