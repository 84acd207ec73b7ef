//! How many series a family may have: which new series are taken, and where the others are counted.
//!
//! Beyond a limit, records are not lost: they are counted in an overflow series, whose label values are
//! all [`OVERFLOW`], so that sums over all series stay right. A series that is there is never refused.
//! The buckets of a histogram are one series here.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::delta::{SeriesLimit, TenantSeriesLimit};
use crate::hash::hash64;
use crate::series::{Amount, FAMILY_ID_BYTES, FamilyId, Increments, SeriesKey, split_bucket};

/// The label values of an overflow series.
pub const OVERFLOW: &str = "__overflow__";

/// The series that limited families are known to have, by hash. Two series with one hash, of which
/// there are none among millions, would be taken for one.
#[derive(Clone, Default, Debug)]
pub struct SeriesIndex {
    families: HashMap<FamilyId, FamilySeries>,
}

#[derive(Clone, Default, Debug)]
struct FamilySeries {
    series: HashSet<u64>,
    /// Series per value, by label and the value's hash, of labels that a limit names.
    tenants: HashMap<usize, HashMap<u64, u64>>,
}

/// Increments within their limits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Limited {
    /// The increments, some of which now go to overflow series.
    pub increments: Increments,
    /// Records that go to overflow series, by family.
    pub overflowed: BTreeMap<FamilyId, u64>,
    /// New series that were taken. They are known from here on, although they are stored by nobody yet.
    pub taken: Vec<SeriesKey>,
}

/// A series of a limited family, without the bound of a bucket.
struct Series<'a> {
    id: FamilyId,
    hash: u64,
    values: Vec<&'a [u8]>,
    /// The bound, of a histogram's row.
    le: Option<&'a [u8]>,
}

impl<'a> Series<'a> {
    fn of(key: &'a [u8]) -> Option<Self> {
        let id = FamilyId::of_key(key)?;
        let (series, le) = split_bucket(key);
        let values = series[FAMILY_ID_BYTES..].split(|b| *b == 0).skip(1).collect();
        Some(Self { id, hash: hash64(series), values, le })
    }

    fn tenant(&self, label: usize) -> Option<u64> {
        self.values.get(label).map(|value| hash64(value))
    }

    /// The key of the overflow series; one label may keep its value.
    fn overflow(&self, kept: Option<usize>) -> Vec<u8> {
        let mut key = self.id.as_bytes().to_vec();
        for (label, value) in self.values.iter().enumerate() {
            key.push(0);
            key.extend_from_slice(if kept == Some(label) { value } else { OVERFLOW.as_bytes() });
        }
        if let Some(le) = self.le {
            key.push(0);
            key.extend_from_slice(le);
        }
        key
    }
}

impl FamilySeries {
    /// Whether a series counts: one without labels cannot overflow, and the overflow series itself
    /// must always have room.
    fn counts(&self, series: &Series<'_>) -> bool {
        let is_overflow = |value: &&&[u8]| **value == OVERFLOW.as_bytes();
        let own = series.values.iter().enumerate().filter(|(_, value)| !is_overflow(value));
        let own: Vec<usize> = own.map(|(label, _)| label).collect();
        match own[..] {
            [] => false,
            [label] if series.values.len() > 1 => !self.tenants.contains_key(&label),
            _ => true,
        }
    }

    fn insert(&mut self, series: &Series<'_>) -> bool {
        if !self.series.insert(series.hash) {
            return false;
        }
        for (label, values) in &mut self.tenants {
            if let Some(tenant) = series.tenant(*label) {
                *values.entry(tenant).or_default() += 1;
            }
        }
        true
    }

    fn remove(&mut self, series: &Series<'_>) {
        if !self.series.remove(&series.hash) {
            return;
        }
        for (label, values) in &mut self.tenants {
            let count = series.tenant(*label).and_then(|tenant| values.get_mut(&tenant));
            if let Some(count) = count {
                *count = count.saturating_sub(1);
            }
        }
    }

    fn of_tenant(&self, series: &Series<'_>, limit: TenantSeriesLimit) -> u64 {
        let count = self.tenants.get(&limit.label).zip(series.tenant(limit.label));
        count.and_then(|(values, tenant)| values.get(&tenant).copied()).unwrap_or(0)
    }

    /// The overflow series of a new series for which there is no room; `None` if there is.
    fn refused(&self, series: &Series<'_>, limit: &SeriesLimit) -> Option<Vec<u8>> {
        let tenant = limit.tenant.map(|tenant| (tenant, self.of_tenant(series, tenant)));
        let full_tenant = tenant.filter(|(tenant, count)| *count >= tenant.series_max);
        match full_tenant {
            // A tenant that has a series at all keeps its name: so there are no more overflow series
            // than tenants with a series, which the other limit bounds.
            Some((tenant, 1..)) => Some(series.overflow(Some(tenant.label))),
            Some(_) => Some(series.overflow(None)),
            None if self.series.len() as u64 >= limit.series_max => Some(series.overflow(None)),
            None => None,
        }
    }
}

impl SeriesIndex {
    /// Watches the families of `limits` from here on. Whether something is new, so that all series
    /// must be told again.
    #[must_use]
    pub fn watch(&mut self, limits: &[SeriesLimit]) -> bool {
        let mut is_new = false;
        for limit in limits {
            is_new |= !self.families.contains_key(&limit.family);
            let family = self.families.entry(limit.family).or_default();
            if let Some(tenant) = limit.tenant {
                is_new |= !family.tenants.contains_key(&tenant.label);
                family.tenants.entry(tenant.label).or_default();
            }
        }
        is_new
    }

    /// Forgets all series, and goes on watching.
    pub fn clear(&mut self) {
        for family in self.families.values_mut() {
            family.series.clear();
            family.tenants.values_mut().for_each(HashMap::clear);
        }
    }

    /// Learns of a series. Those of families that are not watched are passed over.
    pub fn insert(&mut self, key: &[u8]) {
        let Some((family, series)) = self.watched(key) else { return };
        if family.counts(&series) {
            family.insert(&series);
        }
    }

    /// Takes a series back that nobody stored.
    pub fn remove(&mut self, key: &SeriesKey) {
        if let Some((family, series)) = self.watched(key.as_bytes()) {
            family.remove(&series);
        }
    }

    /// How many series a family is known to have, the overflow series not counted.
    pub fn series(&self, family: FamilyId) -> u64 {
        self.families.get(&family).map_or(0, |family| family.series.len() as u64)
    }

    /// Whether every series of a watched family among `increments` is known.
    pub fn has_all(&self, increments: &Increments) -> bool {
        increments.iter().all(|(key, _)| {
            let family = FamilyId::of_key(key).and_then(|id| self.families.get(&id));
            family.zip(Series::of(key)).is_none_or(|(family, series)| {
                family.series.contains(&series.hash) || !family.counts(&series)
            })
        })
    }

    /// Holds increments to their limits. The families must be watched.
    pub fn limit(&mut self, limits: &[SeriesLimit], increments: &Increments) -> Limited {
        let mut kept: Vec<(&[u8], Amount)> = Vec::new();
        let mut moved: BTreeMap<Vec<u8>, Vec<Amount>> = BTreeMap::new();
        let (mut overflowed, mut taken) = (BTreeMap::new(), Vec::new());
        for (key, amount) in increments.iter() {
            match self.destination(limits, key) {
                Destination::Known => kept.push((key, amount)),
                Destination::Taken(series) => {
                    taken.push(series);
                    kept.push((key, amount));
                }
                Destination::Overflow(id, key) => {
                    *overflowed.entry(id).or_default() += amount.count;
                    add(moved.entry(key).or_default(), amount);
                }
            }
        }
        let moved = moved.iter().flat_map(|(key, sums)| sums.iter().map(|sum| (&key[..], *sum)));
        let moved = Increments::pack(moved);
        let increments = if overflowed.is_empty() {
            increments.clone()
        } else {
            // Something may go to the overflow series already.
            Increments::merge([&Increments::pack(kept), &moved])
        };
        Limited { increments, overflowed, taken }
    }

    fn destination(&mut self, limits: &[SeriesLimit], key: &[u8]) -> Destination {
        let id = FamilyId::of_key(key);
        let Some(limit) = limits.iter().find(|limit| Some(limit.family) == id) else {
            return Destination::Known;
        };
        let Some((family, series)) = self.watched(key) else { return Destination::Known };
        if family.series.contains(&series.hash) || !family.counts(&series) {
            return Destination::Known;
        }
        if let Some(overflow) = family.refused(&series, limit) {
            return Destination::Overflow(series.id, overflow);
        }
        family.insert(&series);
        SeriesKey::parse(key).map_or(Destination::Known, Destination::Taken)
    }

    fn watched<'a>(&mut self, key: &'a [u8]) -> Option<(&mut FamilySeries, Series<'a>)> {
        let family = self.families.get_mut(&FamilyId::of_key(key)?)?;
        Some((family, Series::of(key)?))
    }
}

/// Where an increment goes.
enum Destination {
    Known,
    Taken(SeriesKey),
    Overflow(FamilyId, Vec<u8>),
}

/// Merges an amount into a sum; what would leave the range stays beside it.
fn add(sums: &mut Vec<Amount>, amount: Amount) {
    match sums.last_mut().map(|sum| (sum.merge(amount), sum)) {
        Some((Ok(both), sum)) => *sum = both,
        _ => sums.push(amount),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::decimal::Decimal;
    use crate::series::{Family, Kind, Value};

    fn gauge() -> Family {
        Family::new("lines", Kind::Gauge, "", &["tenant", "host"])
    }

    fn histogram() -> Family {
        let buckets = vec!["1".to_owned()];
        Family { buckets, ..Family::new("took", Kind::Histogram, "", &["tenant", "host", "le"]) }
    }

    fn limit(family: &Family, series_max: u64, tenant_max: Option<u64>) -> SeriesLimit {
        let tenant = tenant_max.map(|series_max| TenantSeriesLimit { label: 0, series_max });
        SeriesLimit { family: family.id(), series_max, tenant }
    }

    fn pack(pairs: &[(SeriesKey, u64)]) -> Increments {
        Increments::pack(pairs.iter().map(|(key, n)| (key.as_bytes(), *n)))
    }

    /// Tells `known`, then counts one record in each of `counted`; compares where they went.
    fn check(
        limit: SeriesLimit,
        known: &[[&str; 2]],
        counted: &[[&str; 2]],
        expected: &[([&str; 2], u64)],
    ) -> Limited {
        let key = |values: &[&str; 2]| SeriesKey::new(gauge().id(), *values);
        let mut all = SeriesIndex::default();
        assert!(all.watch(&[limit]));
        for values in known {
            all.insert(key(values).as_bytes());
        }
        let counted: Vec<_> = counted.iter().map(|values| (key(values), 1)).collect();
        let limited = all.limit(&[limit], &pack(&counted));
        let expected: Vec<_> = expected.iter().map(|(values, n)| (key(values), *n)).collect();
        assert_eq!(limited.increments, pack(&expected));
        limited
    }

    const O: &str = OVERFLOW;

    #[test]
    fn what_is_there_stays_and_the_rest_overflows() {
        let only = limit(&gauge(), 2, None);
        let limited = check(
            only,
            &[["t", "a"]],
            &[["t", "a"], ["t", "b"], ["t", "c"], ["u", "d"], ["t", "b"]],
            &[(["t", "a"], 1), (["t", "b"], 2), ([O, O], 2)],
        );
        assert_eq!(limited.overflowed, BTreeMap::from([(gauge().id(), 2)]));
        assert_eq!(limited.taken, [SeriesKey::new(gauge().id(), ["t", "b"])]);
        let none = limit(&gauge(), 0, None);
        check(none, &[["t", "a"]], &[["t", "a"], ["t", "b"]], &[(["t", "a"], 1), ([O, O], 1)]);
        check(none, &[], &[[O, O]], &[([O, O], 1)]);
    }

    #[test]
    fn a_full_tenant_keeps_its_name() {
        let both = limit(&gauge(), 3, Some(1));
        check(
            both,
            &[["t", "a"], ["t", O]],
            &[["t", "b"], ["u", "a"], ["v", "a"], ["w", "a"], ["u", "b"]],
            &[(["u", "a"], 1), (["v", "a"], 1), ([O, O], 1), (["t", O], 1), (["u", O], 1)],
        );
        let nobody = limit(&gauge(), 3, Some(0));
        check(nobody, &[], &[["t", "a"], ["u", "a"]], &[([O, O], 2)]);
    }

    #[test]
    fn buckets_of_one_series_are_one() {
        let only = limit(&histogram(), 1, None);
        let mut known = SeriesIndex::default();
        assert!(known.watch(&[only]));
        let key = |host: &str, le: &str| SeriesKey::new(histogram().id(), ["t", host, le]);
        let amount = |n| Amount { count: n, value: Value::Sum(Decimal::from_units(7)) };
        let keys =
            [key("a", "1"), key("a", "+Inf"), key("b", "1"), key("c", "1"), key("b", "+Inf")];
        let packed = Increments::pack(keys.iter().map(|key| (key.as_bytes(), amount(1))));
        let limited = known.limit(&[only], &packed);
        assert_eq!(known.series(histogram().id()), 1);
        let overflow = |le: &str| SeriesKey::new(histogram().id(), [O, O, le]);
        let both = Amount { count: 2, value: Value::Sum(Decimal::from_units(14)) };
        let expected = [
            (key("a", "1"), amount(1)),
            (key("a", "+Inf"), amount(1)),
            (overflow("+Inf"), amount(1)),
            (overflow("1"), both),
        ];
        let expected = Increments::pack(expected.iter().map(|(key, n)| (key.as_bytes(), *n)));
        assert_eq!(limited.increments, expected);
    }

    #[test]
    fn what_is_taken_and_not_stored_is_given_back() {
        let only = limit(&gauge(), 1, Some(1));
        let mut known = SeriesIndex::default();
        assert!(known.watch(&[only]) && !known.watch(&[only]));
        let key = SeriesKey::new(gauge().id(), ["t", "a"]);
        let limited = known.limit(&[only], &pack(&[(key.clone(), 1)]));
        assert!(known.has_all(&pack(&[(key.clone(), 1)])));
        for taken in &limited.taken {
            known.remove(taken);
        }
        assert_eq!(known.series(gauge().id()), 0);
        let other = pack(&[(SeriesKey::new(gauge().id(), ["t", "b"]), 1)]);
        assert_eq!(known.limit(&[only], &other).increments, other);
    }

    #[test]
    fn families_without_labels_or_limits_are_left_alone() {
        let plain = Family::new("plain", Kind::Gauge, "", &[]);
        let only = limit(&plain, 0, None);
        let mut known = SeriesIndex::default();
        assert!(known.watch(&[only]));
        let keys = [SeriesKey::new(plain.id(), []), SeriesKey::new(gauge().id(), ["t", "a"])];
        let packed = pack(&keys.map(|key| (key, 1)));
        assert!(known.has_all(&packed));
        let limited = known.limit(&[only], &packed);
        assert_eq!((limited.increments, limited.overflowed.len()), (packed, 0));
    }

    type Pairs = Vec<(bool, u8, u8, u8, u64)>;

    fn keyed(pairs: &Pairs) -> Vec<(SeriesKey, Amount)> {
        let key = |(is_plain, tenant, host, le, n): &(bool, u8, u8, u8, u64)| {
            let [tenant, host] = [tenant, host].map(u8::to_string);
            if *is_plain {
                (SeriesKey::new(gauge().id(), [&*tenant, &*host]), Amount::records(*n))
            } else {
                let value = Value::Sum(Decimal::from_units(i128::from(*n)));
                let le = if *le == 0 { "1" } else { "+Inf" };
                let key = SeriesKey::new(histogram().id(), [&*tenant, &*host, le]);
                (key, Amount { count: *n, value })
            }
        };
        pairs.iter().map(key).collect()
    }

    /// Sums by family and bucket, which no limit changes.
    fn totals(increments: &Increments) -> BTreeMap<(FamilyId, Vec<u8>), Amount> {
        let mut totals: BTreeMap<_, Amount> = BTreeMap::new();
        for (key, amount) in increments.iter() {
            let series = Series::of(key).expect("a key");
            let at = (series.id, series.le.unwrap_or_default().to_vec());
            totals
                .entry(at)
                .and_modify(|sum| *sum = sum.merge(amount).expect("in range"))
                .or_insert(amount);
        }
        totals
    }

    proptest! {
        #[test]
        fn sums_stay_and_limits_hold(
            stored in prop::collection::vec((any::<bool>(), 0..3_u8, 0..4_u8, 0..2_u8, 1..9_u64), 0..9),
            blocks in prop::collection::vec(prop::collection::vec(
                (any::<bool>(), 0..4_u8, 0..6_u8, 0..2_u8, 1..9_u64), 0..20), 1..4),
            series_max in 0..9_u64,
            tenant_max in prop::option::of(0..4_u64),
        ) {
            let limits = [gauge(), histogram()].map(|f| limit(&f, series_max, tenant_max));
            let mut known = SeriesIndex::default();
            prop_assert!(known.watch(&limits));
            for (key, _) in keyed(&stored) {
                known.insert(key.as_bytes());
            }
            let before = known.clone();
            for block in &blocks {
                let block = keyed(block);
                let block = Increments::pack(block.iter().map(|(key, n)| (key.as_bytes(), *n)));
                let was_known = |key: &[u8]| before.has_all(&Increments::pack([(key, 1)]));
                let limited = known.limit(&limits, &block);
                prop_assert_eq!(totals(&limited.increments), totals(&block));
                prop_assert!(known.has_all(&limited.increments), "nothing else is stored");
                let sum_of = |all: &Increments, of: &[u8]| -> u64 {
                    all.iter().filter(|(key, _)| *key == of).map(|(_, n)| n.count).sum()
                };
                for (key, _) in block.iter().filter(|(key, _)| Series::of(key).is_some()) {
                    let (id, plain) = (FamilyId::of_key(key), key);
                    if id == Some(gauge().id()) && was_known(plain) {
                        prop_assert_eq!(sum_of(&limited.increments, key), sum_of(&block, key));
                    }
                }
                let overflowed: u64 = limited.overflowed.values().sum();
                let in_overflow: u64 = limited.increments.iter()
                    .filter(|(key, _)| Series::of(key).is_some_and(|s| s.values[1] == O.as_bytes()))
                    .map(|(_, n)| n.count).sum();
                prop_assert_eq!(overflowed, in_overflow);
            }
            for limit in &limits {
                let stored = before.series(limit.family);
                prop_assert!(known.series(limit.family) <= stored.max(limit.series_max));
                if let Some(tenant) = limit.tenant {
                    for (value, count) in &known.families[&limit.family].tenants[&tenant.label] {
                        let tenants = &before.families[&limit.family].tenants[&tenant.label];
                        let stored = tenants.get(value).copied().unwrap_or(0);
                        prop_assert!(*count <= stored.max(tenant.series_max));
                    }
                }
            }
        }
    }
}
