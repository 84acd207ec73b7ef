//! The flags by which every program is told its store. They lie here, beside the URL that they yield,
//! because each program that opens a store depends on this crate, and nothing else does.
//!
//! The URL may hold a password. A file keeps it out of the command line and the environment, which
//! others can read; no help and no error repeats it.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command, FromArgMatches};

use crate::url::{InvalidStoreUrl, StoreUrl};

/// The group of both flags, for a flag that needs one of them.
pub const STORE_GROUP: &str = "the-store";

/// Which store to use. Flatten it into the arguments of a program.
#[derive(Clone, Default)]
pub struct StoreArgs(Option<Named>);

#[derive(Clone)]
enum Named {
    Url(String),
    File(PathBuf),
}

/// Why the flags do not name a store.
#[derive(Debug, thiserror::Error)]
pub enum StoreArgsError {
    /// The flag or the variable has another text.
    #[error("--store: {0}")]
    Url(InvalidStoreUrl),
    /// The file cannot be read.
    #[error("cannot read the file of --store-file, {}: {error}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The file holds another text, which may be a secret of something else.
    #[error(
        "--store-file: {} does not hold the URL of a store, and nothing else: write redis://HOST:PORT, \
         embedded:DIR or memory: into it",
        path.display()
    )]
    Content {
        /// The file.
        path: PathBuf,
    },
    /// A program that shares its store with others was told one that cannot be shared.
    #[error(
        "--store must be redis://HOST:PORT: other stores live inside one process; use `logtally run`, \
         which counts and serves in one process"
    )]
    NotShared,
    /// Nothing was said.
    #[error("no store is named: add --store redis://HOST:PORT, or --store-file FILE")]
    Absent,
}

// The documentation of this struct would become that of the command.
#[derive(Args)]
#[group(id = STORE_GROUP)]
struct Flags {
    #[arg(
        long,
        env = "LOGTALLY_STORE",
        hide_env_values = true,
        value_name = "URL",
        help = "The store: redis://HOST:PORT, or embedded:DIR while no process uses it"
    )]
    store: Option<String>,

    #[arg(
        long,
        env = "LOGTALLY_STORE_FILE",
        value_name = "FILE",
        help = "A file that holds the URL of the store and nothing else. A password in the URL then \
                stands neither in the list of processes nor in the environment"
    )]
    store_file: Option<PathBuf>,
}

impl StoreArgs {
    /// The store that is named; none if the flags and their variables are absent.
    pub fn url(&self) -> Result<Option<StoreUrl>, StoreArgsError> {
        match &self.0 {
            None => Ok(None),
            Some(Named::Url(text)) => text.parse().map(Some).map_err(StoreArgsError::Url),
            Some(Named::File(path)) => Ok(Some(read(path)?)),
        }
    }

    /// The store of a program that shares it with others: one must be named, and be a server.
    pub fn server_url(&self) -> Result<StoreUrl, StoreArgsError> {
        match self.url() {
            Ok(Some(url)) if url.is_server() => Ok(url),
            Ok(None) => Err(StoreArgsError::Absent),
            Ok(Some(_)) | Err(StoreArgsError::Url(InvalidStoreUrl::Unknown(_))) => {
                Err(StoreArgsError::NotShared)
            }
            Err(error) => Err(error),
        }
    }
}

fn read(path: &Path) -> Result<StoreUrl, StoreArgsError> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| StoreArgsError::Unreadable { path: path.to_owned(), error })?;
    text.trim().parse().map_err(|_| StoreArgsError::Content { path: path.to_owned() })
}

impl Args for StoreArgs {
    fn augment_args(command: Command) -> Command {
        Flags::augment_args(command)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Flags::augment_args_for_update(command)
    }
}

impl FromArgMatches for StoreArgs {
    /// As everywhere, the command line wins over the environment.
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let is_flag = |id| matches.value_source(id) == Some(ValueSource::CommandLine);
        let Flags { store, store_file } = Flags::from_arg_matches(matches)?;
        Ok(Self(match (store, store_file) {
            (None, None) => None,
            (Some(url), None) => Some(Named::Url(url)),
            (None, Some(path)) => Some(Named::File(path)),
            (Some(url), Some(path)) => match (is_flag("store"), is_flag("store_file")) {
                (true, false) => Some(Named::Url(url)),
                (false, true) => Some(Named::File(path)),
                _ => return Err(named_twice()),
            },
        }))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

fn named_twice() -> clap::Error {
    let text = "the store is named twice, by --store and by --store-file, or by LOGTALLY_STORE and by \
                LOGTALLY_STORE_FILE: leave one of them out\n";
    clap::Error::raw(ErrorKind::ArgumentConflict, text)
}

impl fmt::Debug for StoreArgs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            None => f.write_str("StoreArgs(absent)"),
            Some(Named::Url(_)) => f.write_str("StoreArgs(a URL)"),
            Some(Named::File(path)) => write!(f, "StoreArgs(the file {})", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use clap::Parser;

    use super::*;

    #[derive(Parser, Debug)]
    struct Program {
        #[command(flatten)]
        store: StoreArgs,
    }

    fn args(args: &[&str]) -> StoreArgs {
        let args = ["x"].iter().chain(args);
        Program::try_parse_from(args).expect("valid").store
    }

    fn file(content: &str) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        file.write_all(content.as_bytes()).expect("written");
        file
    }

    fn of_file(content: &str) -> Result<Option<StoreUrl>, StoreArgsError> {
        let file = file(content);
        args(&["--store-file", file.path().to_str().expect("UTF-8")]).url()
    }

    #[test]
    fn a_store_is_named_by_its_url_or_by_a_file_with_it() {
        assert_eq!(args(&[]).url().expect("valid"), None);
        assert_eq!(args(&["--store", "memory:"]).url().expect("valid"), Some(StoreUrl::Memory));
        let url = of_file("redis://u:secret@h:1\n").expect("valid").expect("a store");
        assert_eq!(url, "redis://u:secret@h:1".parse().expect("valid"));
        let both = ["x", "--store", "memory:", "--store-file", "f"];
        let error = Program::try_parse_from(both).expect_err("refused").to_string();
        assert!(error.contains("named twice"), "{error}");
    }

    #[test]
    fn a_file_with_something_else_is_not_repeated() {
        for content in ["", "secret", "u:secret@h", "redis://u:secret@h:port", "memory:\nsecret"] {
            let error = of_file(content).expect_err("refused");
            let shown = format!("{error} {error:?}");
            assert!(shown.contains("embedded:DIR") && !shown.contains("secret"), "{shown}");
        }
        let error = args(&["--store-file", "/nowhere/url"]).url().expect_err("refused").to_string();
        assert!(error.contains("/nowhere/url"), "{error}");
    }

    #[test]
    fn programs_that_share_a_store_need_a_server() {
        assert!(args(&["--store", "redis://h"]).server_url().is_ok());
        for url in ["memory:", "embedded:./data", "./data", "http://localhost:6379", "h:6379", ""] {
            let error = args(&["--store", url]).server_url().expect_err("refused").to_string();
            assert!(error.contains("logtally run"), "{url}: {error}");
        }
        let error = args(&[]).server_url().expect_err("refused").to_string();
        assert!(error.contains("--store-file"), "{error}");
    }

    #[test]
    fn no_part_of_a_url_is_in_debug_output() {
        let shown = format!("{:?}", args(&["--store", "redis://u:secret@h"]));
        assert!(!shown.contains("secret"), "{shown}");
    }
}
