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

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use super::Admission::{Apply, Duplicate, Rewind, Stale, Unknown};
    use super::*;
    use crate::delta::Span;
    use crate::series::{Kind, SeriesKey};
    use crate::source::{Generation, RecordCounts, SourceId, Tail};

    fn family(name: &str) -> Family {
        Family::new(name, Kind::Gauge, "", &[])
    }

    /// A delta that counts its length in the one series of `lines`.
    fn delta(source: &str, span: Range<u64>) -> Delta {
        let key = SeriesKey::new(family("lines").id(), []);
        Delta {
            source: SourceId::new(source).expect("valid"),
            generation: Generation(1),
            span: Span::new(span.start, span.end).expect("valid"),
            tail_before: Tail(span.start),
            tail_after: Tail(span.end),
            note: None,
            records: RecordCounts { counted: span.end - span.start, filtered: 0, rejected: 1 },
            families: vec![family("lines")],
            limits: vec![],
            increments: Increments::pack([(key.as_bytes(), span.end - span.start)]),
        }
    }

    /// Source and span of each delta, for short expectations.
    fn spans(deltas: &[Delta]) -> Vec<String> {
        deltas.iter().map(|d| format!("{:?}{:?}", d.source, d.span)).collect()
    }

    fn check(deltas: impl IntoIterator<Item = Delta>, batch: &[&str], later: &[&str]) -> Batch {
        let (built, handed_back) = Batch::build(deltas);
        assert_eq!(spans(built.deltas()), batch);
        assert_eq!(spans(&handed_back), later);
        built
    }

    fn stored(position: u64) -> SourceState {
        let tail = Tail(position);
        SourceState { position, tail, ..SourceState::start(Generation(1)) }
    }

    fn total(batch: &Batch) -> u64 {
        batch.increments().iter().map(|(_, n)| n.count).sum()
    }

    #[test]
    fn spans_that_continue_are_joined() {
        let deltas = [delta("a", 0..10), delta("b", 5..6), delta("a", 10..30), delta("a", 30..31)];
        let batch = check(deltas, &["a(0..31]", "b(5..6]"], &[]);
        let joined = &batch.deltas()[0];
        assert_eq!((joined.tail_before, joined.tail_after), (Tail(0), Tail(31)));
        assert_eq!(joined.records, RecordCounts { counted: 31, filtered: 0, rejected: 3 });
        assert_eq!(joined.increments.iter().map(|(_, n)| n.count).sum::<u64>(), 31);
        assert_eq!(total(&batch), 32);
    }

    #[test]
    fn what_does_not_continue_is_handed_back_in_order() {
        // Once a delta of a source waits, all later ones of it wait: they would overtake it.
        let deltas = [
            delta("a", 0..10),
            delta("a", 20..30),
            delta("b", 0..1),
            delta("a", 10..20),
            delta("a", 30..40),
        ];
        check(deltas, &["a(0..10]", "b(0..1]"], &["a(20..30]", "a(10..20]", "a(30..40]"]);
        check([delta("a", 0..10), delta("a", 0..10)], &["a(0..10]"], &["a(0..10]"]);
    }

    #[test]
    fn another_life_or_another_tail_does_not_continue() {
        let mut other_life = delta("a", 10..20);
        other_life.generation = Generation(2);
        check([delta("a", 0..10), other_life], &["a(0..10]"], &["a(10..20]"]);
        let mut other_tail = delta("a", 10..20);
        other_tail.tail_before = Tail(99);
        check([delta("a", 0..10), other_tail], &["a(0..10]"], &["a(10..20]"]);
    }

    #[test]
    fn families_are_listed_once() {
        let mut both = delta("b", 0..1);
        both.families = vec![family("other"), family("lines")];
        let batch = check([delta("a", 0..1), both], &["a(0..1]", "b(0..1]"], &[]);
        assert_eq!(batch.families(), [family("lines"), family("other")]);
    }

    #[test]
    fn nothing_makes_an_empty_batch() {
        let batch = check([], &[], &[]);
        assert!(batch.is_empty() && batch.increments().is_empty());
    }

    #[test]
    fn a_batch_is_admitted_whole_or_not_at_all() {
        let batch = check([delta("a", 0..10), delta("b", 5..9)], &["a(0..10]", "b(5..9]"], &[]);
        let (all, verdicts) = decide(&batch, &[stored(0), stored(5)].map(Some));
        assert!(all && verdicts.iter().all(|v| v.admission == Apply));
        let after: Vec<_> = verdicts.iter().filter_map(|v| v.stored).collect();
        assert_eq!(after.iter().map(|s| s.position).collect::<Vec<_>>(), [10, 9]);
        assert_eq!(after[0].records, RecordCounts { counted: 10, filtered: 0, rejected: 1 });

        let older = SourceState { generation: Generation(9), ..stored(5) };
        for (second, admission) in [
            (Some(stored(9)), Duplicate),
            (Some(stored(6)), Rewind),
            (Some(stored(4)), Rewind),
            (Some(older), Stale),
            (None, Unknown),
        ] {
            let (all, verdicts) = decide(&batch, &[Some(stored(0)), second]);
            assert!(!all, "{admission:?}");
            assert_eq!(verdicts[0], Verdict { admission: Apply, stored: Some(stored(0)) });
            assert_eq!(verdicts[1], Verdict { admission, stored: second });
        }
    }

    #[test]
    fn what_fits_is_a_batch_of_its_own() {
        let deltas = [delta("a", 0..10), delta("b", 5..9), delta("c", 0..2)];
        let batch = check(deltas, &["a(0..10]", "b(5..9]", "c(0..2]"], &[]);
        let states = [stored(0), stored(7), stored(0)].map(Some);
        let (_, verdicts) = decide(&batch, &states);
        let rest = batch.only_admitted(&verdicts);
        assert_eq!(spans(rest.deltas()), ["a(0..10]", "c(0..2]"]);
        assert_eq!(total(&rest), 12);
        assert!(decide(&rest, &[stored(0), stored(0)].map(Some)).0);
    }

    #[test]
    #[should_panic(expected = "one stored state per delta")]
    fn a_state_too_few_is_a_mistake_of_the_caller() {
        let (batch, _) = Batch::build([delta("a", 0..1)]);
        decide(&batch, &[]);
    }
}
