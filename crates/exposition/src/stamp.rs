//! The times of a group: when it was pushed to last, and when that failed last.
//!
//! Must never be pushed by clients: both names are reserved.

use logtally_core::decimal::Decimal;
use logtally_core::push::Group;
use logtally_core::series::{Amount, Family, Increments, Kind, Latest, SeriesKey, Value};

use crate::pushed::Pushed;

/// The names of both gauges: of the last push, and of the last one that failed.
pub(crate) const NAMES: [&str; 2] = [SUCCESS, FAILURE];

const SUCCESS: &str = "push_time_seconds";
const FAILURE: &str = "push_failure_time_seconds";

/// How a push ended, and when: seconds since 1970.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PushOutcome {
    /// It is counted.
    Success {
        /// Now.
        now: Decimal,
    },
    /// It is refused.
    Failure {
        /// Now.
        now: Decimal,
    },
}

/// What a push leaves in its group beside its metrics: to be added to those of a push that is counted,
/// or in place of one that is refused.
///
/// Each outcome sets its own time, and makes the other one 0 if it was never set: a 0 of the year 1970
/// loses against every value that arrived.
pub fn stamp(group: &Group, ttl_s: u64, tie: u64, outcome: PushOutcome) -> Pushed {
    let never = Latest { time_ns: 0, position: 0, value: Decimal::ZERO };
    let (success, failure) = match outcome {
        PushOutcome::Success { now } => (Latest::arrived(tie, now), never),
        PushOutcome::Failure { now } => (never, Latest::arrived(tie, now)),
    };
    let families = vec![
        family(SUCCESS, "Last Unix time when a push to this group was counted", group, ttl_s),
        family(FAILURE, "Last Unix time when a push to this group was refused", group, ttl_s),
    ];
    let values = || group.labels().iter().map(|(_, value)| value.as_str());
    let keys: Vec<SeriesKey> =
        families.iter().map(|family| SeriesKey::new(family.id(), values())).collect();
    let amount = |latest| Amount { count: 1, value: Value::Last(latest) };
    let rows = keys.iter().zip([amount(success), amount(failure)]);
    let increments = Increments::pack(rows.map(|(key, amount)| (key.as_bytes(), amount)));
    Pushed { families, increments }
}

fn family(name: &str, help: &str, group: &Group, ttl_s: u64) -> Family {
    let labels: Vec<String> = group.labels().iter().map(|(name, _)| name.clone()).collect();
    let group = labels.clone();
    Family { labels, group, ttl_s, ..Family::new(name, Kind::Last, help, &[]) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn group() -> Group {
        let own = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        Group::new(vec![own("job", "a"), own("zone", "")]).expect("distinct labels")
    }

    /// Both times after some outcomes, in the order of their commits.
    fn times(outcomes: &[PushOutcome]) -> BTreeMap<String, String> {
        let (mut sums, mut names) = (BTreeMap::<Vec<u8>, Amount>::new(), BTreeMap::new());
        for (seq, outcome) in (1..).zip(outcomes) {
            let pushed = stamp(&group(), 60, seq, *outcome);
            names.extend(pushed.families.iter().map(|family| (family.id(), family.clone())));
            for (key, amount) in pushed.increments.iter() {
                let amount = amount.settled(1_700_000_000_000 + seq, seq);
                let sum = sums.get(key).map_or(amount, |sum| sum.merge(amount).expect("one kind"));
                sums.insert(key.to_vec(), sum);
            }
        }
        let shown = |(key, amount): (&Vec<u8>, &Amount)| {
            let key = SeriesKey::parse(key).expect("a key");
            let Value::Last(latest) = amount.value else { panic!("{amount:?}") };
            let family = &names[&key.family()];
            assert_eq!((&*family.labels, &*family.group), (&*family.group, &*family.labels));
            assert_eq!(key.values().collect::<Vec<_>>(), ["a", ""]);
            (family.name.clone(), latest.value.to_string())
        };
        sums.iter().map(shown).collect()
    }

    fn check(outcomes: &[PushOutcome], success: &str, failure: &str) {
        let expected = [(SUCCESS, success), (FAILURE, failure)];
        let own = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        assert_eq!(times(outcomes), expected.into_iter().map(own).collect(), "{outcomes:?}");
    }

    #[test]
    fn each_outcome_has_its_time_and_leaves_the_other_one_alone() {
        let now = |text: &str| text.parse::<Decimal>().expect("a decimal");
        let success = |text| PushOutcome::Success { now: now(text) };
        let failure = |text| PushOutcome::Failure { now: now(text) };
        check(&[success("5.5")], "5.5", "0");
        check(&[failure("5.5")], "0", "5.5");
        check(&[failure("5"), success("6")], "6", "5");
        check(&[success("5"), failure("6"), success("7")], "7", "6");
        check(&[success("7"), success("5")], "5", "0");
    }
}
