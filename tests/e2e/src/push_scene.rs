//! A running system to push to, watched by a scraper: what is pushed is on the account of a catalogue
//! before it is sent, so no page may ever show more, and at the end the pages must agree with a recount.

use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;

use bytes::Bytes;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::catalogue::{Catalogue, Style};
use crate::cluster::{Cluster, Layout};
use crate::push_client::Producer;
use crate::recount::Recount;
use crate::scraper::{Floor, Scraper};
use crate::seed;
use crate::wait::{holds, until};

/// How long the pages may take to show everything after the last acknowledgement.
const CATCH_UP: Duration = Duration::from_secs(20);

/// The system, and what watches it.
pub struct PushScene {
    /// The system.
    pub cluster: Cluster,
    /// For the choices of the test.
    pub rng: StdRng,
    catalogue: Arc<Catalogue>,
    scraper: Scraper,
}

impl PushScene {
    /// Starts a system, and waits until it is ready. Unless its acknowledgements are durable, the store
    /// may lose something, and then exporters need not agree on the way.
    pub fn start(layout: Layout) -> Self {
        let (rng, durable) = (seed::rng(), layout.durability == "fsync");
        let catalogue = Catalogue::new(20, 5);
        let mut cluster = Cluster::prepare(layout);
        cluster.start();
        let floor = if durable { Floor::Any } else { Floor::Same };
        let scraper = Scraper::start(cluster.scrape_ports(), floor, &catalogue);
        Self { cluster, rng, catalogue, scraper }
    }

    /// Somebody who writes what is pushed.
    pub fn writer(&mut self) -> Writer {
        let rng = StdRng::seed_from_u64(self.rng.random());
        Writer { rng, catalogue: Arc::clone(&self.catalogue), written: Vec::new() }
    }

    /// A producer with a name that may push to all ingests.
    pub fn producer(&self, name: &str) -> Producer {
        Producer::new(name, &self.cluster.push_ports())
    }

    /// Not a wait for anything: faults come at times that nothing else knows.
    pub fn random_moment(&mut self, longest: Duration) {
        sleep(longest.mul_f64(self.rng.random()));
    }

    /// Demands that the pages end with exactly these messages, and that no page was wrong on the way.
    pub fn end_exact<'a>(mut self, messages: impl IntoIterator<Item = &'a Bytes>) {
        let mut recount = Recount::default();
        messages.into_iter().for_each(|records| recount.add(records));
        self.cluster.assert_exact(&recount, CATCH_UP);
        self.cluster.assert_all_running();
        until("the scraper saw a page", CATCH_UP, || {
            let seen = self.scraper.seen();
            holds(seen.pages > 0, || format!("{seen:?}"))
        });
        let _ = self.scraper.finish();
    }
}

/// Writes messages of random lines, and keeps them.
pub struct Writer {
    /// For the choices of whoever sends the messages.
    pub rng: StdRng,
    catalogue: Arc<Catalogue>,
    /// All messages so far, in their order.
    pub written: Vec<Bytes>,
}

impl Writer {
    /// The next message.
    pub fn message(&mut self, lines: usize) -> Bytes {
        let series = self.catalogue.len();
        let which: Vec<usize> = (0..lines).map(|_| self.rng.random_range(0..series)).collect();
        self.message_of(&which)
    }

    /// The next message, with one line of each of these series: the same ones make the same message.
    pub fn message_of(&mut self, series: &[usize]) -> Bytes {
        let line = |which: &usize| self.catalogue.take_line(Style::Bare, *which);
        let message = Bytes::from(series.iter().map(line).collect::<String>());
        self.written.push(message.clone());
        message
    }

    /// Several messages of 1 to `longest` lines.
    pub fn messages(&mut self, count: usize, longest: usize) -> Vec<Bytes> {
        let mut next = || {
            let lines = self.rng.random_range(1..=longest);
            self.message(lines)
        };
        (0..count).map(|_| next()).collect()
    }
}
