//! Whether a page may be served, and how long to be silent otherwise: after the store's server was
//! replaced, while sources recover, and while totals are below what was served.
//!
//! A pure decision over times that are passed in. It must never let a page out that may be behind
//! what another replica showed, as long as waiting can still help.

use std::time::{Duration, Instant};

use logtally_core::limits::LINK_LOST_AFTER;
use logtally_store::Recovering;

use crate::state::Shortfall;
use crate::unavailable::Unavailable;

/// How long to be silent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ViewOptions {
    /// After the store's server was replaced: time for readers to notice that it lost something and
    /// to say so.
    pub settle_time: Duration,
    /// For sources to be read again after the store lost something.
    pub recovery_timeout: Duration,
}

impl Default for ViewOptions {
    fn default() -> Self {
        Self { settle_time: LINK_LOST_AFTER, recovery_timeout: Duration::from_mins(10) }
    }
}

/// Whether to serve.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Judgement {
    /// Serve.
    Serve,
    /// Serve, although something that was served before is lost.
    AcceptLoss(Shortfall),
    /// Be silent.
    Wait(Unavailable),
}

/// What has to be remembered from one judgement to the next.
pub(crate) struct ServePolicy {
    options: ViewOptions,
    server: Option<u64>,
    replaced_at: Option<Instant>,
    below_since: Option<Instant>,
}

impl ServePolicy {
    /// Nothing has happened yet.
    pub(crate) fn new(options: ViewOptions) -> Self {
        Self { options, server: None, replaced_at: None, below_since: None }
    }

    /// Notes which server answered. Whether it is another one than before; the first one is not.
    pub(crate) fn see_server(&mut self, server: u64, now: Instant) -> bool {
        let before = self.server.replace(server);
        let replaced = before.is_some_and(|before| before != server);
        if replaced {
            self.replaced_at = Some(now);
        }
        replaced
    }

    /// Decides about a view that has just been brought up to date.
    pub(crate) fn judge(
        &mut self,
        now: Instant,
        partitions: &[Recovering],
        below: Option<Shortfall>,
    ) -> Judgement {
        self.note_below(now, below.is_some());
        if let Some(left) = self.settling(now) {
            return Judgement::Wait(Unavailable::Settling(left));
        }
        let recovering = self.recovering_sources(partitions);
        if recovering > 0 {
            return Judgement::Wait(Unavailable::Recovering(recovering));
        }
        match below {
            None => Judgement::Serve,
            Some(below) if self.has_waited_for_high_water(now) => {
                self.below_since = None;
                Judgement::AcceptLoss(below)
            }
            Some(below) => Judgement::Wait(Unavailable::BelowHighWater(below)),
        }
    }

    fn note_below(&mut self, now: Instant, below: bool) {
        self.below_since = below.then(|| self.below_since.unwrap_or(now));
    }

    fn settling(&self, now: Instant) -> Option<Duration> {
        let since = now.saturating_duration_since(self.replaced_at?);
        self.options.settle_time.checked_sub(since).filter(|left| !left.is_zero())
    }

    /// Sources that are worth waiting for: the last report of their partition is not too old, by the
    /// store's clock, which is the same for all replicas.
    fn recovering_sources(&self, partitions: &[Recovering]) -> u64 {
        let timeout_ms = self.options.recovery_timeout.as_millis();
        let is_recent =
            |r: &&Recovering| u128::from(r.now_ms.saturating_sub(r.latest_ms)) < timeout_ms;
        partitions.iter().filter(is_recent).map(|r| r.sources).sum()
    }

    fn has_waited_for_high_water(&self, now: Instant) -> bool {
        let waited = self.below_since.map(|since| now.saturating_duration_since(since));
        waited.is_some_and(|waited| waited >= self.options.recovery_timeout)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTLE: Duration = Duration::from_secs(10);
    const RECOVERY: Duration = Duration::from_mins(10);

    fn policy() -> (ServePolicy, Instant) {
        let options = ViewOptions { settle_time: SETTLE, recovery_timeout: RECOVERY };
        (ServePolicy::new(options), Instant::now())
    }

    fn below() -> Shortfall {
        Shortfall { series: "a".into(), served: 2, total: 1, count: 1 }
    }

    fn recovering(sources: u64, latest_ms: u64, now_ms: u64) -> [Recovering; 2] {
        [Recovering { sources, latest_ms, now_ms }, Recovering { now_ms, ..Recovering::default() }]
    }

    fn wait(reason: Unavailable) -> Judgement {
        Judgement::Wait(reason)
    }

    #[test]
    fn the_first_server_is_no_replacement() {
        let (mut policy, start) = policy();
        assert!(!policy.see_server(7, start));
        assert!(!policy.see_server(7, start));
        assert_eq!(policy.judge(start, &[], None), Judgement::Serve);
    }

    #[test]
    fn a_replaced_server_settles() {
        let (mut policy, start) = policy();
        policy.see_server(7, start);
        assert!(policy.see_server(8, start));
        assert_eq!(policy.judge(start, &[], None), wait(Unavailable::Settling(SETTLE)));
        let later = start + Duration::from_secs(4);
        assert!(policy.see_server(9, later), "each replacement counts");
        let left = Duration::from_secs(3);
        assert_eq!(
            policy.judge(later + Duration::from_secs(7), &[], None),
            wait(Unavailable::Settling(left))
        );
        assert_eq!(policy.judge(later + SETTLE, &[], None), Judgement::Serve);
    }

    #[test]
    fn no_settle_time_means_none() {
        let options = ViewOptions { settle_time: Duration::ZERO, recovery_timeout: RECOVERY };
        let (mut policy, start) = (ServePolicy::new(options), Instant::now());
        policy.see_server(7, start);
        assert!(policy.see_server(8, start));
        assert_eq!(policy.judge(start, &[], None), Judgement::Serve);
    }

    #[test]
    fn recovering_sources_are_waited_for_by_the_clock_of_the_store() {
        let (mut policy, start) = policy();
        let timeout_ms = RECOVERY.as_millis() as u64;
        let judge = |policy: &mut ServePolicy, partitions: &[Recovering]| {
            policy.judge(start, partitions, None)
        };
        let waiting = wait(Unavailable::Recovering(3));
        assert_eq!(judge(&mut policy, &recovering(3, 1_000, 1_000)), waiting);
        assert_eq!(judge(&mut policy, &recovering(3, 1_000, 999 + timeout_ms)), waiting);
        let given_up = recovering(3, 1_000, 1_000 + timeout_ms);
        assert_eq!(judge(&mut policy, &given_up), Judgement::Serve);
        assert_eq!(judge(&mut policy, &recovering(0, 1_000, 1_000)), Judgement::Serve);
    }

    #[test]
    fn a_loss_is_accepted_only_after_a_while() {
        let (mut policy, start) = policy();
        let expect = wait(Unavailable::BelowHighWater(below()));
        assert_eq!(policy.judge(start, &[], Some(below())), expect);
        let late = start + Duration::from_millis(599_999);
        assert_eq!(policy.judge(late, &[], Some(below())), expect);
        let later = start + RECOVERY;
        assert_eq!(policy.judge(later, &[], Some(below())), Judgement::AcceptLoss(below()));
        assert_eq!(policy.judge(later, &[], Some(below())), expect, "the next loss waits again");
    }

    #[test]
    fn catching_up_in_between_starts_the_wait_anew() {
        let (mut policy, start) = policy();
        assert_ne!(policy.judge(start, &[], Some(below())), Judgement::Serve);
        assert_eq!(policy.judge(start + RECOVERY / 2, &[], None), Judgement::Serve);
        let expect = wait(Unavailable::BelowHighWater(below()));
        assert_eq!(policy.judge(start + RECOVERY, &[], Some(below())), expect);
    }

    #[test]
    fn no_loss_is_accepted_while_sources_recover() {
        let (mut policy, start) = policy();
        let recovering = recovering(1, 5, 5);
        for now in [start, start + RECOVERY] {
            let expect = wait(Unavailable::Recovering(1));
            assert_eq!(policy.judge(now, &recovering, Some(below())), expect);
        }
        let judgement = policy.judge(start + RECOVERY, &[], Some(below()));
        assert!(matches!(judgement, Judgement::AcceptLoss(_)), "{judgement:?}");
    }
}
