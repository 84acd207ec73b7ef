//! The configuration: from a YAML text to the specifications of inputs, formats and rules. Errors say
//! where and what to do instead, as many at once as can be told. Never compiles a rule, never looks
//! for log files, and never guesses what was meant.

mod agree;
mod diagnostic;
mod formats;
mod inputs;
mod labels;
mod lookups;
mod names;
mod paths;
mod positions;
mod reader;
mod regexes;
mod relabel;
mod rules;
mod schema;
mod shape;
mod suggest;
mod times;
mod when;
mod yaml;

use std::io;
use std::path::Path;

use logtally_formats::spec::{CsvSpec, FormatSpec};
use logtally_rules::spec::RuleSpec;

pub use crate::diagnostic::{ConfigError, Diagnostic, Location};
pub use crate::paths::placeholders;
pub use crate::schema::schema;

use crate::inputs::Shared;
use crate::positions::{Origin, Place, Positions};
use crate::reader::{Object, Reader};

/// Reads a file that the configuration names.
pub(crate) type Files<'a> = &'a dyn Fn(&str) -> io::Result<String>;

/// A configuration that is valid as far as it can be told without compiling it.
#[derive(Clone, PartialEq, Debug)]
pub struct Config {
    /// What is read; never empty.
    pub inputs: Vec<InputSpec>,
    /// Rejected records kept per reason for the admin page.
    pub samples_per_reason: usize,
    /// What is allowed but suspicious.
    pub warnings: Vec<Diagnostic>,
    positions: Positions,
}

/// One input.
#[derive(Clone, PartialEq, Debug)]
pub struct InputSpec {
    /// Its name, unique.
    pub name: String,
    /// Paths and globs with placeholders; `None` for the files of the command line, which an input for
    /// pushed records does not get.
    pub files: Option<Vec<String>>,
    /// Globs of files that are not read.
    pub exclude: Vec<String>,
    /// Whether compressed files that globs match are read too.
    pub compressed: bool,
    /// Whether pushed records may name it.
    pub push: bool,
    /// How bytes become records.
    pub format: FormatSpec,
    /// What is counted; the input's labels are in it already. Never empty.
    pub rules: Vec<RuleSpec>,
}

impl InputSpec {
    fn new(format: FormatSpec, rules: Vec<RuleSpec>) -> Self {
        Self {
            name: String::new(),
            files: None,
            exclude: Vec::new(),
            compressed: false,
            push: false,
            format,
            rules,
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self::with_files(None)
    }
}

impl Config {
    /// Reads a configuration and the files that it names, relative to its folder.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| {
            let message = format!("the configuration cannot be read: {}", plain(&error));
            let help = Some("name it with --config.file".to_owned());
            ConfigError::from(Diagnostic { location: Location::file(&name), message, help })
        })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        Self::parse(&name, &text, &|file| std::fs::read_to_string(folder.join(file)))
    }

    /// Reads the text of a configuration. `name` stands in errors; `files` reads the other files.
    pub fn parse(
        name: &str,
        text: &str,
        files: &dyn Fn(&str) -> io::Result<String>,
    ) -> Result<Self, ConfigError> {
        let root = yaml::parse(text).map_err(|error| {
            let location = match error.mark {
                Some(mark) => Location::new(name, text, mark),
                None => Location::file(name),
            };
            ConfigError::from(Diagnostic { location, message: error.message, help: error.help })
        })?;
        let reader = Reader::new(name, text);
        let (mut inputs, samples, places) = read(&reader, &root, files);
        let (mut errors, warnings) = reader.into_parts();
        let positions =
            Positions { file: name.to_owned(), text: text.to_owned(), root: Some(root), places };
        // Whether rules agree can only be told of rules that are all there.
        if errors.is_empty() {
            errors = agree::check(&mut inputs, &positions);
        }
        if !errors.is_empty() {
            return Err(ConfigError::new(errors));
        }
        Ok(Self { inputs, samples_per_reason: samples, warnings, positions })
    }

    /// The configuration of a command line without one: the default rule over these files.
    pub fn default_for(files: &[String]) -> Self {
        Self::with_files(Some(files.to_vec()))
    }

    fn with_files(files: Option<Vec<String>>) -> Self {
        let csv = CsvSpec { columns: inputs::default_columns(), ..CsvSpec::default() };
        let input = InputSpec::new(FormatSpec::Csv(csv), vec![RuleSpec::default_rule()]);
        let place = Place { input: None, rules: Origin::Default };
        Self {
            inputs: vec![InputSpec { name: "input1".into(), files, ..input }],
            samples_per_reason: 0,
            warnings: Vec::new(),
            positions: Positions {
                file: "command line".into(),
                places: vec![place],
                ..Positions::default()
            },
        }
    }

    /// The place of a path of names and indices, such as `["rules", "2", "when"]`; if it is not in
    /// the file, the nearest place on the way there.
    pub fn locate(&self, path: &[&str]) -> Location {
        self.positions.locate(&path.join("."))
    }

    /// The place of a field of an input, or of one of its rules, wherever that stands.
    pub fn location_of(&self, input: usize, rule: Option<usize>, field: &str) -> Location {
        self.positions.of(input, rule, field)
    }
}

fn read(reader: &Reader, root: &yaml::Node, files: Files) -> (Vec<InputSpec>, usize, Vec<Place>) {
    let empty = yaml::Node { mark: root.mark, value: yaml::Value::Map(Vec::new()) };
    let root = if root.value == yaml::Value::Null { &empty } else { root };
    let Some(config) = reader.object(root, "configuration", &shape::CONFIG) else {
        return (Vec::new(), 0, Vec::new());
    };
    let lookups = lookups::read(reader, config.get("lookups"), files);
    let shared = Shared { reader, files, lookups, rules: config.get("rules") };
    let (inputs, places) = shared.inputs(config.get("inputs"));
    (inputs, samples(config), places)
}

fn samples(config: Object) -> usize {
    let node = config.get("samples");
    let object = node.and_then(|node| config.reader.object(node, "samples", &shape::SAMPLES));
    let rejected = object.and_then(|object| object.get("rejected"));
    rejected.and_then(|node| config.reader.whole(node, "rejected", 0)).unwrap_or(0) as usize
}

/// An I/O error without its number, which says nothing to most people.
fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    let end = text.find(" (os error").unwrap_or(text.len());
    text[..end].to_lowercase()
}
