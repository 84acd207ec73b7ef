//! One input: which files it has, how their records are read, and what they count.
//!
//! An input never changes: a reload makes another one.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use logtally_config::{Config, ConfigError, InputSpec};
use logtally_formats::Format;
use logtally_rules::RuleSet;
use memchr::memmem;

use crate::count_path::CountPath;
use crate::pattern::Pattern;

/// Serial numbers of inputs.
static SERIALS: AtomicU64 = AtomicU64::new(0);

/// One input: files, their format, and their rules.
#[derive(Debug)]
pub struct Input {
    /// Its name.
    pub name: String,
    /// The files.
    pub patterns: Vec<Pattern>,
    /// Files that are left out, although a pattern matches them.
    pub exclude: Vec<glob::Pattern>,
    /// Whether compressed files that a glob matches are read, too.
    pub compressed: bool,
    /// From bytes to cells.
    pub format: Format,
    /// From cells to series.
    pub rules: RuleSet,
    /// For each rule that counts files from their beginning: an input of its own.
    pub backfills: Vec<(String, Arc<Input>)>,
    /// How its records are counted.
    pub(crate) count_path: CountPath,
    /// No other input of this process has it.
    pub(crate) serial: u64,
    /// Finds what every header has.
    marker: Option<memmem::Finder<'static>>,
}

impl Input {
    /// The input with its files; `files` are those of the command line.
    pub(crate) fn compile(
        config: &Config,
        index: usize,
        spec: &InputSpec,
        files: &[String],
    ) -> Result<Self, ConfigError> {
        let texts = spec.files.as_deref().unwrap_or(files);
        let error_at =
            |field: &str, message: String| config.error_at(index, None, field, message, None);
        let mut patterns = Vec::new();
        for (i, text) in texts.iter().enumerate() {
            let pattern = Pattern::parse(text);
            patterns.push(pattern.map_err(|message| error_at(&format!("files.{i}"), message))?);
        }
        let mut exclude = Vec::new();
        for (i, text) in spec.exclude.iter().enumerate() {
            let pattern = glob::Pattern::new(text);
            let message =
                |e: glob::PatternError| error_at(&format!("exclude.{i}"), e.msg.to_owned());
            exclude.push(pattern.map_err(message)?);
        }
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
        let count_path = CountPath::choose(&format, &rules);
        Ok(Self {
            name: spec.name.clone(),
            patterns: Vec::new(),
            exclude: Vec::new(),
            compressed: spec.compressed,
            format,
            rules,
            backfills: Vec::new(),
            count_path,
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

    /// Whether one of the patterns matches the path.
    pub fn matches(&self, path: &Path) -> bool {
        !self.excludes(path) && self.patterns.iter().any(|pattern| pattern.matches(path))
    }

    /// The values of the placeholders that the rules use, in a path that a pattern of this input
    /// matches.
    pub fn placeholder_values(&self, path: &Path) -> Vec<Option<String>> {
        self.placeholder_values_of(self.rules.placeholders(), path)
    }

    /// The values of some placeholders in a path that a pattern of this input matches.
    pub fn placeholder_values_of(&self, names: &[String], path: &Path) -> Vec<Option<String>> {
        if names.is_empty() {
            return Vec::new();
        }
        self.patterns
            .iter()
            .find_map(|p| p.values(path, names))
            .unwrap_or_else(|| vec![None; names.len()])
    }

    /// Whether its records can take the fast path.
    pub fn has_fast_path(&self) -> bool {
        self.count_path.fast().is_some()
    }

    /// Where in `data`, from `from` on, something stands that every header has; only the record around
    /// it can be one. Looking for it costs a fraction of comparing fields.
    pub fn next_marker(&self, data: &[u8], from: usize) -> usize {
        let Some(marker) = &self.marker else { return usize::MAX };
        marker.find(&data[from..]).map_or(usize::MAX, |i| from + i)
    }
}
