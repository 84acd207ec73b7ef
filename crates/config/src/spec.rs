//! What a valid configuration comes to: one specification per input. Only data; decides nothing.

use logtally_formats::spec::{CsvSpec, FormatSpec};
use logtally_rules::spec::RuleSpec;

/// One input.
#[derive(Clone, PartialEq, Debug)]
pub struct InputSpec {
    /// Its name, unique.
    pub name: String,
    /// Paths and globs with placeholders; `None` for the files of the command line, which an input for
    /// pushed records does not get.
    pub files: Option<Vec<String>>,
    /// Globs of files that are not read.
    pub exclude: Vec<String>,
    /// Whether compressed files that globs match are read too.
    pub compressed: bool,
    /// Whether pushed records may name it.
    pub push: bool,
    /// How bytes become records.
    pub format: FormatSpec,
    /// What is counted; the input's labels are in it already. Never empty.
    pub rules: Vec<RuleSpec>,
}

impl InputSpec {
    /// The input of a configuration that names none and has no rules: the default rule over the files of
    /// the command line.
    pub(crate) fn default_input() -> Self {
        let csv = CsvSpec { columns: default_columns(), ..CsvSpec::default() };
        let input = Self::new(FormatSpec::Csv(csv), vec![RuleSpec::default_rule()]);
        Self { name: "input1".into(), ..input }
    }

    pub(crate) fn new(format: FormatSpec, rules: Vec<RuleSpec>) -> Self {
        Self {
            name: String::new(),
            files: None,
            exclude: Vec::new(),
            compressed: false,
            push: false,
            format,
            rules,
        }
    }
}

/// The columns that the default rule wants, in their order.
pub(crate) fn default_columns() -> Vec<String> {
    vec!["host".into(), "job_name".into()]
}
