//! The files, made once and kept, each with the counts that are right for it.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

use super::records::Records;
use super::workload::Kind;

/// Bytes that are gathered before they are written.
const BUFFER: usize = 1 << 20;

/// How many differences are shown.
const SHOWN: usize = 3;

/// A file and what is in it.
#[derive(Clone, Debug)]
pub struct Data {
    /// What it is like.
    pub kind: Kind,
    /// Records, without the header.
    pub records: u64,
    /// How large it is.
    pub bytes: u64,
    /// Where it is.
    pub path: PathBuf,
    counts: PathBuf,
}

/// How often each `host,job_name` occurs.
pub type Counts = HashMap<String, u64>;

impl Data {
    /// The file of this kind in a folder; it is written if it is not there.
    pub fn prepare(folder: &Path, kind: Kind, records: u64, seed: u64) -> Result<Self> {
        let name = format!("{kind}-{records}-{seed}");
        let path = folder.join(format!("{name}.csv"));
        let counts = folder.join(format!("{name}.counts"));
        // The counts come last: with them, the file is whole.
        if !counts.exists() {
            eprintln!("writing {}", path.display());
            write(&path, &counts, kind, records, seed)?;
        }
        let bytes = fs::metadata(&path)?.len();
        Ok(Self { kind, records, bytes, path, counts })
    }

    /// Reads the file once, so that it lies in memory.
    pub fn warm(&self) -> Result<()> {
        let mut file = BufReader::with_capacity(BUFFER, File::open(&self.path)?);
        io::copy(&mut file.by_ref(), &mut io::sink())?;
        Ok(())
    }

    /// The counts that are right.
    pub fn expected(&self) -> Result<Counts> {
        read_counts(&self.counts)
    }
}

/// Reads rows of `host,job_name,count`; a header is left out.
pub fn read_counts(path: &Path) -> Result<Counts> {
    let mut counts = Counts::new();
    let file = File::open(path).with_context(|| path.display().to_string())?;
    for line in BufReader::new(file).lines() {
        let line = line?;
        let (key, count) = line.rsplit_once(',').with_context(|| format!("no row: {line}"))?;
        let Ok(count) = count.trim().parse() else {
            ensure!(counts.is_empty(), "no count: {line}");
            continue;
        };
        ensure!(counts.insert(key.to_owned(), count).is_none(), "twice: {line}");
    }
    Ok(counts)
}

/// Reads the samples of a page that count by host and job.
pub fn read_page(page: impl BufRead) -> Result<Counts> {
    let mut counts = Counts::new();
    for line in page.lines() {
        let line = line?;
        let Some(rest) = line.strip_prefix("log_host_job_count{host=\"") else { continue };
        let parts = rest.split_once("\",job_name=\"").and_then(|(host, rest)| {
            let (job, value) = rest.split_once("\"} ")?;
            Some((format!("{host},{job}"), value.parse().ok()?))
        });
        let (key, count) = parts.with_context(|| format!("no sample: {line}"))?;
        ensure!(counts.insert(key, count).is_none(), "twice: {line}");
    }
    Ok(counts)
}

/// How counts differ from those that are right, in a line; nothing if they do not.
pub fn difference(expected: &Counts, got: &Counts) -> Option<String> {
    let keys = expected.keys().chain(got.keys().filter(|key| !expected.contains_key(*key)));
    let differ = keys.filter(|key| expected.get(*key) != got.get(*key));
    let mut differ: Vec<&String> = differ.collect();
    differ.sort_unstable();
    let number = |n: Option<&u64>| n.map_or("nothing".to_owned(), u64::to_string);
    let shown: Vec<String> = differ
        .iter()
        .take(SHOWN)
        .map(|key| {
            format!(
                "{key:?}: expected {}, got {}",
                number(expected.get(*key)),
                number(got.get(*key))
            )
        })
        .collect();
    (!differ.is_empty()).then(|| format!("{} series differ: {}", differ.len(), shown.join("; ")))
}

fn write(path: &Path, counts: &Path, kind: Kind, records: u64, seed: u64) -> Result<()> {
    let mut source = Records::new(kind, records, seed);
    let mut found = vec![0_u64; source.keys().len()];
    let mut file = File::create(path).with_context(|| path.display().to_string())?;
    let mut buffer = kind.columns().join(",").into_bytes();
    buffer.push(b'\n');
    for _ in 0..records {
        found[source.write(&mut buffer)] += 1;
        if buffer.len() >= BUFFER {
            file.write_all(&buffer)?;
            buffer.clear();
        }
    }
    file.write_all(&buffer)?;
    let new = counts.with_extension("new");
    let mut rows = BufWriter::new(File::create(&new)?);
    for (key, count) in source.keys().iter().zip(&found).filter(|(_, count)| **count > 0) {
        writeln!(rows, "{key},{count}")?;
    }
    rows.into_inner()?;
    Ok(fs::rename(new, counts)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_as_many_records_as_its_counts_say() {
        let folder = tempfile::tempdir().expect("a folder");
        let data = Data::prepare(folder.path(), Kind::Narrow, 1_000, 1).expect("written");
        let text = fs::read_to_string(&data.path).expect("readable");
        let mut lines = Counts::new();
        for line in text.lines().skip(1) {
            *lines.entry(line.to_owned()).or_default() += 1;
        }
        let expected = data.expected().expect("readable");
        assert_eq!(difference(&expected, &lines), None);
        assert_eq!(expected.values().sum::<u64>(), 1_000);
    }

    #[test]
    fn pages_and_differences_are_read_in_every_series() {
        let page = "# HELP x\nlog_host_job_count{host=\"a\",job_name=\"b\"} 3\nother 4\n";
        let got = read_page(page.as_bytes()).expect("readable");
        let expected = |n| Counts::from([("a,b".to_owned(), n)]);
        assert_eq!(difference(&expected(3), &got), None);
        assert!(difference(&expected(2), &got).is_some());
        assert!(difference(&Counts::new(), &got).is_some());
        assert!(difference(&expected(3), &Counts::new()).is_some());
    }
}
