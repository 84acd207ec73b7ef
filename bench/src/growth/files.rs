//! More files, and more series, in one process on one processor.

use std::path::Path;

use anyhow::Result;

use super::data::Shape;
use super::experiment::{Experiment, rows};
use super::size::Size;
use crate::files::ours::{self, Threads};
use crate::table::grouped;

/// The same lines in more and more files.
pub fn sources(folder: &Path, size: Size, runs: u32) -> Result<Experiment> {
    let (lines, sizes): (_, &[u64]) = match size {
        Size::Short => (20_000, &[1, 100]),
        _ => (5_000_000, &[1, 10, 100, 1_000, 10_000]),
    };
    let shape = |files| Shape { files, lines, series: 10_000 };
    Ok(Experiment {
        title: format!("CPU per line (ns), {} lines, 10,000 series", grouped(lines)),
        grows: "files",
        figures: vec!["all"],
        rows: rows(sizes, runs, |files| count(folder, shape(files)))?,
    })
}

/// The same number of lines with more and more series.
pub fn series(folder: &Path, size: Size, runs: u32) -> Result<Experiment> {
    let (lines, sizes): (_, &[u64]) = match size {
        Size::Short => (20_000, &[10, 10_000]),
        Size::Usual => (10_000_000, &[10, 100, 1_000, 10_000, 100_000, 1_000_000, 3_000_000]),
        Size::Full => (20_000_000, &[10, 1_000, 10_000, 100_000, 1_000_000, 10_000_000]),
    };
    Ok(Experiment {
        title: format!("CPU per line (ns), {} lines in one file", grouped(lines)),
        grows: "series",
        figures: vec!["all"],
        rows: rows(sizes, runs, |series| count(folder, Shape { files: 1, lines, series }))?,
    })
}

fn count(folder: &Path, shape: Shape) -> Result<Vec<f64>> {
    let files = shape.prepare(folder)?;
    eprintln!("counting {}", files.display());
    let spent = ours::count_files(&files, Threads::One, ours::can_be_quiet(), None)?;
    Ok(vec![spent.cpu() * 1e9 / shape.lines as f64])
}
