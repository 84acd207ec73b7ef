//! What rules cost per record, from the bytes of a file to packed increments:
//! `cargo bench -p logtally-tail --bench rules`. Fails if 20 rules of which 18 do not match cost
//! twice as much as one, or more. With `--test` it is short, and only that is checked.

use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use logtally_config::Config;
use logtally_count::plan::Plan;
use logtally_count::reading::Reading;
use logtally_tail::content::Content;
use logtally_tail::reader::{End, Reader, Scratch};
use tempfile::NamedTempFile;

/// Most that 20 rules may cost, in costs of one, for usual records.
const RATIO_MAX: f64 = 2.0;

/// The case that is held to it.
const BOUNDED: &str = "20 rules, 18 by a text that never comes";

/// A log and the names of its columns.
struct Log {
    name: &'static str,
    columns: &'static str,
    file: NamedTempFile,
}

impl Log {
    fn new(
        name: &'static str,
        columns: &'static str,
        records: usize,
        line: impl Fn([String; 3]) -> String,
    ) -> Self {
        let mut file = NamedTempFile::new().expect("a temporary file");
        let values = |i: usize| [i * 7 % 100, i * 13 % 50, 200 + i % 5].map(|n| n.to_string());
        let text: Vec<String> = (0..records).map(|i| line(values(i))).collect();
        file.write_all(text.concat().as_bytes()).expect("written");
        Self { name, columns, file }
    }

    fn reading(&self, rules: &str) -> Reading {
        let columns = self.columns;
        let yaml =
            format!("inputs: [{{format: {{type: csv, columns: [{columns}]}}, rules: [{rules}]}}]");
        let files = |name: &str| Err(std::io::Error::other(name.to_owned()));
        let config = Config::parse("bench.yaml", &yaml, &files).expect("a valid configuration");
        let plan = Plan::compile(&config, &[]).expect("valid rules");
        Reading { input: Arc::clone(&plan.inputs[0]), path: Vec::new().into() }
    }
}

/// The shortest of several runs over the whole file.
fn time(file: &NamedTempFile, reading: &Reading, runs: usize) -> Duration {
    let mut scratch = Scratch::new(0);
    let run = |scratch: &mut Scratch| {
        let content = Content::File(file.reopen().expect("opened"));
        let mut reader = Reader::new(Some(content), reading.clone());
        let begun = Instant::now();
        loop {
            let span = reader.read_span(scratch, End::Final).expect("readable");
            std::hint::black_box(scratch.tally.take(reader.input()));
            if span.at_end {
                return begun.elapsed();
            }
        }
    };
    (0..runs).map(|_| run(&mut scratch)).min().unwrap_or_default()
}

fn rules(matching: usize, others: usize, when: impl Fn(usize) -> String) -> String {
    let labels = "labels: [host, job_name]";
    let matching = (0..matching).map(|i| format!("{{metric: yes{i}_total, {labels}}}"));
    let others =
        (0..others).map(|i| format!("{{metric: no{i}_total, {labels}, when: {}}}", when(i)));
    matching.chain(others).collect::<Vec<_>>().join(", ")
}

fn main() {
    let short = std::env::args().any(|arg| arg == "--test");
    let (records, runs) = if short { (100_000, 7) } else { (1_000_000, 9) };
    // As short as a record can be, and a usual one.
    let narrow =
        Log::new("narrow", "host, job_name, status, ms", records, |[host, job, status]| {
            format!("server{host},job{job},{status},12\n")
        });
    let usual_columns = "time, host, job_name, status, ms, user, message";
    let usual = Log::new("usual", usual_columns, records, |[host, job, status]| {
        format!(
            "2026-01-01T00:00:00Z,server{host},job{job},{status},12,operator,finished without any error\n"
        )
    });
    let equal = |i: usize| format!("{{status: '{}'}}", 500 + i);
    let cases = [
        ("one rule", rules(1, 0, equal)),
        ("two rules", rules(2, 0, equal)),
        (BOUNDED, rules(2, 18, equal)),
        (
            "20 rules, 18 by the same in CEL",
            rules(2, 18, |i| format!("'status == \"{}\"'", 500 + i)),
        ),
        ("20 rules, 18 by a number", rules(2, 18, |i| format!("{{ms: {{gt: {}}}}}", 100 + i))),
        (
            "20 rules, 18 by an expression",
            rules(2, 18, |i| format!("{{job_name: {{matches: '^x{i}'}}}}")),
        ),
    ];
    let mut failed = false;
    for log in [&narrow, &usual] {
        let mut one = None;
        for (name, rules) in &cases {
            let ns = time(&log.file, &log.reading(rules), runs).as_nanos() as f64 / records as f64;
            let ratio = ns / *one.get_or_insert(ns);
            println!("{:8}{name:42} {ns:7.1} ns per record, {ratio:.2} of one rule", log.name);
            failed |= log.name == "usual" && *name == BOUNDED && ratio >= RATIO_MAX;
        }
    }
    assert!(!failed, "20 rules of which 18 do not match cost {RATIO_MAX} times one rule, or more");
}
