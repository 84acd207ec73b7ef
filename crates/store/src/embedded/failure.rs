//! What an error of the database or of its disk means for the store.

use std::io::{self, ErrorKind};
use std::path::Path;

use crate::error::StoreError;

/// What an error of the database means to the user of a store.
pub(super) fn failure(error: impl Into<redb::Error>) -> StoreError {
    use redb::Error;
    match error.into() {
        Error::Io(e) => io_failure(&e),
        Error::DatabaseAlreadyOpen => StoreError::InUse(
            "it is open already, in another process or twice in this one; stop the other one, or \
             use another directory"
                .to_owned(),
        ),
        Error::UpgradeRequired(version) => StoreError::Mismatch(format!(
            "its file has format version {version}, which this build cannot read"
        )),
        Error::ValueTooLarge(bytes) => {
            StoreError::Refused(format!("a value of {bytes} bytes is too large"))
        }
        e @ (Error::Corrupted(_)
        | Error::RepairAborted
        | Error::TableTypeMismatch { .. }
        | Error::TableIsMultimap(_)
        | Error::TableDoesNotExist(_)
        | Error::TypeDefinitionChanged { .. }) => StoreError::Damaged(e.to_string()),
        e => StoreError::Unavailable(e.to_string()),
    }
}

pub(super) fn io_failure(error: &io::Error) -> StoreError {
    let text = error.to_string();
    match error.kind() {
        ErrorKind::StorageFull
        | ErrorKind::QuotaExceeded
        | ErrorKind::FileTooLarge
        | ErrorKind::ReadOnlyFilesystem
        | ErrorKind::PermissionDenied
        | ErrorKind::NotADirectory
        | ErrorKind::AlreadyExists => StoreError::Refused(text),
        ErrorKind::InvalidData | ErrorKind::UnexpectedEof => StoreError::Damaged(text),
        _ => StoreError::Unavailable(text),
    }
}

/// The same error with the place in front.
pub(super) fn at_path(path: &Path, error: StoreError) -> StoreError {
    let place = |text: String| format!("{}: {text}", path.display());
    match error {
        StoreError::Unavailable(text) => StoreError::Unavailable(place(text)),
        StoreError::Damaged(text) => StoreError::Damaged(place(text)),
        StoreError::Mismatch(text) => StoreError::Mismatch(place(text)),
        StoreError::InUse(text) => StoreError::InUse(place(text)),
        StoreError::Refused(text) => StoreError::Refused(place(text)),
        StoreError::Moved(text) => StoreError::Moved(place(text)),
        StoreError::Missing => StoreError::Missing,
    }
}
