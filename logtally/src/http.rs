//! A small client for the pages of this program: one GET per connection, `http://` only, bounded in
//! time and size. Never follows a redirect, and never takes an answer that was cut off for a whole one.

use std::time::Duration;

use anyhow::{Context, bail};
use logtally_core::secret_url::SecretUrl;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How long an answer may take and how large it may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AnswerLimits {
    /// For the whole exchange.
    pub(crate) timeout: Duration,
    /// Bytes of head and body.
    pub(crate) bytes_max: u64,
}

impl AnswerLimits {
    /// For a probe, whose answer is one line.
    pub(crate) const PROBE: Self = Self { timeout: Duration::from_secs(3), bytes_max: 4096 };
    /// For a page of counts or a list of sources: two million series take less.
    pub(crate) const PAGE: Self = Self { timeout: Duration::from_secs(30), bytes_max: 512 << 20 };
}

/// An answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Answer {
    /// The first line.
    pub(crate) status_line: String,
    /// The status code; 0 if there is none.
    pub(crate) status: u16,
    /// The body; what is not UTF-8 is replaced.
    pub(crate) body: String,
}

/// Gets a URL, whatever the status of the answer.
pub(crate) async fn get(url: &SecretUrl, limits: AnswerLimits) -> anyhow::Result<Answer> {
    let rest = url.expose().strip_prefix("http://").context("the URL must begin with http://")?;
    if rest.contains('@') {
        bail!("{url}: these pages know neither users nor passwords; leave them out of the URL");
    }
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let seconds = limits.timeout.as_secs();
    let answer = tokio::time::timeout(limits.timeout, exchange(host, path, limits.bytes_max)).await;
    let bytes = answer.with_context(|| format!("{url} did not answer within {seconds} s"))??;
    parse(&bytes).with_context(|| format!("{url} was answered only in part"))
}

/// The URL of a page below the root of a listener.
pub(crate) fn below(root: &SecretUrl, path: &str) -> SecretUrl {
    SecretUrl::from(format!("{}/{path}", root.expose().trim_end_matches('/')))
}

/// Gets a page: anything but a 200 is an error that says what was answered.
pub(crate) async fn page(url: &SecretUrl) -> anyhow::Result<String> {
    let answer = get(url, AnswerLimits::PAGE).await?;
    if answer.status != 200 {
        bail!("{url} answers {} {}", answer.status_line, answer.body.trim());
    }
    Ok(answer.body)
}

async fn exchange(host: &str, path: &str, bytes_max: u64) -> anyhow::Result<Vec<u8>> {
    let address = if has_port(host) { host.to_owned() } else { format!("{host}:80") };
    let stream = TcpStream::connect(&address).await;
    let mut stream = stream.with_context(|| {
        format!("cannot reach {address} (is the process running there? --from names another one)")
    })?;
    // HTTP/1.0 is answered without chunks.
    let request = format!("GET /{path} HTTP/1.0\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(bytes_max + 1).read_to_end(&mut answer).await?;
    if answer.len() as u64 > bytes_max {
        bail!("{host} answers with more than {bytes_max} bytes");
    }
    Ok(answer)
}

fn has_port(host: &str) -> bool {
    host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok())
}

/// Takes an answer apart; `None` if it is not whole.
fn parse(bytes: &[u8]) -> Option<Answer> {
    let end = bytes.windows(4).position(|w| w == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let body = &bytes[end + 4..];
    let mut lines = head.lines();
    let status_line = lines.next()?.to_owned();
    for line in lines {
        let Some((name, value)) = line.split_once(':') else { continue };
        if name.eq_ignore_ascii_case("content-length")
            && value.trim().parse::<usize>().is_ok_and(|length| length != body.len())
        {
            return None;
        }
    }
    let status = status_line.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
    Some(Answer { status_line, status, body: String::from_utf8_lossy(body).into_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_answers_are_taken() {
        let whole = b"HTTP/1.0 503 Service Unavailable\r\nContent-Length: 3\r\n\r\nabc";
        let answer = parse(whole).expect("whole");
        assert_eq!((answer.status, answer.body.as_str()), (503, "abc"));
        assert!(parse(&whole[..whole.len() - 1]).is_none());
        assert!(parse(b"HTTP/1.0 200 OK\r\n").is_none());
        let open = parse(b"HTTP/1.0 200 OK\r\n\r\nall").expect("until the end");
        assert_eq!(open.body, "all");
    }

    #[test]
    fn ports_are_told_from_addresses() {
        assert!(has_port("localhost:8001") && has_port("[::1]:80"));
        assert!(!has_port("localhost") && !has_port("[::1]"));
    }

    #[tokio::test]
    async fn other_schemes_are_refused() {
        let error = get(&"https://x/".into(), AnswerLimits::PROBE).await.expect_err("refused");
        assert!(error.to_string().contains("http://"));
    }

    #[tokio::test]
    async fn passwords_are_refused_and_not_repeated() {
        let error =
            get(&"http://u:secret@x/".into(), AnswerLimits::PROBE).await.expect_err("refused");
        assert_eq!(
            error.to_string(),
            "http://…@x/: these pages know neither users nor passwords; leave them out of the URL"
        );
    }
}
