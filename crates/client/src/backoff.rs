//! How long to wait before the next attempt. Chooses, never waits.

use std::time::Duration;

use rand::Rng;

/// The longest that an ingest may ask to wait: a wrong number in a header must not stop a producer.
const ASKED_MAX: Duration = Duration::from_mins(1);

/// The waits between attempts.
#[derive(Clone, Debug)]
pub(crate) struct Backoff {
    first: Duration,
    longest: Duration,
    next: Duration,
}

impl Backoff {
    pub(crate) fn new((first, longest): (Duration, Duration)) -> Self {
        Self { first, longest, next: first }
    }

    /// After a success.
    pub(crate) fn reset(&mut self) {
        self.next = self.first;
    }

    /// The next wait: at least as long as was asked for, and any part of the present step on top.
    pub(crate) fn wait(&mut self, asked: Option<Duration>, random: &mut impl Rng) -> Duration {
        let step = self.next.min(self.longest);
        self.next = (step * 2).min(self.longest);
        asked.unwrap_or_default().min(ASKED_MAX) + step.mul_f64(random.random_range(0.0..=1.0))
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    #[test]
    fn waits_grow_to_the_longest_and_begin_again_after_a_success() {
        let (first, longest) = (Duration::from_millis(50), Duration::from_secs(5));
        let mut random = StdRng::seed_from_u64(1);
        let mut backoff = Backoff::new((first, longest));
        for n in 0..20 {
            let wait = backoff.wait(None, &mut random);
            assert!(wait <= (first * (1 << n.min(10))).min(longest), "{n}: {wait:?}");
        }
        let long: Duration = (0..20).map(|_| backoff.wait(None, &mut random)).sum();
        assert!(long > longest * 5, "{long:?}");
        backoff.reset();
        assert!(backoff.wait(None, &mut random) <= first);
    }

    #[test]
    fn what_is_asked_for_is_kept_within_reason() {
        let mut random = StdRng::seed_from_u64(1);
        let mut backoff = Backoff::new((Duration::from_millis(50), Duration::from_secs(5)));
        let asked = Duration::from_secs(3);
        assert!(backoff.wait(Some(asked), &mut random) >= asked);
        assert!(backoff.wait(Some(Duration::MAX), &mut random) <= ASKED_MAX * 2);
    }
}
