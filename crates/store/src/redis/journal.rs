//! Reading the journal, a page at a time.
//!
//! A page is only believed if it links to the place before it and contains the end of the journal as
//! it was a moment earlier (or is full before it gets there). The numbers alone say nothing, because
//! they are used again after a rollback.
//!
//! No read in this store is a transaction: a full server refuses to queue even reads, and then nobody
//! could fold, which is what gives memory back. Instead the order of reads does it: what is read first
//! is contained in what is read next.

use ::redis::{Value, cmd, pipe};
use bytes::Bytes;
use logtally_core::journal::{Entry, Mark, follow};
use logtally_core::series::Increments;

use super::keys::Key;
use super::partition::{Head, RedisPartition};
use super::value::{bytes, fixed, list, mark, nonce, number, time_ms, unreadable, word};
use crate::error::StoreError;
use crate::model::Recovering;

/// Entries in one page: the server answers one command without doing anything else, and 16 entries of
/// the usual largest size are 8 MiB.
const PAGE_ENTRIES: usize = 16;

/// Some entries, and what was read just before and after them.
pub(super) struct Page {
    /// Who was recovering, before the head was read: whoever has recovered by then has done so with an
    /// entry up to that head.
    pub recovering: Recovering,
    /// The head, before the entries were read.
    pub head: Head,
    /// The entries after the place that was asked for.
    pub entries: Vec<Entry>,
    /// The place folded to, after the entries were read.
    pub folded_then: Mark,
}

/// The next entries after `after`.
pub(super) async fn page(place: &RedisPartition<'_>, after: Mark) -> Result<Page, StoreError> {
    let mut range = RedisPartition::on("XRANGE", Key::Journal(place.at));
    range.arg(format!("{}-0", after.seq + 1)).arg("+").arg("COUNT").arg(PAGE_ENTRIES);
    let mut pipeline = pipe();
    pipeline.add_command(RedisPartition::on("HVALS", Key::Recovering(place.at)));
    pipeline.add_command(place.head_command()).add_command(range);
    pipeline.add_command(RedisPartition::on("HGET", Key::Head(place.at)).arg("folded").take());
    pipeline.add_command(cmd("TIME"));
    let [reports, head, entries, folded_then, time] =
        fixed(Value::Array(place.link.queries(&pipeline).await?), "a page of the journal")?;
    let entries = list(entries, "the journal")?.into_iter().map(entry_of);
    Ok(Page {
        recovering: recovering_of(reports, time_ms(time)?)?,
        head: place.head(head)?,
        entries: entries.collect::<Result<_, _>>()?,
        folded_then: mark(folded_then, "a head")?,
    })
}

impl Page {
    /// The place reached by the page if it continues `after`; `None` if the chain is broken.
    pub(super) fn reached(&self, after: Mark) -> Option<Mark> {
        let reached = follow(after, &self.entries)?;
        let last = self.head.last;
        let contains_last = last == after || self.entries.iter().any(|e| e.mark == last);
        let full_before = self.entries.len() == PAGE_ENTRIES && reached.seq < last.seq;
        (contains_last || full_before).then_some(reached)
    }

    /// The store's time when the entries had been read.
    pub(super) fn now_ms(&self) -> u64 {
        self.recovering.now_ms
    }
}

/// Reads the reports of `lt:{…}:recovering`.
fn recovering_of(reports: Value, now_ms: u64) -> Result<Recovering, StoreError> {
    let what = "the report of an acknowledged state";
    let mut recovering = Recovering { sources: 0, latest_ms: 0, now_ms };
    for report in list(reports, what)? {
        let report = word(report, what)?;
        let time_ms = report.split(' ').nth(2).and_then(|t| t.parse().ok());
        recovering.sources += 1;
        recovering.latest_ms = recovering.latest_ms.max(time_ms.ok_or_else(|| unreadable(what))?);
    }
    Ok(recovering)
}

fn entry_of(value: Value) -> Result<Entry, StoreError> {
    let [id, fields] = fixed(value, "a journal entry")?;
    let id = word(id, "the id of a journal entry")?;
    let what = format!("journal entry {id}");
    let seq = id.strip_suffix("-0").and_then(|seq| seq.parse().ok());
    // The names are fixed, and so is their order.
    let [_, own_nonce, _, previous, _, time_ms, _, block] = fixed(fields, &what)?;
    let block = bytes(block, &what)?.ok_or_else(|| unreadable(&what))?;
    let increments = Increments::parse_stored(Bytes::from(block))
        .map_err(|e| StoreError::Damaged(format!("{what}: {e}")))?;
    Ok(Entry {
        mark: Mark { seq: seq.ok_or_else(|| unreadable(&what))?, nonce: nonce(own_nonce, &what)? },
        previous: nonce(previous, &what)?,
        time_ms: number(time_ms, &what)?,
        increments,
    })
}
