//! Sharing one run of something among all who ask for it, if it began after they asked.
//!
//! At most one run is under way and one more is waiting to begin. Joining the one under way would be
//! wrong: it may have looked already at what has changed since.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::FutureExt;
use futures::future::{BoxFuture, Shared};

/// A run that can be waited for by many.
pub(crate) type Flight<T> = Shared<BoxFuture<'static, Result<T, Lost>>>;

/// The run did not end: it panicked, or the runtime was shut down.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Lost(String);

/// The one run that has not begun yet, if somebody waits for it.
pub(crate) struct Flights<T> {
    waiting: Arc<Mutex<Option<Flight<T>>>>,
}

impl<T: Clone + Send + Sync + 'static> Flights<T> {
    /// Nobody waits.
    pub(crate) fn new() -> Self {
        Self { waiting: Arc::default() }
    }

    /// Joins the run that waits to begin, or starts one. `run` must call what it is given when it
    /// begins, before it looks at anything: who comes later needs another run.
    pub(crate) fn join<F>(&self, run: impl FnOnce(Box<dyn FnOnce() + Send>) -> F) -> Flight<T>
    where
        F: Future<Output = T> + Send + 'static,
    {
        let mut waiting = lock(&self.waiting);
        // A run that ended without having begun has panicked; nobody may join it.
        if let Some(flight) = waiting.as_ref().filter(|flight| flight.peek().is_none()) {
            return flight.clone();
        }
        let closing = Arc::clone(&self.waiting);
        let close = move || *lock(&closing) = None;
        // A task of its own, so that the first who asked can leave without taking it away.
        let task = tokio::spawn(run(Box::new(close)));
        let flight = task.map(|ended| ended.map_err(|e| Lost(e.to_string()))).boxed().shared();
        *waiting = Some(flight.clone());
        flight
    }
}

fn lock<T>(waiting: &Mutex<Option<Flight<T>>>) -> MutexGuard<'_, Option<Flight<T>>> {
    // Every change under this lock is one assignment.
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use tokio::sync::{Mutex as AsyncMutex, mpsc};

    use super::*;

    /// Runs that begin one after the other, report their beginning, and end when they are told to.
    struct Runs {
        flights: Flights<u32>,
        turn: Arc<AsyncMutex<(u32, mpsc::Receiver<()>)>>,
        begun: mpsc::Sender<()>,
    }

    impl Runs {
        fn join(&self) -> Flight<u32> {
            let (turn, begun) = (Arc::clone(&self.turn), self.begun.clone());
            self.flights.join(|close| async move {
                let mut turn = turn.lock_owned().await;
                close();
                begun.send(()).await.expect("the test listens");
                turn.1.recv().await.expect("the test ends it");
                turn.0 += 1;
                turn.0
            })
        }
    }

    #[tokio::test]
    async fn a_run_under_way_is_not_joined_and_a_waiting_one_is() {
        let (begun, mut beginnings) = mpsc::channel(1);
        let (end, ends) = mpsc::channel(1);
        let turn = Arc::new(AsyncMutex::new((0, ends)));
        let runs = Runs { flights: Flights::new(), turn, begun };
        let first = runs.join();
        beginnings.recv().await.expect("begins");
        let (second, third) = (runs.join(), runs.join());
        assert!(!second.ptr_eq(&first) && second.ptr_eq(&third));
        end.send(()).await.expect("under way");
        assert_eq!(first.await, Ok(1));
        beginnings.recv().await.expect("begins");
        let fourth = runs.join();
        end.send(()).await.expect("under way");
        assert_eq!((second.await, third.await), (Ok(2), Ok(2)));
        beginnings.recv().await.expect("begins");
        end.send(()).await.expect("under way");
        assert_eq!(fourth.await, Ok(3));
    }

    #[tokio::test]
    async fn a_run_goes_on_when_everybody_has_left() {
        let (done, mut told) = mpsc::channel(1);
        let flights: Flights<()> = Flights::new();
        drop(flights.join(|close| async move {
            close();
            tokio::task::yield_now().await;
            done.send(()).await.expect("the test listens");
        }));
        assert_eq!(told.recv().await, Some(()));
    }

    #[tokio::test]
    async fn a_run_that_panics_is_lost_and_not_joined_again() {
        let flights: Flights<()> = Flights::new();
        // Not `panic!`: its message would look like a failure in the output of the test.
        let panic = || std::panic::resume_unwind(Box::new("dead"));
        assert!(flights.join(|_| async move { panic() }).await.is_err());
        assert_eq!(flights.join(|_| async {}).await, Ok(()));
    }
}
