//! Conversions between messages and core values.

use logtally_core::decimal::Decimal;
use logtally_core::delta::{Delta, InvalidSpan, SeriesLimit, Span, TenantSeriesLimit};
use logtally_core::limits::{BUCKETS_MAX, LABELS_MAX, POSITION_MAX};
use logtally_core::series::{Family, FamilyId, Increments, InvalidSeries, Kind};
use logtally_core::source::{
    Generation, InvalidSourceId, RecordCounts, SourceEnd, SourceId, SourceState, Tail,
};

use crate::v1;

/// A checked request.
#[derive(Clone, PartialEq, Debug)]
pub struct Request {
    /// The ingest's tag.
    pub tag: u64,
    /// The source.
    pub source: SourceId,
    /// What is asked for.
    pub action: Action,
    /// Trace context, possibly empty.
    pub traceparent: String,
}

/// What a request asks for.
#[derive(Clone, PartialEq, Debug)]
pub enum Action {
    /// The stored state; with the last acknowledged one, if the ingest has one.
    Lookup(Option<SourceState>),
    /// A new generation, if the stored state is still `expected`.
    Open {
        /// What the ingest saw.
        expected: Option<SourceState>,
        /// The new generation at its beginning.
        fresh: SourceState,
    },
    /// The commit of a delta.
    Commit(Box<Delta>),
}

/// Why a message is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidMessage {
    /// A needed field is absent.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// A number is out of range.
    #[error("{0} is out of range")]
    Range(&'static str),
    /// A source name that is none.
    #[error("source: {0}")]
    Source(#[from] InvalidSourceId),
    /// A span that is none.
    #[error("delta: {0}")]
    Span(#[from] InvalidSpan),
    /// Families or increments that cannot be read.
    #[error("delta.increments: {0}")]
    Series(#[from] InvalidSeries),
}

impl TryFrom<v1::ExchangeRequest> for Request {
    type Error = InvalidMessage;

    fn try_from(message: v1::ExchangeRequest) -> Result<Self, InvalidMessage> {
        let source = SourceId::new(&message.source)?;
        let action = match message.action.ok_or(InvalidMessage::Missing("action"))? {
            v1::exchange_request::Action::Lookup(lookup) => {
                Action::Lookup(lookup.acknowledged.map(SourceState::try_from).transpose()?)
            }
            v1::exchange_request::Action::Open(open) => Action::Open {
                expected: open.expected.map(SourceState::try_from).transpose()?,
                fresh: open.fresh.ok_or(InvalidMessage::Missing("open.fresh"))?.try_into()?,
            },
            v1::exchange_request::Action::Delta(delta) => {
                Action::Commit(Box::new(parse_delta(source.clone(), delta)?))
            }
        };
        Ok(Self { tag: message.tag, source, action, traceparent: message.traceparent })
    }
}

impl From<Request> for v1::ExchangeRequest {
    fn from(request: Request) -> Self {
        use v1::exchange_request::Action as Wire;
        let action = match request.action {
            Action::Lookup(acknowledged) => {
                Wire::Lookup(v1::Lookup { acknowledged: acknowledged.map(Into::into) })
            }
            Action::Open { expected, fresh } => Wire::Open(v1::Open {
                expected: expected.map(Into::into),
                fresh: Some(fresh.into()),
            }),
            Action::Commit(delta) => Wire::Delta((*delta).into()),
        };
        Self {
            tag: request.tag,
            source: request.source.as_str().to_owned(),
            action: Some(action),
            traceparent: request.traceparent,
        }
    }
}

fn parse_delta(source: SourceId, delta: v1::Delta) -> Result<Delta, InvalidMessage> {
    Ok(Delta {
        source,
        generation: Generation(delta.generation),
        span: Span::new(delta.from, delta.to)?,
        tail_before: Tail(delta.tail_before),
        tail_after: Tail(delta.tail_after),
        note: delta.note.map(|n| exact("delta.note", n)).transpose()?,
        records: parse_records(delta.counted, delta.filtered, delta.rejected)?,
        families: delta.families.into_iter().map(Family::try_from).collect::<Result<_, _>>()?,
        limits: delta.limits.iter().map(parse_limit).collect::<Result<_, _>>()?,
        increments: Increments::parse(delta.increments)?,
    })
}

fn parse_records(
    counted: u64,
    filtered: u64,
    rejected: u64,
) -> Result<RecordCounts, InvalidMessage> {
    Ok(RecordCounts {
        counted: exact("counted", counted)?,
        filtered: exact("filtered", filtered)?,
        rejected: exact("rejected", rejected)?,
    })
}

fn parse_limit(limit: &v1::SeriesLimit) -> Result<SeriesLimit, InvalidMessage> {
    let family = FamilyId::parse(limit.family.as_bytes());
    let tenant = limit.tenant_label.map(|label| match label as usize {
        label if label < LABELS_MAX => {
            Ok(TenantSeriesLimit { label, series_max: limit.tenant_series_max })
        }
        _ => Err(InvalidMessage::Range("limit.tenant_label")),
    });
    Ok(SeriesLimit {
        family: family.ok_or(InvalidMessage::Range("limit.family"))?,
        series_max: limit.series_max.unwrap_or(u64::MAX),
        tenant: tenant.transpose()?,
    })
}

impl From<SeriesLimit> for v1::SeriesLimit {
    fn from(limit: SeriesLimit) -> Self {
        Self {
            family: limit.family.as_str().to_owned(),
            series_max: Some(limit.series_max),
            tenant_label: limit.tenant.map(|tenant| tenant.label as u32),
            tenant_series_max: limit.tenant.map_or(0, |tenant| tenant.series_max),
        }
    }
}

fn exact(field: &'static str, n: u64) -> Result<u64, InvalidMessage> {
    if n <= POSITION_MAX { Ok(n) } else { Err(InvalidMessage::Range(field)) }
}

impl From<Delta> for v1::Delta {
    fn from(delta: Delta) -> Self {
        Self {
            generation: delta.generation.0,
            from: delta.span.from(),
            to: delta.span.to(),
            tail_before: delta.tail_before.0,
            tail_after: delta.tail_after.0,
            note: delta.note,
            counted: delta.records.counted,
            filtered: delta.records.filtered,
            rejected: delta.records.rejected,
            families: delta.families.into_iter().map(Into::into).collect(),
            limits: delta.limits.into_iter().map(Into::into).collect(),
            increments: delta.increments.as_bytes().clone(),
        }
    }
}

impl TryFrom<v1::Family> for Family {
    type Error = InvalidMessage;

    fn try_from(family: v1::Family) -> Result<Self, InvalidMessage> {
        let kind = match family.kind() {
            v1::Kind::Counter => Kind::Counter,
            v1::Kind::Gauge => Kind::Gauge,
            v1::Kind::SumCounter => Kind::SumCounter,
            v1::Kind::SumGauge => Kind::SumGauge,
            v1::Kind::Histogram => Kind::Histogram,
            v1::Kind::Min => Kind::Min,
            v1::Kind::Max => Kind::Max,
            v1::Kind::Last => Kind::Last,
            v1::Kind::Unspecified => return Err(InvalidMessage::Missing("family.kind")),
        };
        if family.name.is_empty() {
            return Err(InvalidMessage::Missing("family.name"));
        }
        if family.labels.len() > LABELS_MAX {
            return Err(InvalidMessage::Range("family.labels"));
        }
        check_buckets(kind, &family)?;
        if family.group.iter().any(|label| !family.labels.contains(label)) {
            return Err(InvalidMessage::Range("family.group"));
        }
        let v1::Family { name, help, labels, buckets, ttl_seconds, group, .. } = family;
        Ok(Self { name, kind, help, labels, buckets, ttl_s: ttl_seconds, group })
    }
}

/// Buckets belong to histograms, ascend, and are not too many: whoever shows them relies on it.
fn check_buckets(kind: Kind, family: &v1::Family) -> Result<(), InvalidMessage> {
    let bounds: Result<Vec<Decimal>, _> =
        family.buckets.iter().map(|bound| Decimal::parse(bound.as_bytes())).collect();
    let ascending = bounds.is_ok_and(|bounds| bounds.is_sorted_by(|a, b| a < b));
    let histogram = kind == Kind::Histogram;
    let le_last = family.labels.last().is_some_and(|label| label == "le");
    let fits = if histogram { le_last } else { family.buckets.is_empty() };
    if ascending && fits && family.buckets.len() <= BUCKETS_MAX {
        Ok(())
    } else {
        Err(InvalidMessage::Range("family.buckets"))
    }
}

impl From<Family> for v1::Family {
    fn from(family: Family) -> Self {
        let kind = match family.kind {
            Kind::Counter => v1::Kind::Counter,
            Kind::Gauge => v1::Kind::Gauge,
            Kind::SumCounter => v1::Kind::SumCounter,
            Kind::SumGauge => v1::Kind::SumGauge,
            Kind::Histogram => v1::Kind::Histogram,
            Kind::Min => v1::Kind::Min,
            Kind::Max => v1::Kind::Max,
            Kind::Last => v1::Kind::Last,
        };
        let Family { name, help, labels, buckets, ttl_s, group, .. } = family;
        Self { name, kind: kind.into(), help, labels, buckets, ttl_seconds: ttl_s, group }
    }
}

impl TryFrom<v1::SourceState> for SourceState {
    type Error = InvalidMessage;

    fn try_from(state: v1::SourceState) -> Result<Self, InvalidMessage> {
        Ok(Self {
            generation: Generation(state.generation),
            position: exact("state.position", state.position)?,
            tail: Tail(state.tail),
            note: state.note.map(|n| exact("state.note", n)).transpose()?,
            end: state.end.map(parse_end).transpose()?,
            records: parse_records(state.counted, state.filtered, state.rejected)?,
        })
    }
}

impl From<SourceState> for v1::SourceState {
    fn from(state: SourceState) -> Self {
        Self {
            generation: state.generation.0,
            position: state.position,
            tail: state.tail.0,
            note: state.note,
            counted: state.records.counted,
            filtered: state.records.filtered,
            rejected: state.records.rejected,
            end: state.end.map(|end| v1::SourceEnd { position: end.position, tail: end.tail.0 }),
        }
    }
}

fn parse_end(end: v1::SourceEnd) -> Result<SourceEnd, InvalidMessage> {
    Ok(SourceEnd { position: exact("state.end", end.position)?, tail: Tail(end.tail) })
}

/// The answer to request `tag`: what is stored now, and whether that is durable.
pub fn answer(
    tag: u64,
    source: &SourceId,
    stored: Option<SourceState>,
    durable: bool,
) -> v1::ExchangeResponse {
    let state = stored.map(Into::into);
    v1::ExchangeResponse { tag, source: source.as_str().to_owned(), state, durable }
}

#[cfg(test)]
mod tests {
    use logtally_core::rule::default_family;
    use logtally_core::series::SeriesKey;

    use super::*;

    fn delta() -> Delta {
        let family = default_family();
        let key = SeriesKey::new(family.id(), ["server1", "backup"]);
        Delta {
            source: SourceId::new("file/local/1/2").expect("valid"),
            generation: Generation(u64::MAX),
            span: Span::new(0, 15).expect("valid"),
            tail_before: Tail::empty(),
            tail_after: Tail(9),
            note: Some(0),
            records: RecordCounts { counted: 1, filtered: 2, rejected: 0 },
            increments: Increments::pack([(key.as_bytes(), 1)]),
            limits: vec![SeriesLimit {
                family: family.id(),
                series_max: 5,
                tenant: Some(TenantSeriesLimit { label: 1, series_max: 2 }),
            }],
            families: vec![family],
        }
    }

    fn request(action: Action) -> Request {
        Request { tag: 3, source: delta().source, action, traceparent: "00-a-b-01".into() }
    }

    #[test]
    fn requests_survive_the_wire() {
        let mut state = delta().state_after(&SourceState::start(Generation(1)));
        state.end = Some(SourceEnd { position: 7, tail: Tail(1) });
        for action in [
            Action::Lookup(None),
            Action::Lookup(Some(state)),
            Action::Open { expected: Some(state), fresh: SourceState::start(Generation(5)) },
            Action::Commit(Box::new(delta())),
        ] {
            let sent = request(action);
            assert_eq!(Request::try_from(v1::ExchangeRequest::from(sent.clone())), Ok(sent));
        }
    }

    #[test]
    fn bad_messages_name_the_field() {
        let refused = |change: &dyn Fn(&mut v1::Delta)| {
            let mut wire = v1::Delta::from(delta());
            change(&mut wire);
            parse_delta(delta().source, wire).expect_err("refused").to_string()
        };
        assert!(refused(&|d| d.from = 20).contains("from 20 to 15"));
        assert!(refused(&|d| d.to = 1 << 53).contains("2^53"));
        assert_eq!(refused(&|d| d.counted = 1 << 53), "counted is out of range");
        assert!(refused(&|d| d.increments = "zz".into()).contains("increments"));
        assert_eq!(refused(&|d| d.families[0].kind = 0), "family.kind is missing");
        let empty = v1::ExchangeRequest { source: "s".into(), ..Default::default() };
        assert_eq!(Request::try_from(empty), Err(InvalidMessage::Missing("action")));
    }
}
