//! gRPC calls byte by byte, for what no generated client would ever send.
//!
//! A message on the wire is a flag (1 byte), its length (4 bytes, the highest first), and its content.

use bytes::{BufMut, Bytes, BytesMut};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use tokio::sync::mpsc;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};
use tower::ServiceExt;

/// Where calls of the push service go.
pub const PUSH: &str = "/logtally.v1.PushService/Push";

/// As [`PUSH`], for streams.
pub const STREAM: &str = "/logtally.v1.PushService/PushStream";

/// A connection to a port of this machine.
pub fn channel(port: u16) -> Channel {
    Endpoint::from_shared(format!("http://127.0.0.1:{port}")).expect("an address").connect_lazy()
}

/// A message as it stands on the wire.
pub fn frame(content: &[u8]) -> Bytes {
    frame_that_claims(content.len() as u32, content)
}

/// The beginning of a message that says how long it will be.
pub fn frame_that_claims(length: u32, content: &[u8]) -> Bytes {
    let mut bytes = BytesMut::with_capacity(5 + content.len());
    bytes.put_u8(0);
    bytes.put_u32(length);
    bytes.put_slice(content);
    bytes.freeze()
}

/// A call with this body, which ends after it. Returns how the call ended.
pub async fn call(
    channel: Channel,
    path: &str,
    headers: &[(&str, &str)],
    body: Bytes,
) -> Result<(), Status> {
    let (sender, end) = open(channel, path, headers);
    let sending = async move {
        // Whoever refuses a call need not read all of it.
        let _ = sender.send(body).await;
    };
    tokio::join!(end, sending).0
}

/// Begins a call whose body is what is sent to the sender, until that is dropped. The future is the end
/// of the call, and must be polled for anything to happen.
pub fn open(
    channel: Channel,
    path: &str,
    headers: &[(&str, &str)],
) -> (mpsc::Sender<Bytes>, impl Future<Output = Result<(), Status>> + Send + use<>) {
    let (sender, pieces) = mpsc::channel(1);
    let pieces = ReceiverStream::new(pieces).map(|piece| Ok::<_, Status>(Frame::data(piece)));
    let mut request = http::Request::post(path)
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let body = tonic::body::Body::new(StreamBody::new(pieces));
    let request = request.body(body).expect("a request");
    (sender, end(channel, request))
}

async fn end(channel: Channel, request: http::Request<tonic::body::Body>) -> Result<(), Status> {
    let failed = |error: &dyn std::fmt::Display| Status::unavailable(error.to_string());
    let response = channel.oneshot(request).await.map_err(|e| failed(&e))?;
    let (head, body) = response.into_parts();
    if let Some(status) = Status::from_header_map(&head.headers) {
        return told(status);
    }
    let body = body.collect().await.map_err(|e| failed(&e))?;
    let status = body.trailers().and_then(Status::from_header_map);
    told(status.unwrap_or_else(|| Status::unknown(format!("no status, HTTP {}", head.status))))
}

fn told(status: Status) -> Result<(), Status> {
    if status.code() == Code::Ok { Ok(()) } else { Err(status) }
}
