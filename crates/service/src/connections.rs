//! Connections: how many there may be, how long they may take, and how they end.
//!
//! Must never let a client hold memory for as long as it likes, by sending or by reading slowly.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What clients may take.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionLimits {
    /// Connections at the same time; further ones wait to be accepted.
    pub connections: usize,
    /// Bytes of a request's head.
    pub head_bytes: usize,
    /// From the end of a response to the end of the next request's head.
    pub head: Duration,
    /// Age at which a connection ends with the response that is under way.
    pub age: Duration,
    /// For that last response; then the connection is cut.
    pub last_response: Duration,
}

/// Serves until `shutdown`, then lets the responses under way finish, for a limited time.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: ConnectionLimits,
    shutdown: &CancellationToken,
) {
    let permits = Arc::new(Semaphore::new(limits.connections));
    let connections = TaskTracker::new();
    while let Some((stream, permit)) = next(&listener, &permits, shutdown).await {
        let connection = Connection { router: router.clone(), limits, shutdown: shutdown.clone() };
        connections.spawn(async move {
            connection.serve(stream).await;
            drop(permit);
        });
    }
    drop(listener);
    connections.close();
    // No need for a limit here: each connection has its own.
    connections.wait().await;
}

/// The next connection as soon as one more is allowed; `None` to stop.
async fn next(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
    shutdown: &CancellationToken,
) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    let next = async {
        let permit = Arc::clone(permits).acquire_owned().await.ok()?;
        Some((accept(listener).await, permit))
    };
    shutdown.run_until_cancelled(next).await.flatten()
}

async fn accept(listener: &TcpListener) -> TcpStream {
    /// Most likely there are no file descriptors left, and trying at once would only burn time.
    const PAUSE: Duration = Duration::from_millis(100);
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(error) => tracing::warn!(%error, "cannot accept a connection"),
        }
        sleep(PAUSE).await;
    }
}

struct Connection {
    router: Router,
    limits: ConnectionLimits,
    shutdown: CancellationToken,
}

impl Connection {
    async fn serve(self, stream: TcpStream) {
        // A page is written at once, so waiting for more would only delay its last packet. If that
        // cannot be set the connection is broken, and the first read tells.
        let _ = stream.set_nodelay(true);
        let mut builder = auto::Builder::new(TokioExecutor::new()).http1_only();
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(self.limits.head)
            .max_buf_size(self.limits.head_bytes);
        let service = TowerToHyperService::new(self.router);
        let connection = builder.serve_connection(TokioIo::new(stream), service);
        let mut connection = std::pin::pin!(connection);
        // An error of a connection is its client's: it left, or it did not speak HTTP.
        tokio::select! {
            _ = connection.as_mut() => return,
            () = sleep(self.limits.age) => {}
            () = self.shutdown.cancelled() => {}
        }
        connection.as_mut().graceful_shutdown();
        let _ = timeout(self.limits.last_response, connection).await;
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    const TEST_LIMITS: ConnectionLimits = ConnectionLimits {
        connections: 256,
        head_bytes: 64 << 10,
        head: Duration::from_secs(30),
        age: Duration::from_mins(1),
        last_response: Duration::from_secs(20),
    };

    const SHORT: Duration = Duration::from_millis(20);

    /// Larger than what the buffers of two sockets take.
    const LARGE: usize = 64 << 20;

    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n";

    struct Server {
        address: std::net::SocketAddr,
        shutdown: CancellationToken,
        serving: tokio::task::JoinHandle<()>,
    }

    impl Server {
        async fn start(limits: ConnectionLimits) -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            let address = listener.local_addr().expect("an address");
            let router = Router::new()
                .route("/", get(async || "ok"))
                .route("/large", get(async || vec![b'x'; LARGE]));
            let shutdown = CancellationToken::new();
            let token = shutdown.clone();
            let serving =
                tokio::spawn(async move { serve(listener, router, limits, &token).await });
            Self { address, shutdown, serving }
        }

        /// A connection that has sent `request`.
        async fn send(&self, request: &[u8]) -> TcpStream {
            let mut stream = TcpStream::connect(self.address).await.expect("connects");
            stream.write_all(request).await.expect("sends");
            stream
        }
    }

    async fn read_to_end(mut stream: TcpStream) -> Vec<u8> {
        let mut answer = Vec::new();
        // A connection that is cut may end with a reset.
        let _ = stream.read_to_end(&mut answer).await;
        answer
    }

    #[tokio::test]
    async fn half_a_head_is_cut() {
        let server = Server::start(ConnectionLimits { head: SHORT, ..TEST_LIMITS }).await;
        let answer = read_to_end(server.send(b"GET / HTTP/1.1\r\nHost:").await).await;
        assert!(!answer.starts_with(b"HTTP/1.1 200"));
    }

    #[tokio::test]
    async fn a_head_without_end_is_refused() {
        let server = Server::start(TEST_LIMITS).await;
        let mut request = b"GET / HTTP/1.1\r\nX: ".to_vec();
        request.resize(TEST_LIMITS.head_bytes + 1, b'x');
        let answer = read_to_end(server.send(&request).await).await;
        assert!(answer.starts_with(b"HTTP/1.1 431"), "{}", String::from_utf8_lossy(&answer));
    }

    #[tokio::test]
    async fn a_client_that_does_not_read_is_cut() {
        let limits =
            ConnectionLimits { age: SHORT, last_response: SHORT, connections: 1, ..TEST_LIMITS };
        let server = Server::start(limits).await;
        let stuck = server.send(b"GET /large HTTP/1.1\r\nHost: test\r\n\r\n").await;
        // One connection is allowed: an answer to another one means that the first one was cut. That other
        // one may be too slow for so short a life, too.
        let answered = async {
            while !read_to_end(server.send(REQUEST).await).await.starts_with(b"HTTP/1.1 200") {}
        };
        timeout(Duration::from_secs(30), answered).await.expect("the first one is cut");
        assert!(read_to_end(stuck).await.len() < LARGE);
    }

    #[tokio::test]
    async fn stopping_ends_idle_connections_and_finishes_responses() {
        let server = Server::start(TEST_LIMITS).await;
        let mut idle = server.send(REQUEST).await;
        idle.read_u8().await.expect("answers");
        let mut busy = server.send(b"GET /large HTTP/1.1\r\nHost: test\r\n\r\n").await;
        busy.read_u8().await.expect("answers");
        server.shutdown.cancel();
        assert!(read_to_end(busy).await.len() > LARGE);
        read_to_end(idle).await;
        server.serving.await.expect("ends");
    }
}
