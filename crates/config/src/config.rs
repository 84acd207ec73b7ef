//! The configuration as a whole: read, checked, and able to say where its parts stand.

use std::io;
use std::path::Path;

use crate::agree;
use crate::diagnostic::{ConfigError, Diagnostic, Location};
use crate::files::{self, Files};
use crate::inputs::InputsReader;
use crate::lookups;
use crate::positions::{InputPosition, Positions, RulesOrigin};
use crate::reader::{Object, Reader};
use crate::shape;
use crate::spec::InputSpec;
use crate::tree::{Node, Value};
use crate::yaml;

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

impl Default for Config {
    /// The configuration of a command line without one.
    fn default() -> Self {
        let position = InputPosition { index: None, rules: RulesOrigin::Default };
        Self {
            inputs: vec![InputSpec::default_input()],
            samples_per_reason: 0,
            warnings: Vec::new(),
            positions: Positions {
                file: "command line".into(),
                inputs: vec![position],
                ..Positions::default()
            },
        }
    }
}

impl Config {
    /// Reads a configuration and the files that it names, relative to its folder.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| {
            let message = format!("the configuration cannot be read: {}", files::reason(&error));
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
        let contents = Contents::read(&reader, &root, files);
        let (mut errors, warnings) = reader.into_parts();
        let Contents { mut inputs, samples_per_reason, positions } = contents;
        let positions = Positions {
            file: name.to_owned(),
            text: text.to_owned(),
            root: Some(root),
            inputs: positions,
        };
        // Whether rules agree can only be told of rules that are all there.
        if errors.is_empty() {
            errors = agree::check(&mut inputs, &positions);
        }
        if !errors.is_empty() {
            return Err(ConfigError::new(errors));
        }
        Ok(Self { inputs, samples_per_reason, warnings, positions })
    }

    /// The place of a field of an input, or of one of its rules, wherever that stands; if the field is
    /// not in the file, the nearest place on the way there.
    pub fn location_of(&self, input: usize, rule: Option<usize>, field: &str) -> Location {
        self.positions.of(input, rule, field)
    }

    /// An error that somebody else found in a field of an input, or of a rule of it. Fields are
    /// named as in the configuration: `when`, `labels.status.extract`, `format.pattern`, `files.0`.
    pub fn error_at(
        &self,
        input: usize,
        rule: Option<usize>,
        field: &str,
        message: impl Into<String>,
        help: Option<String>,
    ) -> ConfigError {
        let location = self.location_of(input, rule, field);
        ConfigError::from(Diagnostic { location, message: message.into(), help })
    }
}

/// What the text of a configuration says.
#[derive(Default)]
struct Contents {
    inputs: Vec<InputSpec>,
    samples_per_reason: usize,
    positions: Vec<InputPosition>,
}

impl Contents {
    fn read(reader: &Reader, root: &Node, files: Files) -> Self {
        let empty = Node { mark: root.mark, value: Value::Map(Vec::new()) };
        let root = if root.value == Value::Null { &empty } else { root };
        let Some(config) = reader.object(root, "configuration", &shape::CONFIG) else {
            return Self::default();
        };
        let lookups = lookups::read(reader, config.get("lookups"), files);
        let inputs = InputsReader { reader, files, lookups, rules: config.get("rules") };
        let (inputs, positions) = inputs.read(config.get("inputs"));
        Self { inputs, samples_per_reason: samples(config), positions }
    }
}

fn samples(config: Object) -> usize {
    let node = config.get("samples");
    let object = node.and_then(|node| config.reader.object(node, "samples", &shape::SAMPLES));
    let rejected = object.and_then(|object| object.get("rejected"));
    rejected.and_then(|node| config.reader.whole(node, "rejected", 0)).unwrap_or(0) as usize
}
