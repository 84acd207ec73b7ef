//! What a real Prometheus makes of two exporters of the same counts.

use std::fs;
use std::path::Path;
use std::time::Duration;

use logtally_e2e::catalogue::Catalogue;
use logtally_e2e::cluster::{Cluster, Layout, START};
use logtally_e2e::exposition::COUNT;
use logtally_e2e::http;
use logtally_e2e::logs::Logs;
use logtally_e2e::program::Program;
use logtally_e2e::recount::Recount;
use logtally_e2e::seed;
use logtally_e2e::wait::{holds, until};
use logtally_testkit::{free_port, local};
use serde_json::Value;

const LINES: usize = 50_000;
const CATCH_UP: Duration = Duration::from_mins(1);

#[test]
fn max_without_the_replica_is_the_count_and_a_plain_sum_doubles() {
    let mut rng = seed::rng();
    let catalogue = Catalogue::new(12, 4);
    let mut cluster = Cluster::prepare(Layout { aggregators: 1, ingests: 1, ..Layout::default() });
    let mut logs = Logs::create(&cluster.logs(), 4, &catalogue);
    logs.write(LINES, 1, &mut rng);
    logs.finish_lines();
    let recount = Recount::of_folder(&cluster.logs());
    cluster.start();
    cluster.assert_exact(&recount, CATCH_UP);
    let (_prometheus, port) = prometheus(cluster.folder(), &cluster.scrape_ports());
    until("both exporters are scraped", START, || {
        let up = query(port, &format!("count({COUNT})"))?;
        let expected = 2 * recount.counts.len() as u64;
        holds(up == [(String::new(), expected)], || format!("{up:?}"))
    });

    let truth: Vec<(String, u64)> =
        recount.counts.iter().map(|(series, n)| (series.clone(), *n)).collect();
    let once = query(port, &format!("max without (instance, pod) ({COUNT})"));
    assert_eq!(once.map(named), Ok(truth.clone()));
    let doubled = query(port, &format!("sum without (instance, pod) ({COUNT})"));
    let twice: Vec<(String, u64)> = truth.into_iter().map(|(series, n)| (series, 2 * n)).collect();
    assert_eq!(doubled.map(named), Ok(twice));
    let total = query(port, "max without (instance, pod) (logtally_records_read_total)");
    assert_eq!(total, Ok(vec![(String::new(), LINES as u64)]));
}

/// Label sets as series names, sorted.
fn named(values: Vec<(String, u64)>) -> Vec<(String, u64)> {
    let name = |(labels, n)| (format!("{COUNT}{{{labels}}}"), n);
    let mut named: Vec<(String, u64)> = values.into_iter().map(name).collect();
    named.sort();
    named
}

/// A Prometheus that scrapes the ports as two pods of one job.
fn prometheus(folder: &Path, ports: &[u16]) -> (Program, u16) {
    let target = |port: &u16| {
        let address = local(*port);
        format!("      - {{targets: ['{address}'], labels: {{pod: 'exporter-{port}'}}}}")
    };
    let targets = ports.iter().map(target).collect::<Vec<_>>().join("\n");
    let config = format!(
        "global:\n  scrape_interval: 1s\nscrape_configs:\n  - job_name: logtally\n    \
         static_configs:\n{targets}\n"
    );
    let path = folder.join("prometheus.yml");
    fs::write(&path, config).expect("writing the configuration");
    let port = free_port();
    let mut program = Program::at(folder, "prometheus", "prometheus").args([
        format!("--config.file={}", path.display()),
        format!("--storage.tsdb.path={}", folder.join("prometheus").display()),
        format!("--web.listen-address={}", local(port)),
        "--log.level=warn".to_owned(),
    ]);
    program.start();
    until("Prometheus is ready", START, || {
        let page = http::get(port, "/-/ready").map_err(|e| e.to_string())?;
        holds(page.status == 200, || page.text())
    });
    (program, port)
}

/// An instant query: labels (as in a series name, without the metric) and values.
fn query(port: u16, expression: &str) -> Result<Vec<(String, u64)>, String> {
    let path = format!("/api/v1/query?query={}", percent_encoded(expression));
    let page = http::get(port, &path).map_err(|e| e.to_string())?;
    let answer: Value = serde_json::from_slice(&page.body).map_err(|e| e.to_string())?;
    let results = answer["data"]["result"].as_array().ok_or_else(|| answer.to_string())?;
    results.iter().map(value).collect::<Option<_>>().ok_or_else(|| answer.to_string())
}

fn value(result: &Value) -> Option<(String, u64)> {
    let labels = result["metric"].as_object()?;
    // What Prometheus adds is not what is compared: the metric's name and the scrape job.
    let labels = labels.iter().filter(|(name, _)| !["__name__", "job"].contains(&name.as_str()));
    // The text format and JSON escape what the tests use in the same way.
    let labels: Vec<String> = labels.map(|(name, value)| format!("{name}={value}")).collect();
    Some((labels.join(","), result["value"][1].as_str()?.parse().ok()?))
}

fn percent_encoded(text: &str) -> String {
    text.bytes().flat_map(|byte| ['%', hex(byte >> 4), hex(byte & 15)]).collect()
}

fn hex(digit: u8) -> char {
    char::from_digit(digit.into(), 16).expect("a digit below 16")
}
