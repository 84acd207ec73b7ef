//! The producer for code without tokio: the same one, with a thread of its own that does its work.

use bytes::Bytes;
use tokio::runtime::{Builder, Runtime};

use crate::error::Error;
use crate::options::Options;
use crate::producer::Producer;
use crate::summary::{Acknowledged, Resumed, Summary};

/// A [`Producer`] whose calls block. Must not be used inside of an asynchronous runtime.
#[derive(Debug)]
pub struct BlockingProducer {
    // Before the runtime, which must outlive it.
    producer: Producer,
    runtime: Runtime,
}

impl BlockingProducer {
    /// As [`Producer::open`].
    pub fn open(options: Options) -> Result<Self, Error> {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.map_err(|error| Error::Runtime { text: error.to_string() })?;
        let producer = runtime.block_on(Producer::open(options))?;
        Ok(Self { producer, runtime })
    }

    /// As [`Producer::resumed`].
    pub fn resumed(&self) -> Resumed {
        self.producer.resumed()
    }

    /// As [`Producer::push`].
    pub fn push(&self, record: &[u8]) -> Result<(), Error> {
        self.runtime.block_on(self.producer.push(record))
    }

    /// As [`Producer::push_block`].
    pub fn push_block(&self, records: Bytes, note: Option<u64>) -> Result<(), Error> {
        self.runtime.block_on(self.producer.push_block(records, note))
    }

    /// As [`Producer::flush`].
    pub fn flush(&self) -> Result<Summary, Error> {
        self.runtime.block_on(self.producer.flush())
    }

    /// As [`Producer::summary`].
    pub fn summary(&self) -> Summary {
        self.producer.summary()
    }

    /// As [`Producer::acknowledged`].
    pub fn acknowledged(&self) -> Acknowledged {
        self.producer.acknowledged()
    }
}
