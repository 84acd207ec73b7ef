//! The checked, stored name of a source, which nothing but equality and a hash is asked of here; what it
//! says is read by [`SourceName`].

use std::fmt;
use std::sync::Arc;

use super::name::{FileName, SourceName, home_of};
use crate::hash::hash64;
use crate::limits::SOURCE_ID_BYTES_MAX;

/// The stable name of a source, e.g. `file/local/1a2b/17c0ffee`. Never a path: a path can be given
/// to another file by a rename.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SourceId(Arc<str>);

/// Why a string is not a source name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSourceId {
    /// The name is empty or longer than [`SOURCE_ID_BYTES_MAX`].
    #[error("a source name has 1 to {SOURCE_ID_BYTES_MAX} bytes, this one has {0}")]
    Length(usize),
    /// The name contains a blank or a control character, which the stored format excludes.
    #[error("a source name has no blanks and no control characters")]
    Character,
}

impl SourceId {
    /// Checks and wraps a name.
    pub fn new(name: &str) -> Result<Self, InvalidSourceId> {
        if name.is_empty() || name.len() > SOURCE_ID_BYTES_MAX {
            return Err(InvalidSourceId::Length(name.len()));
        }
        if name.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(InvalidSourceId::Character);
        }
        Ok(Self(name.into()))
    }

    /// The identity of a file: volume, inode, and birth time (nanoseconds since 1970, 0 where the
    /// file system does not tell it).
    pub fn file(volume: &str, inode: u64, birth_ns: u128) -> Result<Self, InvalidSourceId> {
        SourceName::File(FileName { volume, inode, birth_ns }).id()
    }

    /// The source of what one rule counts afterwards of this file.
    pub fn backfill(&self, rule: &str) -> Result<Self, InvalidSourceId> {
        Self::new(&SourceName::backfill_of(&self.0, rule))
    }

    /// The name as stored.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What the name says.
    pub fn name(&self) -> SourceName<'_> {
        SourceName::parse(&self.0)
    }

    /// Whether the source may be forgotten when nobody has used it for long: see
    /// [`SourceName::is_temporary`].
    pub fn is_temporary(&self) -> bool {
        self.name().is_temporary()
    }

    /// The pinned hash of the name, from which partition, ring place and shard are derived. A
    /// backfill has that of its file, and the sources of a group that of the group: what belongs
    /// together must never be lost apart.
    pub fn hash64(&self) -> u64 {
        hash64(home_of(&self.0).as_bytes())
    }

    /// The id of a name that was made of checked parts.
    pub(crate) fn checked(name: SourceName<'_>) -> Self {
        let name = name.to_string();
        debug_assert!(Self::new(&name).is_ok(), "{name:?}");
        Self(name.into())
    }
}

impl FileName<'_> {
    /// The source of the file.
    pub fn id(self) -> Result<SourceId, InvalidSourceId> {
        SourceName::File(self).id()
    }
}

impl SourceName<'_> {
    /// The checked name.
    pub fn id(self) -> Result<SourceId, InvalidSourceId> {
        SourceId::new(&self.to_string())
    }
}

impl std::borrow::Borrow<str> for SourceId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for SourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn source_names_are_checked() {
        assert!(SourceId::new("").is_err());
        assert!(SourceId::new("a b").is_err());
        assert!(SourceId::new(&"x".repeat(SOURCE_ID_BYTES_MAX + 1)).is_err());
        let file = SourceId::file("local", 255, 16).expect("valid");
        assert_eq!(file.as_str(), "file/local/ff/10");
        let backfill = file.backfill("a1").expect("valid");
        assert_eq!(backfill.as_str(), "file/local/ff/10/rule/a1");
        assert_eq!(backfill.hash64(), file.hash64(), "in the same partition");
    }
}
