//! Amounts: what one row of a series holds, and how two of them become one.

use crate::decimal::Decimal;
use crate::series::Kind;

/// What an increment adds to a row, and what a row holds. Merging is exact, commutative and
/// associative for every kind, so the order in which sources, deltas and partitions are merged does
/// not matter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Amount {
    /// Records. Never 0 in an increment: only goes up, whatever the kind, which is how a row that went
    /// back in time is noticed.
    pub count: u64,
    /// What is kept beside the number of records.
    pub value: Value,
}

/// What a row keeps beside its number of records.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Value {
    /// Nothing: [`Kind::Counter`], [`Kind::Gauge`].
    #[default]
    None,
    /// A sum: [`Kind::SumCounter`], [`Kind::SumGauge`], [`Kind::Histogram`].
    Sum(Decimal),
    /// The smallest value.
    Min(Decimal),
    /// The largest value.
    Max(Decimal),
    /// The value with the latest time.
    Last(Latest),
}

/// A value with its place in time. Ordered by time; at the same time by position in its source, so
/// that of two records of one source the later one stays; then by value, so that there is an order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Latest {
    /// Nanoseconds since 1970.
    pub time_ns: i64,
    /// Position of the record in its source.
    pub position: u64,
    /// The value.
    pub value: Decimal,
}

/// The sum of two amounts is beyond the range of its number, or their kinds differ.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("two amounts cannot be merged: out of range, or of different kinds")]
pub struct Unmergeable;

impl Latest {
    /// The time of values that came without one: they are ordered by arrival, which is the order of
    /// the journal. [`Latest::settled`] puts the time of the entry in its place.
    pub const ARRIVAL_NS: i64 = i64::MAX;

    /// A value that came without a time. `tie` orders what arrives in one commit: higher is later.
    pub fn arrived(tie: u64, value: Decimal) -> Self {
        Self { time_ns: Self::ARRIVAL_NS, position: tie, value }
    }

    /// The value with its place in a journal, if it came without a time: entry number `seq`, committed
    /// at `time_ms` (milliseconds since 1970).
    #[must_use]
    pub fn settled(self, time_ms: u64, seq: u64) -> Self {
        if self.time_ns != Self::ARRIVAL_NS {
            return self;
        }
        let ns = i64::try_from(time_ms.saturating_mul(1_000_000)).unwrap_or(i64::MAX - 1);
        Self { time_ns: ns, position: seq, value: self.value }
    }
}

impl Amount {
    /// So many records, and nothing beside.
    pub fn records(count: u64) -> Self {
        Self { count, value: Value::None }
    }

    /// The amount with its place in a journal, where that decides: see [`Latest::settled`].
    #[must_use]
    pub fn settled(self, time_ms: u64, seq: u64) -> Self {
        match self.value {
            Value::Last(latest) => {
                Self { value: Value::Last(latest.settled(time_ms, seq)), ..self }
            }
            _ => self,
        }
    }

    /// Both together.
    pub fn merge(self, other: Self) -> Result<Self, Unmergeable> {
        let count = self.count.checked_add(other.count).ok_or(Unmergeable)?;
        Ok(Self { count, value: self.value.merge(other.value)? })
    }

    /// Both together, where going on is worth more than refusing: a sum that leaves its range stays
    /// at the end of it, which takes 10¹¹ records of the largest value.
    #[must_use]
    pub fn merge_sticky(self, other: Self) -> Self {
        let count = self.count.saturating_add(other.count);
        Self { count, value: self.value.merge_sticky(other.value) }
    }

    /// Whether its sum has left the range.
    pub fn is_at_end(&self) -> bool {
        matches!(self.value, Value::Sum(sum) if sum.is_at_end())
    }
}

impl From<u64> for Amount {
    fn from(count: u64) -> Self {
        Self::records(count)
    }
}

impl Value {
    /// Both together.
    pub fn merge(self, other: Self) -> Result<Self, Unmergeable> {
        Ok(match (self, other) {
            (Self::None, Self::None) => Self::None,
            (Self::Sum(a), Self::Sum(b)) => Self::Sum(a.checked_add(b).ok_or(Unmergeable)?),
            (Self::Min(a), Self::Min(b)) => Self::Min(a.min(b)),
            (Self::Max(a), Self::Max(b)) => Self::Max(a.max(b)),
            (Self::Last(a), Self::Last(b)) => Self::Last(a.max(b)),
            _ => return Err(Unmergeable),
        })
    }

    /// Both together; a sum that leaves its range stays at the end of it. Of two different kinds, which
    /// rows of one series never are, the first one stays.
    #[must_use]
    pub fn merge_sticky(self, other: Self) -> Self {
        match (self, other) {
            (Self::Sum(a), Self::Sum(b)) => Self::Sum(a.sticky_add(b)),
            _ => self.merge(other).unwrap_or(self),
        }
    }

    /// Whether rows of `kind` hold such a value.
    pub fn fits(self, kind: Kind) -> bool {
        matches!(
            (kind, self),
            (Kind::Counter | Kind::Gauge, Self::None)
                | (Kind::SumCounter | Kind::SumGauge | Kind::Histogram, Self::Sum(_))
                | (Kind::Min, Self::Min(_))
                | (Kind::Max, Self::Max(_))
                | (Kind::Last, Self::Last(_))
        )
    }
}
