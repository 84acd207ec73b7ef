//! One test: its lines are put into a temporary folder as if they stood at their path, and counted by
//! the same ingest, aggregator and exporter that count real files.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use logtally_config::Config;
use logtally_count::pattern::Pattern;
use logtally_count::plan::Plan;
use logtally_exporter::{Exporter, PageFormat, ViewOptions};
use logtally_receive::Listeners;
use logtally_service::{Context, version};
use logtally_store::SharedStore;
use logtally_store::memory::MemoryStore;
use logtally_tail::content::Content;
use logtally_tail::discover::compression_of;
use logtally_tail::reader::SpanLimits;
use logtally_tail::shard::Shard;
use logtally_tail::{FollowOptions, FollowView};
use tokio::sync::watch;

use super::file::{Lines, Test, TestFile};
use crate::pipeline;

/// The page that the lines of a test give.
pub(super) async fn page(
    config: &Config,
    plan: &Plan,
    file: &TestFile,
    test: &Test,
) -> anyhow::Result<String> {
    let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
    let index = input_of(config, plan, test)?;
    let (pattern, path) = place(config, plan, index, test, folder.path())?;
    let parent = path.parent().unwrap_or(folder.path());
    std::fs::create_dir_all(parent).context("cannot make a temporary folder")?;
    std::fs::write(&path, lines(file, test)?).context("cannot write the lines")?;
    let mut only = config.clone();
    only.inputs = vec![config.inputs[index].clone()];
    only.inputs[0].files = Some(vec![pattern]);
    only.inputs[0].exclude.clear();
    let plan = Plan::compile(&only, &[])?;
    count(plan).await
}

/// The input that the lines are for.
fn input_of(config: &Config, plan: &Plan, test: &Test) -> anyhow::Result<usize> {
    let names = || config.inputs.iter().map(|i| i.name.as_str()).collect::<Vec<_>>().join(", ");
    match (&test.input, &test.path) {
        (Some(name), _) => config
            .inputs
            .iter()
            .position(|input| input.name == *name)
            .with_context(|| format!("there is no input {name:?}; the inputs are {}", names())),
        (None, Some(path)) if config.inputs.len() > 1 => plan
            .inputs
            .iter()
            .position(|input| input.matches(path))
            .with_context(|| format!("no input matches {}; give `input`", path.display())),
        (None, None) if config.inputs.len() > 1 => {
            bail!("there are several inputs; give `input`, one of {}", names())
        }
        (None, _) => Ok(0),
    }
}

/// A pattern and a path below `root` that stand for those of the test.
fn place(
    config: &Config,
    plan: &Plan,
    index: usize,
    test: &Test,
    root: &Path,
) -> anyhow::Result<(String, PathBuf)> {
    let spec = &config.inputs[index];
    let Some(path) = &test.path else {
        if let Some(name) = plan.inputs[index].rules.placeholders().first() {
            bail!("a label needs {{{name}}}; give `path`, from which it comes");
        }
        let path = root.join("sample");
        return Ok((path.display().to_string(), path));
    };
    if compression_of(path).is_some() {
        bail!("`path` must not be that of a compressed file; leave the ending out");
    }
    if path.components().any(|part| part == Component::ParentDir) {
        bail!("`path` must not contain `..`");
    }
    let matches = |text: &&String| Pattern::parse(text).is_ok_and(|pattern| pattern.matches(path));
    let pattern = match &spec.files {
        _ if plan.inputs[index].excludes(path) => None,
        Some(files) => files.iter().find(matches).cloned(),
        None => Some(path.display().to_string()),
    };
    let pattern = pattern.with_context(|| {
        format!("{} is not one of the files of input {:?}", path.display(), spec.name)
    })?;
    let below = |text: &str| text.trim_start_matches('/').to_owned();
    let path = root.join(below(&path.display().to_string()));
    Ok((format!("{}/{}", root.display(), below(&pattern)), path))
}

fn lines(file: &TestFile, test: &Test) -> anyhow::Result<Vec<u8>> {
    let path = match &test.lines {
        Lines::Here(lines) => return Ok(lines.clone().into_bytes()),
        Lines::File(path) => file.beside(path),
    };
    let open = std::fs::File::open(&path);
    let open = open.with_context(|| format!("cannot read {}", path.display()))?;
    let mut content = Content::of_file(open, compression_of(&path));
    let (mut all, mut buffer) = (Vec::new(), vec![0; 64 << 10]);
    loop {
        match content.read_at(&mut buffer, all.len() as u64) {
            Ok(0) => return Ok(all),
            Ok(n) => all.extend_from_slice(&buffer[..n]),
            Err(error) => bail!("cannot read {}: {error}", path.display()),
        }
    }
}

async fn count(plan: Plan) -> anyhow::Result<String> {
    let context = Context::new("logtally", version());
    let store: SharedStore = Arc::new(MemoryStore::new());
    let exporter = Exporter::new(Arc::clone(&store) as _, ViewOptions::default(), &context);
    let options = FollowOptions {
        volume: "test".to_owned(),
        shard: Shard { index: 0, total: 1 },
        once: true,
        poll_only: true,
        poll_interval: Duration::from_secs(1),
        rotate_wait: Duration::from_secs(1),
        idle_check: Duration::from_secs(1),
        workers: 1,
        progress: false,
        limits: SpanLimits::default(),
    };
    let (plans, receiver) = watch::channel(Arc::new(plan));
    let job = pipeline::Job {
        options,
        plans: receiver,
        view: FollowView::default(),
        pushes: Listeners::default(),
        aggregator: logtally_aggregator::AggregatorOptions::default(),
    };
    let outcome = pipeline::count(job, store, &context).await?;
    drop(plans);
    if let Some(problem) = outcome.problems.first() {
        bail!("{problem}");
    }
    let page = exporter.exposition(PageFormat::Text).await?;
    Ok(String::from_utf8_lossy(&page).into_owned())
}
