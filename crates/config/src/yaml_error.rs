//! What is wrong with a YAML text, and the usual slip behind it. Decided by the kind of the parser's
//! error; must never look at the words of its message.

use std::borrow::Cow;

use serde_saphyr::granit_parser::ErrorKind;
use serde_saphyr::localizer::ExternalMessageSource;
use serde_saphyr::{Error, MessageFormatter, UserMessageFormatter};

use crate::diagnostic::Mark;

/// What the parser did not like.
pub(crate) struct YamlError {
    /// Where.
    pub mark: Option<Mark>,
    /// What.
    pub message: String,
    /// The way out, where it can be told.
    pub help: Option<String>,
}

impl YamlError {
    /// An error of the parser as a person should see it.
    pub(crate) fn new(mark: Option<Mark>, error: &Error) -> Self {
        let error = innermost(error);
        let message = message(error).replace(char::is_control, "\u{fffd}");
        Self { mark, message, help: help(error).map(str::to_owned) }
    }
}

/// The error itself, without what the library wraps around it.
fn innermost(mut error: &Error) -> &Error {
    while let Error::AliasError { error: inner, .. } | Error::WithSnippet { error: inner, .. } =
        error
    {
        error = inner;
    }
    error
}

/// What the scanner did not like, if the error is one of the scanner's.
fn scan_error(error: &Error) -> Option<&ErrorKind> {
    let Error::ExternalMessage { source, .. } = error else { return None };
    match source.as_ref() {
        ExternalMessageSource::Parser(error) => Some(error.kind()),
        _ => None,
    }
}

fn message(error: &Error) -> Cow<'_, str> {
    match error {
        Error::DuplicateMappingKey { key: Some(key), .. } => {
            format!("the key `{key}` occurs twice").into()
        }
        Error::MultipleDocuments { .. } => "there is more than one YAML document".into(),
        Error::UnknownAnchor { .. } => "there is no anchor of this name".into(),
        _ => match scan_error(error) {
            Some(kind) => kind.to_string().into(),
            None => UserMessageFormatter.format_message(error),
        },
    }
}

/// The way out of the usual slips.
fn help(error: &Error) -> Option<&'static str> {
    match error {
        Error::DuplicateMappingKey { .. } => Some("remove one of the two"),
        Error::MultipleDocuments { .. } => {
            Some("remove the line `---`: one file is one configuration")
        }
        Error::UnknownAnchor { .. } => Some("a text that begins with * stands in quotes"),
        _ => scan_error(error).and_then(scan_help),
    }
}

fn scan_help(kind: &ErrorKind) -> Option<&'static str> {
    match kind {
        ErrorKind::TabNotAllowed
        | ErrorKind::TabInBlockIndentation
        | ErrorKind::TabInIndentation
        | ErrorKind::TabAtBlockScalarStart => Some("indent with blanks"),
        ErrorKind::UnknownQuotedScalarEscape
        | ErrorKind::InvalidQuotedScalarHexEscape
        | ErrorKind::InvalidUnicodeEscape => {
            Some("put expressions in single quotes, where a backslash is a backslash")
        }
        ErrorKind::UnclosedQuotedScalar
        | ErrorKind::InvalidQuotedScalarIndent
        | ErrorKind::DocumentIndicatorInQuotedScalar
        | ErrorKind::InvalidTrailingSingleQuotedScalar
        | ErrorKind::InvalidTrailingDoubleQuotedScalar => {
            Some("is a quote missing at the end of the text, here or above?")
        }
        ErrorKind::UnclosedFlowCollection { .. }
        | ErrorKind::ExpectedFlowSequenceSeparator
        | ErrorKind::ExpectedFlowMappingSeparator
        | ErrorKind::UnexpectedEofFlowSequence
        | ErrorKind::UnexpectedEofFlowMapping => Some("is a bracket missing, here or above?"),
        ErrorKind::InvalidColonPlacement | ErrorKind::ExpectedBlockSequenceEntry => {
            Some("indent the line like its neighbours; is a bracket or quote missing above?")
        }
        ErrorKind::ExpectedBlockMappingKey
        | ErrorKind::InvalidIndentation
        | ErrorKind::BlockSequenceEntryNotAllowed
        | ErrorKind::BlockEntryInFlowCollection
        | ErrorKind::InvalidBlockEntryWhitespace
        | ErrorKind::InvalidBlockScalarIndent
        | ErrorKind::MappingKeyNotAllowed
        | ErrorKind::MappingValueNotAllowed
        | ErrorKind::UnexpectedEofBlockSequence
        | ErrorKind::UnexpectedEofBlockMapping => Some("indent the line like its neighbours"),
        _ => None,
    }
}
