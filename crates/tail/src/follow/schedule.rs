//! When files are looked for: one discovery at a time, and never for more than a part of the time.

use std::time::{Duration, Instant};

/// Between the starts of two discoveries that nothing but the clock asks for, so many times as long
/// passes as the last one took: with very many files, that is a tenth of the time.
const REST_FACTOR: u32 = 10;

/// When files are looked for.
#[derive(Default)]
pub(super) struct DiscoverySchedule {
    is_running: bool,
    /// Whether something has changed since the running discovery began.
    is_outdated: bool,
    has_finished_once: bool,
    /// When the last discovery began, and how long it took.
    begun: Option<Instant>,
    took: Duration,
}

/// What the end of a discovery means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct DiscoveryEnd {
    /// Whether it was the first one.
    pub(super) is_first: bool,
    /// Whether the next one is to begin at once.
    pub(super) is_outdated: bool,
}

impl DiscoverySchedule {
    /// Somebody asks for a discovery. Whether it begins now; else one follows that is running.
    pub(super) fn begin(&mut self, now: Instant) -> bool {
        if self.is_running {
            self.is_outdated = true;
            return false;
        }
        self.is_running = true;
        self.begun = Some(now);
        true
    }

    /// The running discovery has ended.
    pub(super) fn end(&mut self, now: Instant) -> DiscoveryEnd {
        self.is_running = false;
        self.took = self.begun.map_or(Duration::ZERO, |begun| now.saturating_duration_since(begun));
        DiscoveryEnd {
            is_first: !std::mem::replace(&mut self.has_finished_once, true),
            is_outdated: std::mem::take(&mut self.is_outdated),
        }
    }

    /// Whether a discovery is due when nothing tells of a change. With `once`, there is only one.
    pub(super) fn is_due(&self, once: bool, now: Instant) -> bool {
        let Some(begun) = self.begun.filter(|_| self.has_finished_once) else { return true };
        !once && now.saturating_duration_since(begun) >= self.took * REST_FACTOR
    }

    /// Whether files have been looked for.
    pub(super) fn has_finished_once(&self) -> bool {
        self.has_finished_once
    }

    /// Whether files have been looked for and nobody is looking now.
    pub(super) fn is_settled(&self) -> bool {
        self.has_finished_once && !self.is_running
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_discovery_runs_at_a_time_and_changes_meanwhile_ask_for_another() {
        let now = Instant::now();
        let mut schedule = DiscoverySchedule::default();
        assert!(schedule.begin(now) && !schedule.is_settled());
        assert!(!schedule.begin(now) && !schedule.begin(now));
        assert_eq!(schedule.end(now), DiscoveryEnd { is_first: true, is_outdated: true });
        assert!(schedule.is_settled() && schedule.begin(now) && !schedule.is_settled());
        assert_eq!(schedule.end(now), DiscoveryEnd { is_first: false, is_outdated: false });
    }

    #[test]
    fn looking_for_very_many_files_takes_a_tenth_of_the_time() {
        let now = Instant::now();
        let second = Duration::from_secs(1);
        let mut schedule = DiscoverySchedule::default();
        assert!(schedule.is_due(true, now));
        schedule.begin(now);
        schedule.end(now + second);
        assert!(!schedule.is_due(false, now + second * 9));
        assert!(schedule.is_due(false, now + second * 10));
        assert!(!schedule.is_due(true, now + second * 10), "once");
    }
}
