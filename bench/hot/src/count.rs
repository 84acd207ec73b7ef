//! From the bytes of a file to packed increments, with the default rule.

use std::fs::File;
use std::io::Write as _;

use anyhow::{Context as _, Result, ensure};
use logtally_config::Config;
use logtally_count::plan::Plan;
use logtally_count::reading::Reading;
use logtally_tail::content::Content;
use logtally_tail::reader::{End, Reader, Scratch};

use crate::repetition::Repetition;
use crate::text;

/// Records of two columns, without quotes.
pub(crate) fn narrow() -> Result<Repetition> {
    repeat(text::NARROW, "[host, job_name]", &text::narrow())
}

/// Records of six columns, a third of them quoted.
pub(crate) fn wide() -> Result<Repetition> {
    repeat(text::WIDE, "[host, job_name]", &text::wide())
}

/// The same on the slow path, because a rule changes a value.
pub(crate) fn wide_slow() -> Result<Repetition> {
    repeat(text::WIDE, "{host: host, job: {column: job_name, upper: true}}", &text::wide())
}

fn repeat(columns: &str, labels: &str, text: &str) -> Result<Repetition> {
    let mut file = tempfile::tempfile()?;
    file.write_all(text.as_bytes())?;
    let (reading, mut scratch) = (reading(columns, labels)?, Scratch::new(0));
    Ok(Box::new(move || {
        let records = count(&file, &reading, &mut scratch)?;
        ensure!(records == text::RECORDS as u64, "{records} records are counted");
        Ok(())
    }))
}

fn reading(columns: &str, labels: &str) -> Result<Reading> {
    let yaml = format!(
        "inputs: [{{format: {{type: csv, columns: [{columns}]}}, rules: [{{metric: jobs_total, labels: {labels}}}]}}]"
    );
    let files = |name: &str| Err(std::io::Error::other(name.to_owned()));
    let config = Config::parse("hot.yaml", &yaml, &files).map_err(|e| anyhow::anyhow!("{e:?}"))?;
    let plan = Plan::compile(&config, &[])?;
    let input = plan.inputs.into_iter().next().context("an input")?;
    Ok(Reading { input, path: Vec::new().into() })
}

fn count(file: &File, reading: &Reading, scratch: &mut Scratch) -> Result<u64> {
    let mut reader = Reader::new(Some(Content::File(file.try_clone()?)), reading.clone());
    let mut records = 0;
    loop {
        let span = reader.read_span(scratch, End::Final)?;
        records += std::hint::black_box(scratch.tally.take(reader.input())).records.counted;
        if span.at_end {
            return Ok(records);
        }
    }
}
