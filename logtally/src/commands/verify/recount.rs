//! The recount: from records to sums by the rules, one record at a time and without deltas, batches or
//! positions.

use std::io::{BufReader, Read};
use std::path::Path;

use anyhow::{Context, bail};
use logtally_config::Config;
use logtally_core::rule::{self, Reject};
use logtally_core::series::{Amount, Family, SeriesKey};
use logtally_formats::spec::FormatSpec;
use logtally_ingest::content::Content;
use logtally_ingest::discover::compression_of;
use logtally_ingest::plan::Plan;
use logtally_rules::{Hits, Origin, Row};
use serde::Serialize;

use super::spec;
use super::split::{Cells, Record, splitter};
use crate::series::Counted;

/// What one file gave.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct FileCount {
    /// The file.
    pub path: String,
    /// How far it was read.
    pub bytes: u64,
    /// Records that a rule took.
    pub counted: u64,
    /// Records that none took.
    pub filtered: u64,
    /// Records that could not be counted.
    pub rejected: u64,
}

/// Sums over files.
pub(super) struct Recount<'a> {
    config: &'a Config,
    plan: &'a Plan,
    sums: Counted,
    files: Vec<FileCount>,
}

struct RowOf<'a>(&'a Cells);

impl Row for RowOf<'_> {
    fn get(&self, slot: usize) -> Option<&[u8]> {
        self.0.get(slot)?.as_deref()
    }
}

impl<'a> Recount<'a> {
    /// Nothing is counted yet.
    pub fn new(config: &'a Config, plan: &'a Plan) -> Self {
        Self { config, plan, sums: Counted::default(), files: Vec::new() }
    }

    /// The files so far.
    pub fn files(&self) -> &[FileCount] {
        &self.files
    }

    /// The sums, accounting included.
    pub fn counted(&mut self) -> Counted {
        std::mem::take(&mut self.sums)
    }

    /// Counts a file, up to a position or to its last complete record.
    pub fn file(&mut self, path: &Path, input: usize, to: Option<u64>) -> anyhow::Result<()> {
        let format = &spec(self.config, input).format;
        let rules = &self.plan.inputs[input].rules;
        let bytes = open(path, to.unwrap_or(u64::MAX))?;
        // A stored position is behind a record, whatever ends it.
        let whole = to.is_some();
        let Some(splitter) = splitter(format, rules.columns(), bytes, whole) else {
            bail!("{} is {}, which cannot be counted again yet", path.display(), named(format));
        };
        let placeholders = self.plan.inputs[input].placeholder_values(path);
        let missing = splitter.missing();
        let mut file = FileCount { path: path.display().to_string(), ..FileCount::default() };
        let mut hits = Hits::default();
        for record in splitter {
            let Record { cells, position } =
                record.with_context(|| format!("cannot read {}", path.display()))?;
            let origin = Origin { path: &placeholders, position, missing };
            let result = cells.and_then(|cells| {
                rules.evaluate(&RowOf(&cells), origin, &mut hits)?;
                hits.iter().try_for_each(|(hit, key)| hit.check(key))
            });
            file.bytes = position;
            self.add(result, &hits, input, &mut file)?;
        }
        self.files.push(file);
        Ok(())
    }

    fn add(
        &mut self,
        result: Result<(), Reject>,
        hits: &Hits,
        input: usize,
        file: &mut FileCount,
    ) -> anyhow::Result<()> {
        self.account(rule::records_read(), &[]);
        match result {
            Err(reason) => {
                file.rejected += 1;
                self.account(rule::records_rejected(), &[reason.as_str()]);
            }
            Ok(()) if hits.is_empty() => {
                file.filtered += 1;
                self.account(rule::records_filtered(), &[]);
            }
            Ok(()) => {
                file.counted += 1;
                self.account(rule::records_counted(), &[]);
                for (hit, key) in hits.iter() {
                    let family = &self.plan.inputs[input].rules.rules()[hit.rule].family;
                    self.sums.families.entry(family.id()).or_insert_with(|| family.clone());
                    self.sums.add(SeriesKey::parse(key)?, Amount { count: 1, value: hit.value });
                }
            }
        }
        Ok(())
    }

    fn account(&mut self, family: Family, values: &[&str]) {
        let key = SeriesKey::new(family.id(), values.iter().copied());
        self.sums.add(key, Amount::records(1));
        self.sums.families.entry(family.id()).or_insert(family);
    }
}

fn named(format: &FormatSpec) -> &'static str {
    match format {
        FormatSpec::Csv(_) => "CSV of another dialect",
        FormatSpec::Json => "JSON",
        FormatSpec::Logfmt => "logfmt",
        FormatSpec::Regex { .. } | FormatSpec::Grok { .. } => "lines of an expression",
        FormatSpec::Lines => "lines",
    }
}

/// The bytes of a file, unpacked.
struct Bytes {
    content: Content,
    at: u64,
}

impl Read for Bytes {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let n = self.content.read_at(buffer, self.at)?;
        self.at += n as u64;
        Ok(n)
    }
}

fn open(path: &Path, to: u64) -> anyhow::Result<Box<dyn std::io::BufRead>> {
    let file = std::fs::File::open(path);
    let file = file.with_context(|| format!("cannot read {}", path.display()))?;
    let content = Content::of_file(file, compression_of(path));
    Ok(Box::new(BufReader::with_capacity(256 << 10, Bytes { content, at: 0 }.take(to))))
}
