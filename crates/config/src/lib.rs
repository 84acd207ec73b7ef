//! The configuration: from a YAML text to the specifications of inputs, formats and rules. Errors say
//! where and what to do instead, as many at once as can be told. Never compiles a rule, never looks
//! for log files, and never guesses what was meant.
//!
//! Read in this order: `yaml` makes a tree in which everything knows where it stands (`tree`), `reader`
//! takes typed values out of the tree by the tables in `shape`, `inputs` and what it calls make
//! specifications of them, and `agree` compares the rules with each other. `config` runs all of them.

mod agree;
mod config;
mod diagnostic;
mod files;
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
mod scope;
mod shape;
mod spec;
mod suggest;
mod times;
mod tree;
mod when;
mod yaml;
mod yaml_error;

pub use crate::config::Config;
pub use crate::diagnostic::{ConfigError, Diagnostic, Location};
pub use crate::paths::placeholders;
pub use crate::schema::schema;
pub use crate::spec::InputSpec;
