//! `logtally healthcheck`: a health probe for images without a shell.

use std::time::Duration;

use anyhow::{Context, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::cli::HealthcheckArgs;

/// Longest time for the whole check.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Longest answer that is looked at (bytes).
const ANSWER_MAX: u64 = 4096;

/// Asks the URL; anything but a 200 is an error that says what was answered.
pub async fn healthcheck(args: &HealthcheckArgs) -> anyhow::Result<()> {
    let rest = args.url.strip_prefix("http://").context("the URL must begin with http://")?;
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let answer = tokio::time::timeout(TIMEOUT, get(host, path)).await;
    let answer = answer.with_context(|| format!("{} did not answer within 3 s", args.url))??;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    if head.split(' ').nth(1) == Some("200") {
        return Ok(());
    }
    bail!("{} {}", head.lines().next().unwrap_or("no answer"), body.trim())
}

async fn get(host: &str, path: &str) -> anyhow::Result<String> {
    let mut stream =
        TcpStream::connect(host).await.with_context(|| format!("cannot reach {host}"))?;
    let request = format!("GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(ANSWER_MAX).read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
