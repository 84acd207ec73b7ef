//! The plan: what is read, how it is parsed, and what is counted, compiled from a configuration.
//!
//! A plan never changes. A reload makes another one, and each reading step works with one plan from
//! its first record to its last, so that every record is under exactly one set of rules.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use logtally_config::{Config, ConfigError, InputSpec};
use logtally_formats::Format;
use logtally_formats::csv::Dialect;
use logtally_rules::RuleSet;
use memchr::memmem;

use crate::inputs::PushInputs;
use crate::pattern::Pattern;

/// Serial numbers of inputs.
static SERIALS: AtomicU64 = AtomicU64::new(0);

/// Everything that is read.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The inputs; a file belongs to the first one that means it.
    pub inputs: Vec<Arc<Input>>,
    /// What pushed records may name.
    pub push: PushInputs,
    /// Rejected records kept per reason.
    pub samples_per_reason: usize,
}

/// One input: files, their format, and their rules.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts, not a state in disguise")]
pub struct Input {
    /// Its name.
    pub name: String,
    /// The files.
    pub patterns: Vec<Pattern>,
    /// Files that are not meant, although a pattern matches them.
    pub exclude: Vec<glob::Pattern>,
    /// Whether compressed files that a glob matches are read, too.
    pub compressed: bool,
    /// From bytes to cells.
    pub format: Format,
    /// From cells to series.
    pub rules: RuleSet,
    /// For each rule that counts files from their beginning: an input of its own.
    pub backfills: Vec<(String, Arc<Input>)>,
    /// Whether the first record of a source is a header in any case.
    pub first_is_header: bool,
    /// Whether an unquoted record can be split at its commas.
    pub is_standard_csv: bool,
    /// Whether, besides, all rules count by columns as they stand there.
    pub is_plain: bool,
    /// If what records count depends on the text of columns alone, and they can be marked: the dialect.
    pub sweeps: Option<Dialect>,
    /// No other input of this process has it.
    pub serial: u64,
    /// Finds what every header has.
    marker: Option<memmem::Finder<'static>>,
}

impl Plan {
    /// Compiles a configuration. Inputs without files get those of the command line.
    pub fn compile(config: &Config, files: &[String]) -> Result<Self, ConfigError> {
        let mut errors: Option<ConfigError> = None;
        let mut inputs = Vec::new();
        for (index, spec) in config.inputs.iter().enumerate() {
            match Input::compile(config, index, spec, files) {
                Ok(input) => inputs.push(Arc::new(input)),
                Err(error) => {
                    errors = Some(match errors {
                        Some(before) => before.and(error),
                        None => error,
                    });
                }
            }
        }
        if let Some(errors) = errors {
            return Err(errors);
        }
        let push = PushInputs::compile(config, &inputs);
        Ok(Self { inputs, push, samples_per_reason: config.samples_per_reason })
    }

    /// The default rule over these files.
    ///
    /// # Panics
    /// Never: the default rule is valid, and files without placeholders are.
    pub fn of_files(files: &[String]) -> Result<Self, ConfigError> {
        Self::compile(&Config::default(), files)
    }
}

impl Input {
    fn compile(
        config: &Config,
        index: usize,
        spec: &InputSpec,
        files: &[String],
    ) -> Result<Self, ConfigError> {
        let texts = spec.files.as_deref().unwrap_or(files);
        let at = |field: &str, message: String| config.error_at(index, None, field, message, None);
        let pattern = |(i, text): (usize, &String)| {
            Pattern::parse(text).map_err(|message| at(&format!("files.{i}"), message))
        };
        let patterns = texts.iter().enumerate().map(pattern).collect::<Result<Vec<_>, _>>()?;
        let exclude = |(i, text): (usize, &String)| {
            glob::Pattern::new(text).map_err(|e| at(&format!("exclude.{i}"), e.msg.to_owned()))
        };
        let exclude = spec.exclude.iter().enumerate().map(exclude).collect::<Result<_, _>>()?;
        let mut input = Self::of_rules(config, index, spec, None)?;
        for (rule, compiled) in input.rules.rules().iter().enumerate() {
            if let Some(name) = &compiled.backfill {
                let only = Self::of_rules(config, index, spec, Some(rule))?;
                input.backfills.push((name.clone(), Arc::new(only)));
            }
        }
        Ok(Self { patterns, exclude, compressed: spec.compressed, ..input })
    }

    /// The input without its files, with all rules or with one.
    pub(crate) fn of_rules(
        config: &Config,
        index: usize,
        spec: &InputSpec,
        only: Option<usize>,
    ) -> Result<Self, ConfigError> {
        let specs = match only {
            Some(rule) => &spec.rules[rule..=rule],
            None => &spec.rules[..],
        };
        let rules = RuleSet::compile(specs).map_err(|errors| {
            let diagnostic = |error: logtally_rules::RuleError| {
                let rule = Some(error.rule + only.unwrap_or(0));
                config.error_at(index, rule, &error.field, error.message, error.help)
            };
            let all = errors.into_iter().map(diagnostic).reduce(ConfigError::and);
            all.unwrap_or_else(|| config.error_at(index, None, "rules", "invalid", None))
        })?;
        let format = Format::compile(&spec.format, rules.columns()).map_err(|error| {
            let field = match error.field() {
                "format" => "format".to_owned(),
                field => format!("format.{field}"),
            };
            config.error_at(index, None, &field, error.to_string(), None)
        })?;
        let marker = format.marker();
        let marker = (!marker.is_empty()).then(|| memmem::Finder::new(marker).into_owned());
        let first_is_header = format.has_header_first();
        // The whole record is a column that is not between commas.
        let by_commas = !rules.columns().iter().any(|column| column == logtally_formats::LINE);
        let is_standard_csv = format.is_standard_csv() && by_commas;
        let is_plain = is_standard_csv && rules.is_plain();
        let is_swept = by_commas && rules.is_plain() && !rules.columns().is_empty();
        let sweeps = format.markable().filter(|_| is_swept);
        Ok(Self {
            name: spec.name.clone(),
            patterns: Vec::new(),
            exclude: Vec::new(),
            compressed: spec.compressed,
            format,
            rules,
            backfills: Vec::new(),
            first_is_header,
            is_standard_csv,
            is_plain,
            sweeps,
            serial: SERIALS.fetch_add(1, Ordering::Relaxed),
            marker,
        })
    }

    /// Whether the path is excluded.
    pub fn excludes(&self, path: &Path) -> bool {
        let options = glob::MatchOptions { require_literal_separator: true, ..Default::default() };
        let name = path.file_name().map(Path::new);
        self.exclude.iter().any(|pattern| {
            let plain = !pattern.as_str().contains('/');
            pattern.matches_path_with(path, options)
                || (plain && name.is_some_and(|n| pattern.matches_path(n)))
        })
    }

    /// Whether one of the patterns means the path.
    pub fn means(&self, path: &Path) -> bool {
        !self.excludes(path) && self.patterns.iter().any(|pattern| pattern.means(path))
    }

    /// The values of the placeholders that the rules use, in a path that a pattern of this input
    /// means.
    pub fn placeholder_values(&self, path: &Path) -> Vec<Option<String>> {
        self.placeholder_values_of(self.rules.placeholders(), path)
    }

    /// The values of some placeholders in a path that a pattern of this input means.
    pub fn placeholder_values_of(&self, names: &[String], path: &Path) -> Vec<Option<String>> {
        if names.is_empty() {
            return Vec::new();
        }
        self.patterns
            .iter()
            .find_map(|p| p.values(path, names))
            .unwrap_or_else(|| vec![None; names.len()])
    }

    /// Where in `data`, from `from` on, something stands that every header has; only the record around
    /// it can be one. Looking for it costs a fraction of comparing fields.
    pub fn next_marker(&self, data: &[u8], from: usize) -> usize {
        let Some(marker) = &self.marker else { return usize::MAX };
        marker.find(&data[from..]).map_or(usize::MAX, |i| from + i)
    }
}
