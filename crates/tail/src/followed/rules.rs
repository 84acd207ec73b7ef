//! By which rules a source is read, and whether what new rules count of its past is registered.

use std::sync::Arc;

use logtally_count::input::Input;
use logtally_count::reading::Reading;

/// Whether everything is registered that new rules count afterwards.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Backfills {
    /// Not known yet.
    Unknown,
    /// The registration is under way.
    Registering,
    /// All are registered: the rules may count live.
    Registered,
}

/// The rules by which a source is read from its next step on.
pub(crate) struct RulesInForce {
    reading: Reading,
    backfills: Backfills,
    /// Whether no input matches the source any more.
    removed: bool,
}

impl RulesInForce {
    /// Rules that have not counted live yet.
    pub(crate) fn new(reading: Reading) -> Self {
        Self { reading, backfills: Backfills::Unknown, removed: false }
    }

    /// How the records are read.
    pub(crate) fn reading(&self) -> &Reading {
        &self.reading
    }

    /// The input that the source belongs to.
    pub(crate) fn input(&self) -> &Arc<Input> {
        &self.reading.input
    }

    /// Reads by other rules from the next step on.
    pub(crate) fn replace(&mut self, reading: Reading) {
        *self = Self::new(reading);
    }

    /// Looks again at what is registered: the stored state is in doubt.
    pub(crate) fn reset(&mut self) {
        self.backfills = Backfills::Unknown;
    }

    /// Notes whether any input still matches the source.
    pub(crate) fn set_removed(&mut self, removed: bool) {
        self.removed = removed;
    }

    /// Whether no input matches the source any more: it is closed as soon as nothing is under way.
    pub(crate) fn is_removed(&self) -> bool {
        self.removed
    }

    /// Notes that the registration of backfills has begun.
    pub(crate) fn start_registering(&mut self) {
        self.backfills = Backfills::Registering;
    }

    /// Notes that all backfills are registered, or that there are none.
    pub(crate) fn note_registered(&mut self) {
        self.backfills = Backfills::Registered;
    }

    /// Whether the registration of backfills is under way.
    pub(crate) fn is_registering(&self) -> bool {
        self.backfills == Backfills::Registering
    }

    /// Whether the rules may count live.
    pub(crate) fn may_count(&self) -> bool {
        self.backfills == Backfills::Registered && !self.removed
    }

    /// Whether all backfills are registered.
    pub(crate) fn is_registered(&self) -> bool {
        self.backfills == Backfills::Registered
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_count_only_after_their_backfills_are_registered() {
        let mut rules = RulesInForce::new(logtally_count::testing::default_reading());
        assert!(!rules.may_count());
        rules.start_registering();
        assert!(rules.is_registering() && !rules.may_count());
        rules.note_registered();
        assert!(rules.may_count() && !rules.is_registering());
        rules.reset();
        assert!(!rules.may_count(), "the stored state is in doubt");
    }

    #[test]
    fn rules_that_match_nothing_do_not_count_until_others_come() {
        let mut rules = RulesInForce::new(logtally_count::testing::default_reading());
        rules.note_registered();
        rules.set_removed(true);
        assert!(rules.is_removed() && !rules.may_count());
        rules.replace(logtally_count::testing::default_reading());
        rules.note_registered();
        assert!(rules.may_count());
    }
}
