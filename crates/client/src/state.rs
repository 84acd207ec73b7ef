//! What the callers of a producer and its link share: one state behind one lock, and two bells. Never
//! waits while it holds the lock.

use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use logtally_core::push::ProducerName;
use logtally_proto::v1;
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

use crate::error::Error;
use crate::fault::Fault;
use crate::gather::Gather;
use crate::options::Options;
use crate::summary::{Acknowledged, Resumed, Summary};
use crate::window::{Answer, Bounds, Message, Window};

/// Everything that a producer knows.
#[derive(Debug)]
pub(crate) struct State {
    producer: Option<ProducerName>,
    input: String,
    format: String,
    epoch: u64,
    window: Window,
    gather: Gather,
    summary: Summary,
    error: Option<Error>,
    /// Since when something is under way and nothing was answered.
    waiting: Option<Instant>,
}

impl State {
    pub(crate) fn new(options: &Options, producer: Option<ProducerName>, opened: Opened) -> Self {
        let named = producer.is_some();
        let Opened { epoch, resumed: Resumed { sequence, note, durable, .. } } = opened;
        Self {
            producer,
            input: options.input.clone(),
            format: options.format.clone(),
            epoch,
            window: Window::new(named, Bounds::new(options.buffer_bytes), sequence, note),
            gather: Gather::new(options.message_bytes, options.linger),
            summary: Summary::new(named, durable || !named),
            error: None,
            waiting: None,
        }
    }

    fn alive(&self) -> Result<(), Error> {
        self.error.clone().map_or(Ok(()), Err)
    }

    /// Takes a record of this length, if there is room. The bell of the link is to be rung if told.
    fn take_record(&mut self, record: &[u8], length: usize) -> Taken {
        if !self.window.has_room(self.gather.len() + length) {
            // Whatever is to make room must be on its way.
            return Taken { done: false, ring: self.seal() };
        }
        let was_empty = self.gather.len() == 0;
        let before = self.gather.add(record, Instant::now());
        let ring = was_empty || before.is_some();
        self.add(before);
        Taken { done: true, ring }
    }

    fn take_message(&mut self, message: &Message) -> Taken {
        let ring = self.seal();
        let done = self.window.has_room(message.records.len());
        if done {
            self.window.add(message.clone());
        }
        Taken { done, ring: ring || done }
    }

    /// Makes a message of what is gathered.
    fn seal(&mut self) -> bool {
        let records = self.gather.take();
        let sealed = records.is_some();
        self.add(records);
        sealed
    }

    fn add(&mut self, records: Option<Bytes>) {
        if let Some(records) = records {
            self.window.add(Message::new(records, None));
        }
    }

    /// The next request of a stream.
    fn next_request(&mut self, is_first: bool) -> Option<v1::PushRequest> {
        let was_waiting = self.window.is_waiting();
        let (sequence, message) = self.window.send_next()?;
        if !was_waiting {
            self.waiting = Some(Instant::now());
        }
        let mut request = v1::PushRequest {
            content_hash: Some(message.content_hash),
            records: message.records,
            ..v1::PushRequest::default()
        };
        if is_first {
            request.input.clone_from(&self.input);
            request.format.clone_from(&self.format);
        }
        if let Some(producer) = &self.producer {
            request.sequence = sequence;
            request.note = message.note;
            if is_first {
                producer.as_str().clone_into(&mut request.producer);
                request.epoch = self.epoch;
            }
        }
        Some(request)
    }

    fn take_answer(&mut self, answer: &v1::PushResponse) -> Result<(), Error> {
        let &v1::PushResponse { sequence, messages, durable, .. } = answer;
        self.window.answered(Answer { sequence, messages, durable })?;
        self.summary.add(answer);
        self.waiting = self.window.is_waiting().then(Instant::now);
        Ok(())
    }

    fn summary(&self) -> Summary {
        Summary { messages: self.window.messages(), ..self.summary.clone() }
    }

    /// The error that a refusal is, with its place.
    fn refused(&self, reason: String, message: String) -> Error {
        Error::Refused { after: self.window.acked(), note: self.window.note(), reason, message }
    }
}

/// What an opening gave.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Opened {
    pub epoch: u64,
    pub resumed: Resumed,
}

struct Taken {
    done: bool,
    ring: bool,
}

/// The state and its bells.
#[derive(Debug)]
pub(crate) struct Shared {
    state: Mutex<State>,
    /// For the link: there is something to send.
    work: Notify,
    /// For the callers: there is room, everything is acknowledged, or it is over.
    room: Notify,
}

impl Shared {
    pub(crate) fn new(state: State) -> Self {
        Self { state: Mutex::new(state), work: Notify::new(), room: Notify::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code that can fail runs between two changes that belong together.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a record to those that are gathered, when there is room.
    pub(crate) async fn push_record(&self, record: &[u8]) -> Result<(), Error> {
        let length = Gather::length(record)?;
        self.when_possible(|state| state.take_record(record, length)).await
    }

    /// Adds a message behind what is gathered, when there is room.
    pub(crate) async fn push_message(
        &self,
        records: Bytes,
        note: Option<u64>,
    ) -> Result<(), Error> {
        let message = Message::new(records, note);
        self.when_possible(|state| state.take_message(&message)).await
    }

    async fn when_possible(&self, mut take: impl FnMut(&mut State) -> Taken) -> Result<(), Error> {
        loop {
            let room = self.room.notified();
            let taken = {
                let mut state = self.lock();
                state.alive()?;
                take(&mut state)
            };
            if taken.ring {
                self.work.notify_one();
            }
            if taken.done {
                return Ok(());
            }
            room.await;
        }
    }

    /// Waits until everything that was pushed before is acknowledged.
    pub(crate) async fn flush(&self) -> Result<Summary, Error> {
        let until = {
            let mut state = self.lock();
            state.seal();
            state.window.last()
        };
        self.work.notify_one();
        loop {
            let room = self.room.notified();
            {
                let state = self.lock();
                state.alive()?;
                if state.window.acked() >= until {
                    return Ok(state.summary());
                }
            }
            room.await;
        }
    }

    pub(crate) fn summary(&self) -> Summary {
        self.lock().summary()
    }

    pub(crate) fn acknowledged(&self) -> Acknowledged {
        let state = self.lock();
        Acknowledged { sequence: state.window.acked(), note: state.window.note() }
    }

    /// Waits until there is something to send; whether there was nothing at first.
    pub(crate) async fn until_work(&self) -> bool {
        let mut was_idle = false;
        loop {
            {
                let state = self.lock();
                if !state.window.is_done() || state.gather.len() > 0 {
                    return was_idle;
                }
            }
            was_idle = true;
            self.work.notified().await;
        }
    }

    /// Sends whatever may be sent, for as long as the stream takes it.
    pub(crate) async fn feed(&self, requests: mpsc::UnboundedSender<v1::PushRequest>) {
        let mut is_first = true;
        loop {
            let due = {
                let mut state = self.lock();
                let records = state.gather.take_due(Instant::now());
                state.add(records);
                while let Some(request) = state.next_request(is_first) {
                    is_first = false;
                    if requests.send(request).is_err() {
                        return;
                    }
                }
                state.gather.due()
            };
            let ring = self.work.notified();
            match due {
                Some(due) => drop(tokio::time::timeout_at(due, ring).await),
                None => ring.await,
            }
        }
    }

    /// Takes an answer.
    pub(crate) fn answered(&self, answer: &v1::PushResponse) -> Result<(), Error> {
        self.lock().take_answer(answer)?;
        self.work.notify_one();
        self.room.notify_waiters();
        Ok(())
    }

    /// Since when an answer is missing.
    pub(crate) fn waiting(&self) -> Option<Instant> {
        self.lock().waiting
    }

    /// The stream is gone.
    pub(crate) fn broken(&self) {
        let mut state = self.lock();
        state.window.broken();
        state.waiting = None;
    }

    /// The store says what it has. How many messages it had acknowledged and lost.
    pub(crate) fn go_to(&self, sequence: u64) -> Result<u64, Error> {
        let mut state = self.lock();
        let lost = state.window.go_to(sequence)?;
        state.summary.replayed += lost;
        drop(state);
        self.room.notify_waiters();
        Ok(lost)
    }

    /// The producer was opened again.
    pub(crate) fn reopened(&self, opened: Opened) -> Result<u64, Error> {
        self.lock().epoch = opened.epoch;
        self.go_to(opened.resumed.sequence)
    }

    /// The last message that is acknowledged.
    pub(crate) fn acked(&self) -> u64 {
        self.lock().window.acked()
    }

    /// The error that a failure is, if nothing more can be tried.
    pub(crate) fn fatal(&self, fault: Fault) -> Error {
        let state = self.lock();
        match fault {
            Fault::Fenced => Error::Fenced { after: state.window.acked() },
            Fault::Refused { reason, message } => state.refused(reason, message),
            Fault::Retry { reason, .. } => state.refused("Retry".to_owned(), reason),
            Fault::Gap { sequence } => {
                state.refused("SEQUENCE_GAP".to_owned(), format!("after {sequence}"))
            }
            Fault::Unknown => state.refused("PRODUCER_UNKNOWN".to_owned(), String::new()),
        }
    }

    /// It is over.
    pub(crate) fn end(&self, error: Error) {
        self.lock().error.get_or_insert(error);
        self.room.notify_waiters();
    }
}
