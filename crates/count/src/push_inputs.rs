//! What pushed records may name: the push inputs of the configuration, each in every format that needs
//! no options. Compiled with the plan, so that a push never waits for a compiler.

use std::sync::Arc;

use logtally_config::{Config, InputSpec};
use logtally_formats::spec::{CsvSpec, FormatSpec};

use crate::input::Input;

/// The formats that a message may name.
pub const FORMATS: [&str; 5] = ["csv", "tsv", "json", "logfmt", "lines"];

/// All push inputs; never empty.
#[derive(Clone, Debug)]
pub struct PushInputs(Vec<PushInput>);

/// One push input.
#[derive(Clone, Debug)]
struct PushInput {
    /// In its own format.
    input: Arc<Input>,
    /// In the formats of [`FORMATS`]; the error says which column it does not have.
    by_format: [Result<Arc<Input>, String>; FORMATS.len()],
}

/// Why a message names no input that can count it.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum UnknownInput {
    /// There is no such input.
    #[error("there is no push input `{name}`; there is {known}")]
    Input {
        /// What was named.
        name: String,
        /// The names of all inputs.
        known: String,
    },
    /// There is no such format.
    #[error("there is no format `{name}`; there is {}, or none for the input's own", FORMATS.join(", "))]
    Format {
        /// What was named.
        name: String,
    },
    /// The rules of the input want columns that the format does not have.
    #[error("the input `{input}` cannot be counted as {format}: {reason}")]
    Unfit {
        /// The input.
        input: String,
        /// The format.
        format: String,
        /// Why.
        reason: String,
    },
}

impl UnknownInput {
    /// The field of a message that is wrong.
    pub fn field(&self) -> &'static str {
        match self {
            Self::Input { .. } => "input",
            Self::Format { .. } | Self::Unfit { .. } => "format",
        }
    }
}

impl PushInputs {
    /// The inputs that records may be pushed to: those that say so, or else the first one.
    pub(crate) fn compile(config: &Config, inputs: &[Arc<Input>]) -> Self {
        let mut all = Vec::new();
        for (index, (spec, input)) in config.inputs.iter().zip(inputs).enumerate() {
            if spec.push {
                all.push(PushInput::of(config, index, spec, input));
            }
        }
        if all.is_empty()
            && let (Some(spec), Some(input)) = (config.inputs.first(), inputs.first())
        {
            all.push(PushInput::of(config, 0, spec, input));
        }
        Self(all)
    }

    /// The input by its name, in a format; empty names mean the first input and its own format.
    pub fn find(&self, name: &str, format: &str) -> Result<&Arc<Input>, UnknownInput> {
        let found = self.0.iter().find(|push| name.is_empty() || push.input.name == name);
        let push = found.ok_or_else(|| UnknownInput::Input {
            name: name.to_owned(),
            known: self.0.iter().map(|push| &*push.input.name).collect::<Vec<_>>().join(", "),
        })?;
        if format.is_empty() {
            return Ok(&push.input);
        }
        let index = FORMATS.iter().position(|known| *known == format);
        let index = index.ok_or_else(|| UnknownInput::Format { name: format.to_owned() })?;
        push.by_format[index].as_ref().map_err(|reason| UnknownInput::Unfit {
            input: push.input.name.clone(),
            format: format.to_owned(),
            reason: reason.clone(),
        })
    }
}

impl PushInput {
    fn of(config: &Config, index: usize, spec: &InputSpec, input: &Arc<Input>) -> Self {
        let in_format = |name: &str| {
            let format = named(name, &spec.format);
            if spec.format == format {
                return Ok(Arc::clone(input));
            }
            let spec = InputSpec { format, ..spec.clone() };
            let compiled = Input::of_rules(config, index, &spec, None);
            compiled.map(Arc::new).map_err(|error| first_message(&error))
        };
        Self { input: Arc::clone(input), by_format: FORMATS.map(in_format) }
    }
}

/// A format by its name. Rows between other delimiters have the columns of the input's own rows.
fn named(name: &str, own: &FormatSpec) -> FormatSpec {
    let rows = |delimiter| match own {
        FormatSpec::Csv(own) if own.delimiter == delimiter => FormatSpec::Csv(own.clone()),
        FormatSpec::Csv(own) => FormatSpec::Csv(CsvSpec {
            delimiter,
            columns: own.columns.clone(),
            ..CsvSpec::default()
        }),
        _ => FormatSpec::Csv(CsvSpec { delimiter, ..CsvSpec::default() }),
    };
    match name {
        "tsv" => rows(b'\t'),
        "json" => FormatSpec::Json,
        "logfmt" => FormatSpec::Logfmt,
        "lines" => FormatSpec::Lines,
        _ => rows(b','),
    }
}

fn first_message(error: &logtally_config::ConfigError) -> String {
    error.diagnostics().first().map_or_else(|| error.to_string(), |first| first.message.clone())
}
