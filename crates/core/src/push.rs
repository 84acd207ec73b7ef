//! What is pushed: who pushes, and by which sources pushes are counted.
//!
//! A named producer is a source like a file: its position is a sequence number, and its tail the hash
//! of its last message. A push without a producer is counted by a source of its own (a key), or by one
//! that an ingest keeps for such pushes (a lane). This module only gives names.

use std::fmt;

use crate::hash::hash64;
use crate::limits::PRODUCER_NAME_BYTES_MAX;
use crate::source::SourceId;

/// In the names of sources that live in the partition of their group.
const KEY: &str = "/key/";
const LANE: &str = "/lane/";

/// The name of a producer: 1 to [`PRODUCER_NAME_BYTES_MAX`] bytes without blanks and control
/// characters.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct ProducerName(String);

/// Why a text is no name of a producer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidProducerName {
    /// It is empty or too long.
    #[error("the name of a producer has 1 to {PRODUCER_NAME_BYTES_MAX} bytes, this one has {0}")]
    Length(usize),
    /// It has a blank or a control character.
    #[error("the name of a producer has no blanks and no control characters")]
    Character,
}

impl ProducerName {
    /// Checks a name.
    pub fn new(name: &str) -> Result<Self, InvalidProducerName> {
        if name.is_empty() || name.len() > PRODUCER_NAME_BYTES_MAX {
            return Err(InvalidProducerName::Length(name.len()));
        }
        if name.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(InvalidProducerName::Character);
        }
        Ok(Self(name.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ProducerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where pushes without a producer belong. All sources of one scope live in one partition, so the
/// pushes of a group have an order: that of its journal.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Scope {
    /// Log lines, which have no order among each other.
    Lines,
    /// A group of pushed metrics.
    Group(Group),
}

/// The labels that name a group of pushed metrics, ascending by name; each name occurs once.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Group(Vec<(String, String)>);

impl Group {
    /// A group by its labels, in any order; `None` if a name occurs twice, or there is none.
    pub fn new(mut labels: Vec<(String, String)>) -> Option<Self> {
        labels.sort();
        let distinct = labels.windows(2).all(|pair| pair[0].0 != pair[1].0);
        (distinct && !labels.is_empty()).then_some(Self(labels))
    }

    /// The labels, ascending by name.
    pub fn labels(&self) -> &[(String, String)] {
        &self.0
    }

    /// The value of a label.
    pub fn value(&self, name: &str) -> Option<&str> {
        let found = self.0.binary_search_by(|(label, _)| label.as_str().cmp(name)).ok()?;
        Some(&self.0[found].1)
    }

    /// In the names of its sources, from which its partition follows.
    fn base(&self) -> String {
        let mut text = Vec::new();
        for (name, value) in &self.0 {
            // Neither can contain the byte: both are parts of series.
            text.extend_from_slice(name.as_bytes());
            text.push(0);
            text.extend_from_slice(value.as_bytes());
            text.push(0);
        }
        format!("group/{}", hash128(&text))
    }
}

impl Scope {
    /// The source of the one push that has an idempotency key.
    pub fn key(&self, key: &[u8]) -> SourceId {
        let hash = hash128(key);
        match self {
            Self::Lines => SourceId::checked(&format!("key/{hash}")),
            Self::Group(group) => SourceId::checked(&format!("{}{KEY}{hash}", group.base())),
        }
    }

    /// A source for pushes that have neither a producer nor a key. `id` is random.
    pub fn lane(&self, id: u64) -> SourceId {
        match self {
            Self::Lines => SourceId::checked(&format!("lane/{id:016x}")),
            Self::Group(group) => SourceId::checked(&format!("{}{LANE}{id:016x}", group.base())),
        }
    }
}

/// What a source is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SourceKind<'a> {
    /// A file.
    File,
    /// What one rule counts afterwards of a file.
    Backfill,
    /// A producer, with its name.
    Producer(&'a str),
    /// One push with an idempotency key.
    Key,
    /// Pushes with neither a producer nor a key.
    Lane,
    /// Something else: standard input, or of another version.
    Other,
}

impl SourceId {
    /// The source of a producer.
    pub fn producer(name: &ProducerName) -> Self {
        Self::checked(&format!("producer/{name}"))
    }

    /// What the source is, by its name.
    pub fn kind(&self) -> SourceKind<'_> {
        let name = self.as_str();
        if let Some(producer) = name.strip_prefix("producer/") {
            return SourceKind::Producer(producer);
        }
        let is = |kind: &str| {
            let of_group =
                self.group_part().is_some_and(|part| name[part.len()..].starts_with(kind));
            of_group || name.starts_with(&kind[1..])
        };
        match () {
            () if is(KEY) => SourceKind::Key,
            () if is(LANE) => SourceKind::Lane,
            () if name.starts_with("file/") && name.contains("/rule/") => SourceKind::Backfill,
            () if name.starts_with("file/") => SourceKind::File,
            () => SourceKind::Other,
        }
    }

    /// Whether the source is a key or a lane: one that nobody comes back to after a while. Its note is
    /// the time of its opening.
    pub fn is_temporary(&self) -> bool {
        ["key/", "lane/", "group/"].iter().any(|kind| self.as_str().starts_with(kind))
    }

    /// The part of a group's source that is the group's.
    pub(crate) fn group_part(&self) -> Option<&str> {
        let name = self.as_str().strip_prefix("group/").map(|_| self.as_str())?;
        name.split_once(KEY).or_else(|| name.split_once(LANE)).map(|(group, _)| group)
    }
}

/// 128 bits in hexadecimal: too many for two keys to meet.
fn hash128(bytes: &[u8]) -> String {
    let salted = [b"logtally".as_slice(), bytes].concat();
    format!("{:016x}{:016x}", hash64(bytes), hash64(&salted))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(labels: &[(&str, &str)]) -> Group {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Group::new(labels.iter().map(own).collect()).expect("distinct labels")
    }

    #[test]
    fn names_are_checked() {
        assert!(ProducerName::new("team/app-1").is_ok());
        for wrong in ["", "a b", "a\n", &"x".repeat(PRODUCER_NAME_BYTES_MAX + 1)] {
            assert!(ProducerName::new(wrong).is_err(), "{wrong:?}");
        }
        let longest = ProducerName::new(&"x".repeat(PRODUCER_NAME_BYTES_MAX)).expect("allowed");
        assert!(SourceId::new(SourceId::producer(&longest).as_str()).is_ok());
    }

    #[test]
    fn the_order_of_a_groups_labels_does_not_matter() {
        let one = group(&[("job", "a"), ("instance", "b")]);
        let other = group(&[("instance", "b"), ("job", "a")]);
        assert_eq!(one, other);
        assert_eq!(one.value("job"), Some("a"));
        assert_eq!(one.value("path"), None);
        let twice = vec![("job".to_owned(), "a".to_owned()), ("job".to_owned(), "b".to_owned())];
        assert!(Group::new(twice).is_none() && Group::new(vec![]).is_none());
    }

    #[test]
    fn all_sources_of_a_group_live_together() {
        let a = Scope::Group(group(&[("job", "a")]));
        let b = Scope::Group(group(&[("job", "b")]));
        assert_eq!(a.key(b"1").hash64(), a.lane(7).hash64());
        assert_ne!(a.key(b"1").hash64(), b.key(b"1").hash64());
        assert_ne!(a.key(b"1"), a.key(b"2"));
        assert_ne!(a.key(b"1"), b.key(b"1"), "a key is one of its group");
        assert_ne!(Scope::Lines.key(b"1").hash64(), Scope::Lines.key(b"2").hash64());
    }

    #[test]
    fn the_name_of_a_source_tells_what_it_is() {
        let name = ProducerName::new("group/key/lane/1").expect("a name");
        let producer = SourceId::producer(&name);
        assert_eq!(producer.kind(), SourceKind::Producer("group/key/lane/1"));
        for scope in [Scope::Lines, Scope::Group(group(&[("job", "a")]))] {
            assert_eq!(scope.key(b"1").kind(), SourceKind::Key);
            assert_eq!(scope.lane(1).kind(), SourceKind::Lane);
        }
        // The name of a volume may be anything.
        let file = SourceId::file("key/lane", 1, 2).expect("a source");
        assert_eq!(file.kind(), SourceKind::File);
        assert_eq!(file.backfill("a1").expect("a source").kind(), SourceKind::Backfill);
        assert_eq!(SourceId::new("stdin/1").expect("a source").kind(), SourceKind::Other);
    }

    #[test]
    fn producers_and_files_are_not_temporary() {
        let name = ProducerName::new("key/1").expect("a name");
        let file = SourceId::file("v", 1, 2).expect("a source");
        assert!(!SourceId::producer(&name).is_temporary() && !file.is_temporary());
        for scope in [Scope::Lines, Scope::Group(group(&[("job", "a")]))] {
            assert!(scope.key(b"1").is_temporary() && scope.lane(1).is_temporary());
        }
    }
}
