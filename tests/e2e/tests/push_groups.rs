//! Metrics of batch jobs, pushed as to a Pushgateway, end to end: what adds up adds up, what does not
//! is the last that arrived, nothing counts twice, and nothing is forgotten that nobody deleted.

use std::time::{Duration, Instant};

use logtally_e2e::cluster::{Cluster, Layout};
use logtally_e2e::http::{self, Response};
use logtally_e2e::seed;
use logtally_e2e::wait::{holds, until};
use rand::Rng;
use serde_json::{Value, json};

const WITHIN: Duration = Duration::from_secs(20);

struct Scene {
    cluster: Cluster,
    turn: usize,
}

impl Scene {
    fn start() -> Self {
        let mut cluster = Cluster::prepare(Layout::default());
        cluster.start();
        Self { cluster, turn: 0 }
    }

    /// The HTTP port of an ingest, each time of another one.
    fn port(&mut self) -> u16 {
        self.turn += 1;
        self.cluster.ingests[self.turn % self.cluster.ingests.len()].push
    }

    fn push(&mut self, path: &str, body: &str) {
        let answer = self.send("POST", path, &[], body);
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    }

    fn send(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Response {
        http::send(self.port(), method, path, headers, body.as_bytes()).expect("an answer")
    }

    fn groups(&mut self) -> Vec<Value> {
        let answer = self.send("GET", "/api/groups", &[], "");
        assert_eq!(answer.status, 200, "{}", answer.text());
        serde_json::from_str(&answer.text()).expect("a list")
    }

    fn page(&self, exporter: usize) -> Result<String, String> {
        let page = http::get(self.cluster.exporters[exporter].port, "/metrics");
        let page = page.map_err(|e| e.to_string())?;
        holds(page.status == 200, || page.text())?;
        Ok(page.text())
    }

    /// Waits until both exporters show these series, or (without a value) do not show them; then they
    /// must show the same bytes.
    fn shows(&self, expected: &[(&str, Option<&str>)]) -> String {
        let pages = until("the pages", WITHIN, || {
            let pages = [self.page(0)?, self.page(1)?];
            for (series, wanted) in expected {
                for page in &pages {
                    let shown = value(page, series);
                    holds(shown == *wanted, || format!("{series} is {shown:?} in\n{page}"))?;
                }
            }
            Ok(pages)
        });
        let [one, other] = pages;
        assert_eq!(one, other, "two replicas show the same bytes");
        one
    }
}

/// The value of a series, whatever the order of its labels, which are all of them.
fn value<'p>(page: &'p str, series: &str) -> Option<&'p str> {
    let wanted = name_and_labels(series);
    page.lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.rsplit_once(' '))
        .find_map(|(name, value)| (name_and_labels(name) == wanted).then_some(value))
}

/// The values of these tests have no commas.
fn name_and_labels(series: &str) -> (&str, Vec<&str>) {
    let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
    let mut labels: Vec<&str> = labels.trim_end_matches('}').split(',').collect();
    labels.sort_unstable();
    (name, labels)
}

fn json_of(answer: &Response) -> Value {
    serde_json::from_str(&answer.text()).unwrap_or_else(|e| panic!("{e}: {}", answer.text()))
}

#[test]
fn counters_and_histograms_add_up_and_gauges_are_the_last_that_arrived() {
    const TIMES: usize = 6;
    let mut scene = Scene::start();
    for i in 0..TIMES {
        let body = format!(
            "# TYPE rows_total counter\n# HELP rows_total Rows.\nrows_total{{table=\"a\"}} 2\n\
             # TYPE took_seconds histogram\ntook_seconds_bucket{{le=\"1\"}} 1\n\
             took_seconds_bucket{{le=\"+Inf\"}} 2\ntook_seconds_sum 3.5\ntook_seconds_count 2\n\
             # TYPE free gauge\nfree {}\n",
            100 - i
        );
        // PUT and POST do the same: what was added stays added.
        let method = if i.is_multiple_of(2) { "POST" } else { "PUT" };
        let answer = scene.send(method, "/metrics/job/batch/instance/one", &[], &body);
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    let page = scene.shows(&[
        (r#"rows_total{table="a",job="batch",instance="one"}"#, Some("12")),
        (r#"took_seconds_bucket{le="1",job="batch",instance="one"}"#, Some("6")),
        (r#"took_seconds_bucket{le="+Inf",job="batch",instance="one"}"#, Some("12")),
        (r#"took_seconds_sum{job="batch",instance="one"}"#, Some("21")),
        (r#"took_seconds_count{job="batch",instance="one"}"#, Some("12")),
        (r#"free{job="batch",instance="one"}"#, Some("95")),
    ]);
    for declared in ["rows_total counter", "took_seconds histogram", "free gauge"] {
        assert!(page.contains(&format!("# TYPE {declared}\n")), "{page}");
    }
    assert!(page.contains("# HELP rows_total Rows.\n"), "{page}");
    let time = value(&page, r#"push_time_seconds{job="batch",instance="one"}"#);
    assert!(time.is_some_and(|t| t.parse::<f64>().is_ok_and(|t| t > 1e9)), "{time:?}");
}

#[test]
fn a_gauge_is_that_of_the_last_acknowledged_push_at_whichever_ingest() {
    let mut scene = Scene::start();
    for i in 1..=100 {
        scene.push("/metrics/job/order", &format!("# TYPE last gauge\nlast {i}\n"));
    }
    scene.shows(&[(r#"last{job="order"}"#, Some("100"))]);
}

#[test]
fn a_key_counts_once_and_other_content_under_it_is_refused() {
    let mut scene = Scene::start();
    let (path, body) = ("/metrics/job/keyed", "# TYPE runs_total counter\nruns_total 5\n");
    let key = [("Idempotency-Key", "run-1")];
    let first = json_of(&scene.send("POST", path, &key, body));
    assert_eq!(first["duplicate"], json!(false), "{first}");
    assert_eq!(first["guarantee"], json!("exactly_once"), "{first}");
    for _ in 0..3 {
        let again = json_of(&scene.send("POST", path, &key, body));
        assert_eq!(again["duplicate"], json!(true), "{again}");
    }
    let other = scene.send("POST", path, &key, "# TYPE runs_total counter\nruns_total 6\n");
    assert_eq!(other.status, 422, "{}", other.text());
    // In another group it is another key.
    let elsewhere = json_of(&scene.send("POST", "/metrics/job/other", &key, body));
    assert_eq!(elsewhere["duplicate"], json!(false));
    let without = json_of(&scene.send("POST", path, &[], body));
    assert_eq!(without["guarantee"], json!("at_least_once"));
    scene.shows(&[
        (r#"runs_total{job="keyed"}"#, Some("10")),
        (r#"runs_total{job="other"}"#, Some("5")),
    ]);
}

#[test]
fn keys_hold_whatever_is_killed() {
    const RUNS: usize = 40;
    let mut rng = seed::rng();
    let mut scene = Scene::start();
    let body = "# TYPE runs_total counter\nruns_total 1\n# TYPE run gauge\n";
    for run in 1..=RUNS {
        match rng.random_range(0..6) {
            0 => scene.cluster.ingests[rng.random_range(0..2)].program.restart(),
            1 => scene.cluster.aggregators[rng.random_range(0..2)].program.restart(),
            2 => scene.cluster.redis.restart(),
            _ => (),
        }
        let (key, body) = (format!("run-{run}"), format!("{body}run {run}\n"));
        until("the push is acknowledged", WITHIN, || {
            let port = scene.port();
            let headers = [("Idempotency-Key", key.as_str())];
            let path = "/metrics/job/killed";
            let answer = http::send(port, "POST", path, &headers, body.as_bytes());
            let answer = answer.map_err(|e| e.to_string())?;
            assert!([200, 429, 503].contains(&answer.status), "{}", answer.text());
            holds(answer.status == 200, || answer.text())
        });
    }
    let (runs, last) = (RUNS.to_string(), RUNS.to_string());
    scene.shows(&[
        (r#"runs_total{job="killed"}"#, Some(&runs)),
        (r#"run{job="killed"}"#, Some(&last)),
    ]);
    scene.cluster.assert_all_running();
}

#[test]
fn labels_may_be_encoded() {
    let mut scene = Scene::start();
    let gauge = "# TYPE full gauge\nfull 1\n";
    // `nightly/backup`, `/var`, and the empty text.
    scene.push("/metrics/job@base64/bmlnaHRseS9iYWNrdXA/path@base64/L3Zhcg", gauge);
    scene.push("/metrics/job@base64/bmlnaHRseS9iYWNrdXA=/path@base64/L3Zhcg==", gauge);
    scene.push("/metrics/job/plain%20text/path/%2Fvar", gauge);
    scene.shows(&[
        (r#"full{job="nightly/backup",path="/var"}"#, Some("1")),
        (r#"full{job="plain text",path="/var"}"#, Some("1")),
    ]);
    assert_eq!(scene.groups().len(), 2, "the first two are the same group");
}

#[test]
fn a_restart_of_everything_changes_nothing() {
    let mut scene = Scene::start();
    let body = "# TYPE a_total counter\na_total 1.5\n# TYPE b gauge\nb -3e2\n";
    for i in 0..10 {
        scene.push(&format!("/metrics/job/j{}/instance/i", i % 3), body);
    }
    let expected = [(r#"a_total{job="j0",instance="i"}"#, Some("6"))];
    let before = scene.shows(&expected);
    let cluster = &mut scene.cluster;
    for node in cluster.aggregators.iter_mut().chain(&mut cluster.ingests) {
        node.program.kill();
    }
    cluster.exporters.iter_mut().for_each(|e| e.program.kill());
    cluster.redis.restart();
    cluster.start();
    assert_eq!(scene.shows(&expected), before, "byte by byte");
    scene.push("/metrics/job/j0/instance/i", body);
    scene.shows(&[(r#"a_total{job="j0",instance="i"}"#, Some("7.5"))]);
}

#[test]
fn groups_are_listed_deleted_and_begin_anew() {
    let mut scene = Scene::start();
    let body = "# TYPE a_total counter\na_total{x=\"1\"} 4\na_total{x=\"2\"} 5\n";
    scene.push("/metrics/job/stays", body);
    scene.push("/metrics/job/goes/instance/i", body);
    scene.shows(&[(r#"a_total{x="1",job="goes",instance="i"}"#, Some("4"))]);
    let groups = scene.groups();
    let labels: Vec<&Value> = groups.iter().map(|group| &group["labels"]).collect();
    assert!(labels.contains(&&json!({"job": "stays"})), "{groups:?}");
    assert!(labels.contains(&&json!({"instance": "i", "job": "goes"})), "{groups:?}");
    for group in &groups {
        assert_eq!((&group["series"], &group["hidden"]), (&json!(4), &json!(false)), "{group}");
    }
    let deleted = scene.send("DELETE", "/metrics/job/goes/instance/i", &[], "");
    assert_eq!(deleted.status, 202, "{}", deleted.text());
    scene.shows(&[
        (r#"a_total{x="1",job="goes",instance="i"}"#, None),
        (r#"a_total{x="1",job="stays"}"#, Some("4")),
        (r#"push_time_seconds{job="goes",instance="i"}"#, None),
    ]);
    assert_eq!(scene.groups().len(), 1);
    let again = scene.send("DELETE", "/metrics/job/goes/instance/i", &[], "");
    assert_eq!(again.status, 202, "what is not there is deleted already");
    scene.push("/metrics/job/goes/instance/i", body);
    scene.shows(&[(r#"a_total{x="2",job="goes",instance="i"}"#, Some("5"))]);
}

#[test]
fn a_group_with_a_time_to_live_is_hidden_and_comes_back() {
    const TTL: Duration = Duration::from_secs(3);
    let mut scene = Scene::start();
    let body = "# TYPE a_total counter\na_total 1\n";
    scene.push("/metrics/job/stays", body);
    let pushed = Instant::now();
    scene.push("/metrics/job/goes?ttl=3s", body);
    let series = r#"a_total{job="goes"}"#;
    until("it is shown, or its time is over", WITHIN, || {
        let page = scene.page(0)?;
        let over = pushed.elapsed() > TTL;
        holds(over || value(&page, series) == Some("1"), || page)
    });
    scene.shows(&[(series, None), (r#"a_total{job="stays"}"#, Some("1"))]);
    assert!(pushed.elapsed() >= TTL, "not before its time");
    let hidden: Vec<Value> = scene.groups().into_iter().map(|g| g["hidden"].clone()).collect();
    assert!(hidden.contains(&json!(true)) && hidden.contains(&json!(false)), "{hidden:?}");
    // Hidden is not forgotten: it goes on from where it was.
    scene.push("/metrics/job/goes?ttl=1h", body);
    scene.shows(&[(series, Some("2"))]);
}

#[test]
fn a_bad_push_counts_nothing_and_leaves_its_time() {
    let mut scene = Scene::start();
    scene.push("/metrics/job/j", "# TYPE a_total counter\na_total 1\n");
    let bad = [
        "# TYPE a_total counter\na_total 1\na_total\n",
        "# TYPE a_total counter\na_total 1\na_total 1\n",
        "# TYPE a_total counter\na_total -1\n",
        "# TYPE a_total counter\na_total 1",
        "\u{0}\n",
    ];
    for body in bad {
        let answer = scene.send("POST", "/metrics/job/j", &[], body);
        assert_eq!(answer.status, 400, "{body:?}: {}", answer.text());
        assert!(json_of(&answer)["error"].is_string(), "{body:?}: {}", answer.text());
    }
    let page = scene.shows(&[(r#"a_total{job="j"}"#, Some("1"))]);
    let failed = value(&page, r#"push_failure_time_seconds{job="j"}"#);
    assert!(failed.is_some_and(|t| t.parse::<f64>().is_ok_and(|t| t > 1e9)), "{failed:?}");
    for path in ["/metrics/job", "/metrics/job/", "/metrics/nojob/x", "/metrics/job/a/b"] {
        let answer = scene.send("POST", path, &[], "a 1\n");
        assert!([400, 404].contains(&answer.status), "{path}: {}", answer.text());
    }
}
