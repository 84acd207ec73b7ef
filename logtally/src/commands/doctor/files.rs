//! Configuration, files and the limits of this process.

use std::fs::File;

use logtally_count::plan::Plan;
use logtally_tail::discover::{Discovery, Search, discover};
use logtally_tail::shard::Shard;

use super::findings::Findings;
use crate::commands::config_file::ConfigFile;
use crate::output::count_of;

/// Handles that a process needs beside those of its files.
const OTHER_HANDLES: u64 = 64;

/// Looks at the configuration and at the files that it means.
pub(super) fn look(config: &ConfigFile, files: &[String], findings: &mut Findings) {
    let plan = match config.load(files) {
        Ok((config, plan)) => {
            let rules: usize = plan.inputs.iter().map(|input| input.rules.rules().len()).sum();
            let (inputs, rules) = (plan.inputs.len() as u64, rules as u64);
            let text = format!("{}, {}", count_of(inputs, "input"), count_of(rules, "rule"));
            findings.ok("configuration", text);
            for warning in &config.warnings {
                findings
                    .warning("configuration", format!("{}: {}", warning.location, warning.message));
            }
            plan
        }
        Err(error) => {
            let first = error.to_string();
            let first = first.lines().next().unwrap_or_default();
            let text = format!("{first}; `logtally check` shows all of it");
            return findings.error("configuration", text);
        }
    };
    look_at_files(plan, findings);
}

fn look_at_files(plan: Plan, findings: &mut Findings) {
    if plan.inputs.iter().all(|input| input.patterns.is_empty()) {
        return findings.skipped("files", "no files are named");
    }
    let shard = Shard { index: 0, total: 1 };
    let found = discover(&Search { inputs: plan.inputs, volume: "local".to_owned(), shard });
    for problem in &found.problems {
        if problem.contains("matches no file yet") {
            findings.warning("files", problem);
        } else {
            findings.error("files", problem);
        }
    }
    let unreadable: Vec<_> =
        found.files.values().filter(|file| File::open(&file.path).is_err()).collect();
    for file in &unreadable {
        let text = format!("{} cannot be opened: let this user read it", file.path.display());
        findings.error("files", text);
    }
    let readable = found.files.len() - unreadable.len();
    findings.ok("files", format!("{} can be read", count_of(readable as u64, "file")));
    look_at_limit(&found, findings);
}

fn look_at_limit(found: &Discovery, findings: &mut Findings) {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).maximum;
    let needed = found.files.len() as u64 + OTHER_HANDLES;
    match limit {
        Some(limit) if limit < needed => findings.warning(
            "open files",
            format!(
                "at most {limit} for {}: files at rest are closed and opened again; raise `ulimit -Hn`",
                count_of(found.files.len() as u64, "file")
            ),
        ),
        Some(limit) => findings.ok("open files", format!("up to {limit}, {needed} needed")),
        None => findings.ok("open files", "no limit"),
    }
}
