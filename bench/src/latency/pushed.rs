//! Records that are pushed over gRPC, one in each message, by the client that others use.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use logtally_client::{Options, Producer};
use logtally_e2e::cluster::Cluster;
use rand::Rng as _;
use rand::rngs::StdRng;

use super::layout::layout;
use super::page::{LINE, Page};
use super::times::Times;

/// Longest pause before a message.
const PAUSE_MAX: Duration = Duration::from_millis(20);

/// Pushes so many messages.
pub fn measure(pushes: u32, rng: &mut StdRng) -> Result<Times> {
    let mut cluster = Cluster::prepare(layout());
    cluster.start();
    let runtime = tokio::runtime::Runtime::new()?;
    let options = Options {
        endpoints: vec![format!("http://127.0.0.1:{}", cluster.push_ports()[0])],
        producer: Some("bench/latency".to_owned()),
        ..Options::default()
    };
    let producer = runtime.block_on(Producer::open(options))?;
    let mut page = Page::connect(cluster.scrape_ports()[0])?;
    let push = |n: u64| {
        runtime.block_on(async {
            producer.push(LINE.as_bytes()).await?;
            producer.flush().await
        })?;
        let acknowledged = Instant::now();
        let value = page.value()?;
        let time = acknowledged.elapsed();
        ensure!(value == n, "{n} lines are acknowledged, and the next page says {value}");
        std::thread::sleep(PAUSE_MAX.mul_f64(rng.random()));
        Ok(time.as_secs_f64() * 1e3)
    };
    (1..=u64::from(pushes)).map(push).collect::<Result<_>>().map(Times)
}
