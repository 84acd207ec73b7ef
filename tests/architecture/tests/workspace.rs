//! The workspace itself keeps the rules.
//!
//! What breaks them is printed by `cargo run -q -p logtally-architecture`.

use std::path::Path;

use logtally_architecture::findings;
use logtally_architecture::summary::Summary;
use logtally_architecture::workspace::Workspace;

/// Crates that do not keep the rules yet.
const NOT_CLEAN: &[&str] = &[
    "logtally",
    "logtally-aggregator",
    "logtally-client",
    "logtally-core",
    "logtally-ingest",
    "logtally-receive",
    "logtally-store",
];

fn workspace() -> Workspace {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    Workspace::read(&root).expect("the workspace")
}

#[test]
fn every_crate_is_read() {
    let workspace = workspace();
    let names: Vec<&str> = workspace.crates.iter().map(|of| of.name.as_str()).collect();
    for name in NOT_CLEAN.iter().chain(&["logtally-architecture", "logtally-testkit"]) {
        assert!(names.contains(name), "{name} is not among {names:?}");
    }
    assert!(workspace.folders.contains("tests"));
    let shipped: Vec<&str> =
        workspace.crates.iter().filter(|of| of.ships).map(|of| of.name.as_str()).collect();
    assert!(
        shipped.contains(&"logtally-core") && !shipped.contains(&"logtally-e2e"),
        "{shipped:?}"
    );
    let summary = Summary::of(&workspace).to_string();
    assert!(summary.contains("the product"), "{summary}");
}

#[test]
fn the_rules_are_kept() {
    let mut broken = Vec::new();
    for finding in findings::all(&workspace()) {
        if !finding.crates.iter().any(|name| NOT_CLEAN.contains(&name.as_str())) {
            broken.push(finding.to_string());
        }
    }
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}
