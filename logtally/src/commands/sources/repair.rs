//! Repairs of a position. Both say exactly what would happen and do nothing without `--yes`; both fail
//! if the source has moved since it was looked at.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use logtally_core::partition::{Partition, partition_of};
use logtally_core::source::{Generation, SourceId, SourceName, SourceState, Tail};
use logtally_store::{Opening, SharedStore, StoreArgs};
use logtally_tail::content::Content;
use logtally_tail::discover::{compression_of, identity};
use serde::Serialize;

use crate::output::{OutputArgs, count_of};
use crate::store;
use crate::usage::usage;

/// Flags of `logtally sources rewind`.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = REWIND_EXAMPLES)]
pub(crate) struct RewindArgs {
    /// The source, as shown by `logtally sources`.
    pub(crate) id: String,

    /// The position to count again from: 0, or the end of a record if `--file` is given.
    #[arg(long, value_name = "OFFSET")]
    pub(crate) to: u64,

    /// The file of the source, in which a position other than 0 is checked.
    #[arg(long, value_name = "PATH")]
    pub(crate) file: Option<PathBuf>,

    /// The store and how.
    #[command(flatten)]
    pub(crate) change: ChangeArgs,
}

/// Flags of `logtally sources forget`.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = FORGET_EXAMPLES)]
pub(crate) struct ForgetSourceArgs {
    /// The source, as shown by `logtally sources`.
    pub(crate) id: String,

    /// The store and how.
    #[command(flatten)]
    pub(crate) change: ChangeArgs,
}

/// Flags of a change.
#[derive(clap::Args, Clone, Debug)]
#[command(mut_arg("store", |arg| arg.help(store::HELP_WITH_DEFAULT)))]
pub(crate) struct ChangeArgs {
    /// The store.
    #[command(flatten)]
    pub(crate) store: StoreArgs,

    /// Make the change. Without this flag, only show what would happen.
    #[arg(long)]
    pub(crate) yes: bool,

    /// What is printed.
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

const REWIND_EXAMPLES: &str = "\
Examples:
  What would happen; then do it:
    logtally sources rewind file/local/1a2b/17c0ffee --to 0 --store embedded:./logtally-data
    logtally sources rewind file/local/1a2b/17c0ffee --to 0 --store embedded:./logtally-data --yes
  From the middle of the file:
    logtally sources rewind file/local/1a2b/17c0ffee --to 4096 --file logs/app.csv";

const FORGET_EXAMPLES: &str = "\
Examples:
  A file that will never come back:
    logtally sources forget file/local/1a2b/17c0ffee --store redis://localhost:6379 --yes";

/// What is or would be done.
#[derive(Serialize)]
struct Change {
    source: String,
    partition: u16,
    position: u64,
    /// The new position; none if it is forgotten.
    to: Option<u64>,
    /// Records of this life so far.
    records: u64,
    done: bool,
}

struct StoredSource {
    store: SharedStore,
    source: SourceId,
    partition: Partition,
    state: SourceState,
}

impl ChangeArgs {
    /// Opens the store.
    pub(crate) fn open(&self) -> anyhow::Result<SharedStore> {
        store::open_existing(&store::named_or_default(&self.store)?)
    }

    async fn find(&self, id: &str) -> anyhow::Result<StoredSource> {
        let source = SourceId::new(id).map_err(|error| usage(format!("{id:?}: {error}")))?;
        let store = self.open()?;
        let partitions = store.info().await?.partitions;
        let partition = partition_of(&source, partitions);
        // Only read: a dry run must not even create what somebody has just removed.
        let state = state_of(&store, partition, &source).await?.with_context(|| {
            format!("the store has no source {source}; `logtally sources --store …` lists them")
        })?;
        if self.yes {
            // Writing is only possible to a store whose partitions were looked at.
            store.create(Some(partitions)).await?;
        }
        Ok(StoredSource { store, source, partition, state })
    }

    fn tell(&self, stored: &StoredSource, to: Option<u64>, what: &str) -> anyhow::Result<()> {
        let StoredSource { source, partition, state, .. } = stored;
        let change = Change {
            source: source.as_str().to_owned(),
            partition: partition.0,
            position: state.position,
            to,
            records: state.records.read(),
            done: self.yes,
        };
        self.output.print(&change, || {
            let records = count_of(change.records, "record");
            let is_pushed =
                matches!(source.name(), SourceName::Producer(_)) || source.is_temporary();
            let place = if is_pushed { "sequence" } else { "position" };
            let mut text = format!(
                "source    {source} (partition {partition})\n{place}  {}, after {records}\n{what}",
                state.position
            );
            text += if self.yes {
                "done\n"
            } else {
                "dry run: nothing was changed; add --yes to do it\n"
            };
            text
        })
    }
}

/// The stored state of a source, page by page.
async fn state_of(
    store: &SharedStore,
    at: Partition,
    source: &SourceId,
) -> anyhow::Result<Option<SourceState>> {
    let mut from = None;
    loop {
        let page = store.sources_page(at, from.as_ref()).await?;
        let state = page.sources.iter().find(|(id, _)| id == source).map(|(_, state)| *state);
        from = page.next;
        if state.is_some() || from.is_none() {
            return Ok(state);
        }
    }
}

/// Only what can be read again can be counted again.
fn refuse_pushed(id: &str) -> anyhow::Result<()> {
    let Ok(source) = SourceId::new(id) else { return Ok(()) };
    let what = match source.name() {
        SourceName::Producer(_) => "a producer",
        SourceName::Key { .. } => "the key of a push",
        SourceName::Anonymous { .. } => "an anonymous source of pushes",
        _ => return Ok(()),
    };
    Err(usage(format!(
        "{id} is {what}: what was pushed is kept nowhere, so there is nothing to go back to; push the \
         records again, under another producer or key"
    )))
}

/// Rewinds a source.
pub(super) async fn rewind(args: &RewindArgs) -> anyhow::Result<()> {
    refuse_pushed(&args.id)?;
    let stored = args.change.find(&args.id).await?;
    let fresh = target(args, &stored.state, &stored.source)?;
    if args.change.yes {
        let (source, expected) = (stored.source.clone(), Some(stored.state));
        let opening = Opening { source, expected, fresh };
        if !stored.store.open(stored.partition, &opening).await?.installed {
            bail!("the source has moved meanwhile, so nothing was changed; look again");
        }
    }
    let again = stored.state.position - args.to;
    let what = format!(
        "rewind    to {}: {again} bytes are read and counted again, on top of what they gave before\n",
        args.to
    );
    args.change.tell(&stored, Some(args.to), &what)
}

/// Forgets a source.
pub(super) async fn forget(args: &ForgetSourceArgs) -> anyhow::Result<()> {
    let stored = args.change.find(&args.id).await?;
    if args.change.yes {
        let StoredSource { store, source, partition, state } = &stored;
        if !store.forget_source(*partition, source, state).await? {
            bail!("the source has moved meanwhile, so nothing was changed; look again");
        }
    }
    let what = consequence(&stored.source, stored.state.position);
    args.change.tell(&stored, None, &what)
}

/// What becomes of a source that is forgotten.
fn consequence(source: &SourceId, position: u64) -> String {
    let pushed = match source.name() {
        SourceName::Producer(_) => {
            "its sequence; what was counted stays. Messages that it sends again count again, and it has \
             to be opened anew: stop it first"
        }
        SourceName::Key { .. } => {
            "the key; what was counted stays. A push that is repeated with it counts again"
        }
        SourceName::Anonymous { .. } => {
            "the anonymous source; what was counted stays. A push that is under way in it may count twice"
        }
        _ => return of_file(position),
    };
    format!("forget    {pushed}\n")
}

fn of_file(position: u64) -> String {
    format!(
        "forget    its position; what was counted stays. If the file is still there and read, all of it \
         ({position} bytes) counts again from the beginning; an ingest that follows it now takes this for a loss \
         of the store, and exporters are silent until the file is read again: stop it first\n"
    )
}

/// The state to go back to: a life of its own, so that deltas that are under way are refused.
fn target(args: &RewindArgs, state: &SourceState, id: &SourceId) -> anyhow::Result<SourceState> {
    let start = SourceState { end: state.end, ..SourceState::start(Generation(rand::random())) };
    if args.to == 0 {
        return Ok(start);
    }
    if args.to > state.position {
        bail!(usage(format!(
            "--to {} is behind position {}: what lies between would never count",
            args.to, state.position
        )));
    }
    let Some(path) = &args.file else {
        bail!(usage("a position other than 0 is checked against the file: add --file PATH"));
    };
    if state.note.is_some_and(|header| header >= args.to) {
        bail!("the header in force at {} is not known; rewind to 0", args.to);
    }
    let mut content = open(path, id)?;
    if tail(&mut content, state.position)?.0 != state.tail {
        bail!("{} is not what was counted (it was changed); rewind to 0", path.display());
    }
    let (tail, last) = tail(&mut content, args.to)?;
    if last != Some(b'\n') {
        bail!("{} is not the end of a record in {}: no line ends there", args.to, path.display());
    }
    Ok(SourceState { position: args.to, tail, note: state.note, ..start })
}

/// The content of the file, if it is that of the source.
fn open(path: &Path, id: &SourceId) -> anyhow::Result<Content> {
    let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let (SourceName::File(name) | SourceName::Backfill { file: name, .. }) = id.name() else {
        bail!("{id} is not a file");
    };
    if identity(name.volume, &file.metadata()?)? != name.id()? {
        bail!("{} is another file than {id}; `logtally sources` shows the path", path.display());
    }
    Ok(Content::of_file(file, compression_of(path)))
}

/// The tail at a position, and the byte before it.
fn tail(content: &mut Content, position: u64) -> anyhow::Result<(Tail, Option<u8>)> {
    let mut bytes = vec![0; Tail::len_at(position)];
    let mut filled = 0;
    let from = position - bytes.len() as u64;
    while filled < bytes.len() {
        match content.read_at(&mut bytes[filled..], from + filled as u64)? {
            0 => bail!("the file ends before {position}; rewind to 0"),
            n => filled += n,
        }
    }
    Ok((Tail::of(&bytes), bytes.last().copied()))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use logtally_core::push::{Group, ProducerName, Scope};

    use super::*;

    fn args(to: u64, file: Option<&Path>) -> RewindArgs {
        let change =
            ChangeArgs { store: StoreArgs::default(), yes: false, output: OutputArgs::default() };
        RewindArgs { id: String::new(), to, file: file.map(Path::to_owned), change }
    }

    #[test]
    fn what_was_pushed_is_not_rewound() {
        let key = Scope::Lines.key(b"1");
        let group =
            Group::new(vec![("job".into(), "a".into())]).map(Scope::Group).expect("a group");
        for id in [
            "producer/host1/app",
            key.as_str(),
            group.anonymous(1).as_str(),
            group.key(b"").as_str(),
        ] {
            let error = refuse_pushed(id).expect_err(id).to_string();
            assert!(error.contains("kept nowhere") && error.contains(id), "{error}");
        }
        for id in ["file/local/1a2b/17c0ffee", "file/key/1/2/rule/a1", "stdin"] {
            refuse_pushed(id).expect(id);
        }
    }

    #[test]
    fn forgetting_tells_what_follows() {
        let producer = ProducerName::new("app").expect("a name").source();
        let text = consequence(&producer, 7);
        assert!(text.contains("its sequence") && !text.contains("bytes"), "{text}");
        assert!(consequence(&Scope::Lines.key(b"1"), 1).contains("repeated with it"));
        let file = SourceId::file("v", 1, 2).expect("a source");
        assert!(consequence(&file, 7).contains("(7 bytes)"));
    }

    #[test]
    fn only_ends_of_lines_of_the_same_file_are_gone_back_to() {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        file.write_all(b"a,b\nc,d\ne,f\n").expect("written");
        let id = identity("v", &file.as_file().metadata().expect("metadata")).expect("valid");
        let state = SourceState {
            position: 12,
            tail: Tail::of(b"a,b\nc,d\ne,f\n"),
            ..SourceState::start(Generation(1))
        };
        let path = Some(file.path());
        let to = |to, file: Option<&Path>, id: &SourceId| target(&args(to, file), &state, id);
        let middle = to(8, path, &id).expect("the end of a line");
        assert_eq!((middle.position, middle.tail), (8, Tail::of(b"a,b\nc,d\n")));
        assert_ne!(middle.generation, state.generation);
        assert_eq!(to(0, None, &id).expect("the beginning").position, 0);
        let other = SourceId::new("file/v/1/1").expect("valid");
        for (result, word) in [
            (to(7, path, &id), "no line ends there"),
            (to(13, path, &id), "would never count"),
            (to(8, None, &id), "--file"),
            (to(8, path, &other), "another file"),
        ] {
            let error = result.expect_err(word).to_string();
            assert!(error.contains(word), "{error}");
        }
        file.as_file().set_len(9).expect("cut");
        assert!(to(8, path, &id).expect_err("changed").to_string().contains("rewind to 0"));
    }
}
