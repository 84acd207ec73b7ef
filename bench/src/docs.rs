//! Blocks of a document that a command writes: what stands between two markers is replaced, all else
//! stays.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

/// The document with the figures.
pub fn performance() -> PathBuf {
    repository().join("docs/performance.md")
}

/// The folder for plots.
pub fn images() -> PathBuf {
    repository().join("docs/img")
}

/// The root of the sources that this program was built from.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new(".")).to_owned()
}

/// Writes `text` between the markers called `name` of a document.
pub fn update(document: &Path, name: &str, text: &str) -> Result<()> {
    let old = fs::read_to_string(document).with_context(|| document.display().to_string())?;
    let new = replace(&old, name, text).with_context(|| document.display().to_string())?;
    fs::write(document, new).with_context(|| document.display().to_string())
}

fn replace(old: &str, name: &str, text: &str) -> Result<String> {
    let (begin, end) = (format!("<!-- begin: {name} -->"), format!("<!-- end: {name} -->"));
    let no_marker = || format!("there is no pair of markers {begin} and {end}");
    let (before, rest) = old.split_once(&begin).with_context(no_marker)?;
    let (_, after) = rest.split_once(&end).with_context(no_marker)?;
    ensure!(!after.contains(&begin), "the marker {begin} stands there twice");
    Ok(format!("{before}{begin}\n\n{}\n\n{end}{after}", text.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_the_markers_is_replaced() {
        let old = "a\n<!-- begin: x -->\nold\n<!-- end: x -->\nb <!-- begin: y -->";
        let new = "a\n<!-- begin: x -->\n\nnew\n\n<!-- end: x -->\nb <!-- begin: y -->";
        assert_eq!(replace(old, "x", "new\n").expect("there is one"), new);
        assert_eq!(replace(new, "x", "new").expect("there is one"), new);
        assert!(replace(old, "y", "new").is_err());
        assert!(replace(&format!("{old}{old}"), "x", "new").is_err());
    }
}
