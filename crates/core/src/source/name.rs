//! The grammar of the names of sources: the only place that puts one together or takes one apart.
//!
//! Names are stored and sent, so what is written here never changes. Which partition a source lives in
//! follows from its name, too.

use std::fmt;

use crate::hash::hash64;

const FILE: &str = "file/";
const STDIN: &str = "stdin/";
const PRODUCER: &str = "producer/";
const KEY: &str = "key/";
const ANONYMOUS: &str = "lane/";
const GROUP: &str = "group/";

/// In the name of a backfill, between that of its file and its rule.
const RULE: &str = "/rule/";

/// In the names of the sources of a group, after the group.
const KEY_OF_GROUP: &str = "/key/";
const ANONYMOUS_OF_GROUP: &str = "/lane/";

/// What the name of a source says. Its `Display` form is the stored name:
///
/// | name | source |
/// | --- | --- |
/// | `file/VOLUME/INODE/BIRTH` | a file |
/// | `file/VOLUME/INODE/BIRTH/rule/RULE` | a backfill |
/// | `stdin/VOLUME/ID` | standard input |
/// | `producer/NAME` | a producer |
/// | `key/DIGEST`, `group/DIGEST/key/DIGEST` | an idempotency key |
/// | `lane/ID`, `group/DIGEST/lane/ID` | an anonymous source |
///
/// Numbers are hexadecimal; an id has 16 digits and a digest 32.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SourceName<'a> {
    /// A file.
    File(FileName<'a>),
    /// What one rule counts afterwards of a file.
    Backfill {
        /// The file.
        file: FileName<'a>,
        /// The rule's id.
        rule: &'a str,
    },
    /// The standard input of one run.
    Stdin {
        /// As for files.
        volume: &'a str,
        /// Random.
        id: u64,
    },
    /// A producer, with its name.
    Producer(&'a str),
    /// One push with an idempotency key.
    Key {
        /// The group that it belongs to, if it pushes metrics.
        group: Option<Digest>,
        /// Of the key.
        key: Digest,
    },
    /// Pushes with neither a producer nor a key.
    Anonymous {
        /// The group that they belong to, if they push metrics.
        group: Option<Digest>,
        /// Random.
        id: u64,
    },
    /// Something that this version does not make.
    Other(&'a str),
}

/// What identifies a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FileName<'a> {
    /// The file system, as the user calls it. It may have any characters but blanks and control
    /// characters, slashes included.
    pub volume: &'a str,
    /// Its inode.
    pub inode: u64,
    /// Its birth time, nanoseconds since 1970; 0 where the file system does not tell it.
    pub birth_ns: u128,
}

/// 128 bits that stand for a text: too many for two texts to meet.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Digest(pub u128);

impl Digest {
    /// The digest of some bytes.
    pub fn of(bytes: &[u8]) -> Self {
        let salted = [b"logtally".as_slice(), bytes].concat();
        Self((u128::from(hash64(bytes)) << 64) | u128::from(hash64(&salted)))
    }

    fn parse(text: &str) -> Option<Self> {
        let value = u128::from_str_radix(text, 16).ok()?;
        Some(Self(value)).filter(|digest| digest.to_string() == text)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl<'a> FileName<'a> {
    /// The rest of a name behind `file/`.
    fn parse(rest: &'a str) -> Option<Self> {
        let (rest, birth) = rest.rsplit_once('/')?;
        let (volume, inode) = rest.rsplit_once('/')?;
        let inode_number = u64::from_str_radix(inode, 16).ok()?;
        let birth_ns = u128::from_str_radix(birth, 16).ok()?;
        let is_ours = format!("{inode_number:x}") == inode && format!("{birth_ns:x}") == birth;
        is_ours.then_some(Self { volume, inode: inode_number, birth_ns })
    }
}

impl fmt::Display for FileName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{FILE}{}/{:x}/{:x}", self.volume, self.inode, self.birth_ns)
    }
}

impl<'a> SourceName<'a> {
    /// Takes a name apart. Whatever it is, its `Display` form is `name` again.
    pub fn parse(name: &'a str) -> Self {
        let known = if let Some(rest) = name.strip_prefix(FILE) {
            Self::of_file(rest)
        } else if let Some(rest) = name.strip_prefix(STDIN) {
            Self::of_stdin(rest)
        } else if let Some(producer) = name.strip_prefix(PRODUCER) {
            Some(Self::Producer(producer))
        } else if let Some(rest) = name.strip_prefix(GROUP) {
            Self::of_group(rest)
        } else {
            Self::of_push(None, name)
        };
        known.unwrap_or(Self::Other(name))
    }

    fn of_file(rest: &'a str) -> Option<Self> {
        if let Some((file, rule)) = rest.split_once(RULE)
            && let Some(file) = FileName::parse(file)
        {
            return Some(Self::Backfill { file, rule });
        }
        FileName::parse(rest).map(Self::File)
    }

    fn of_stdin(rest: &'a str) -> Option<Self> {
        let (volume, id) = rest.rsplit_once('/')?;
        Some(Self::Stdin { volume, id: parse_id(id)? })
    }

    fn of_group(rest: &'a str) -> Option<Self> {
        let (group, push) = rest.split_once('/')?;
        Self::of_push(Some(Digest::parse(group)?), push)
    }

    fn of_push(group: Option<Digest>, name: &'a str) -> Option<Self> {
        if let Some(key) = name.strip_prefix(KEY) {
            return Some(Self::Key { group, key: Digest::parse(key)? });
        }
        let id = parse_id(name.strip_prefix(ANONYMOUS)?)?;
        Some(Self::Anonymous { group, id })
    }

    /// The name of a backfill of the file that is called `file`.
    pub(super) fn backfill_of(file: &str, rule: &str) -> String {
        format!("{file}{RULE}{rule}")
    }

    /// Whether nobody comes back to the source after a while, so that it may be forgotten: a key or an
    /// anonymous source. Its note is the time of its last use.
    pub fn is_temporary(self) -> bool {
        matches!(self, Self::Key { .. } | Self::Anonymous { .. })
    }
}

impl fmt::Display for SourceName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::File(file) => write!(f, "{file}"),
            Self::Backfill { file, rule } => write!(f, "{file}{RULE}{rule}"),
            Self::Stdin { volume, id } => write!(f, "{STDIN}{volume}/{id:016x}"),
            Self::Producer(name) => write!(f, "{PRODUCER}{name}"),
            Self::Key { group: None, key } => write!(f, "{KEY}{key}"),
            Self::Key { group: Some(group), key } => write!(f, "{GROUP}{group}{KEY_OF_GROUP}{key}"),
            Self::Anonymous { group: None, id } => write!(f, "{ANONYMOUS}{id:016x}"),
            Self::Anonymous { group: Some(group), id } => {
                write!(f, "{GROUP}{group}{ANONYMOUS_OF_GROUP}{id:016x}")
            }
            Self::Other(name) => f.write_str(name),
        }
    }
}

fn parse_id(text: &str) -> Option<u64> {
    let id = u64::from_str_radix(text, 16).ok()?;
    (format!("{id:016x}") == text).then_some(id)
}

/// The part of a name that says where the source lives: of a backfill the file, of a source of a group
/// the group, else all of it. It works on any text, because the partition of a source must never
/// change, not even that of a name that this version does not make.
pub(super) fn home_of(name: &str) -> &str {
    if name.starts_with(GROUP) {
        let parts = name.split_once(KEY_OF_GROUP).or_else(|| name.split_once(ANONYMOUS_OF_GROUP));
        return parts.map_or(name, |(group, _)| group);
    }
    if name.starts_with(FILE) {
        return name.split_once(RULE).map_or(name, |(file, _)| file);
    }
    name
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const A: Digest = Digest(0xa);
    const B: Digest = Digest(u128::MAX);

    /// Names are stored: each of these must be read and written like this for ever.
    #[test]
    fn names_are_pinned() {
        let check = |name: SourceName<'_>, text: &str, home: &str| {
            assert_eq!(name.to_string(), text);
            assert_eq!(SourceName::parse(text), name);
            assert_eq!(home_of(text), home);
        };
        let file = FileName { volume: "local", inode: 0x1a2b, birth_ns: 0x17c0_ffee };
        check(SourceName::File(file), "file/local/1a2b/17c0ffee", "file/local/1a2b/17c0ffee");
        check(
            SourceName::Backfill { file, rule: "a1" },
            "file/local/1a2b/17c0ffee/rule/a1",
            "file/local/1a2b/17c0ffee",
        );
        let stdin = "stdin/local/00000000000000ff";
        check(SourceName::Stdin { volume: "local", id: 255 }, stdin, stdin);
        check(SourceName::Producer("host1/app"), "producer/host1/app", "producer/host1/app");
        let key = "key/0000000000000000000000000000000a";
        check(SourceName::Key { group: None, key: A }, key, key);
        check(
            SourceName::Key { group: Some(A), key: B },
            "group/0000000000000000000000000000000a/key/ffffffffffffffffffffffffffffffff",
            "group/0000000000000000000000000000000a",
        );
        let anonymous = "lane/000000000000000a";
        check(SourceName::Anonymous { group: None, id: 10 }, anonymous, anonymous);
        check(
            SourceName::Anonymous { group: Some(B), id: 10 },
            "group/ffffffffffffffffffffffffffffffff/lane/000000000000000a",
            "group/ffffffffffffffffffffffffffffffff",
        );
        for other in ["stdin", "x", "file/v/1", "file/v/01/2", "key/1", "lane/A", "group/a/key/b"] {
            assert_eq!(SourceName::parse(other), SourceName::Other(other));
        }
        assert_eq!(Digest::of(b"key").to_string(), "bbea0d63a05165e338b2afb92f384359");
    }

    fn file() -> impl Strategy<Value = (String, u64, u128)> {
        ("[a-z/]{0,6}(key|lane|group|file)?", any::<u64>(), any::<u128>())
    }

    proptest! {
        #[test]
        fn every_text_survives(text in "(file/|stdin/|producer/|key/|lane/|group/)?[a-f0-9/:.]{0,40}(/rule/|/key/|/lane/)?[a-f0-9/]{0,40}") {
            prop_assert_eq!(SourceName::parse(&text).to_string(), text.clone());
            prop_assert!(text.starts_with(home_of(&text)));
        }

        #[test]
        fn every_name_survives(
            (volume, inode, birth_ns) in file(),
            text in "[!-~]{1,30}",
            digests in any::<(Option<u128>, u128)>(),
            id in any::<u64>(),
        ) {
            let file = FileName { volume: &volume, inode, birth_ns };
            let group = digests.0.map(Digest);
            for name in [
                SourceName::File(file),
                SourceName::Backfill { file, rule: &text },
                SourceName::Stdin { volume: &volume, id },
                SourceName::Producer(&text),
                SourceName::Key { group, key: Digest(digests.1) },
                SourceName::Anonymous { group, id },
            ] {
                let stored = name.id().expect("no blanks");
                prop_assert_eq!(stored.name(), name);
                prop_assert_eq!(stored.as_str(), name.to_string());
            }
            let home = file.id().expect("no blanks").hash64();
            let backfill = SourceName::Backfill { file, rule: &text }.id().expect("no blanks");
            prop_assert_eq!(backfill.hash64(), home);
        }
    }
}
