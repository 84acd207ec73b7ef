//! Prints what breaks the rules of the architecture.
//!
//! `cargo run -q -p logtally-architecture -- [--root FOLDER] [--summary | CRATE…]`

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use logtally_architecture::findings;
use logtally_architecture::summary::Summary;
use logtally_architecture::workspace::Workspace;

fn main() -> Result<()> {
    let mut root = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    let mut summary = false;
    let mut names = Vec::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--root" => root = arguments.next().context("--root needs a folder")?.into(),
            "--summary" => summary = true,
            _ => names.push(argument),
        }
    }
    let workspace = Workspace::read(&root)?;
    if summary {
        return print(&Summary::of(&workspace).to_string());
    }
    for name in &names {
        ensure!(workspace.crates.iter().any(|of| &of.name == name), "no crate {name}");
    }
    let mut lines = Vec::new();
    for finding in findings::all(&workspace) {
        if names.is_empty() || finding.crates.iter().any(|of| names.contains(of)) {
            lines.push(format!("{finding}\n"));
        }
    }
    print(&lines.concat())
}

fn print(text: &str) -> Result<()> {
    Ok(std::io::stdout().write_all(text.as_bytes())?)
}
