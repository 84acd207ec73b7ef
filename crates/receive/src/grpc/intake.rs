//! Lets the messages of a call into memory one by one: before the first byte of a message is kept,
//! there is room for all of it. Until then nothing is read, and the flow control of HTTP/2 holds up the
//! sender. So what strangers can make this process keep is bounded, whatever they send.
//!
//! A gRPC message on the wire is a flag (1 byte), its length (4 bytes), and its content.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame};
use logtally_proto::v1::push_service_server::SERVICE_NAME;
use tonic::Status;
use tonic::server::NamedService;
use tower::Service;

use super::status::status;
use crate::budget::{Budget, Permit};
use crate::error::PushError;

/// How long a message may take from its first byte to its last, once there is room for it.
const MESSAGE_TIME_MAX: Duration = Duration::from_secs(30);

/// Flag and length.
const PREFIX_BYTES: usize = 5;

/// Room that was made for messages that have not been taken out yet, in their order.
#[derive(Clone, Default, Debug)]
pub(super) struct Intake(Arc<Mutex<VecDeque<Permit>>>);

impl Intake {
    /// The room of the next message.
    pub(super) fn take(&self) -> Result<Permit, Status> {
        let permit = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        permit.ok_or_else(|| Status::internal("a message came in past the intake"))
    }

    fn put(&self, permit: Permit) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push_back(permit);
    }
}

/// A service behind an intake.
#[derive(Clone, Debug)]
pub(super) struct WithIntake<S> {
    inner: S,
    budget: Budget,
}

impl<S> WithIntake<S> {
    pub(super) fn new(inner: S, budget: Budget) -> Self {
        Self { inner, budget }
    }
}

impl<S: NamedService> NamedService for WithIntake<S> {
    const NAME: &'static str = S::NAME;
}

impl<S> Service<http::Request<tonic::body::Body>> for WithIntake<S>
where
    S: Service<http::Request<IntakeBody>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: http::Request<tonic::body::Body>) -> S::Future {
        let intake = Intake::default();
        request.extensions_mut().insert(intake.clone());
        let stream = match Call::of(request.uri().path()) {
            Call::Stream => Some(Budget::of_stream()),
            Call::Single => None,
        };
        let room = Room { process: self.budget.clone(), stream };
        self.inner.call(request.map(|body| IntakeBody::new(body, room, intake)))
    }
}

/// How many messages a call may have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Call {
    /// One.
    Single,
    /// Any number.
    Stream,
}

impl Call {
    /// The call that a path names. An unknown one is refused by the service, whatever it is here.
    fn of(path: &str) -> Self {
        let method = path.strip_prefix('/').and_then(|path| path.split_once('/'));
        match method {
            Some((SERVICE_NAME, "PushStream")) => Self::Stream,
            _ => Self::Single,
        }
    }
}

/// Where a message needs room.
#[derive(Clone)]
struct Room {
    process: Budget,
    /// A stream waits for as long as it takes; a single call is told to come back.
    stream: Option<Budget>,
}

impl Room {
    async fn make(self, bytes: usize) -> Result<Permit, PushError> {
        match self.stream {
            Some(stream) => {
                let own = stream.wait(bytes).await?;
                Ok(self.process.wait(bytes).await?.with(own))
            }
            None => self.process.try_wait(bytes).await,
        }
    }
}

type Making = Pin<Box<dyn Future<Output = Result<Permit, PushError>> + Send>>;

/// Where in a message the body stands.
enum At {
    /// In the prefix, of which so many bytes were seen.
    Prefix([u8; PREFIX_BYTES], usize),
    /// Before the content: there must be room for so many bytes first.
    Room(usize, Making),
    /// In the content, of which so many bytes are missing.
    Content(usize),
}

/// The body of a call, let in message by message.
pub(super) struct IntakeBody {
    inner: tonic::body::Body,
    room: Room,
    intake: Intake,
    at: At,
    /// Read, and not let in yet.
    rest: Bytes,
    /// Ends the call if a message does not arrive.
    late: Pin<Box<tokio::time::Sleep>>,
}

impl IntakeBody {
    fn new(inner: tonic::body::Body, room: Room, intake: Intake) -> Self {
        let at = At::Prefix([0; PREFIX_BYTES], 0);
        let late = Box::pin(tokio::time::sleep(MESSAGE_TIME_MAX));
        Self { inner, room, intake, at, rest: Bytes::new(), late }
    }

    /// Lets in the next piece of what was read. `None` if something must be waited for.
    fn let_in(&mut self, cx: &mut Context<'_>) -> Poll<Result<Bytes, Status>> {
        match &mut self.at {
            At::Prefix(prefix, seen) => {
                let wanted = (PREFIX_BYTES - *seen).min(self.rest.len());
                let piece = self.rest.split_to(wanted);
                prefix[*seen..*seen + wanted].copy_from_slice(&piece);
                *seen += wanted;
                if *seen == PREFIX_BYTES {
                    let [_, length @ ..] = *prefix;
                    let length = u32::from_be_bytes(length) as usize;
                    self.at = At::Room(length, Box::pin(self.room.clone().make(length)));
                }
                Poll::Ready(Ok(piece))
            }
            At::Room(length, making) => {
                let made = ready!(making.as_mut().poll(cx)).map_err(|error| status(&error));
                let length = *length;
                self.intake.put(made?);
                self.late.as_mut().reset(tokio::time::Instant::now() + MESSAGE_TIME_MAX);
                self.at = At::Content(length);
                self.let_in(cx)
            }
            At::Content(missing) => {
                let piece = self.rest.split_to((*missing).min(self.rest.len()));
                *missing -= piece.len();
                if *missing == 0 {
                    self.at = At::Prefix([0; PREFIX_BYTES], 0);
                }
                Poll::Ready(Ok(piece))
            }
        }
    }

    /// Whether a message has begun and is not whole.
    fn is_in_message(&self) -> bool {
        match self.at {
            At::Prefix(_, seen) => seen > 0,
            At::Room(..) => false,
            At::Content(missing) => missing > 0,
        }
    }
}

impl Body for IntakeBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = &mut *self;
        loop {
            let must_wait = matches!(this.at, At::Room(..));
            if !this.rest.is_empty() || must_wait {
                let piece = ready!(this.let_in(cx))?;
                if piece.is_empty() {
                    continue;
                }
                return Poll::Ready(Some(Ok(Frame::data(piece))));
            }
            match Pin::new(&mut this.inner).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) => this.rest = data,
                    Err(other) => return Poll::Ready(Some(Ok(other))),
                },
                Poll::Ready(other) => return Poll::Ready(other),
                Poll::Pending if this.is_in_message() => {
                    ready!(this.late.as_mut().poll(cx));
                    let text = format!("a message did not arrive within {MESSAGE_TIME_MAX:?}");
                    return Poll::Ready(Some(Err(Status::deadline_exceeded(text))));
                }
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && !matches!(self.at, At::Room(..)) && self.inner.is_end_stream()
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt, StreamBody};
    use logtally_core::limits::PUSH_BYTES_MAX;
    use prost::Message;
    use prost_types::FileDescriptorSet;

    use super::*;

    /// A body that gives these pieces, and then nothing until the sender is dropped.
    fn body(
        pieces: &[Bytes],
    ) -> (tonic::body::Body, tokio::sync::mpsc::UnboundedSender<Result<Frame<Bytes>, Status>>) {
        let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
        for piece in pieces {
            sender.send(Ok(Frame::data(piece.clone()))).expect("open");
        }
        let stream = tokio_stream::wrappers::UnboundedReceiverStream::new(receiver);
        (tonic::body::Body::new(StreamBody::new(stream)), sender)
    }

    fn message(len: usize) -> Vec<u8> {
        let prefix = (len as u32).to_be_bytes();
        [&[0], &prefix[..], &vec![b'x'; len]].concat()
    }

    fn intake_body(
        inner: tonic::body::Body,
        process: &Budget,
        is_stream: bool,
    ) -> (IntakeBody, Intake) {
        let intake = Intake::default();
        let stream = is_stream.then(Budget::of_stream);
        let room = Room { process: process.clone(), stream };
        (IntakeBody::new(inner, room, intake.clone()), intake)
    }

    #[test]
    fn calls_are_the_ones_of_the_protocol() {
        let files =
            FileDescriptorSet::decode(logtally_proto::FILE_DESCRIPTOR_SET).expect("decodes");
        let mut methods = 0;
        for file in files.file {
            for service in &file.service {
                let name = format!("{}.{}", file.package(), service.name());
                if name != SERVICE_NAME {
                    continue;
                }
                for method in &service.method {
                    let path = format!("/{name}/{}", method.name());
                    let is_stream = Call::of(&path) == Call::Stream;
                    assert_eq!(is_stream, method.client_streaming(), "{path}");
                    methods += 1;
                }
            }
        }
        assert_eq!(methods, 3);
    }

    #[tokio::test]
    async fn everything_comes_through_however_it_was_cut() {
        let sent: Vec<u8> = [0, 1, 7, 300].iter().flat_map(|len| message(*len)).collect();
        for size in [1, 2, 5, 6, 64, sent.len()] {
            let pieces: Vec<Bytes> = sent.chunks(size).map(Bytes::copy_from_slice).collect();
            let (inner, sender) = body(&pieces);
            drop(sender);
            let budget = Budget::default();
            let (body, intake) = intake_body(inner, &budget, true);
            let got = body.collect().await.expect("no error").to_bytes();
            assert_eq!(got, sent, "in pieces of {size}");
            for _ in 0..4 {
                assert!(intake.take().is_ok());
            }
            assert!(intake.take().is_err(), "one room per message");
            assert_eq!(budget.used(), 0, "given back");
        }
    }

    #[tokio::test]
    async fn nothing_of_a_message_is_read_before_there_is_room_for_it() {
        let budget = Budget::new(PUSH_BYTES_MAX);
        let held = budget.wait(PUSH_BYTES_MAX / 2).await.expect("room");
        let (inner, _sender) = body(&[message(PUSH_BYTES_MAX / 2).into()]);
        let (mut body, _intake) = intake_body(inner, &budget, true);
        let prefix = body.frame().await.expect("a frame").expect("no error");
        assert_eq!(prefix.into_data().expect("data").len(), PREFIX_BYTES);
        let waiting = tokio::time::timeout(Duration::from_millis(20), body.frame()).await;
        assert!(waiting.is_err(), "there is no room");
        drop(held);
        assert!(body.frame().await.is_some_and(|frame| frame.is_ok()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_single_call_is_told_to_come_back() {
        let budget = Budget::new(PUSH_BYTES_MAX);
        let _held = budget.wait(PUSH_BYTES_MAX / 2).await.expect("room");
        let (inner, _sender) = body(&[message(PUSH_BYTES_MAX / 2).into()]);
        let (mut body, _intake) = intake_body(inner, &budget, false);
        assert!(body.frame().await.is_some_and(|frame| frame.is_ok()), "the prefix");
        let error = body.frame().await.expect("an answer").expect_err("no room");
        assert_eq!(error.code(), tonic::Code::ResourceExhausted);
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_that_does_not_arrive_ends_the_call() {
        let budget = Budget::default();
        let mut cut = message(1000);
        cut.truncate(500);
        let (inner, _sender) = body(&[cut.into()]);
        let (mut body, intake) = intake_body(inner, &budget, true);
        assert!(body.frame().await.is_some_and(|frame| frame.is_ok()), "the prefix");
        assert!(body.frame().await.is_some_and(|frame| frame.is_ok()), "what there is");
        let error = body.frame().await.expect("an answer").expect_err("too late");
        assert_eq!(error.code(), tonic::Code::DeadlineExceeded);
        drop((body, intake));
        assert_eq!(budget.used(), 0, "given back");
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_stream_may_stay() {
        let (inner, sender) = body(&[]);
        let (mut body, _intake) = intake_body(inner, &Budget::default(), true);
        let waiting = tokio::time::timeout(MESSAGE_TIME_MAX * 10, body.frame()).await;
        assert!(waiting.is_err(), "nothing was begun, nothing is late");
        sender.send(Ok(Frame::data(message(3).into()))).expect("open");
        assert!(body.frame().await.is_some_and(|frame| frame.is_ok()));
    }
}
