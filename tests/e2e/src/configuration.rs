//! The configuration of a program under test.

use std::path::{Path, PathBuf};

/// Writes `logtally.yaml` in a folder, as a whole: a program that loads it sees the old or the new one.
pub fn configure(folder: &Path, yaml: &str) -> PathBuf {
    let (path, new) = (folder.join("logtally.yaml"), folder.join("logtally.yaml.new"));
    std::fs::write(&new, yaml).expect("writing the configuration");
    std::fs::rename(&new, &path).expect("putting the configuration in place");
    path
}
