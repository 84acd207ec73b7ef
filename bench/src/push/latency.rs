//! How long an acknowledgement takes at a fixed rate. Every time is counted from the moment when the
//! message was due, so that a pause of the other side makes all messages late that should have been
//! sent in it.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tokio_stream::{Stream, StreamExt};

use super::data::Data;
use super::load::Producer;
use crate::stats::percentile;

/// Producers that share the rate: one alone could not send a single call before the answer to the one
/// before it.
const PRODUCERS: u32 = 8;

/// What is sent.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// Messages per second of all producers.
    pub per_second: u32,
    /// Lines of each.
    pub lines: usize,
    /// For how long.
    pub time: Duration,
}

/// How messages are sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Way {
    /// Each in a call of its own.
    Unary,
    /// All of a producer in one stream.
    Stream,
}

/// What it took.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Latency {
    /// How messages were sent.
    pub way: Way,
    /// Messages.
    pub messages: usize,
    /// Half of them took as long, or less (milliseconds).
    pub p50_ms: f64,
    /// 99 of 100 took as long, or less (milliseconds).
    pub p99_ms: f64,
    /// The longest (milliseconds).
    pub max_ms: f64,
}

/// When the messages of one producer are due.
#[derive(Clone, Copy)]
struct Schedule {
    first: Instant,
    interval: Duration,
    messages: u64,
}

impl Schedule {
    /// That of producer number `which`; all begin one after the other.
    fn of(rate: Rate, which: u32) -> Self {
        let interval = Duration::from_secs(1) * PRODUCERS / rate.per_second;
        let first = Instant::now() + interval * which / PRODUCERS;
        let messages = (rate.time.as_nanos() / interval.as_nanos()).max(1) as u64;
        Self { first, interval, messages }
    }

    fn due(self, n: u64) -> Instant {
        self.first + self.interval * n as u32
    }

    fn stream<T>(self, make: impl Fn(u64) -> T) -> impl Stream<Item = T> {
        let wait = move |n| async move {
            sleep_until(self.due(n)).await;
            n
        };
        tokio_stream::iter(0..self.messages).then(wait).map(make)
    }
}

/// Measures at a rate. Returns the lines of each producer, too.
pub async fn measure(
    port: u16,
    data: &Arc<Data>,
    rate: Rate,
    way: Way,
) -> Result<(Latency, Vec<u64>)> {
    let mut producers = JoinSet::new();
    for which in 0..PRODUCERS {
        let producer = Producer::open(port, format!("latency/{way:?}/{which}")).await?;
        let data = Arc::clone(data);
        producers.spawn(async move {
            let schedule = Schedule::of(rate, which);
            match way {
                Way::Unary => unary(producer, &data, rate.lines, schedule).await,
                Way::Stream => stream(producer, data, rate.lines, schedule).await,
            }
        });
    }
    let each: Vec<Vec<f64>> = producers.join_all().await.into_iter().collect::<Result<_>>()?;
    let lines = each.iter().map(|times| (times.len() * rate.lines) as u64).collect();
    let times = || each.iter().flatten().copied();
    let [p50_ms, p99_ms, max_ms] = [50, 99, 100].map(|percent| percentile(times(), percent));
    Ok((Latency { way, messages: times().count(), p50_ms, p99_ms, max_ms }, lines))
}

async fn unary(
    mut producer: Producer,
    data: &Data,
    lines: usize,
    schedule: Schedule,
) -> Result<Vec<f64>> {
    let mut times = Vec::new();
    for n in 0..schedule.messages {
        sleep_until(schedule.due(n)).await;
        let message = producer.message(data, n, lines);
        let answer = producer.client.push(message).await?.into_inner();
        ensure!(answer.counted == lines as u64 && answer.durable, "{answer:?}");
        times.push(milliseconds(schedule.due(n)));
    }
    Ok(times)
}

async fn stream(
    producer: Producer,
    data: Arc<Data>,
    lines: usize,
    schedule: Schedule,
) -> Result<Vec<f64>> {
    let mut client = producer.client.clone();
    let messages = schedule.stream(move |n| producer.message_of_stream(&data, n, lines));
    let mut answers = client.push_stream(messages).await?.into_inner();
    let mut times = Vec::new();
    while let Some(answer) = answers.message().await? {
        ensure!(answer.counted == answer.messages * lines as u64 && answer.durable, "{answer:?}");
        let acknowledged = times.len() as u64..answer.sequence;
        times.extend(acknowledged.map(|n| milliseconds(schedule.due(n))));
    }
    ensure!(times.len() as u64 == schedule.messages, "{} messages", times.len());
    Ok(times)
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}
