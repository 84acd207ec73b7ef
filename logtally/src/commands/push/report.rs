//! What is printed about a push.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::Ordering;

use logtally_client::Guarantee;
use serde::Serialize;

use super::input::STDIN;
use super::stream::{Done, FilePush, Progress, guarantee_text};
use crate::output::Table;

/// All files.
#[derive(Serialize)]
pub(crate) struct Report {
    pub(crate) files: Vec<Pushed>,
}

/// What became of one file.
#[derive(Serialize)]
pub(crate) struct Pushed {
    file: String,
    producer: Option<String>,
    guarantee: &'static str,
    durable: bool,
    /// Offsets: up to where it was counted before, and is counted now.
    resumed_at: u64,
    position: u64,
    messages: u64,
    duplicates: u64,
    counted: u64,
    filtered: u64,
    rejected: BTreeMap<String, u64>,
    error: Option<String>,
}

impl Pushed {
    pub(crate) fn new(job: &FilePush, progress: &Progress, done: Done) -> Self {
        let named = job.options.producer.is_some();
        let promised = if named { Guarantee::ExactlyOnce } else { Guarantee::AtLeastOnce };
        let Done { summary, error } = done;
        let guarantee = summary.as_ref().map_or(promised, |summary| summary.guarantee);
        let of = |n: fn(&logtally_client::Summary) -> u64| summary.as_ref().map_or(0, n);
        Self {
            file: job.file.clone(),
            producer: job.options.producer.clone(),
            guarantee: guarantee_text(guarantee),
            durable: summary.as_ref().is_some_and(|summary| summary.durable),
            resumed_at: progress.resumed_at.load(Ordering::Relaxed),
            position: progress.acknowledged.load(Ordering::Relaxed),
            messages: of(|summary| summary.messages),
            duplicates: of(|summary| summary.duplicates),
            counted: of(|summary| summary.counted),
            filtered: of(|summary| summary.filtered),
            rejected: summary.map(|summary| summary.rejected).unwrap_or_default(),
            error,
        }
    }
}

impl Report {
    /// The first error, with its file.
    pub(crate) fn first_error(&self) -> Option<String> {
        let found = self.files.iter().find_map(|file| Some((file, file.error.as_ref()?)));
        found.map(|(Pushed { file, .. }, error)| {
            if error.contains(file.as_str()) { error.clone() } else { format!("{file}: {error}") }
        })
    }

    /// How many files have one.
    pub(crate) fn errors(&self) -> usize {
        self.files.iter().filter(|file| file.error.is_some()).count()
    }

    /// How to go on after an interruption.
    pub(crate) fn way_on(&self) -> String {
        let unnamed = self.files.iter().find(|file| file.producer.is_none());
        match unnamed {
            None if self.files.iter().any(|file| file.file == STDIN) => {
                "give the same input again with the same --producer, and it goes on from there"
                    .into()
            }
            None => "run the same command again, and it goes on from there".to_owned(),
            Some(file) => format!(
                "about {} bytes of standard input are counted; without --producer it cannot go on \
                 from there",
                file.position
            ),
        }
    }

    pub(crate) fn render(&self) -> String {
        let headings =
            ["file", ">from", ">to", ">counted", ">filtered", ">rejected", "guarantee", "error"];
        let mut table = Table::new(&headings);
        for file in &self.files {
            table.row([
                &file.file,
                &file.resumed_at.to_string(),
                &file.position.to_string(),
                &file.counted.to_string(),
                &file.filtered.to_string(),
                &file.rejected.values().sum::<u64>().to_string(),
                file.guarantee,
                file.error.as_deref().unwrap_or_default(),
            ]);
        }
        table.render() + &self.notes()
    }

    fn notes(&self) -> String {
        let mut text = String::new();
        for file in &self.files {
            for (reason, records) in &file.rejected {
                // Writing to a string does not fail.
                let _ = writeln!(text, "rejected: {records} of {}: {reason}", file.file);
            }
            if file.duplicates > 0 {
                let _ = writeln!(
                    text,
                    "note: {} of {} messages of {} had been counted before; what they gave is not shown",
                    file.duplicates, file.messages, file.file
                );
            }
        }
        text
    }
}
