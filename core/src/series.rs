//! Series: what is counted, how it is named, and how increments of it travel.
//!
//! A series key is `family id NUL value NUL value …` — the same bytes in the ingest's table, in a
//! delta, in the journal and in the store, so that no step translates. Label values hold no NUL
//! (such records are rejected), which makes the key unambiguous without escaping.

use std::collections::HashMap;
use std::fmt;

use bytes::{BufMut, Bytes, BytesMut};
use serde::{Deserialize, Serialize};

use crate::hash::hash64;
use crate::limits::{LABELS_MAX, POSITION_MAX};

/// The kind of a metric family.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Only goes up; its rows carry the time of their first increment.
    Counter,
    /// A gauge that counts, as the naive exporter had it.
    Gauge,
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
    /// Label names, in the order of the values in a series key.
    pub labels: Vec<String>,
}

/// Length of an encoded [`FamilyId`].
pub const FAMILY_ID_BYTES: usize = 7;

/// A short name of a family, derived from its whole description: no coordination is needed, and two
/// processes that disagree about a family never share its rows.
///
/// The first byte tells the kind (`c`, `g`), six more are 36 bits of the pinned hash in base 64.
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

    /// Reads an id, e.g. from the front of a series key.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let id = Self(bytes.try_into().ok()?);
        let kind_known = matches!(id.0[0], b'c' | b'g');
        (kind_known && id.0[1..].iter().all(|b| ALPHABET.contains(b))).then_some(id)
    }

    /// Counter or gauge.
    pub fn kind(&self) -> Kind {
        if self.0[0] == b'c' { Kind::Counter } else { Kind::Gauge }
    }
}

impl fmt::Debug for FamilyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

impl Family {
    /// The family's id.
    pub fn id(&self) -> FamilyId {
        let mut id = [b'g'; FAMILY_ID_BYTES];
        if self.kind == Kind::Counter {
            id[0] = b'c';
        }
        let mut hash = hash64(self.canonical().as_bytes());
        for byte in &mut id[1..] {
            *byte = ALPHABET[(hash & 63) as usize];
            hash >>= 6;
        }
        FamilyId(id)
    }

    fn canonical(&self) -> String {
        let kind = if self.kind == Kind::Counter { "counter" } else { "gauge" };
        format!("{}\0{kind}\0{}\0{}", self.name, self.help, self.labels.join("\0"))
    }

    /// The stored form: JSON, so that a person with a database client can read it.
    pub fn encode(&self) -> String {
        serde_json::json!({
            "name": self.name, "kind": self.kind, "help": self.help, "labels": self.labels,
        })
        .to_string()
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

/// Why a family, a key or a block of increments is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSeries {
    /// A family description that cannot be read.
    #[error("unreadable family: {0}")]
    Family(String),
    /// A key that does not begin with a family id.
    #[error("series key without a family id")]
    Key,
    /// The block ends inside an increment, or has an unknown version.
    #[error("increments are cut off or of an unknown version at byte {0}")]
    Cut(usize),
    /// A value of 0 or of 2^53 and more.
    #[error("increment out of range at byte {0}")]
    Range(usize),
}

/// A series key: see the module's documentation.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SeriesKey(Box<[u8]>);

impl SeriesKey {
    /// Puts a key together. The values must not contain NUL.
    pub fn new<'a>(family: FamilyId, values: impl IntoIterator<Item = &'a str>) -> Self {
        let mut key = family.as_bytes().to_vec();
        for value in values {
            debug_assert!(!value.contains('\0'), "label values hold no NUL");
            key.push(0);
            key.extend_from_slice(value.as_bytes());
        }
        Self(key.into())
    }

    /// Checks a key that comes from outside.
    pub fn parse(bytes: &[u8]) -> Result<Self, InvalidSeries> {
        check_key(bytes)?;
        Ok(Self(bytes.into()))
    }

    /// The key's bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The family of the series.
    pub fn family(&self) -> FamilyId {
        let mut id = [0; FAMILY_ID_BYTES];
        id.copy_from_slice(&self.0[..FAMILY_ID_BYTES]);
        FamilyId(id)
    }

    /// The label values, in the family's order.
    pub fn values(&self) -> impl Iterator<Item = &str> {
        self.0[FAMILY_ID_BYTES..]
            .split(|b| *b == 0)
            .skip(1)
            .map(|v| std::str::from_utf8(v).unwrap_or("\u{fffd}"))
    }

    /// The hash that places the series in a counts bucket.
    pub fn hash64(&self) -> u64 {
        hash64(&self.0)
    }
}

impl std::borrow::Borrow<[u8]> for SeriesKey {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SeriesKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", String::from_utf8_lossy(&self.0).replace('\0', "|"))
    }
}

fn check_key(bytes: &[u8]) -> Result<(), InvalidSeries> {
    let (id, rest) = bytes.split_at_checked(FAMILY_ID_BYTES).ok_or(InvalidSeries::Key)?;
    FamilyId::parse(id).ok_or(InvalidSeries::Key)?;
    if !(rest.is_empty() || rest[0] == 0) || std::str::from_utf8(rest).is_err() {
        return Err(InvalidSeries::Key);
    }
    Ok(())
}

/// First byte of a packed block: the version of its layout.
const BLOCK_VERSION: u8 = 1;

/// A checked, packed block of increments: `version (key length, key, value)…`, lengths and values
/// as variable-length integers. One key may occur more than once; its increments add up.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Increments(Bytes);

impl Increments {
    /// Packs increments. Values of 0 are left out.
    pub fn pack<'a>(pairs: impl IntoIterator<Item = (&'a [u8], u64)>) -> Self {
        let mut out = BytesMut::new();
        out.put_u8(BLOCK_VERSION);
        for (key, value) in pairs.into_iter().filter(|(_, value)| *value > 0) {
            put_varint(&mut out, key.len() as u64);
            out.put_slice(key);
            put_varint(&mut out, value);
        }
        Self(out.freeze())
    }

    /// Checks a block that comes from outside. Linear in its length.
    pub fn parse(block: Bytes) -> Result<Self, InvalidSeries> {
        if block.is_empty() {
            return Ok(Self(block));
        }
        if block[0] != BLOCK_VERSION {
            return Err(InvalidSeries::Cut(0));
        }
        let mut at = 1;
        while at < block.len() {
            let start = at;
            let (key, value) = next_pair(&block, &mut at).ok_or(InvalidSeries::Cut(start))?;
            check_key(key)?;
            if value == 0 || value > POSITION_MAX {
                return Err(InvalidSeries::Range(start));
            }
        }
        Ok(Self(block))
    }

    /// The packed block.
    pub fn as_bytes(&self) -> &Bytes {
        &self.0
    }

    /// Encoded size in bytes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing is incremented.
    pub fn is_empty(&self) -> bool {
        self.0.len() <= 1
    }

    /// The increments in order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], u64)> {
        let mut at = 1;
        std::iter::from_fn(move || next_pair(&self.0, &mut at))
    }

    /// Merges several blocks: every key once, in the order of first occurrence.
    pub fn merge<'a>(blocks: impl IntoIterator<Item = &'a Self>) -> Self {
        let mut blocks = blocks.into_iter();
        let (Some(first), second) = (blocks.next(), blocks.next()) else {
            return Self::default();
        };
        let Some(second) = second else { return first.clone() };
        let mut sums: HashMap<&[u8], u64> = HashMap::new();
        let mut order = Vec::new();
        for (key, value) in [first, second].into_iter().chain(blocks).flat_map(Self::iter) {
            *sums.entry(key).or_insert_with(|| {
                order.push(key);
                0
            }) += value;
        }
        Self::pack(order.into_iter().map(|key| (key, sums[key])))
    }
}

impl fmt::Debug for Increments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |key: &[u8]| String::from_utf8_lossy(key).replace('\0', "|");
        f.debug_map().entries(self.iter().map(|(key, value)| (text(key), value))).finish()
    }
}

fn put_varint(out: &mut BytesMut, mut n: u64) {
    while n >= 0x80 {
        out.put_u8(n as u8 | 0x80);
        n >>= 7;
    }
    out.put_u8(n as u8);
}

fn next_varint(block: &[u8], at: &mut usize) -> Option<u64> {
    let mut n = 0;
    for shift in (0..63).step_by(7) {
        let byte = *block.get(*at)?;
        *at += 1;
        n |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(n);
        }
    }
    None
}

fn next_pair<'a>(block: &'a [u8], at: &mut usize) -> Option<(&'a [u8], u64)> {
    let len = usize::try_from(next_varint(block, at)?).ok()?;
    let key = block.get(*at..at.checked_add(len)?)?;
    *at += len;
    Some((key, next_varint(block, at)?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn family() -> Family {
        Family {
            name: "log_host_job_count".into(),
            kind: Kind::Gauge,
            help: "Count of occurrences of host and job_name in log".into(),
            labels: vec!["host".into(), "job_name".into()],
        }
    }

    #[test]
    fn family_ids_are_pinned_and_tell_the_kind() {
        assert_eq!(family().id().as_str(), "gy-yl4k");
        assert_eq!(family().id().kind(), Kind::Gauge);
        assert_ne!(Family { help: "x".into(), ..family() }.id(), family().id());
        assert_eq!(Family::decode(&family().encode()), Ok(family()));
    }

    #[test]
    fn keys_keep_their_values() {
        let key = SeriesKey::new(family().id(), ["a,b", ""]);
        assert_eq!(key.values().collect::<Vec<_>>(), ["a,b", ""]);
        assert_eq!(SeriesKey::parse(key.as_bytes()), Ok(key));
        assert!(SeriesKey::parse(b"short").is_err());
        assert!(SeriesKey::parse(b"x234567\0a").is_err());
    }

    #[test]
    fn foreign_blocks_are_checked() {
        let key = SeriesKey::new(family().id(), ["a", "b"]);
        let good = Increments::pack([(key.as_bytes(), 3)]);
        let cut = good.as_bytes().slice(..good.len() - 1);
        assert_eq!(Increments::parse(cut), Err(InvalidSeries::Cut(1)));
        assert_eq!(Increments::parse(Bytes::from_static(b"\x09")), Err(InvalidSeries::Cut(0)));
        let huge = Increments::pack([(key.as_bytes(), POSITION_MAX + 1)]);
        assert_eq!(Increments::parse(huge.as_bytes().clone()), Err(InvalidSeries::Range(1)));
    }

    proptest! {
        #[test]
        fn merging_adds_up(blocks in prop::collection::vec(
            prop::collection::vec(("[a-c]{1,2}", 1u64..1000), 0..20), 0..5))
        {
            let id = family().id();
            let mut expected: HashMap<SeriesKey, u64> = HashMap::new();
            let packed: Vec<_> = blocks.iter().map(|block| {
                let keys: Vec<_> = block.iter()
                    .map(|(host, n)| (SeriesKey::new(id, [host.as_str()]), *n)).collect();
                for (key, n) in &keys {
                    *expected.entry(key.clone()).or_default() += n;
                }
                Increments::pack(keys.iter().map(|(key, n)| (key.as_bytes(), *n)))
            }).collect();
            let merged = Increments::merge(&packed);
            let again = Increments::parse(merged.as_bytes().clone()).expect("packed by us");
            let mut got: HashMap<SeriesKey, u64> = HashMap::new();
            for (key, n) in again.iter() {
                *got.entry(SeriesKey::parse(key).expect("checked")).or_default() += n;
            }
            prop_assert_eq!(got, expected);
        }
    }
}
