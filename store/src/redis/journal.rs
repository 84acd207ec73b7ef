//! Reading the journal, a page at a time, together with the head of the same moment.
//!
//! A page is only believed if it links to the place before it and leads to the head; the numbers alone
//! say nothing, because they are used again after a rollback.

use ::redis::{Cmd, Value, cmd, pipe};
use bytes::Bytes;
use logtally_core::journal::{Entry, Mark, follow};
use logtally_core::series::Increments;

use super::keys::Key;
use super::place::{Head, Place};
use super::value::{bytes, fixed, list, nonce, number, time_ms, unreadable, word};
use crate::{Recovering, StoreError};

/// Entries in one page: the server answers one command without doing anything else, and 16 entries of
/// the usual largest size are 8 MiB.
const PAGE_ENTRIES: usize = 16;

/// Some entries, and what else was read in the same moment.
pub(super) struct Page {
    /// The head.
    pub head: Head,
    /// The entries after the place that was asked for.
    pub entries: Vec<Entry>,
    /// The store's time.
    pub now_ms: u64,
    /// Replies to the additional commands.
    pub more: Vec<Value>,
}

impl Place<'_> {
    /// The next entries after `after`, and the replies to further commands, in one atomic step.
    pub async fn page(&self, after: Mark, further: &[Cmd]) -> Result<Page, StoreError> {
        let mut range = Self::on("XRANGE", Key::Journal(self.at));
        range.arg(format!("{}-0", after.seq + 1)).arg("+").arg("COUNT").arg(PAGE_ENTRIES);
        let mut pipeline = pipe();
        pipeline.atomic().add_command(self.head_command()).add_command(range);
        pipeline.add_command(cmd("TIME"));
        for command in further {
            pipeline.add_command(command.clone());
        }
        let (head, replies) = self.with_head(&pipeline).await?;
        let mut replies = replies.into_iter();
        let entries = list(replies.next().unwrap_or_default(), "the journal")?;
        Ok(Page {
            head,
            entries: entries.into_iter().map(entry_of).collect::<Result<_, _>>()?,
            now_ms: time_ms(replies.next().unwrap_or_default())?,
            more: replies.collect(),
        })
    }

    /// The command whose reply [`recovering_of`] reads.
    pub fn recovering_command(&self) -> Cmd {
        Self::on("HVALS", Key::Recovering(self.at))
    }
}

impl Page {
    /// The place reached by the page if it continues `after`; `None` if the chain is broken.
    pub fn reached(&self, after: Mark) -> Option<Mark> {
        let reached = follow(after, &self.entries)?;
        let more_to_come = self.entries.len() == PAGE_ENTRIES;
        let below_head = more_to_come && reached.seq < self.head.last.seq;
        (below_head || reached == self.head.last).then_some(reached)
    }
}

/// Reads the reports of `lt:{…}:recovering`.
pub(super) fn recovering_of(reports: Value, now_ms: u64) -> Result<Recovering, StoreError> {
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
    let increments = Increments::parse(Bytes::from(block))
        .map_err(|e| StoreError::Damaged(format!("{what}: {e}")))?;
    Ok(Entry {
        mark: Mark { seq: seq.ok_or_else(|| unreadable(&what))?, nonce: nonce(own_nonce, &what)? },
        previous: nonce(previous, &what)?,
        time_ms: number(time_ms, &what)?,
        increments,
    })
}
