//! Pushes one file, from where its last push ended to its end. Blocks; runs on a thread of its own.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::BytesMut;
use logtally_client::{Error, Guarantee, Options, Producer, Summary};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::cut::{Cutter, Hints};
use super::input::{Input, STDIN};

/// How often a store may lose what was acknowledged before a file is given up.
const LOSSES_MAX: u32 = 10;

/// How often the progress is looked at while the rest is awaited.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// One file, or standard input.
#[derive(Clone, Debug)]
pub(crate) struct FilePush {
    /// Its path, or `-`.
    pub(crate) file: String,
    /// How it is pushed, the producer included.
    pub(crate) options: Options,
    /// Whether its first line is a header; unknown without a value.
    pub(crate) header: Option<bool>,
}

/// How far a job is.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// The offset up to which it was counted before.
    pub(crate) resumed_at: AtomicU64,
    /// The offset up to which it is counted.
    pub(crate) acknowledged: AtomicU64,
}

/// What became of a job.
#[derive(Clone, Debug)]
pub(crate) struct Done {
    /// What was acknowledged, if anything was sent.
    pub(crate) summary: Option<Summary>,
    /// Why there is no more.
    pub(crate) error: Option<String>,
}

/// Pushes everything that is not counted yet.
pub(crate) fn push(job: &FilePush, progress: &Progress, shutdown: &CancellationToken) -> Done {
    let mut summary = None;
    for losses in 0.. {
        let stream = Stream { job, progress, shutdown, runtime: Handle::current() };
        let Err(error) = stream.push(&mut summary) else { break };
        let is_lost = matches!(error.downcast_ref(), Some(Error::Lost { .. }));
        if !is_lost || job.file == STDIN || losses >= LOSSES_MAX {
            return Done { summary, error: Some(format!("{error:#}")) };
        }
        tracing::warn!(file = job.file, error = %error, "the file is read again from there");
    }
    Done { summary, error: None }
}

struct Stream<'a> {
    job: &'a FilePush,
    progress: &'a Progress,
    shutdown: &'a CancellationToken,
    runtime: Handle,
}

impl Stream<'_> {
    fn push(&self, summary: &mut Option<Summary>) -> anyhow::Result<()> {
        let FilePush { file, options, header } = self.job;
        let input = Input::open(file)?;
        let extension = Path::new(file).extension().and_then(|e| e.to_str()).unwrap_or_default();
        let hints = Hints { format: &options.format, extension, header: *header };
        let cutter = Cutter::new(&hints, input.beginning())?;
        let producer = self.wait(Producer::open(options.clone()))?;
        let name = options.producer.as_deref().unwrap_or_default();
        let rest = input.rest(producer.resumed(), cutter.header(), name)?;
        self.progress.resumed_at.store(rest.offset(), Ordering::Relaxed);
        self.show(rest.offset());
        let result = self.push_rest(rest, &cutter, &producer);
        *summary = Some(producer.summary());
        result
    }

    fn push_rest(
        &self,
        mut rest: super::input::Rest,
        cutter: &Cutter,
        producer: &Producer,
    ) -> anyhow::Result<()> {
        let target = self.job.options.message_bytes;
        let mut buffer = BytesMut::new();
        while let Some(message) = rest.next(&mut buffer, cutter, target)? {
            self.wait(producer.push_block(message, Some(rest.offset())))?;
            self.show_acknowledged(producer);
        }
        let flushed = async {
            let mut flush = std::pin::pin!(producer.flush());
            loop {
                match tokio::time::timeout(LOOK_EVERY, &mut flush).await {
                    Ok(result) => return result,
                    Err(_) => self.show_acknowledged(producer),
                }
            }
        };
        self.wait(flushed)?;
        self.show(rest.offset());
        Ok(())
    }

    fn show_acknowledged(&self, producer: &Producer) {
        if let Some(offset) = producer.acknowledged().note {
            self.show(offset);
        }
    }

    fn show(&self, offset: u64) {
        self.progress.acknowledged.store(offset, Ordering::Relaxed);
    }

    fn wait<T>(&self, what: impl Future<Output = Result<T, Error>>) -> anyhow::Result<T> {
        self.runtime.block_on(async {
            tokio::select! {
                result = what => Ok(result?),
                () = self.shutdown.cancelled() => Err(anyhow::anyhow!("interrupted")),
            }
        })
    }
}

/// What a retry would do, in a word.
pub(crate) fn guarantee_text(guarantee: Guarantee) -> &'static str {
    match guarantee {
        Guarantee::ExactlyOnce => "exactly once",
        Guarantee::AtLeastOnce => "at least once",
    }
}
