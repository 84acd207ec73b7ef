//! `logtally test`: sample lines and the series that they must give. Every sample takes the whole way
//! of a record, from a file to the page, in memory; nothing else is read or kept.

mod compare;
mod file;
mod trial;

use std::path::{Path, PathBuf};

use logtally_config::Config;
use logtally_count::plan::Plan;
use logtally_service::{EXIT_CONFIG, ExitError};
use serde::Serialize;

use self::compare::{SampleDifference, compare};
use self::file::TestFile;
use crate::output::{Output, OutputArgs, count_of, print};

/// Flags of `logtally test`.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct TestArgs {
    /// Test files (YAML): a configuration, sample lines, and the series that are expected.
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,

    /// What is printed.
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

const EXAMPLES: &str = "\
Examples:
  Run the tests of an example:
    logtally test examples/guide/01-host-job/test.yaml
  A test file:
    config: logtally.yaml          # relative to the test file; the default rule without it
    tests:
      - name: failed jobs
        input: jobs                # only needed if there are several inputs
        path: /logs/eu/web1.log    # only needed for {placeholders}
        lines: |                   # or file: sample.csv
          host,job_name
          web1,backup
        expect: |                  # logtally_… metrics are only compared if they are listed
          log_host_job_count{host=\"web1\",job_name=\"backup\"} 1
  Exits with 1 if a test fails, 2 if a test file is wrong, 3 if its configuration is.";

/// What became of one test.
#[derive(Serialize)]
struct Tested {
    file: String,
    line: u64,
    name: String,
    ok: bool,
    differences: Vec<SampleDifference>,
}

/// Runs all tests of all files.
pub(crate) async fn test(args: &TestArgs) -> anyhow::Result<()> {
    let mut all = Vec::new();
    for path in &args.files {
        for tested in test_file(path).await? {
            if args.output.output == Output::Text {
                print(&tested.render())?;
            }
            all.push(tested);
        }
    }
    let failed = all.iter().filter(|tested| !tested.ok).count();
    args.output.print(&all, || match failed {
        0 => format!("{} passed\n", count_of(all.len() as u64, "test")),
        _ => String::new(),
    })?;
    match failed {
        0 => Ok(()),
        _ => anyhow::bail!("{failed} of {} failed", count_of(all.len() as u64, "test")),
    }
}

async fn test_file(path: &Path) -> anyhow::Result<Vec<Tested>> {
    let file = TestFile::load(path)?;
    let config = match file.config_path() {
        Some(path) => Config::load(&path),
        None => Ok(Config::default()),
    };
    let compiled = config.and_then(|config| Plan::compile(&config, &[]).map(|plan| (config, plan)));
    let (config, plan) = compiled.map_err(|error| ExitError::report(EXIT_CONFIG, error))?;
    let mut all = Vec::new();
    for test in &file.tests {
        let at = |error: anyhow::Error| file.wrong(test, &format!("{error:#}"));
        let expected = test.expected().map_err(at)?;
        let page = trial::page(&config, &plan, &file, test).await.map_err(at)?;
        let differences = compare(&expected, &crate::page::parse(&page)?);
        all.push(Tested {
            file: path.display().to_string(),
            line: test.line,
            name: test.name.clone(),
            ok: differences.is_empty(),
            differences,
        });
    }
    Ok(all)
}

impl Tested {
    fn render(&self) -> String {
        let word = if self.ok { "ok    " } else { "FAILED" };
        let mut text = format!("{word} {}:{}: {}\n", self.file, self.line, self.name);
        for difference in &self.differences {
            text += &difference.render();
        }
        text
    }
}
