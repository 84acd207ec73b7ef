//! What breaks the rules: each finding names the crate, the file and the line.
//!
//! The numbers of the rules stand here, and nowhere else.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use crate::circles::circles;
use crate::sizes;
use crate::types::{self, TypeAt};
use crate::workspace::{Crate, Target, Workspace};

/// Files have fewer lines, tests included.
const FILE_LINES: usize = 500;
/// Fields of a struct that are not private.
const OPEN_FIELDS: usize = 12;
/// Files in which the inherent methods of one type may stand.
const IMPL_FILES: usize = 2;
/// Folders at the root, those whose names begin with a dot included.
const ROOT_FOLDERS: usize = 13;
/// `ingest` is arguments, wiring and reload: it has fewer lines.
const INGEST_LINES: usize = 1_000;
/// What runs `ingest` in one process with everything else, which is all that `logtally` takes from it.
const RUNS_INGEST: [&str; 4] = ["ConfigArgs", "FollowArgs", "Reads", "Reloader"];

/// A rule that is broken.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Rule {
    /// Files use each other in a circle.
    Circle,
    /// A file uses what the file of an ancestor module defines.
    Upward,
    /// A path leads nowhere, so that the uses of a file are not all known.
    UnknownPath,
    /// Two public types of the product have one name.
    EqualNames,
    /// A struct has too many fields that are not private.
    OpenFields,
    /// The methods of a type stand in too many files.
    ScatteredImpl,
    /// A file is too long.
    LongFile,
    /// There are too many folders at the root.
    RootFolders,
    /// `ingest` is too large.
    LargeIngest,
    /// A manifest names a dependency that only tests use, or nobody.
    UnusedDependency,
    /// A crate takes something from `ingest` other than what runs it.
    IngestImport,
}

/// One place where a rule is broken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// The rule.
    pub rule: Rule,
    /// The crates that are concerned; none for the workspace itself.
    pub crates: Vec<String>,
    /// Where and what.
    pub text: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} [{}]: {}", self.rule, self.crates.join(", "), self.text)
    }
}

/// All findings of a workspace.
pub fn all(workspace: &Workspace) -> Vec<Finding> {
    let mut findings = Vec::new();
    for of in &workspace.crates {
        findings.extend(inside(of));
    }
    findings.extend(equal_names(&workspace.crates));
    findings.extend(root_folders(workspace));
    findings
}

/// The findings that concern one crate alone.
pub fn inside(of: &Crate) -> Vec<Finding> {
    let mut findings = Findings { of, found: Vec::new() };
    for target in &of.targets {
        findings.uses(target);
        findings.types(target);
        findings.ingest_imports(target);
    }
    findings.dependencies();
    findings.sizes();
    findings.found
}

struct Findings<'a> {
    of: &'a Crate,
    found: Vec<Finding>,
}

impl Findings<'_> {
    fn add(&mut self, rule: Rule, text: String) {
        self.found.push(Finding { rule, crates: vec![self.of.name.clone()], text });
    }

    fn uses(&mut self, target: &Target) {
        for circle in circles(&target.uses.edges) {
            let edges: Vec<String> = circle.iter().map(|edge| format!("\n    {edge}")).collect();
            self.add(Rule::Circle, edges.concat());
        }
        for edge in target.uses.edges.iter().filter(|edge| edge.upward) {
            self.add(Rule::Upward, edge.to_string());
        }
        for path in &target.uses.unknown {
            self.add(Rule::UnknownPath, path.clone());
        }
    }

    fn types(&mut self, target: &Target) {
        for (at, fields) in types::open_structs(&target.tree, OPEN_FIELDS) {
            self.add(
                Rule::OpenFields,
                format!("{} has {fields} fields that are not private", place(&at)),
            );
        }
        for (at, files) in types::scattered(&target.tree, IMPL_FILES) {
            let files: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
            self.add(Rule::ScatteredImpl, format!("{} in {}", place(&at), files.join(", ")));
        }
    }

    fn ingest_imports(&mut self, target: &Target) {
        for (file, named) in &target.uses.elsewhere {
            if named.segments[0] != "logtally_ingest" || self.of.name == "logtally-ingest" {
                continue;
            }
            let runs = named.segments.get(1).is_some_and(|it| RUNS_INGEST.contains(&it.as_str()));
            if self.of.name != "logtally" || !runs {
                let path = named.segments.join("::");
                self.add(Rule::IngestImport, format!("{}:{}: {path}", file.display(), named.line));
            }
        }
    }

    fn dependencies(&mut self) {
        // What is generated names crates, too.
        if self.of.targets.iter().any(|target| target.tree.includes_files()) {
            return;
        }
        for name in &self.of.dependencies {
            let written = name.replace('-', "_");
            let uses = |target: &Target| target.uses.beginnings.contains(&written);
            if !self.of.targets.iter().any(uses) {
                self.add(Rule::UnusedDependency, name.clone());
            }
        }
    }

    fn sizes(&mut self) {
        for (file, text) in &self.of.files {
            let lines = text.lines().count();
            if lines >= FILE_LINES {
                self.add(Rule::LongFile, format!("{} has {lines} lines", file.display()));
            }
        }
        let lines = lines(self.of);
        if self.of.name == "logtally-ingest" && lines >= INGEST_LINES {
            self.add(Rule::LargeIngest, format!("{lines} lines without tests"));
        }
    }
}

/// The lines of a crate, without its tests.
pub(crate) fn lines(of: &Crate) -> usize {
    let mut files: BTreeMap<&Path, usize> = BTreeMap::new();
    for target in &of.targets {
        files.extend(sizes::lines(&target.tree, &of.files));
    }
    files.values().sum()
}

fn place(at: &TypeAt) -> String {
    format!("{} ({}:{})", at.name, at.file.display(), at.line)
}

/// Public types of the product that have one name.
pub fn equal_names(crates: &[Crate]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, places) in public_types(crates) {
        if places.len() < 2 {
            continue;
        }
        let mut named: Vec<String> = places.iter().map(|(of, _)| (*of).to_owned()).collect();
        named.dedup();
        let at: Vec<String> = places
            .iter()
            .map(|(of, at)| format!("{of} {}:{}", at.file.display(), at.line))
            .collect();
        let text = format!("{name}: {}", at.join(", "));
        findings.push(Finding { rule: Rule::EqualNames, crates: named, text });
    }
    findings
}

/// The public types of the product by name, each with where it is defined.
pub(crate) fn public_types(crates: &[Crate]) -> BTreeMap<String, Vec<(&str, TypeAt)>> {
    let mut types: BTreeMap<String, Vec<(&str, TypeAt)>> = BTreeMap::new();
    for of in crates.iter().filter(|of| of.ships) {
        for target in &of.targets {
            for at in types::public_types(&target.tree) {
                types.entry(at.name.clone()).or_default().push((&of.name, at));
            }
        }
    }
    types
}

fn root_folders(workspace: &Workspace) -> Option<Finding> {
    let folders: Vec<&str> = workspace.folders.iter().map(String::as_str).collect();
    (folders.len() > ROOT_FOLDERS).then(|| Finding {
        rule: Rule::RootFolders,
        crates: Vec::new(),
        text: format!("{} folders: {}", folders.len(), folders.join(", ")),
    })
}
