//! What a rule keeps of a record beside the fact that there was one.

use logtally_core::decimal::Decimal;
use logtally_core::limits::BUCKETS_MAX;
use logtally_core::rule::Reject;
use logtally_core::series::{Kind, Latest, Value};

use crate::columns::Columns;
use crate::error::Wrong;
use crate::matched::Matched;
use crate::number::Number;
use crate::row::{Origin, Row};
use crate::spec;
use crate::time::Time;

/// A compiled measure.
#[derive(Clone, Debug)]
pub(crate) enum Measure {
    Count,
    SumCounter(Number),
    SumGauge(Number),
    Histogram { value: Number, bounds: Vec<Decimal>, names: Vec<String> },
    Min(Number),
    Max(Number),
    Last { value: Number, time: Time },
}

impl Measure {
    /// The measure with the kind of its family and the bounds of its buckets.
    pub(crate) fn compile(
        spec: &spec::Measure,
        columns: &mut Columns,
    ) -> Result<(Self, Kind, Vec<String>), Wrong> {
        use spec::Measure as Spec;
        let mut number = |value| Number::compile(value, columns);
        let (measure, kind) = match spec {
            Spec::Counter => (Self::Count, Kind::Counter),
            Spec::Gauge => (Self::Count, Kind::Gauge),
            Spec::SumCounter(value) => (Self::SumCounter(number(value)?), Kind::SumCounter),
            Spec::SumGauge(value) => (Self::SumGauge(number(value)?), Kind::SumGauge),
            Spec::Min(value) => (Self::Min(number(value)?), Kind::Min),
            Spec::Max(value) => (Self::Max(number(value)?), Kind::Max),
            Spec::Last { value, time } => {
                let value = number(value)?;
                let time = Time::compile("time", time, columns)?;
                (Self::Last { value, time }, Kind::Last)
            }
            Spec::Histogram { value, buckets } => {
                let value = number(value)?;
                let (bounds, names) = bounds(buckets)?;
                let shown = names[..bounds.len()].to_vec();
                let measure = Self::Histogram { value, bounds, names };
                return Ok((measure, Kind::Histogram, shown));
            }
        };
        Ok((measure, kind, Vec::new()))
    }

    /// The record's value. A histogram's bucket becomes the last value of the key.
    pub(crate) fn of(
        &self,
        row: &impl Row,
        origin: Origin<'_>,
        key: &mut Vec<u8>,
    ) -> Matched<Value> {
        match self {
            Self::Count => Matched::Yes(Value::None),
            Self::SumGauge(value) => value.of(row).map(Value::Sum),
            Self::Min(value) => value.of(row).map(Value::Min),
            Self::Max(value) => value.of(row).map(Value::Max),
            Self::SumCounter(value) => match value.of(row) {
                Matched::Yes(decimal) if decimal.is_negative() => {
                    Matched::Rejected(Reject::NotANumber)
                }
                matched => matched.map(Value::Sum),
            },
            Self::Histogram { value, bounds, names } => value.of(row).map(|decimal| {
                let bucket = bounds.partition_point(|bound| *bound < decimal);
                key.push(0);
                key.extend_from_slice(names[bucket].as_bytes());
                Value::Sum(decimal)
            }),
            Self::Last { value, time } => match (value.of(row), time.of(row)) {
                (Matched::Yes(_), None) => Matched::Rejected(Reject::NotATime),
                (matched, time_ns) => matched.map(|value| {
                    let (time_ns, position) = (time_ns.unwrap_or_default(), origin.position);
                    Value::Last(Latest { time_ns, position, value })
                }),
            },
        }
    }
}

/// The bounds, and their names in one form (`0.50` and `.5` are one bucket), with `+Inf` at the end.
fn bounds(buckets: &[String]) -> Result<(Vec<Decimal>, Vec<String>), Wrong> {
    let read = |text: &String| {
        Decimal::parse(text.as_bytes())
            .map_err(|e| Wrong::new("buckets", format!("{text:?} is {e}")))
    };
    let bounds: Vec<Decimal> = buckets.iter().map(read).collect::<Result<_, _>>()?;
    if bounds.is_empty() || bounds.len() > BUCKETS_MAX {
        let text =
            format!("a histogram has 1 to {BUCKETS_MAX} buckets, this one has {}", bounds.len());
        return Err(Wrong::new("buckets", text));
    }
    if !bounds.is_sorted_by(|a, b| a < b) {
        return Err(Wrong::new("buckets", "the bounds must ascend").help("sort them, each once"));
    }
    let names = bounds.iter().map(Decimal::to_string).chain(["+Inf".to_owned()]).collect();
    Ok((bounds, names))
}
