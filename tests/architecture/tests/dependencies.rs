//! The direction of the dependencies, read from cargo itself: who must never see whom.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

/// Normal and build dependencies (tests may see more) of every package, by name.
type Graph = BTreeMap<String, BTreeSet<String>>;

fn graph() -> Graph {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--locked"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("running cargo");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let names = names(&metadata);
    let nodes = metadata["resolve"]["nodes"].as_array().expect("a resolved graph");
    let mut graph = Graph::new();
    for node in nodes {
        let of = graph.entry(names[&text(&node["id"])].clone()).or_default();
        let deps = node["deps"].as_array().expect("dependencies");
        of.extend(deps.iter().filter(|dep| ships(dep)).map(|d| names[&text(&d["pkg"])].clone()));
    }
    graph
}

fn names(metadata: &Value) -> BTreeMap<String, String> {
    let packages = metadata["packages"].as_array().expect("packages");
    packages.iter().map(|p| (text(&p["id"]), text(&p["name"]))).collect()
}

fn text(value: &Value) -> String {
    value.as_str().expect("a string").to_owned()
}

/// Whether a dependency is more than one of the tests.
fn ships(dependency: &Value) -> bool {
    let kinds = dependency["dep_kinds"].as_array().expect("kinds");
    kinds.iter().any(|kind| kind["kind"] != "dev")
}

/// Everything below a package.
fn all_below(graph: &Graph, of: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut waiting = vec![of.to_owned()];
    while let Some(name) = waiting.pop() {
        for below in graph.get(&name).into_iter().flatten() {
            if found.insert(below.clone()) {
                waiting.push(below.clone());
            }
        }
    }
    found
}

fn our_packages(graph: &Graph) -> Vec<&String> {
    graph.keys().filter(|name| is_ours(name)).collect()
}

fn is_ours(name: &str) -> bool {
    name == "logtally" || name.starts_with("logtally-")
}

fn assert_never(graph: &Graph, of: &str, never: &[&str]) {
    let below = &graph[of];
    for name in never {
        assert!(!below.contains(*name), "{of} must not depend on {name}");
    }
}

#[test]
fn the_graph_is_read() {
    let graph = graph();
    assert!(our_packages(&graph).len() >= 9, "{:?}", our_packages(&graph));
    assert!(graph["logtally-store"].contains("logtally-core"));
    assert!(all_below(&graph, "logtally-store").contains("tokio"));
}

#[test]
fn the_core_is_pure() {
    let below = all_below(&graph(), "logtally-core");
    for name in ["tokio", "tonic", "redis", "axum", "rustix", "rand"] {
        assert!(!below.contains(name), "logtally-core must not see {name}");
    }
    let ours: Vec<_> = below.iter().filter(|name| is_ours(name)).collect();
    assert!(ours.is_empty(), "logtally-core depends on {ours:?}");
}

#[test]
fn the_process_kit_knows_no_domain() {
    let ours: Vec<_> =
        all_below(&graph(), "logtally-service").into_iter().filter(|n| is_ours(n)).collect();
    assert!(ours.is_empty(), "logtally-service depends on {ours:?}");
}

#[test]
fn dependencies_point_one_way() {
    let graph = graph();
    let programs = ["logtally-ingest", "logtally-aggregator", "logtally-exporter", "logtally"];
    let others = |name: &str| -> Vec<&str> {
        programs.iter().copied().filter(|other| *other != name).collect()
    };
    for below in ["logtally-proto", "logtally-store"] {
        assert_never(&graph, below, &programs);
        assert_never(&graph, below, &["logtally-service"]);
    }
    assert_never(&graph, "logtally-proto", &["logtally-store"]);
    assert_never(&graph, "logtally-store", &["logtally-proto"]);
    for program in &programs[..3] {
        assert_never(&graph, program, &others(program));
    }
    assert_never(&graph, "logtally-ingest", &["logtally-store", "redis", "redb"]);
    assert_never(&graph, "logtally-exporter", &["logtally-proto", "tonic"]);
}

/// Whoever pushes brings as little as possible into their program.
#[test]
fn a_client_knows_the_wire_and_nothing_behind_it() {
    let below = all_below(&graph(), "logtally-client");
    let ours: Vec<_> = below.iter().filter(|name| is_ours(name)).collect();
    assert_eq!(ours, ["logtally-core", "logtally-proto"]);
    for name in ["redis", "redb", "notify", "clap"] {
        assert!(!below.contains(name), "logtally-client must not see {name}");
    }
}

#[test]
fn what_is_read_and_counted_is_decided_without_any_input_or_output() {
    let graph = graph();
    for pure in ["logtally-formats", "logtally-rules", "logtally-exposition"] {
        let below = all_below(&graph, pure);
        let ours: Vec<_> = below.iter().filter(|name| is_ours(name)).collect();
        assert_eq!(ours, ["logtally-core"], "{pure}");
        for name in ["tokio", "rustix", "axum"] {
            assert!(!below.contains(name), "{pure} must not see {name}");
        }
    }
    // What is pushed is read by whoever takes it, and never looked at again.
    for other in ["logtally-config", "logtally-store", "logtally-aggregator", "logtally-exporter"] {
        assert_never(&graph, other, &["logtally-exposition"]);
    }
    // The second reading would prove nothing if the first one used it.
    for program in ["logtally-ingest", "logtally-formats", "logtally-rules", "logtally-config"] {
        assert_never(&graph, program, &["logtally-recount"]);
    }
}

#[test]
fn nothing_that_ships_sees_the_tests() {
    let graph = graph();
    for name in our_packages(&graph) {
        assert_never(&graph, name, &["logtally-bench", "logtally-hot"]);
        if name != "logtally-bench" {
            assert_never(&graph, name, &["logtally-e2e"]);
        }
        if !["logtally-bench", "logtally-e2e"].contains(&name.as_str()) {
            assert_never(&graph, name, &["logtally-testkit"]);
        }
    }
}

#[test]
fn benchmarks_share_only_the_wire_and_what_they_drive_with_what_they_measure() {
    let graph = graph();
    let ours: Vec<_> = graph["logtally-bench"].iter().filter(|name| is_ours(name)).collect();
    // What commits cost is measured at the traits of the store, and pushes go through the client.
    let driven = ["logtally-client", "logtally-core", "logtally-proto", "logtally-store"];
    let shared = ["logtally-e2e", "logtally-testkit"];
    assert!(
        ours.iter().all(|name| driven.iter().chain(&shared).any(|one| one == name)),
        "{ours:?}"
    );
}
