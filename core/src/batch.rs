//! A batch: the deltas that one commit applies to one partition, as a whole or not at all.

use crate::admission::{Admission, admit};
use crate::delta::Delta;
use crate::series::{Family, Increments};
use crate::source::SourceState;

/// Deltas of distinct sources, with their families and increments merged.
#[derive(Clone, Debug)]
pub struct Batch {
    deltas: Vec<Delta>,
    families: Vec<Family>,
    increments: Increments,
}

impl Batch {
    /// Builds a batch. A delta that continues an earlier one of the same source is joined to it; a
    /// delta of a source that is already in the batch and does not continue is handed back for the
    /// next batch.
    pub fn build(deltas: impl IntoIterator<Item = Delta>) -> (Self, Vec<Delta>) {
        let mut joined: Vec<Delta> = Vec::new();
        let mut later: Vec<Delta> = Vec::new();
        for delta in deltas {
            let same = joined.iter().position(|d| d.source == delta.source);
            let postponed = later.iter().any(|d| d.source == delta.source);
            match same {
                _ if postponed => later.push(delta),
                None => joined.push(delta),
                Some(i) if joined[i].continued_by(&delta) => {
                    let first = joined.remove(i);
                    joined.insert(i, first.join(delta));
                }
                Some(_) => later.push(delta),
            }
        }
        (Self::of_distinct(joined), later)
    }

    fn of_distinct(deltas: Vec<Delta>) -> Self {
        let mut families: Vec<Family> = Vec::new();
        for family in deltas.iter().flat_map(|d| &d.families) {
            if !families.contains(family) {
                families.push(family.clone());
            }
        }
        let increments = Increments::merge(deltas.iter().map(|d| &d.increments));
        Self { deltas, families, increments }
    }

    /// The deltas, at most one per source.
    pub fn deltas(&self) -> &[Delta] {
        &self.deltas
    }

    /// The families of all deltas.
    pub fn families(&self) -> &[Family] {
        &self.families
    }

    /// The merged increments of all deltas.
    pub fn increments(&self) -> &Increments {
        &self.increments
    }

    /// Whether there is nothing to commit.
    pub fn is_empty(&self) -> bool {
        self.deltas.is_empty()
    }

    /// The batch without the deltas that did not fit, given the verdict on each delta in order.
    #[must_use]
    pub fn only_admitted(self, verdicts: &[Verdict]) -> Self {
        let fits = |v: &Verdict| v.admission == Admission::Apply;
        let kept = self.deltas.into_iter().zip(verdicts).filter(|(_, v)| fits(v));
        Self::of_distinct(kept.map(|(delta, _)| delta).collect())
    }
}

/// What the store says about one delta of a batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Verdict {
    /// The decision.
    pub admission: Admission,
    /// The state stored now: after the commit if the batch was applied, else as it was found.
    pub stored: Option<SourceState>,
}

/// Decides a whole batch against the stored states of its sources, in order. If every delta is
/// admitted the verdicts hold the states to write; otherwise nothing may be written.
///
/// # Panics
/// If there are not as many states as deltas.
pub fn decide(batch: &Batch, stored: &[Option<SourceState>]) -> (bool, Vec<Verdict>) {
    assert_eq!(batch.deltas.len(), stored.len(), "one stored state per delta");
    let pairs = || batch.deltas.iter().zip(stored);
    let all = pairs().all(|(delta, state)| admit(state.as_ref(), delta) == Admission::Apply);
    let verdict = |(delta, state): (&Delta, &Option<SourceState>)| Verdict {
        admission: admit(state.as_ref(), delta),
        stored: state.map(|s| if all { delta.state_after(&s) } else { s }),
    };
    (all, pairs().map(verdict).collect())
}
