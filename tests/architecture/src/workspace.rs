//! The workspace on the disk: its crates by cargo, its files by git, and their modules.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::edges::Uses;
use crate::modules::{Files, Tree};

/// The crates of a workspace.
pub struct Workspace {
    /// The folders at its root that are in git.
    pub folders: BTreeSet<String>,
    /// Its crates.
    pub crates: Vec<Crate>,
}

/// A crate.
pub struct Crate {
    /// Its name, as in its manifest.
    pub name: String,
    /// Whether it is part of what people run, and not of the tests and benchmarks.
    pub ships: bool,
    /// What its manifest names as dependencies, those of tests and of the build left out.
    pub dependencies: BTreeSet<String>,
    /// Its Rust files, by their paths below its folder, tests and benchmarks among them.
    pub(crate) files: Files,
    /// Its libraries and programs.
    pub(crate) targets: Vec<Target>,
}

pub(crate) struct Target {
    pub(crate) tree: Tree,
    pub(crate) uses: Uses,
}

impl Workspace {
    /// Reads the workspace whose root is a folder.
    pub fn read(root: &Path) -> Result<Self> {
        let root = root.canonicalize().with_context(|| format!("no folder {}", root.display()))?;
        let tracked = output(&root, "git", &["ls-files"])?;
        let folders = tracked.lines().filter_map(|file| Some(file.split_once('/')?.0.to_owned()));
        let mut packages = packages(&root)?;
        packages.sort_by(|a, b| a.name.cmp(&b.name));
        let mut crates = Vec::new();
        for package in &packages {
            crates.push(read_crate(&root, package, &packages)?);
        }
        Ok(Self { folders: folders.collect(), crates })
    }
}

impl Crate {
    /// A crate with one target, of files in memory.
    pub fn new(name: &str, ships: bool, files: Files, roots: &[&Path]) -> Result<Self> {
        let mut targets = Vec::new();
        for root in roots {
            let tree = Tree::read(&files, root).with_context(|| format!("reading {name}"))?;
            let uses = Uses::read(&tree);
            targets.push(Target { tree, uses });
        }
        let name = name.to_owned();
        Ok(Self { name, ships, dependencies: BTreeSet::new(), files, targets })
    }
}

struct Package {
    name: String,
    folder: PathBuf,
    /// The roots of its libraries and programs.
    roots: Vec<PathBuf>,
    dependencies: BTreeSet<String>,
}

fn packages(root: &Path) -> Result<Vec<Package>> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let metadata =
        output(root, &cargo, &["metadata", "--no-deps", "--offline", "--format-version", "1"])?;
    let metadata: Value = serde_json::from_str(&metadata)?;
    metadata["packages"].as_array().context("no packages")?.iter().map(package).collect()
}

fn package(value: &Value) -> Result<Package> {
    let text = |value: &Value| value.as_str().map(str::to_owned).context("not a string");
    let manifest = PathBuf::from(text(&value["manifest_path"])?);
    let mut roots = Vec::new();
    for target in value["targets"].as_array().context("no targets")? {
        let kinds = target["kind"].as_array().context("no kinds")?;
        if kinds.iter().any(|kind| kind == "lib" || kind == "bin") {
            roots.push(PathBuf::from(text(&target["src_path"])?));
        }
    }
    let mut dependencies = BTreeSet::new();
    for dependency in value["dependencies"].as_array().context("no dependencies")? {
        if dependency["kind"].is_null() {
            let name = dependency["rename"].as_str().or(dependency["name"].as_str());
            dependencies.insert(name.context("no name")?.to_owned());
        }
    }
    let folder = manifest.parent().context("a manifest without a folder")?.to_owned();
    Ok(Package { name: text(&value["name"])?, folder, roots, dependencies })
}

fn read_crate(root: &Path, package: &Package, all: &[Package]) -> Result<Crate> {
    let mut files = Files::new();
    let listed = ["ls-files", "--cached", "--others", "--exclude-standard", "*.rs"];
    for file in output(&package.folder, "git", &listed)?.lines() {
        let path = package.folder.join(file);
        if owner(&path, all) == Some(package.name.as_str()) && path.exists() {
            let text = std::fs::read_to_string(&path)
                .with_context(|| format!("reading {}", path.display()))?;
            files.insert(PathBuf::from(file), text);
        }
    }
    let roots: Vec<&Path> =
        package.roots.iter().filter_map(|file| file.strip_prefix(&package.folder).ok()).collect();
    let ships = !["tests", "bench"].iter().any(|folder| package.folder.starts_with(root.join(folder)))
        // Before they moved below `tests`.
        && !["e2e", "testkit"].iter().any(|folder| package.folder == root.join(folder));
    let dependencies = package.dependencies.clone();
    Ok(Crate { dependencies, ..Crate::new(&package.name, ships, files, &roots)? })
}

/// The crate whose folder is the closest one around a file.
fn owner<'a>(file: &Path, all: &'a [Package]) -> Option<&'a str> {
    let around = all.iter().filter(|package| file.starts_with(&package.folder));
    around.max_by_key(|package| package.folder.as_os_str().len()).map(|p| p.name.as_str())
}

fn output(folder: &Path, program: &str, arguments: &[&str]) -> Result<String> {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .output()
        .with_context(|| format!("running {program}"))?;
    ensure!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}
