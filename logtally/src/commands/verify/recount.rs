//! The recount: from records to sums by the rules, one record at a time and without deltas, batches or
//! positions.

use std::fs::File;
use std::io::{BufReader, Read, Take};
use std::os::unix::fs::FileExt;
use std::path::Path;

use anyhow::Context;
use logtally_config::Config;
use logtally_core::rule::{self, Reject};
use logtally_core::series::{Amount, Family, SeriesKey};
use logtally_count::plan::Plan;
use logtally_formats::spec::FormatSpec;
use logtally_recount::{Record, Values};
use logtally_rules::{Hits, Origin, Row};
use logtally_tail::content::Content;
use logtally_tail::discover::compression_of;
use serde::Serialize;

use crate::series::Counted;

/// What one file gave.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct FileCount {
    /// The file.
    pub(crate) path: String,
    /// How far it was read.
    pub(crate) bytes: u64,
    /// Records that a rule took.
    pub(crate) counted: u64,
    /// Records that none took.
    pub(crate) filtered: u64,
    /// Records that could not be counted.
    pub(crate) rejected: u64,
}

/// Sums over files.
pub(super) struct Recount<'a> {
    config: &'a Config,
    plan: &'a Plan,
    sums: Counted,
    files: Vec<FileCount>,
}

struct RecordRow<'a>(&'a Values);

impl Row for RecordRow<'_> {
    fn get(&self, slot: usize) -> Option<&[u8]> {
        self.0.get(slot)?.as_deref()
    }
}

impl<'a> Recount<'a> {
    /// Nothing is counted yet.
    pub(crate) fn new(config: &'a Config, plan: &'a Plan) -> Self {
        Self { config, plan, sums: Counted::default(), files: Vec::new() }
    }

    /// The files so far.
    pub(crate) fn files(&self) -> &[FileCount] {
        &self.files
    }

    /// The sums, accounting included.
    pub(crate) fn counted(&mut self) -> Counted {
        std::mem::take(&mut self.sums)
    }

    /// Counts a file, up to a position or to its last complete record.
    pub(crate) fn file(
        &mut self,
        path: &Path,
        input: usize,
        to: Option<u64>,
    ) -> anyhow::Result<()> {
        let format = &self.config.inputs[input].format;
        let rules = &self.plan.inputs[input].rules;
        let recount = logtally_recount::Recount::new(format, rules.columns())?;
        let mut bytes = open(path, to)?;
        let placeholders = self.plan.inputs[input].placeholder_values(path);
        let missing = missing(format);
        let mut file = FileCount { path: path.display().to_string(), ..FileCount::default() };
        let mut hits = Hits::default();
        for record in recount.records(&mut bytes) {
            let Record { values, end: position, .. } =
                record.with_context(|| format!("cannot read {}", path.display()))?;
            let origin = Origin { path: &placeholders, position, missing };
            let result = values.and_then(|values| {
                rules.evaluate(&RecordRow(&values), origin, &mut hits)?;
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
                    self.sums.families.entry(family.id()).or_insert_with(|| Family::clone(family));
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

/// Why a record without a needed value is rejected.
fn missing(format: &FormatSpec) -> Reject {
    match format {
        FormatSpec::Csv(_) => Reject::Ragged,
        _ => Reject::Missing,
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

/// The bytes of a file up to a stored position, which is behind a record, whatever ends it; else up to
/// the last line feed, because what follows may not be complete.
fn open(path: &Path, to: Option<u64>) -> anyhow::Result<BufReader<Take<Bytes>>> {
    let unreadable = || format!("cannot read {}", path.display());
    let file = File::open(path).with_context(unreadable)?;
    let compression = compression_of(path);
    let to = match (to, compression) {
        (Some(to), _) => to,
        (None, Some(_)) => u64::MAX,
        (None, None) => last_line_end(&file).with_context(unreadable)?,
    };
    let content = Content::of_file(file, compression);
    Ok(BufReader::with_capacity(256 << 10, Bytes { content, at: 0 }.take(to)))
}

/// The offset behind the last line feed.
fn last_line_end(file: &File) -> std::io::Result<u64> {
    let mut end = file.metadata()?.len();
    let mut block = [0; 8192];
    while end > 0 {
        let from = end.saturating_sub(block.len() as u64);
        let part = &mut block[..(end - from) as usize];
        file.read_exact_at(part, from)?;
        if let Some(at) = part.iter().rposition(|byte| *byte == b'\n') {
            return Ok(from + at as u64 + 1);
        }
        end = from;
    }
    Ok(0)
}
