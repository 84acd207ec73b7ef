//! Where the programs under test are, and whether they are the ones that the sources say.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Tests other programs than those next to the test: a folder, e.g. of a release build.
const DIRECTORY_VARIABLE: &str = "LOGTALLY_E2E_BIN_DIR";

const REMEDY: &str = "run scripts/test.sh, or cargo build --workspace --bins, first";

/// The path of a program of this workspace.
///
/// Cargo builds no binaries for the tests of another package, so they may be missing or old: both
/// are said clearly, rather than testing yesterday's program.
pub fn binary(name: &str) -> PathBuf {
    if let Some(directory) = std::env::var_os(DIRECTORY_VARIABLE) {
        return Path::new(&directory).join(name);
    }
    let path = build_directory().join(name);
    let built =
        modified(&path).unwrap_or_else(|| panic!("{} is missing: {REMEDY}", path.display()));
    if let Some(source) = newer_source(&path, built) {
        panic!("{} is older than {}: {REMEDY}", path.display(), source.display());
    }
    path
}

/// The executable of a test is `target/<profile>/deps/<test>-<hash>`, that of a program lies one
/// folder higher.
fn build_directory() -> PathBuf {
    let program = std::env::current_exe().expect("the path of this program");
    let mut above = program.ancestors().skip(1).skip_while(|folder| folder.ends_with("deps"));
    above.next().expect("a build directory").to_owned()
}

/// A source that was changed after `built`, out of those that cargo's dependency file
/// (`program: source source …`) lists for the program.
fn newer_source(program: &Path, built: SystemTime) -> Option<PathBuf> {
    let listed = fs::read_to_string(program.with_extension("d")).unwrap_or_default();
    let (_, sources) = listed.split_once(": ")?;
    sources
        .replace("\\ ", "\u{0}")
        .split_whitespace()
        .map(|word| PathBuf::from(word.replace('\u{0}', " ")))
        .find(|source| modified(source).is_some_and(|at| at > built))
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|m| m.modified()).ok()
}
