//! The producer as its callers see it. Only hands over; the link does the work in a task of its own.

use std::sync::Arc;

use bytes::Bytes;
use logtally_core::limits::{POSITION_MAX, PUSH_BYTES_MAX};
use tokio::task::JoinHandle;

use crate::error::Error;
use crate::link::Link;
use crate::options::Options;
use crate::state::{Shared, State};
use crate::summary::{Acknowledged, Resumed, Summary};

/// Pushes records to an ingest, in order.
///
/// May be used by several tasks at once; each record is whole, in any order between the tasks. What was
/// pushed and not flushed when it is dropped may or may not be counted.
#[derive(Debug)]
pub struct Producer {
    shared: Arc<Shared>,
    resumed: Resumed,
    link: JoinHandle<()>,
}

impl Producer {
    /// Opens the producer: from now on, whoever opened it before cannot push any more. Tries until an
    /// ingest answers, or [`Options::give_up`] is over. Without a name there is nothing to open, and
    /// the first record is what connects.
    ///
    /// # Panics
    ///
    /// When called outside of a tokio runtime.
    pub async fn open(options: Options) -> Result<Self, Error> {
        let mut link = Link::new(&options)?;
        let producer = link.producer().cloned();
        let state = |opened| Shared::new(State::new(&options, producer.clone(), opened));
        let opened = match link.open().await? {
            Ok(opened) => opened,
            Err(fault) => return Err(state(crate::state::Opened::default()).fatal(fault)),
        };
        let shared = Arc::new(state(opened));
        let link = tokio::spawn(link.run(Arc::clone(&shared)));
        Ok(Self { shared, resumed: opened.resumed, link })
    }

    /// How far it was counted when it was opened: go on behind that.
    pub fn resumed(&self) -> Resumed {
        self.resumed
    }

    /// Adds a record, and a newline if it lacks one. Records are gathered into messages, and never
    /// split. Waits while the memory for them is full.
    ///
    /// Cancel safe: it has either taken the record or not, and not if it was cancelled.
    pub async fn push(&self, record: &[u8]) -> Result<(), Error> {
        self.shared.push_record(record).await
    }

    /// Adds a message as it is: records, each ended by a newline, and a note that comes back with
    /// [`Self::resumed`] if this is the last message that is counted. Waits while the memory is full.
    ///
    /// Cancel safe, as [`Self::push`].
    pub async fn push_block(&self, records: Bytes, note: Option<u64>) -> Result<(), Error> {
        if records.is_empty() {
            return Err(Error::empty());
        }
        if records.len() > PUSH_BYTES_MAX {
            return Err(Error::too_large(records.len()));
        }
        if let Some(note) = note.filter(|note| *note > POSITION_MAX) {
            return Err(Error::Record { text: format!("the note {note} is not below 2^53") });
        }
        self.shared.push_message(records, note).await
    }

    /// Waits until everything that was pushed before is acknowledged.
    pub async fn flush(&self) -> Result<Summary, Error> {
        self.shared.flush().await
    }

    /// What became of what was pushed, as far as it is acknowledged.
    pub fn summary(&self) -> Summary {
        self.shared.summary()
    }

    /// How far it is acknowledged.
    pub fn acknowledged(&self) -> Acknowledged {
        self.shared.acknowledged()
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        self.link.abort();
    }
}
