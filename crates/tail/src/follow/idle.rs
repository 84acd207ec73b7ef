//! Which idle sources ask for their stored state next.

use logtally_core::limits::IDLE_CHECKS_MAX;
use logtally_core::source::SourceId;

/// Whose turn it is: with very many sources, each round is for a part of them.
#[derive(Default)]
pub(super) struct IdleTurns {
    rounds: u64,
}

/// One round: the sources whose hash leaves this remainder. A hash costs less than an order.
#[derive(Clone, Copy, Debug)]
pub(super) struct IdleRound {
    parts: u64,
    part: u64,
}

impl IdleTurns {
    /// The next round over so many sources.
    pub(super) fn next(&mut self, sources: usize) -> IdleRound {
        self.rounds += 1;
        let parts = (sources.div_ceil(IDLE_CHECKS_MAX) as u64).max(1);
        IdleRound { parts, part: self.rounds % parts }
    }
}

impl IdleRound {
    /// Whether it is a source's turn.
    pub(super) fn includes(self, id: &SourceId) -> bool {
        self.parts == 1 || id.hash64() % self.parts == self.part
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_source_has_its_turn_once_in_as_many_rounds_as_there_are_parts() {
        let ids = (0..100).map(|i| SourceId::new(&format!("file/v/{i}/1")).expect("valid"));
        let ids: Vec<SourceId> = ids.collect();
        let mut turns = IdleTurns::default();
        for id in &ids {
            assert!(turns.next(IDLE_CHECKS_MAX).includes(id), "there are few");
        }
        let rounds: Vec<IdleRound> = (0..3).map(|_| turns.next(3 * IDLE_CHECKS_MAX)).collect();
        for id in &ids {
            assert_eq!(rounds.iter().filter(|round| round.includes(id)).count(), 1);
        }
    }
}
