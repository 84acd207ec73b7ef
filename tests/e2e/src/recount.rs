//! An independent recount of CSV files: the truth that the system is held against.
//!
//! Slow and simple on purpose. It knows well-formed CSV only (quotes closed, columns present); the
//! expectations for malformed input are written out by hand in the test about it.

use std::path::Path;

use crate::exposition::{Counts, series};

/// Records per series of the default rule, and how many there were altogether.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Recount {
    /// By series name, as on a page.
    pub counts: Counts,
    /// All records.
    pub records: u64,
}

impl Recount {
    /// Counts every regular file directly in a folder, whatever its name.
    pub fn of_folder(folder: &Path) -> Self {
        let mut recount = Self::default();
        for entry in std::fs::read_dir(folder).expect("the folder of logs") {
            let path = entry.expect("an entry of the folder").path();
            recount.add(&std::fs::read(&path).expect("a readable log"));
        }
        recount
    }

    /// Counts the same bytes several times.
    pub fn add_again(&mut self, bytes: &[u8], times: u64) {
        let mut once = Self::default();
        once.add(bytes);
        for (name, count) in once.counts {
            *self.counts.entry(name).or_default() += count * times;
        }
        self.records += once.records * times;
    }

    /// Counts the bytes of one file.
    pub fn add(&mut self, bytes: &[u8]) {
        let mut records = records(bytes).into_iter().peekable();
        let named = |record: &Vec<String>, name: &str| record.iter().position(|f| f == name);
        let mut columns = (0, 1);
        if let Some(first) = records.peek()
            && let (Some(host), Some(job)) = (named(first, "host"), named(first, "job_name"))
        {
            columns = (host, job);
            records.next();
        }
        for record in records {
            let name = series(&record[columns.0], &record[columns.1]);
            *self.counts.entry(name).or_default() += 1;
            self.records += 1;
        }
    }
}

/// The fields of all records; blank lines are none.
fn records(bytes: &[u8]) -> Vec<Vec<String>> {
    let text = std::str::from_utf8(bytes).expect("logs of the tests are UTF-8");
    let mut records = Vec::new();
    let mut record = vec![String::new()];
    let (mut quoted, mut just_closed) = (false, false);
    for c in text.chars() {
        let field = record.last_mut().expect("a record has a field");
        let reopened = c == '"' && just_closed;
        just_closed = c == '"' && quoted;
        match c {
            '"' => {
                // A doubled quote closes and opens again: one of the two is kept.
                if reopened {
                    field.push('"');
                }
                quoted = !quoted;
            }
            ',' if !quoted => record.push(String::new()),
            '\n' if !quoted => {
                if record.len() > 1 || !record[0].is_empty() {
                    records.push(std::mem::take(&mut record));
                    record.push(String::new());
                }
            }
            c => field.push(c),
        }
    }
    if record.len() > 1 || !record[0].is_empty() {
        records.push(record);
    }
    records
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[&[&str]]) {
        assert_eq!(records(text.as_bytes()), expected, "{text:?}");
    }

    #[test]
    fn records_and_fields_are_told_apart() {
        check("a,b\n\nc,d,e", &[&["a", "b"], &["c", "d", "e"]]);
        check("\"a,\"\"b\"\"\nc\",d\n", &[&["a,\"b\"\nc", "d"]]);
        check("\"\"\"a\"\"\",\"\"\n", &[&["\"a\"", ""]]);
        check("", &[]);
    }

    #[test]
    fn a_header_names_the_columns() {
        let mut recount = Recount::default();
        recount.add(b"time,job_name,host\n1,backup,web1\n2,backup,web1\n");
        recount.add(b"web1,backup\nweb1,sync\n");
        assert_eq!(recount.records, 4);
        assert_eq!(recount.counts[&series("web1", "backup")], 3);
        assert_eq!(recount.counts[&series("web1", "sync")], 1);
    }
}
