//! A minimal HTTP client: one request per connection, with a deadline.
//!
//! A page that is cut off is an error here: a killed server must not look like a short answer.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// How long a page may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// A whole answer.
#[derive(Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Header lines; the names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, without the transfer encoding.
    pub body: Vec<u8>,
}

impl Response {
    /// A header's value, or the empty string.
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(n, _)| n == name).map_or("", |(_, value)| value)
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Gets a page of a program on this machine.
pub fn get(port: u16, path: &str) -> io::Result<Response> {
    get_with(port, path, &[])
}

/// Gets a page with further request headers.
pub fn get_with(port: u16, path: &str, headers: &[(&str, &str)]) -> io::Result<Response> {
    send(port, "GET", path, headers, b"")
}

/// Posts nothing to an address of a program on this machine.
pub fn post(port: u16, path: &str) -> io::Result<Response> {
    send(port, "POST", path, &[], b"")
}

/// Sends a request with a body to a program on this machine.
pub fn send(
    port: u16,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> io::Result<Response> {
    let mut request = head(port, method, path, headers);
    if !body.is_empty() || method != "GET" {
        request.extend(["Content-Length: ", &body.len().to_string(), "\r\n"]);
    }
    request += "\r\n";
    exchange(port, &[request.as_bytes(), body].concat())
}

/// The first lines of a request, without the empty one that ends them.
pub fn head(port: u16, method: &str, path: &str, headers: &[(&str, &str)]) -> String {
    let mut head =
        format!("{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n");
    for (name, value) in headers {
        head.extend([name, ": ", value, "\r\n"]);
    }
    head
}

/// Sends these very bytes, and reads one answer. Whoever refuses a request may answer before it has
/// read all of it, and close: what could not be sent then is no error.
pub fn exchange(port: u16, request: &[u8]) -> io::Result<Response> {
    let mut stream = connect(port)?;
    let sent = stream.write_all(request);
    let answer = read_answer(&mut stream);
    if answer.is_err() { sent.and(answer) } else { answer }
}

/// A connection whose reads and writes have a deadline.
pub fn connect(port: u16) -> io::Result<TcpStream> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    Ok(stream)
}

/// Reads one answer, up to the end of the connection.
fn read_answer(stream: &mut TcpStream) -> io::Result<Response> {
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    let cut_off = || io::Error::new(io::ErrorKind::UnexpectedEof, "answer cut off");
    // A connection may be reset behind a whole answer.
    parse(&answer).ok_or_else(|| read.err().unwrap_or_else(cut_off))
}

fn parse(answer: &[u8]) -> Option<Response> {
    let end = answer.windows(4).position(|w| w == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let mut lines = head.lines();
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
        .collect();
    let mut response = Response { status, headers, body: answer[end + 4..].to_vec() };
    if response.header("transfer-encoding") == "chunked" {
        response.body = unchunk(&response.body)?;
    } else if status != 204 {
        let length: usize = response.header("content-length").parse().ok()?;
        if response.body.len() != length {
            return None;
        }
    }
    Some(response)
}

fn unchunk(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = rest.windows(2).position(|w| w == b"\r\n")?;
        let length = usize::from_str_radix(std::str::from_utf8(&rest[..line]).ok()?, 16).ok()?;
        rest = rest.get(line + 2..)?;
        if length == 0 {
            return Some(body);
        }
        body.extend_from_slice(rest.get(..length)?);
        rest = rest.get(length + 2..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_answer_is_read_and_a_cut_one_is_refused() {
        let whole = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nX-A:  b\r\n\r\nabc";
        let response = parse(whole).expect("whole");
        assert_eq!((response.status, response.header("x-a")), (200, "b"));
        assert_eq!(response.text(), "abc");
        assert!(parse(&whole[..whole.len() - 1]).is_none());
        assert!(parse(b"HTTP/1.1 200 OK\r\n").is_none());
    }

    #[test]
    fn chunks_are_joined_and_a_missing_last_chunk_is_noticed() {
        assert_eq!(unchunk(b"2\r\nab\r\n1\r\nc\r\n0\r\n\r\n").as_deref(), Some(&b"abc"[..]));
        assert_eq!(unchunk(b"2\r\nab\r\n"), None);
    }
}
