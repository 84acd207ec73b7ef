//! Families: what the series of one metric have in common, and the short names of families.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::error::InvalidSeries;
use crate::hash::hash64;
use crate::limits::LABELS_MAX;

/// The kind of a metric family: what its rows hold and how they are shown.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Counts records. Only goes up; its rows carry the time of their first increment.
    Counter,
    /// A gauge that counts records, as the naive exporter had it.
    Gauge,
    /// A counter that adds up a value that is not negative.
    SumCounter,
    /// A gauge that adds up a value.
    SumGauge,
    /// Values by bucket. The last value of a row's key is the upper bound of its bucket; a row counts
    /// the values of its own bucket only (not of lower ones), and adds them up.
    Histogram,
    /// A gauge with the smallest value.
    Min,
    /// A gauge with the largest value.
    Max,
    /// A gauge with the value that has the latest time.
    Last,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 8] = [
        Self::Counter,
        Self::Gauge,
        Self::SumCounter,
        Self::SumGauge,
        Self::Histogram,
        Self::Min,
        Self::Max,
        Self::Last,
    ];

    /// The first letter of the ids of its families.
    fn letter(self) -> u8 {
        match self {
            Self::Counter => b'c',
            Self::Gauge => b'g',
            Self::SumCounter => b't',
            Self::SumGauge => b's',
            Self::Histogram => b'h',
            Self::Min => b'n',
            Self::Max => b'x',
            Self::Last => b'l',
        }
    }

    /// The kind with a letter, in either case.
    pub(super) fn of_letter(letter: u8) -> Option<Self> {
        Some(match letter.to_ascii_lowercase() {
            b'c' => Self::Counter,
            b'g' => Self::Gauge,
            b't' => Self::SumCounter,
            b's' => Self::SumGauge,
            b'h' => Self::Histogram,
            b'n' => Self::Min,
            b'x' => Self::Max,
            b'l' => Self::Last,
            _ => return None,
        })
    }

    fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::SumCounter => "sum_counter",
            Self::SumGauge => "sum_gauge",
            Self::Histogram => "histogram",
            Self::Min => "min",
            Self::Max => "max",
            Self::Last => "last",
        }
    }

    /// Whether its rows carry the time of their first increment, which consumers need to tell a new
    /// series from one that was reset.
    pub fn has_created(self) -> bool {
        matches!(self, Self::Counter | Self::SumCounter | Self::Histogram)
    }
}

/// What the series of one metric have in common.
#[derive(Clone, PartialEq, Eq, Hash, Debug, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Family {
    /// The metric name as exposed in the text format, `_total` included.
    pub name: String,
    /// Counter or gauge.
    pub kind: Kind,
    /// The help line.
    pub help: String,
    /// Label names, in the order of the values in a series key. Those of a histogram end with `le`.
    pub labels: Vec<String>,
    /// Upper bounds of a histogram's buckets, ascending, as decimals, without `+Inf`; else empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub buckets: Vec<String>,
    /// Seconds after which a series without increments is hidden; 0 for never.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub ttl_s: u64,
    /// Names of the labels that say which group of pushed metrics a series belongs to, ascending; empty
    /// for families that belong to no groups. They are among `labels`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub group: Vec<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// Length of an encoded [`FamilyId`].
pub const FAMILY_ID_BYTES: usize = 7;

/// A short name of a family, derived from its whole description: no coordination is needed, and two
/// processes that disagree about a family never share its rows.
///
/// The first byte tells the kind, in upper case if the family has a time-to-live; six more are 36 bits
/// of the pinned hash in base 64.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FamilyId([u8; FAMILY_ID_BYTES]);

impl FamilyId {
    /// The id's text.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The id's text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("???????")
    }

    /// The id at the front of a series key.
    pub fn of_key(key: &[u8]) -> Option<Self> {
        Self::parse(key.get(..FAMILY_ID_BYTES)?)
    }

    /// The id at the front of a series key that was checked.
    pub(super) fn of_checked(key: &[u8]) -> Self {
        let mut id = [0; FAMILY_ID_BYTES];
        id.copy_from_slice(&key[..FAMILY_ID_BYTES]);
        Self(id)
    }

    /// Reads an id.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let id = Self(bytes.try_into().ok()?);
        let is_ours = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
        (Kind::of_letter(id.0[0]).is_some() && id.0[1..].iter().all(is_ours)).then_some(id)
    }

    /// The kind.
    pub fn kind(&self) -> Kind {
        Kind::of_letter(self.0[0]).unwrap_or(Kind::Gauge)
    }

    /// Whether the family has a time-to-live, so that its rows carry the time of their last increment.
    pub fn has_ttl(&self) -> bool {
        self.0[0].is_ascii_uppercase()
    }
}

impl fmt::Debug for FamilyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

impl Family {
    /// A family without buckets and groups that is never hidden.
    pub fn new(name: &str, kind: Kind, help: &str, labels: &[&str]) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            help: help.to_owned(),
            labels: labels.iter().map(|label| (*label).to_owned()).collect(),
            buckets: Vec::new(),
            ttl_s: 0,
            group: Vec::new(),
        }
    }

    /// The labels that tell its series apart: those of a histogram without the bound of the bucket,
    /// which stands last.
    pub fn labels_without_bucket(&self) -> &[String] {
        match (self.kind, self.labels.split_last()) {
            (Kind::Histogram, Some((_, labels))) => labels,
            _ => &self.labels,
        }
    }

    /// The family's id.
    pub fn id(&self) -> FamilyId {
        let letter = self.kind.letter();
        let mut id = [letter; FAMILY_ID_BYTES];
        if self.ttl_s > 0 {
            id[0] = letter.to_ascii_uppercase();
        }
        let mut hash = hash64(self.canonical().as_bytes());
        for byte in &mut id[1..] {
            *byte = ALPHABET[(hash & 63) as usize];
            hash >>= 6;
        }
        FamilyId(id)
    }

    fn canonical(&self) -> String {
        let kind = self.kind.name();
        let mut text = format!("{}\0{kind}\0{}\0{}", self.name, self.help, self.labels.join("\0"));
        if !self.buckets.is_empty() {
            text += "\0\0";
            text += &self.buckets.join("\0");
        }
        if self.ttl_s > 0 {
            text += "\0\0ttl ";
            text += &self.ttl_s.to_string();
        }
        if !self.group.is_empty() {
            text += "\0\0group ";
            text += &self.group.join("\0");
        }
        text
    }

    /// The stored form: JSON, so that a person with a database client can read it.
    pub fn encode(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads the stored form.
    pub fn decode(text: &str) -> Result<Self, InvalidSeries> {
        let family: Self =
            serde_json::from_str(text).map_err(|e| InvalidSeries::Family(e.to_string()))?;
        if family.labels.len() > LABELS_MAX {
            return Err(InvalidSeries::Family(format!("more than {LABELS_MAX} labels")));
        }
        Ok(family)
    }
}
