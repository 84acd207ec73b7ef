//! The log arguments that all programs share.
//!
//! Must never log by itself, and must reject a mistyped level: a filter that silently means
//! "nothing" is found out when the logs are needed.

use std::fmt;
use std::str::FromStr;

use clap::{Args, ValueEnum};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// How much to log and in which format. Flatten it into the arguments of a program.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Logging")]
pub struct LogArgs {
    /// Which messages to log: error, warn, info, debug, trace or off; or a level for each module, such
    /// as `info,logtally_ingest=debug`
    #[arg(
        long = "log.level",
        env = "LOGTALLY_LOG_LEVEL",
        value_name = "LEVEL",
        default_value = "info"
    )]
    pub level: LogFilter,

    /// Format of the log lines on standard error
    #[arg(
        long = "log.format",
        env = "LOGTALLY_LOG_FORMAT",
        value_name = "FORMAT",
        default_value = "logfmt"
    )]
    pub format: LogFormat,
}

/// The format of log lines.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// `ts=… level=info target=… msg="…" key=value`, easy to read and to search.
    Logfmt,
    /// One JSON object per line.
    Json,
}

/// A level or [`EnvFilter`] directives that are known to be valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFilter(String);

/// A text that is not a [`LogFilter`].
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseLogFilterError {
    /// A word that should have been a level.
    #[error("`{0}` is not a level; levels are error, warn, info, debug, trace and off")]
    Level(String),
    /// Directives that [`EnvFilter`] does not accept.
    #[error("{0}")]
    Directives(String),
}

impl LogFilter {
    /// The filter itself, which cannot be cloned.
    pub(crate) fn to_env_filter(&self) -> EnvFilter {
        EnvFilter::new(&self.0)
    }
}

impl FromStr for LogFilter {
    type Err = ParseLogFilterError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // `EnvFilter` takes a bare word that is not a level for a module and turns off all others.
        let is_bare = |part: &&str| !part.contains(['=', '[']);
        let is_level = |part: &str| !part.is_empty() && part.parse::<LevelFilter>().is_ok();
        let bare = text.split(',').map(str::trim).filter(is_bare);
        if let Some(word) = bare.into_iter().find(|word| !is_level(word)) {
            return Err(ParseLogFilterError::Level(word.to_owned()));
        }
        EnvFilter::try_new(text)
            .map(|_| Self(text.to_owned()))
            .map_err(|error| ParseLogFilterError::Directives(error.to_string()))
    }
}

impl fmt::Display for LogFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        log: LogArgs,
    }

    fn check(input: &str, expect: Result<(), &str>) {
        let parsed = input.parse::<LogFilter>().map(drop).map_err(|error| error.to_string());
        assert_eq!(parsed, expect.map_err(str::to_owned), "{input}");
    }

    #[test]
    fn levels_and_directives() {
        for text in ["error", "warn", "INFO", "debug", "trace", "off", "info,logtally_ingest=debug"]
        {
            check(text, Ok(()));
        }
        let no_level =
            "`warning` is not a level; levels are error, warn, info, debug, trace and off";
        check("warning", Err(no_level));
        check("info,warning", Err(no_level));
        check("", Err("`` is not a level; levels are error, warn, info, debug, trace and off"));
        let loud = "logtally_ingest=loud".parse::<LogFilter>().expect_err("no level");
        assert!(matches!(loud, ParseLogFilterError::Directives(_)), "{loud:?}");
    }

    #[test]
    fn info_as_logfmt_by_default() {
        let program = Program::try_parse_from(["program"]).expect("valid");
        assert_eq!(program.log.level.to_string(), "info");
        assert_eq!(program.log.format, LogFormat::Logfmt);
    }

    #[test]
    fn flags() {
        let args = ["program", "--log.level=debug", "--log.format=json"];
        let program = Program::try_parse_from(args).expect("valid");
        assert_eq!(program.log.level.to_string(), "debug");
        assert_eq!(program.log.format, LogFormat::Json);
    }
}
