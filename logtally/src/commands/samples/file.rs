//! The test file: read strictly, so that a slip in a key is an error and not a test that tests nothing.

use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::Deserialize;
use serde_saphyr::Spanned;

use crate::page::Sample;
use crate::usage::usage;

/// A test file.
pub(super) struct TestFile {
    path: PathBuf,
    config: Option<PathBuf>,
    /// The tests, in order.
    pub(crate) tests: Vec<Test>,
}

/// A test.
pub(super) struct Test {
    /// Where it stands.
    pub(crate) line: u64,
    /// What it shows.
    pub(crate) name: String,
    /// The input, if it is named.
    pub(crate) input: Option<String>,
    /// The path that the lines are said to come from.
    pub(crate) path: Option<PathBuf>,
    /// Where the lines are.
    pub(crate) lines: Lines,
    expect: String,
}

/// Sample lines.
pub(super) enum Lines {
    /// In the test itself.
    Here(String),
    /// In a file beside it.
    File(PathBuf),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    config: Option<PathBuf>,
    tests: Vec<Spanned<WrittenTest>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenTest {
    name: String,
    input: Option<String>,
    path: Option<PathBuf>,
    file: Option<PathBuf>,
    lines: Option<String>,
    expect: String,
}

impl TestFile {
    /// Reads a test file.
    pub(crate) fn load(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| usage(format!("{} cannot be read: {error}", path.display())))?;
        Self::parse(path, &text)
    }

    fn parse(path: &Path, text: &str) -> anyhow::Result<Self> {
        let name = path.display();
        let options = serde_saphyr::options! { with_snippet: false };
        let written: Written =
            serde_saphyr::from_str_with_options(text, options).map_err(|error| {
                let at = error
                    .location()
                    .map_or(String::new(), |at| format!(":{}:{}", at.line(), at.column()));
                let message = error.without_snippet().to_string();
                let end = message.find(" at line ").unwrap_or(message.len());
                usage(format!("{name}{at}: {}", message[..end].trim_end_matches([',', '.'])))
            })?;
        let mut tests = Vec::new();
        for test in written.tests {
            let line = test.referenced.line();
            tests.push(
                Test::of(line, test.value)
                    .map_err(|problem| usage(format!("{name}:{line}: {problem}")))?,
            );
        }
        Ok(Self { path: path.to_owned(), config: written.config, tests })
    }

    /// A path that stands in the file.
    pub(crate) fn beside(&self, path: &Path) -> PathBuf {
        self.path.parent().unwrap_or(Path::new("")).join(path)
    }

    /// The configuration.
    pub(crate) fn config_path(&self) -> Option<PathBuf> {
        self.config.as_deref().map(|path| self.beside(path))
    }

    /// An error in a test.
    pub(crate) fn wrong(&self, test: &Test, problem: &str) -> anyhow::Error {
        usage(format!("{}:{}: {problem}", self.path.display(), test.line))
    }
}

impl Test {
    fn of(line: u64, test: WrittenTest) -> Result<Self, &'static str> {
        let WrittenTest { name, input, path, file, lines, expect } = test;
        let lines = match (lines, file) {
            (Some(lines), None) => Lines::Here(lines),
            (None, Some(file)) => Lines::File(file),
            (None, None) => return Err("a test needs `lines` or `file`"),
            (Some(_), Some(_)) => return Err("a test has either `lines` or `file`; remove one"),
        };
        Ok(Self { line, name, input, path, lines, expect })
    }

    /// The series that the lines must give.
    pub(crate) fn expected(&self) -> anyhow::Result<Vec<Sample>> {
        let lines = self.expect.lines().map(str::trim);
        lines
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .map(|line| crate::page::sample(line).with_context(|| format!("expect: {line:?}")))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        let parsed = TestFile::parse(Path::new("t.yaml"), text);
        parsed.err().expect("refused").to_string()
    }

    #[test]
    fn slips_are_told_with_their_lines() {
        let unknown = error("tests:\n  - name: a\n    lines: x\n    expects: y\n");
        assert!(unknown.contains("t.yaml:4") && unknown.contains("expects"), "{unknown}");
        let both = error("tests:\n  - {name: a, expect: ''}\n");
        assert!(both.starts_with("t.yaml:2") && both.contains("`lines` or `file`"), "{both}");
        assert!(error("tests: 5").starts_with("t.yaml:1"));
    }
}
