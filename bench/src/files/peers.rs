//! The programs of others that do the same work: where they are, how they are installed, and how they
//! are called. The scripts of those that are libraries lie in `bench/peers`.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use clap::ValueEnum;
use serde::Serialize;

use super::data::Data;
use super::workload::Kind;
use crate::child::Task;
use crate::machine::{find, succeeds};

/// Lines that mtail gets: more of them only take longer.
const MTAIL_LINES_MAX: u64 = 2_000_000;

/// Who does the same.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Peer {
    /// A database that reads files (Python package).
    Duckdb,
    /// A library for tables (Python package).
    Polars,
    /// A program for CSV files (Rust crate).
    Xan,
    /// What logtally replaces: the csv module of Python, and a dictionary.
    Naive,
    /// From log lines to metrics (Debian package).
    Mtail,
}

/// Where peers are kept.
#[derive(Clone, Debug)]
pub struct Home(pub PathBuf);

impl Peer {
    /// What tables call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Duckdb => "DuckDB",
            Self::Polars => "Polars",
            Self::Xan => "xan",
            Self::Naive => "Python csv + dict",
            Self::Mtail => "mtail",
        }
    }

    /// How many records of a file it is given; none if it does not know such files.
    pub fn records(self, kind: Kind, records: u64) -> Option<u64> {
        match (self, kind) {
            (Self::Mtail, Kind::Narrow) => Some(records.min(MTAIL_LINES_MAX)),
            (Self::Mtail, _) => None,
            _ => Some(records),
        }
    }

    /// Whether it writes a page of metrics instead of rows.
    pub fn writes_page(self) -> bool {
        self == Self::Mtail
    }

    /// Whether what it costs to start without any work is measured, and taken off: that of an
    /// interpreter and its libraries says nothing of how they count.
    pub fn has_start(self) -> bool {
        matches!(self, Self::Duckdb | Self::Polars | Self::Naive)
    }
}

impl Home {
    /// The version of a peer, or why it cannot be used.
    pub fn version(&self, peer: Peer) -> Result<String> {
        let module =
            |name: &str| said(Command::new(self.python()).args(["-c", &print_version(name)]));
        let version = match peer {
            Peer::Duckdb => module("duckdb"),
            Peer::Polars => module("polars"),
            Peer::Xan => self.xan().and_then(|xan| said(Command::new(xan).arg("--version"))),
            Peer::Naive => said(Command::new("python3").arg("--version")),
            Peer::Mtail => said(Command::new("mtail").arg("--version")),
        };
        let version = version.context("is not installed; --install-peers does that")?;
        let words = version.split(' ').find(|word| word.starts_with(|c: char| c.is_ascii_digit()));
        Ok(words.unwrap_or(&version).to_owned())
    }

    /// Installs what is missing of a peer.
    pub fn install(&self, peer: Peer) -> Result<()> {
        if self.version(peer).is_ok() {
            return Ok(());
        }
        eprintln!("installing {}", peer.name());
        match peer {
            Peer::Duckdb => self.pip("duckdb"),
            Peer::Polars => self.pip("polars"),
            Peer::Xan => {
                let root = self.0.join("xan");
                ended(
                    Command::new("cargo").args(["install", "xan", "--locked", "--root"]).arg(root),
                )
            }
            Peer::Naive => package("python3"),
            Peer::Mtail => package("mtail"),
        }
    }

    /// The work on a file. `result` keeps what it counts, as rows or as a page.
    pub fn count(&self, peer: Peer, data: &Data, result: Option<&Path>) -> Task {
        let task = match peer {
            Peer::Duckdb => {
                let parallel = (data.kind != Kind::Hostile).to_string();
                let columns = data.kind.columns().join(",");
                self.start(peer).arg(&data.path).args([columns, parallel])
            }
            Peer::Polars | Peer::Naive => self.start(peer).arg(&data.path),
            Peer::Xan => {
                let task = Task::new(self.xan().unwrap_or_else(|| "xan".into()));
                let task = task.args(["groupby", "host,job_name", "count() as count"]);
                return match result {
                    Some(result) => task.arg(&data.path).stdout(result),
                    None => task.arg(&data.path),
                };
            }
            Peer::Mtail => return mtail(data, result),
        };
        task.args(result)
    }

    /// Its start without any work.
    pub fn start(&self, peer: Peer) -> Task {
        match peer {
            Peer::Duckdb => Task::new(self.python()).arg(script("duckdb.py")),
            Peer::Polars => {
                let task = Task::new(self.python()).arg(script("polars.py"));
                task.env("POLARS_MAX_THREADS", "1")
            }
            _ => Task::new("python3").arg(script("naive.py")),
        }
    }

    fn python(&self) -> PathBuf {
        self.0.join("venv/bin/python")
    }

    fn xan(&self) -> Option<PathBuf> {
        let own = self.0.join("xan/bin/xan");
        if own.is_file() { Some(own) } else { find("xan") }
    }

    fn pip(&self, package: &str) -> Result<()> {
        if !self.python().exists() {
            ended(Command::new("python3").args(["-m", "venv"]).arg(self.0.join("venv")))?;
        }
        ended(Command::new(self.python()).args(["-m", "pip", "install", "--quiet", package]))
    }
}

fn mtail(data: &Data, result: Option<&Path>) -> Task {
    let task = Task::new("mtail")
        .args(["-one_shot", "-one_shot_format=prometheus", "-emit_prog_label=false"])
        .args(["-logtostderr", "-port", "0", "-progs"])
        .arg(script("mtail"))
        .arg("-logs")
        .arg(&data.path);
    match result {
        Some(result) => task.stdout(result),
        None => task,
    }
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peers").join(name)
}

fn print_version(module: &str) -> String {
    format!("import {module}; print({module}.__version__)")
}

/// What a command says, if it ends well.
fn said(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|output| output.status.success())?;
    let all = [output.stdout, output.stderr].concat();
    Some(String::from_utf8_lossy(&all).lines().next().unwrap_or_default().to_owned())
}

fn ended(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("{command:?}"))?;
    ensure!(status.success(), "{command:?} failed ({status})");
    Ok(())
}

/// Installs a package of the system, if this process may.
fn package(name: &str) -> Result<()> {
    let is_root = said(Command::new("id").arg("-u")).is_some_and(|id| id == "0");
    let may = is_root && succeeds(Command::new("apt-get").arg("--version"));
    ensure!(may, "{name} is missing; please run: sudo apt-get install --yes {name}");
    ended(Command::new("apt-get").args(["install", "--yes", "--no-install-recommends", name]))
}
