//! The table of admission, against the function that decides and against every store.

use std::ops::Range;

use logtally_core::admission::Admission::{self, Apply, Duplicate, Rewind, Stale, Unknown};
use logtally_core::admission::admit;
use logtally_core::delta::Delta;
use logtally_core::limits::POSITION_MAX;
use logtally_core::source::{SourceState, Tail};

use crate::backend::Backend;
use crate::words::{commit, install, lines, load, state, store_with, stored};

/// A delta that meets a stored state, and what must come of it.
struct Row {
    case: &'static str,
    stored: Option<SourceState>,
    generation: u64,
    span: Range<u64>,
    tail_before: Option<Tail>,
    admission: Admission,
}

impl Row {
    fn delta(&self, name: &str) -> Delta {
        let mut delta = lines(name, self.generation, self.span.clone(), "x");
        delta.tail_before = self.tail_before.unwrap_or(delta.tail_before);
        delta
    }
}

/// Generation 1 is stored; `tail_before` is the right one unless another is given.
fn table() -> Vec<Row> {
    let other = Some(Tail(0xbad));
    let far = POSITION_MAX;
    let at = |position| Some(state(1, position));
    let row = |case, stored, generation, span, tail_before, admission| Row {
        case,
        stored,
        generation,
        span,
        tail_before,
        admission,
    };
    vec![
        row("not registered", None, 1, 0..10, None, Unknown),
        row("not registered, in the middle", None, 1, 5..10, None, Unknown),
        row("from = at", at(10), 1, 10..20, None, Apply),
        row("from = at = 0", at(0), 1, 0..1, None, Apply),
        row("from = at, another tail", at(10), 1, 10..20, other, Stale),
        row("from = at = 0, another tail", at(0), 1, 0..1, other, Stale),
        row("from = at, another generation", at(10), 2, 10..20, None, Stale),
        row("to = at", at(10), 1, 5..10, None, Duplicate),
        row("to = at, from 0", at(10), 1, 0..10, None, Duplicate),
        row("to = at, another tail before", at(10), 1, 5..10, other, Duplicate),
        row("to < at", at(10), 1, 3..9, None, Duplicate),
        row("to < at, another generation", at(10), 2, 3..9, None, Stale),
        row("to one below at", at(10), 1, 0..9, None, Duplicate),
        row("from < at < to", at(10), 1, 5..15, None, Rewind),
        row("from < at < to, by one on both sides", at(10), 1, 9..11, None, Rewind),
        row("from < at < to, another tail before", at(10), 1, 5..15, other, Rewind),
        row("from < at < to, another generation", at(10), 2, 5..15, None, Stale),
        row("a gap", at(10), 1, 15..20, None, Rewind),
        row("a gap of one", at(10), 1, 11..20, None, Rewind),
        row("a gap at the beginning", at(0), 1, 1..2, None, Rewind),
        row("a gap, another tail before", at(10), 1, 15..20, other, Rewind),
        row("a gap, another generation", at(10), 2, 15..20, None, Stale),
        row("longer in digits, smaller as text", at(9), 1, 10..100, None, Rewind),
        row("shorter in digits, greater as text", at(100), 1, 9..99, None, Duplicate),
        row("up to the last position", at(far - 1), 1, far - 1..far, None, Apply),
        row("all of it at once", at(0), 1, 0..far, None, Apply),
        row("the last position again", at(far), 1, far - 1..far, None, Duplicate),
        row("across a far position", at(far - 1), 1, far - 2..far, None, Rewind),
        row("a gap before the last position", at(far - 2), 1, far - 1..far, None, Rewind),
    ]
}

#[test]
fn the_deciding_function_follows_the_table() {
    for row in table() {
        assert_eq!(admit(row.stored.as_ref(), &row.delta("s")), row.admission, "{}", row.case);
    }
}

pub(crate) async fn every_row_of_the_table(place: impl Backend) {
    let store = store_with(&place, &[]).await;
    for (i, row) in table().into_iter().enumerate() {
        let (name, case) = (format!("s{i}"), row.case);
        if let Some(found) = row.stored {
            install(&store, &name, found).await;
        }
        let before = load(&store).await.at;
        let delta = row.delta(&name);
        let committed = commit(&store, [delta.clone()]).await;
        let applies = row.admission == Apply;
        let after = row.stored.map(|s| if applies { delta.state_after(&s) } else { s });
        assert_eq!(committed.verdicts.len(), 1, "{case}");
        assert_eq!(committed.verdicts[0].admission, row.admission, "{case}");
        assert_eq!(committed.verdicts[0].stored, after, "{case}");
        assert_eq!(committed.applied.is_some(), applies, "{case}");
        assert_eq!(stored(&store, &name).await, after, "{case}");
        let reached = committed.applied.unwrap_or(before);
        assert_eq!(load(&store).await.at, reached, "{case}");
        assert_eq!(reached.seq, before.seq + u64::from(applies), "{case}");
    }
}
