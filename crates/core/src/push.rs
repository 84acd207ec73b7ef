//! What is pushed: who pushes, and by which sources pushes are counted.
//!
//! A named producer is a source like a file: its position is a sequence number, and its tail the hash
//! of its last message. A push without a producer is counted by a source of its own (a key), or by one
//! that an ingest keeps for such pushes (an anonymous source). This module only gives names.

use std::fmt;

use crate::limits::PRODUCER_NAME_BYTES_MAX;
use crate::source::{Digest, SourceId, SourceName};

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

    /// The source of the producer.
    pub fn source(&self) -> SourceId {
        SourceId::checked(SourceName::Producer(&self.0))
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

    /// What stands for it in the names of its sources.
    fn digest(&self) -> Digest {
        let mut text = Vec::new();
        for (name, value) in &self.0 {
            // Neither can contain the byte: both are parts of series.
            text.extend_from_slice(name.as_bytes());
            text.push(0);
            text.extend_from_slice(value.as_bytes());
            text.push(0);
        }
        Digest::of(&text)
    }
}

impl Scope {
    /// The source of the one push that has an idempotency key.
    pub fn key(&self, key: &[u8]) -> SourceId {
        SourceId::checked(SourceName::Key { group: self.group(), key: Digest::of(key) })
    }

    /// A source for pushes that have neither a producer nor a key. `id` is random.
    pub fn anonymous(&self, id: u64) -> SourceId {
        SourceId::checked(SourceName::Anonymous { group: self.group(), id })
    }

    fn group(&self) -> Option<Digest> {
        match self {
            Self::Lines => None,
            Self::Group(group) => Some(group.digest()),
        }
    }
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
        assert!(SourceId::new(longest.source().as_str()).is_ok());
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
        assert_eq!(a.key(b"1").hash64(), a.anonymous(7).hash64());
        assert_ne!(a.key(b"1").hash64(), b.key(b"1").hash64());
        assert_ne!(a.key(b"1"), a.key(b"2"));
        assert_ne!(a.key(b"1"), b.key(b"1"), "a key is one of its group");
        assert_ne!(Scope::Lines.key(b"1").hash64(), Scope::Lines.key(b"2").hash64());
    }

    #[test]
    fn the_name_of_a_source_tells_what_it_is() {
        let name = ProducerName::new("group/key/lane/1").expect("a name");
        assert_eq!(name.source().name(), SourceName::Producer("group/key/lane/1"));
        for scope in [Scope::Lines, Scope::Group(group(&[("job", "a")]))] {
            assert!(matches!(scope.key(b"1").name(), SourceName::Key { .. }));
            assert!(matches!(scope.anonymous(1).name(), SourceName::Anonymous { .. }));
        }
        // The name of a volume may be anything.
        let file = SourceId::file("key/lane", 1, 2).expect("a source");
        assert!(matches!(file.name(), SourceName::File(_)));
        let backfill = file.backfill("a1").expect("a source");
        assert!(matches!(backfill.name(), SourceName::Backfill { rule: "a1", .. }));
    }

    /// Where stored sources live follows from these names.
    #[test]
    fn the_names_of_pushed_sources_are_pinned() {
        let check = |source: SourceId, name: &str| assert_eq!(source.as_str(), name);
        let group = Scope::Group(group(&[("job", "a"), ("instance", "b")]));
        check(Scope::Lines.key(b"1"), "key/65cd25028f98f1585c9596708294936d");
        check(Scope::Lines.anonymous(7), "lane/0000000000000007");
        check(
            group.key(b"1"),
            "group/0bb7aa744051cf0fbab583e9c22b697c/key/65cd25028f98f1585c9596708294936d",
        );
        check(group.anonymous(7), "group/0bb7aa744051cf0fbab583e9c22b697c/lane/0000000000000007");
        check(ProducerName::new("host/a").expect("valid").source(), "producer/host/a");
    }

    #[test]
    fn producers_and_files_are_not_temporary() {
        let name = ProducerName::new("key/1").expect("a name");
        let file = SourceId::file("v", 1, 2).expect("a source");
        assert!(!name.source().is_temporary() && !file.is_temporary());
        for scope in [Scope::Lines, Scope::Group(group(&[("job", "a")]))] {
            assert!(scope.key(b"1").is_temporary() && scope.anonymous(1).is_temporary());
        }
    }
}
