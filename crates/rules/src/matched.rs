//! Whether a rule, or a part of it, matches a record.

use logtally_core::rule::Reject;

/// Whether a rule matches a record, and what it makes of it.
pub(crate) enum Matched<T> {
    Yes(T),
    No,
    Rejected(Reject),
}

impl<T> Matched<T> {
    pub(crate) fn map<U>(self, change: impl FnOnce(T) -> U) -> Matched<U> {
        match self {
            Self::Yes(value) => Matched::Yes(change(value)),
            Self::No => Matched::No,
            Self::Rejected(reason) => Matched::Rejected(reason),
        }
    }
}

/// The reason that stands for both, whichever was found first: the order of labels must not show.
pub(crate) fn earlier(known: Option<Reject>, found: Reject) -> Reject {
    known.map_or(found, |known| known.min(found))
}
