//! A scraper that costs little itself: one connection, one buffer, no look at the content.
//!
//! Must never take a page that was cut off for a whole one.

use std::io::{BufRead as _, BufReader, ErrorKind, Read, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};

/// How long a server may be silent.
const PATIENCE: Duration = Duration::from_mins(1);

/// Bytes that are read at once.
const READ_BYTES: usize = 1 << 20;

/// Most bytes of a line of a head.
const LINE_BYTES_MAX: u64 = 4096;

/// A connection to one server.
pub struct Client {
    stream: BufReader<TcpStream>,
    /// Content of the page that was read last.
    pub body: Vec<u8>,
}

/// What the head of an answer says.
struct Head {
    status: u16,
    length: Option<usize>,
    chunked: bool,
    gzip: bool,
}

impl Client {
    /// Connects to a port of this machine.
    pub fn connect(port: u16) -> Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::with_capacity(READ_BYTES, stream), body: Vec::new() })
    }

    /// Reads the page; compressed, if that is wanted. Returns the status.
    pub fn get(&mut self, gzip: bool) -> Result<u16> {
        let encoding = if gzip { "gzip" } else { "identity" };
        let request = format!(
            "GET /metrics HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: {encoding}\r\n\
             X-Prometheus-Scrape-Timeout-Seconds: 60\r\n\r\n"
        );
        self.stream.get_mut().write_all(request.as_bytes())?;
        let head = self.head()?;
        self.body.clear();
        match head {
            Head { chunked: true, .. } => while self.chunk()? {},
            Head { length: Some(length), .. } => self.take(length)?,
            _ => bail!("neither a length nor chunks"),
        }
        ensure!(head.status != 200 || head.gzip == gzip, "compressed, or not, against our wish");
        Ok(head.status)
    }

    fn head(&mut self) -> Result<Head> {
        let status = self.line()?;
        let status = status.split(' ').nth(1).and_then(|word| word.parse().ok());
        let status = status.context("not an answer")?;
        let mut head = Head { status, length: None, chunked: false, gzip: false };
        loop {
            let line = self.line()?.to_ascii_lowercase();
            match line.split_once(": ") {
                Some(("content-length", value)) => head.length = Some(value.parse()?),
                Some(("transfer-encoding", value)) => head.chunked = value == "chunked",
                Some(("content-encoding", value)) => head.gzip = value == "gzip",
                None if line.is_empty() => return Ok(head),
                _ => {}
            }
        }
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        self.stream.by_ref().take(LINE_BYTES_MAX).read_line(&mut line)?;
        let whole = line.strip_suffix("\r\n").context("the answer is cut off")?;
        Ok(whole.to_owned())
    }

    /// Reads a chunk. Whether there may be more.
    fn chunk(&mut self) -> Result<bool> {
        let size = usize::from_str_radix(&self.line()?, 16)?;
        self.take(size)?;
        ensure!(self.line()?.is_empty(), "a chunk without an end");
        Ok(size > 0)
    }

    fn take(&mut self, bytes: usize) -> Result<()> {
        let read = self.stream.by_ref().take(bytes as u64).read_to_end(&mut self.body)?;
        if read < bytes {
            bail!(std::io::Error::from(ErrorKind::UnexpectedEof));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    fn answer(text: &'static str) -> Result<(u16, Vec<u8>)> {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a client");
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).expect("a request");
            stream.write_all(text.as_bytes()).expect("written");
        });
        let mut client = Client::connect(port)?;
        let status = client.get(false);
        server.join().expect("the server");
        Ok((status?, client.body))
    }

    #[test]
    fn whole_pages_are_read_and_cut_ones_refused() {
        let body = |text| answer(text).map(|(status, body)| (status, body.len())).ok();
        let chunks =
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n";
        assert_eq!(body("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"), Some((200, 3)));
        assert_eq!(body("HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"), Some((503, 0)));
        assert_eq!(body(chunks), Some((200, 3)));
        assert_eq!(body("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab"), None);
        assert_eq!(body(&chunks[..chunks.len() - 5]), None);
        assert_eq!(body("HTTP/1.1 200 OK\r\n\r\n"), None);
    }
}
