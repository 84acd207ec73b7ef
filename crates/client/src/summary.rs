//! What became of what was pushed. Only says what was acknowledged; never guesses.

use std::collections::BTreeMap;

use logtally_proto::v1;

/// What a retry does to a message that is counted already.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Guarantee {
    /// Nothing: it is counted once.
    ExactlyOnce,
    /// It may be counted again: there was no producer name.
    AtLeastOnce,
}

/// How far a producer was counted when it was opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Resumed {
    /// The last message that is counted; 0 for none.
    pub sequence: u64,
    /// XXH3-64 of its records.
    pub content_hash: Option<u64>,
    /// The note that came with it.
    pub note: Option<u64>,
    /// Whether that survives a crash of the store.
    pub durable: bool,
}

/// How far a producer is acknowledged.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Acknowledged {
    /// The last message; 0 for none.
    pub sequence: u64,
    /// Its note, or that of the opening.
    pub note: Option<u64>,
}

/// What became of everything that was pushed since the opening.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Summary {
    /// Messages that are acknowledged.
    pub messages: u64,
    /// Of these, those that had been counted before. What they counted was in an answer that was lost,
    /// or in one of an earlier run, and is not in the numbers here.
    pub duplicates: u64,
    /// Messages that were acknowledged twice, because the store had lost them in between. What they
    /// count is in the numbers here twice, and once in the store.
    pub replayed: u64,
    /// Records that were counted.
    pub counted: u64,
    /// Records that no rule takes.
    pub filtered: u64,
    /// Records that cannot be counted, by reason.
    pub rejected: BTreeMap<String, u64>,
    /// Whether all of that survives a crash of the store.
    pub durable: bool,
    /// What was promised.
    pub guarantee: Guarantee,
}

impl Summary {
    pub(crate) fn new(named: bool, durable: bool) -> Self {
        let guarantee = if named { Guarantee::ExactlyOnce } else { Guarantee::AtLeastOnce };
        Self {
            messages: 0,
            duplicates: 0,
            replayed: 0,
            counted: 0,
            filtered: 0,
            rejected: BTreeMap::new(),
            durable,
            guarantee,
        }
    }

    /// Adds what an answer says of its records.
    pub(crate) fn add(&mut self, answer: &v1::PushResponse) {
        self.duplicates += answer.duplicates;
        self.counted += answer.counted;
        self.filtered += answer.filtered;
        self.durable = answer.durable;
        for rejection in &answer.rejected {
            *self.rejected.entry(rejection.reason.clone()).or_default() += rejection.records;
        }
        if answer.guarantee() == v1::Guarantee::AtLeastOnce {
            self.guarantee = Guarantee::AtLeastOnce;
        }
    }
}

impl From<v1::OpenProducerResponse> for Resumed {
    fn from(opened: v1::OpenProducerResponse) -> Self {
        let content_hash = (opened.sequence > 0).then_some(opened.content_hash);
        let v1::OpenProducerResponse { sequence, note, durable, .. } = opened;
        Self { sequence, content_hash, note, durable }
    }
}
