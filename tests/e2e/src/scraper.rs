//! A scraper that never rests, and notices at once when a page is wrong.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{JoinHandle, sleep};
use std::time::{Duration, Instant};

use crate::catalogue::Catalogue;
use crate::exposition::{Counts, READ, counted_series, first_below, parse};
use crate::http::{self, Response};

/// The pause between two scrapes: it leaves the processors to the programs.
const PAUSE: Duration = Duration::from_millis(10);

/// Below which earlier page no page may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Floor {
    /// Of any exporter: nothing that was shown can be lost.
    Any,
    /// Of the same exporter: the store may lose what it had not made durable.
    Same,
}

/// What was seen so far.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Whole pages with status 200.
    pub pages: u64,
    /// Answers with status 503.
    pub unavailable: u64,
    /// No answer, or none in time, or one that was cut off.
    pub failed: u64,
    /// Every different text of a 503, with the time of its first and last sight.
    pub reasons: Vec<(String, Instant, Instant)>,
}

#[derive(Default)]
struct Shared {
    seen: Seen,
    violation: Option<String>,
}

/// A thread that scrapes several exporters by turns.
pub struct Scraper {
    stop: Arc<AtomicBool>,
    shared: Arc<Mutex<Shared>>,
    thread: Option<JoinHandle<()>>,
}

impl Scraper {
    /// Begins to scrape the ports. A page must never have a series below its floor, nor above what
    /// `catalogue` says was written by the time the page has arrived.
    pub fn start(ports: Vec<u16>, floor: Floor, catalogue: &Arc<Catalogue>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let shared = Arc::new(Mutex::new(Shared::default()));
        let mut work = Work {
            floors: vec![Counts::new(); ports.len()],
            ports,
            floor,
            catalogue: Arc::clone(catalogue),
            shared: Arc::clone(&shared),
        };
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            for turn in (0..work.ports.len()).cycle() {
                if stopped.load(Ordering::SeqCst) || !work.scrape(turn) {
                    return;
                }
                sleep(PAUSE);
            }
        });
        Self { stop, shared, thread: Some(thread) }
    }

    /// What was seen so far. Panics if a page was wrong.
    pub fn seen(&self) -> Seen {
        let shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(
            shared.violation.is_none(),
            "a wrong page: {}",
            shared.violation.as_deref().unwrap_or("")
        );
        shared.seen.clone()
    }

    /// Ends the scraping and returns what was seen. Panics if a page was wrong.
    pub fn finish(mut self) -> Seen {
        self.stop.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the scraper's thread");
        }
        self.seen()
    }
}

impl Drop for Scraper {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
    }
}

struct Work {
    ports: Vec<u16>,
    floor: Floor,
    floors: Vec<Counts>,
    catalogue: Arc<Catalogue>,
    shared: Arc<Mutex<Shared>>,
}

impl Work {
    /// One scrape; `false` if it was wrong, which ends the scraping.
    fn scrape(&mut self, turn: usize) -> bool {
        let outcome = match http::get(self.ports[turn], "/metrics") {
            Ok(page) if page.status == 200 => self.judge(turn, &page),
            Ok(page) if page.status == 503 => {
                self.note_unavailable(&page);
                Ok(())
            }
            Ok(other) => Err(format!("status {}: {}", other.status, other.text())),
            Err(_) => {
                self.shared().seen.failed += 1;
                Ok(())
            }
        };
        if let Err(reason) = outcome {
            self.shared().violation = Some(format!("exporter {turn}: {reason}"));
            return false;
        }
        true
    }

    fn judge(&mut self, turn: usize, page: &Response) -> Result<(), String> {
        let counts = parse(&page.text())?;
        let which = if self.floor == Floor::Any { 0 } else { turn };
        if let Some(below) = first_below(&self.floors[which], &counts) {
            return Err(format!("went backwards: {below}"));
        }
        if let Some(above) = self.catalogue.first_above(&counted_series(&counts)) {
            return Err(format!("above the truth: {above}"));
        }
        let (read, written) = (counts.get(READ).copied().unwrap_or(0), self.catalogue.total());
        if read > written {
            return Err(format!("{READ} is {read}, and {written} lines were written"));
        }
        self.floors[which] = counts;
        self.shared().seen.pages += 1;
        Ok(())
    }

    fn note_unavailable(&self, page: &Response) {
        let (text, now) = (page.text(), Instant::now());
        let mut shared = self.shared();
        shared.seen.unavailable += 1;
        match shared.seen.reasons.iter_mut().find(|(known, _, _)| *known == text) {
            Some((_, _, last)) => *last = now,
            None => shared.seen.reasons.push((text, now, now)),
        }
    }

    fn shared(&self) -> std::sync::MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;
    use crate::catalogue::Style;
    use crate::exposition::series;

    /// A server that gives the answers in turn, the last one for ever.
    fn serve(answers: Vec<(u16, String)>) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        std::thread::spawn(move || {
            for (turn, stream) in listener.incoming().enumerate() {
                let mut stream = stream.expect("a connection");
                let _ = stream.read(&mut [0; 1024]);
                let (status, body) = &answers[turn.min(answers.len() - 1)];
                let length = body.len();
                let _ =
                    write!(stream, "HTTP/1.1 {status} X\r\nContent-Length: {length}\r\n\r\n{body}");
            }
        });
        port
    }

    fn page(n: u64) -> (u16, String) {
        (200, format!("{} {n}\n{READ} {n}\n", series("server0", "job0")))
    }

    /// Scrapes servers until one of them has given its last answer twice, with two lines written.
    fn scrape(servers: Vec<Vec<(u16, String)>>, floor: Floor) -> Result<Seen, String> {
        let catalogue = Catalogue::new(1, 1);
        for _ in 0..2 {
            catalogue.take_line(Style::Bare, 0);
        }
        let longest = servers.iter().map(Vec::len).max().expect("a server") as u64 + 1;
        let turns = longest * servers.len() as u64;
        let ports = servers.into_iter().map(serve).collect();
        let scraper = Scraper::start(ports, floor, &catalogue);
        crate::wait::until("enough turns", Duration::from_secs(20), || {
            let shared = scraper.shared.lock().expect("the state");
            let seen = &shared.seen;
            let enough = seen.pages + seen.unavailable + seen.failed >= turns;
            match &shared.violation {
                Some(violation) => Ok(Err(violation.clone())),
                None if enough => Ok(Ok(seen.clone())),
                None => Err("too few".to_owned()),
            }
        })
    }

    #[test]
    fn rising_pages_and_silence_are_fine() {
        let seen = scrape(vec![vec![page(1), (503, "away".to_owned()), page(2)]], Floor::Any);
        let seen = seen.expect("nothing wrong");
        assert!(seen.pages >= 3 && seen.unavailable == 1, "{seen:?}");
        assert_eq!(seen.reasons[0].0, "away");
    }

    #[test]
    fn a_lower_page_of_another_exporter_counts_when_it_should() {
        let servers = || vec![vec![page(2)], vec![page(1)]];
        assert!(scrape(servers(), Floor::Any).is_err_and(|e| e.contains("backwards")));
        assert!(scrape(servers(), Floor::Same).is_ok());
    }

    #[test]
    fn wrong_pages_are_noticed() {
        let wrong = |answers| scrape(vec![answers], Floor::Same).expect_err("wrong");
        assert!(wrong(vec![page(2), page(1)]).contains("backwards"));
        assert!(wrong(vec![page(1), (200, String::new())]).contains("backwards"));
        assert!(wrong(vec![page(3)]).contains("above the truth"));
        assert!(wrong(vec![(200, format!("{READ} 3\n"))]).contains("lines were written"));
        assert!(wrong(vec![(500, "oops".to_owned())]).contains("500"));
    }
}
