//! What kind of source is followed.

use logtally_core::source::SourceId;

/// What a source is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum SourceRole {
    /// A file, from its beginning on.
    File,
    /// What a new rule counts of a file that was there before it.
    Backfill {
        /// The file's own source.
        of: SourceId,
    },
    /// Standard input.
    Stdin,
}

impl SourceRole {
    /// Its name on the admin pages.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Backfill { .. } => "backfill",
            Self::Stdin => "stdin",
        }
    }
}
