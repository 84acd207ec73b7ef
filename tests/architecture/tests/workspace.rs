//! The workspace itself keeps the rules.
//!
//! What breaks them is printed by `cargo run -q -p logtally-architecture`.

use std::path::Path;

use logtally_architecture::findings::{self, Finding};
use logtally_architecture::summary::Summary;
use logtally_architecture::workspace::Workspace;

fn workspace() -> Workspace {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    Workspace::read(&root).expect("the workspace")
}

#[test]
fn every_crate_is_read() {
    let workspace = workspace();
    let names: Vec<&str> = workspace.crates.iter().map(|of| of.name.as_str()).collect();
    for name in ["logtally", "logtally-core", "logtally-ingest", "logtally-architecture"] {
        assert!(names.contains(&name), "{name} is not among {names:?}");
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
    let broken: Vec<String> = findings::all(&workspace()).iter().map(Finding::to_string).collect();
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}
