//! Opens files by their identity.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use logtally_core::source::SourceId;

use crate::discover::identity;

/// Opens the file if it is still the one that was found. Never blocks, whatever took its place.
pub(crate) fn open(path: &Path, volume: &str, id: &SourceId) -> std::io::Result<Option<File>> {
    let flags = rustix::fs::OFlags::NONBLOCK.bits() as i32;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let same = identity(volume, &file.metadata()?).is_ok_and(|found| found == *id);
    Ok(same.then_some(file))
}
