//! `logtally run`: the whole system in one process.

use std::ffi::OsStr;
use std::path::Path;
use std::time::Duration;

use crate::configuration::configure;
use crate::program::{Finished, Program};
use logtally_testkit::{free_port, local};

/// How long a run to the end of small inputs may take, start included, on a busy machine.
pub const ONCE: Duration = Duration::from_secs(30);

/// One following process and its ports.
pub struct OneProcess {
    /// The process.
    pub program: Program,
    /// Where `/metrics` is.
    pub port: u16,
    /// Its admin listener.
    pub admin: u16,
}

impl OneProcess {
    /// A process that follows `inputs` and keeps its counts in the folder `store` below `folder`. It
    /// is not started yet.
    pub fn new(folder: &Path, store: &str, inputs: &[impl AsRef<OsStr>]) -> Self {
        let (port, admin) = (free_port(), free_port());
        let program = Program::new(folder, "logtally", "logtally")
            .args(["run", "--store", &embedded(folder, store)])
            .args(["--web.listen-address", &local(port), "--admin.listen-address", &local(admin)])
            .args(inputs);
        Self { program, port, admin }
    }

    /// Reads by this configuration, which is written to `logtally.yaml` in the folder.
    #[must_use]
    pub fn config(self, folder: &Path, yaml: &str) -> Self {
        let path = configure(folder, yaml);
        Self { program: self.program.arg("--config.file").arg(path), ..self }
    }

    /// Adds arguments.
    #[must_use]
    pub fn args(self, args: &[&str]) -> Self {
        Self { program: self.program.args(args), ..self }
    }
}

/// The store in a folder below `folder`, as the command line names it.
pub fn embedded(folder: &Path, store: &str) -> String {
    format!("embedded:{}", folder.join(store).display())
}

/// Counts to the end by a configuration, and returns the samples of the page without the accounting.
pub fn once_by(folder: &Path, yaml: &str, args: &[&str]) -> (Finished, Vec<String>) {
    let path = configure(folder, yaml);
    let finished = Program::new(folder, "once", "logtally")
        .args(["run", "--once", "--store", "memory:", "--config.file"])
        .arg(path)
        .args(args)
        .run(ONCE);
    let samples = samples(&finished.stdout);
    (finished, samples)
}

/// The samples of a page, in their order, without those of the accounting.
pub fn samples(page: &str) -> Vec<String> {
    let own = |line: &&str| !line.starts_with('#') && !line.starts_with("logtally_records_");
    page.lines().filter(own).map(str::to_owned).collect()
}

/// Counts `inputs` to their end.
pub fn once(folder: &Path, store: &str, inputs: &[impl AsRef<OsStr>]) -> Finished {
    Program::new(folder, "once", "logtally")
        .args(["run", "--once", "--store", store])
        .args(inputs)
        .run(ONCE)
}
