//! A network that loses what comes back: bytes from the client arrive, and the answers do not.
//!
//! A connection that has lost bytes cannot be repaired, as the two ends no longer agree on what was
//! said. So it stays silent until somebody closes it; new connections are whole again after
//! [`TcpProxy::heal`].

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// Between clients and one port of this machine.
pub struct TcpProxy {
    port: u16,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    losing: AtomicBool,
    ended: AtomicBool,
    lost: AtomicU64,
    open: Mutex<Vec<TcpStream>>,
}

impl TcpProxy {
    /// Begins to forward to `upstream`.
    pub fn start(upstream: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let shared = Arc::new(Shared::default());
        let serving = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if serving.ended.load(Ordering::SeqCst) {
                    return;
                }
                // A refused connection is one that the client sees closed.
                if let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, upstream)) {
                    serving.connect(client, server);
                }
            }
        });
        Self { port, shared }
    }

    /// Where clients connect to.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// From now on, answers are lost.
    pub fn lose_answers(&self) {
        self.shared.losing.store(true, Ordering::SeqCst);
    }

    /// Connections made from now on are whole. Those that lost something are closed.
    pub fn heal(&self) {
        self.shared.losing.store(false, Ordering::SeqCst);
        self.cut();
    }

    /// Closes all connections.
    pub fn cut(&self) {
        self.shared.open().drain(..).for_each(|stream| {
            let _ = stream.shutdown(Shutdown::Both);
        });
    }

    /// Bytes of answers that were lost so far.
    pub fn lost(&self) -> u64 {
        self.shared.lost.load(Ordering::SeqCst)
    }
}

impl Drop for TcpProxy {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        self.cut();
        // Wakes the listener, which then ends.
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
    }
}

impl Shared {
    fn open(&self) -> std::sync::MutexGuard<'_, Vec<TcpStream>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn connect(self: &Arc<Self>, client: TcpStream, server: TcpStream) {
        let copy = |stream: &TcpStream| stream.try_clone().expect("a second handle");
        self.open().extend([copy(&client), copy(&server)]);
        let (to_server, to_client) = (copy(&server), copy(&client));
        thread::spawn(move || forward(client, to_server, |_| true));
        let shared = Arc::clone(self);
        thread::spawn(move || {
            let mut whole = true;
            forward(server, to_client, |bytes| {
                whole &= !shared.losing.load(Ordering::SeqCst);
                if !whole {
                    shared.lost.fetch_add(bytes as u64, Ordering::SeqCst);
                }
                whole
            });
        });
    }
}

/// Copies from one stream to the other what `passes` lets through, until either ends.
fn forward(mut from: TcpStream, mut to: TcpStream, mut passes: impl FnMut(usize) -> bool) {
    let mut buffer = [0; 16 << 10];
    while let Ok(bytes) = from.read(&mut buffer) {
        if bytes == 0 || (passes(bytes) && to.write_all(&buffer[..bytes]).is_err()) {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    /// A server that says back each line, and tells the test about it.
    fn echo() -> (u16, mpsc::Receiver<String>) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let (tell, heard) = mpsc::channel();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let tell = tell.clone();
                thread::spawn(move || {
                    let mut back = stream.try_clone().expect("a second handle");
                    for line in BufReader::new(stream).lines().map_while(Result::ok) {
                        let _ = writeln!(back, "{line}");
                        let _ = tell.send(line);
                    }
                });
            }
        });
        (port, heard)
    }

    fn say(stream: &mut TcpStream, line: &str) -> Option<String> {
        stream.set_read_timeout(Some(Duration::from_millis(500))).expect("a timeout");
        writeln!(stream, "{line}").expect("writing");
        let mut answer = String::new();
        BufReader::new(stream).read_line(&mut answer).ok()?;
        Some(answer)
    }

    #[test]
    fn answers_are_lost_one_way_and_new_connections_are_whole() {
        let patience = Duration::from_secs(5);
        let (port, heard) = echo();
        let proxy = TcpProxy::start(port);
        let connect = || TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port())).expect("a port");
        let mut stream = connect();
        assert_eq!(say(&mut stream, "one").as_deref(), Some("one\n"));
        assert_eq!(heard.recv_timeout(patience).as_deref(), Ok("one"));
        proxy.lose_answers();
        assert_eq!(say(&mut stream, "two"), None);
        assert_eq!(heard.recv_timeout(patience).as_deref(), Ok("two"), "it arrives");
        assert_eq!(proxy.lost(), 4);
        proxy.heal();
        assert_eq!(say(&mut connect(), "three").as_deref(), Some("three\n"));
    }
}
