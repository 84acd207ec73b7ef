//! A push of metrics as something that can be committed: what it counts, with the times of its group.
//!
//! Must never touch the accounting of records: what is pushed here are metrics, and no records are
//! read, counted or rejected for them.

use std::sync::Arc;

use logtally_core::decimal::Decimal;
use logtally_core::push::Group;
use logtally_core::source::RecordCounts;
use logtally_exposition::{ExpositionError, PushOutcome, Pushed, convert, stamp};

use logtally_count::tally::Counted;

/// Units of a second in a [`Decimal`] that make a nanosecond.
const UNITS_PER_NS: i128 = 1_000;

/// What a push counts: `body` in the text format, at `now_ns` nanoseconds since 1970, in a group whose
/// series are hidden `ttl_s` seconds after their last push, with 0 never.
pub(crate) fn group_push(
    group: &Group,
    body: &[u8],
    ttl_s: u64,
    now_ns: u64,
) -> Result<Counted, ExpositionError> {
    let pushed = convert(body, group, ttl_s, now_ns)?;
    let success = PushOutcome::Success { now: seconds(now_ns) };
    let pushed = pushed.and(stamp(group, ttl_s, now_ns, success));
    pushed.check_size()?;
    Ok(counted(pushed))
}

/// What a push that was refused leaves in its group: the time of that.
pub(crate) fn group_failure(group: &Group, ttl_s: u64, now_ns: u64) -> Counted {
    let failure = PushOutcome::Failure { now: seconds(now_ns) };
    counted(stamp(group, ttl_s, now_ns, failure))
}

fn seconds(ns: u64) -> Decimal {
    Decimal::from_units(i128::from(ns) * UNITS_PER_NS)
}

fn counted(pushed: Pushed) -> Counted {
    let Pushed { families, increments } = pushed;
    let families = families.into_iter().map(Arc::new).collect();
    Counted { families, limits: vec![], increments, records: RecordCounts::default() }
}

#[cfg(test)]
mod tests {
    use logtally_core::limits::DELTA_BYTES_MAX;
    use logtally_core::series::Value;

    use super::*;

    const NOW_NS: u64 = 1_700_000_000_250_000_000;

    fn group() -> Group {
        logtally_exposition::group("job/j").expect("a group")
    }

    /// The names of the metrics, each with its value.
    fn values(counted: &Counted) -> Vec<(&str, String)> {
        let value = |(key, amount): (&[u8], logtally_core::series::Amount)| {
            let family = counted.families.iter().find(|f| key.starts_with(f.id().as_bytes()));
            let value = match amount.value {
                Value::Sum(value) => value,
                Value::Last(latest) => latest.value,
                other => panic!("{other:?}"),
            };
            (family.expect("the family of each row").name.as_str(), value.to_string())
        };
        counted.increments.iter().map(value).collect()
    }

    #[test]
    fn a_push_counts_and_says_when() {
        let body = b"# TYPE a counter\na 2\n";
        let counted = group_push(&group(), body, 0, NOW_NS).expect("good");
        let time = "1700000000.25".to_owned();
        let expected = [
            ("a", "2".to_owned()),
            ("push_time_seconds", time.clone()),
            ("push_failure_time_seconds", "0".to_owned()),
        ];
        assert_eq!(values(&counted), expected);
        assert_eq!((counted.records.read(), counted.limits.len()), (0, 0));
        let failure = group_failure(&group(), 0, NOW_NS);
        let expected = [("push_time_seconds", "0".to_owned()), ("push_failure_time_seconds", time)];
        assert_eq!(values(&failure), expected);
    }

    #[test]
    fn an_empty_push_says_when_and_a_bad_one_counts_nothing() {
        let counted = group_push(&group(), b"", 0, NOW_NS).expect("good");
        assert_eq!(values(&counted)[0].0, "push_time_seconds");
        let refused = group_push(&group(), b"a 1\nb\n", 0, NOW_NS).expect_err("no value");
        assert_eq!(refused.to_string(), "line 2: `b` has no value");
    }

    #[test]
    fn what_is_too_large_for_one_commit_is_refused() {
        let lines = |n: usize| -> Vec<u8> {
            (0..n).flat_map(|n| format!("a{{b=\"{n}\"}} 1\n").into_bytes()).collect()
        };
        let large = group_push(&group(), &lines(50_000), 0, NOW_NS).expect("fits");
        assert!(large.increments.len() < DELTA_BYTES_MAX);
        assert!(matches!(
            group_push(&group(), &lines(100_000), 0, NOW_NS),
            Err(ExpositionError::TooLarge)
        ));
    }
}
