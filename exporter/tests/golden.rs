//! Whole pages, byte by byte, in both formats.
//!
//! After a wanted change: `UPDATE_GOLDEN=1 cargo test -p logtally-exporter --test golden`, and read
//! the difference.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use logtally_core::decimal::Decimal;
use logtally_core::journal::{Mark, Nonce};
use logtally_core::partition::Partition;
use logtally_core::rule::{default_family, records_counted, records_read, records_rejected};
use logtally_core::series::{Amount, Family, Kind, Latest, SeriesKey, Value};
use logtally_exporter::{Exporter, PageFormat, View, ViewOptions, render};
use logtally_service::Context;
use logtally_store::memory::MemoryStore;
use logtally_store::{Count, Recovering, Snapshot};
use prometheus::TextEncoder;

/// When the counters began.
const CREATED_MS: u64 = 1_762_000_000_007;

type Row<'a> = (&'a Family, Vec<&'a str>, u64);

fn snapshot(rows: &[Row<'_>]) -> Snapshot {
    let count = |(family, values, value): &Row<'_>| {
        let created_ms = if family.kind == Kind::Counter { CREATED_MS } else { 0 };
        let key = SeriesKey::new(family.id(), values.iter().copied());
        let amount = Amount::records(*value);
        (key, Count { amount, created_ms, touched_ms: 0 })
    };
    Snapshot {
        at: Mark { seq: 1, nonce: Nonce(1) },
        time_ms: 0,
        counts: rows.iter().map(count).collect(),
        families: rows.iter().map(|(family, ..)| (*family).clone()).collect(),
        recovering: Recovering::default(),
    }
}

fn family(kind: Kind, name: &str, help: &str, labels: &[&str]) -> Family {
    Family::new(name, kind, help, labels)
}

/// A store of two partitions with everything that is special on a page.
fn view() -> View {
    let jobs = default_family();
    let (read, counted, rejected) = (records_read(), records_counted(), records_rejected());
    let odd = family(Kind::Counter, "odd_events", "Without \"_total\",\nwith a \\", &["kind"]);
    let first = vec![
        (&jobs, vec!["server2", "backup"], 7),
        (&jobs, vec!["server1", "backup"], 5),
        (&jobs, vec!["server1", "cleanup \"tmp\""], 1),
        (&jobs, vec!["C:\\logs\n", ""], 2),
        (&jobs, vec!["", "größe"], 9_007_199_254_740_993),
        (&read, vec![], 19),
        (&counted, vec![], 15),
        (&rejected, vec!["ragged"], 4),
    ];
    let second = vec![
        (&jobs, vec!["server1", "backup"], 10),
        (&read, vec![], 11),
        (&counted, vec![], 10),
        (&rejected, vec!["nul"], 1),
        (&odd, vec!["x"], 3),
    ];
    let mut view = View::default();
    view.state.reset(2);
    let _ = view.state.load(Partition(0), snapshot(&first));
    let _ = view.state.load(Partition(1), snapshot(&second));
    view
}

/// A decimal.
fn decimal(text: &str) -> Decimal {
    text.parse().expect("a decimal")
}

/// A family of every kind, one record of each in two partitions.
fn view_of_kinds() -> View {
    let of = |name: &str, kind, labels: &[&str]| Family::new(name, kind, "Help", labels);
    let buckets = |bounds: &[&str], family| Family {
        buckets: bounds.iter().map(|bound| (*bound).to_owned()).collect(),
        ..family
    };
    let families = [
        of("a_lines_total", Kind::Counter, &["host"]),
        of("b_lines", Kind::Gauge, &["host"]),
        of("c_bytes_total", Kind::SumCounter, &["host"]),
        of("d_balance", Kind::SumGauge, &["host"]),
        of("e_fastest_seconds", Kind::Min, &[]),
        of("f_slowest_seconds", Kind::Max, &[]),
        of("g_temperature_celsius", Kind::Last, &["host"]),
        buckets(&["0.5", "1", "1e6"], of("h_duration_seconds", Kind::Histogram, &["host", "le"])),
        buckets(&["1"], of("i_plain_seconds", Kind::Histogram, &["le"])),
        buckets(&["-1", "1"], of("j_drift_celsius", Kind::Histogram, &["le"])),
        Family { ttl_s: 60, ..of("k_fresh", Kind::Gauge, &["host"]) },
        Family { ttl_s: 60, ..of("k_stale", Kind::Gauge, &["host"]) },
    ];
    let last = |time_ns, value| Value::Last(Latest { time_ns, position: 1, value: decimal(value) });
    let sum = |value| Value::Sum(decimal(value));
    let rows = |second: bool| -> Vec<(usize, Vec<&str>, Value)> {
        let pick = |one, other| if second { other } else { one };
        vec![
            (0, vec!["x"], Value::None),
            (1, vec!["x"], Value::None),
            (2, vec!["x"], sum(pick("0.1", "9007199254740993.2"))),
            (3, vec!["x"], sum(pick("-10.000000000001", "2.5"))),
            (4, vec![], Value::Min(decimal(pick("0.25", "0.125")))),
            (5, vec![], Value::Max(decimal(pick("100", "-3")))),
            (6, vec!["x"], if second { last(1, "99") } else { last(2, "21.5") }),
            (7, vec!["x", pick("0.5", "1e6")], sum(pick("0.5", "700000"))),
            (7, vec!["x", "1"], sum("0.75")),
            (7, vec![pick("x", "y \"z\""), "+Inf"], sum("2000000")),
            (8, vec!["1"], sum("0.5")),
            (9, vec![pick("-1", "+Inf")], sum(pick("-5", "2"))),
            (10, vec!["x"], Value::None),
            (11, vec!["x"], Value::None),
        ]
    };
    let mut view = View::default();
    view.state.reset(2);
    for (at, second) in [(Partition(0), false), (Partition(1), true)] {
        let count = |(ix, values, value): (usize, Vec<&str>, Value)| {
            let family: &Family = &families[ix];
            let created_ms = if family.kind.has_created() { CREATED_MS } else { 0 };
            let touched_ms = [0, CREATED_MS + 50_000, CREATED_MS + 40_000][ix.saturating_sub(9)];
            let amount = Amount { count: 3, value };
            (SeriesKey::new(family.id(), values), Count { amount, created_ms, touched_ms })
        };
        let counts = rows(second).into_iter().map(count).collect();
        let time_ms = CREATED_MS + 100_000;
        let _ = view
            .state
            .load(at, Snapshot { time_ms, counts, families: families.to_vec(), ..snapshot(&[]) });
    }
    view
}

fn check(format: PageFormat, file: &str) {
    check_page(&render(view().arrange(), format), file);
}

fn check_page(page: &[u8], file: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(file);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, page).expect("a writable file");
    }
    let golden = std::fs::read(&path).expect("a golden file");
    let (page, golden) = (String::from_utf8_lossy(page), String::from_utf8_lossy(&golden));
    assert!(page == golden, "the page is not {file}:\n{page}");
}

#[test]
fn text() {
    check(PageFormat::Text, "page.txt");
}

#[test]
fn openmetrics() {
    check(PageFormat::OpenMetrics, "page.openmetrics");
}

#[test]
fn every_kind() {
    let mut view = view_of_kinds();
    check_page(&render(view.arrange(), PageFormat::Text), "kinds.txt");
    check_page(&render(view.arrange(), PageFormat::OpenMetrics), "kinds.openmetrics");
}

#[test]
fn promtool_has_nothing_against_any_kind() {
    let page = render(view_of_kinds().arrange(), PageFormat::Text);
    assert_eq!(promtool(&page).unwrap_or_default(), "");
}

/// What `promtool check metrics` says about a page; `None` if it is not installed.
fn promtool(page: &[u8]) -> Option<String> {
    let mut child = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .ok()?;
    child.stdin.take().expect("piped").write_all(page).expect("read by promtool");
    let output = child.wait_with_output().expect("promtool ends");
    Some(String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn own_metrics_are_named_as_prometheus_wants() {
    let context = Context::new("test", "0");
    let store = Arc::new(MemoryStore::new());
    let _exporter = Exporter::new(store, ViewOptions::default(), &context);
    let page = TextEncoder::new().encode_to_string(&context.registry.gather()).expect("encodable");
    assert!(page.contains("\nlogtally_exporter_loads_total{reason=\"broken\"} 0\n"), "{page}");
    assert_eq!(promtool(page.as_bytes()).unwrap_or_default(), "");
}

#[test]
fn promtool_complains_only_about_names_that_are_given() {
    let Some(complaints) = promtool(&render(view().arrange(), PageFormat::Text)) else {
        eprintln!("promtool is not installed, nothing was checked");
        return;
    };
    // The name that the naive exporter had, and one chosen badly to test what happens then.
    let is_known =
        |line: &&str| line.starts_with("log_host_job_count ") || line.starts_with("odd_events ");
    let unknown: Vec<_> = complaints.lines().filter(|line| !is_known(line)).collect();
    assert_eq!(unknown, [""; 0], "{complaints}");
}
