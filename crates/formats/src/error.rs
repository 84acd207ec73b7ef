//! Why a specification cannot be used, in words that say what to change.

/// Why a specification cannot be used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum FormatError {
    /// A special byte of CSV is a line end.
    #[error("`{field}` must not be a line end: choose a byte that does not end a line")]
    LineEnd {
        /// Which one.
        field: &'static str,
    },
    /// A byte has two meanings.
    #[error("`{field}` and `{other}` are both {byte:?}: choose another byte for one of them")]
    SameByte {
        /// The second one.
        field: &'static str,
        /// The first one.
        other: &'static str,
        /// The byte.
        byte: char,
    },
    /// An escape, but nothing is quoted.
    #[error("`escape` only has a meaning inside quotes: set `quote`, or remove `escape`")]
    EscapeWithoutQuote,
    /// More columns than a row may have.
    #[error("`columns` has {count} names, at most {max} are possible: remove the ones not needed")]
    TooManyColumns {
        /// How many there are.
        count: usize,
        /// How many are possible.
        max: usize,
    },
    /// A wanted column without a name.
    #[error("a column has an empty name: name the value that is meant")]
    EmptyColumn,
    /// A wanted column that can never have a value.
    #[error("there is no value named {column:?}: {}", listed(known, "this format gives"))]
    UnknownColumn {
        /// The wanted one.
        column: String,
        /// The ones that exist.
        known: Vec<String>,
        /// The field that could give it.
        field: &'static str,
    },
    /// The expression is none.
    #[error("the expression cannot be used: {reason}")]
    Pattern {
        /// What is wrong with it.
        reason: String,
    },
    /// A `%{…}` that does not read `%{NAME}`, `%{NAME:value}` or `%{NAME:value:type}`.
    #[error("{text:?} is not a pattern: write %{{NAME}}, %{{NAME:value}} or %{{NAME:value:type}}")]
    GrokSyntax {
        /// The text.
        text: String,
        /// The field that has it.
        field: &'static str,
    },
    /// A grok pattern that nobody defined.
    #[error(
        "there is no grok pattern {name:?}: define it in `definitions`{}",
        similar(suggestions)
    )]
    UnknownPattern {
        /// The name.
        name: String,
        /// Names like it.
        suggestions: Vec<String>,
        /// The field that has it.
        field: &'static str,
    },
    /// A standard grok pattern that needs what the expressions here do not have.
    #[error(
        "the standard grok pattern {name:?} needs look-around, which is not available: define \
         {name} yourself in `definitions`, without (?=…), (?!…), (?<=…) and (?<!…)"
    )]
    LookAround {
        /// The name.
        name: String,
        /// The field that has it.
        field: &'static str,
    },
    /// Grok patterns that name each other, or that grow beyond the limit.
    #[error("the grok pattern {name:?} expands without end: remove the circle in `definitions`")]
    Endless {
        /// The pattern at which that was noticed.
        name: String,
        /// The field that has it.
        field: &'static str,
    },
}

impl FormatError {
    /// The field of the specification that is wrong.
    pub fn field(&self) -> &'static str {
        match self {
            Self::LineEnd { field }
            | Self::SameByte { field, .. }
            | Self::UnknownColumn { field, .. }
            | Self::GrokSyntax { field, .. }
            | Self::UnknownPattern { field, .. }
            | Self::LookAround { field, .. }
            | Self::Endless { field, .. } => field,
            Self::EscapeWithoutQuote => "escape",
            Self::TooManyColumns { .. } | Self::EmptyColumn => "columns",
            Self::Pattern { .. } => "pattern",
        }
    }

    /// The wanted column that cannot be had, if that is what is wrong.
    pub fn column(&self) -> Option<&str> {
        match self {
            Self::UnknownColumn { column, .. } => Some(column),
            Self::EmptyColumn => Some(""),
            _ => None,
        }
    }
}

fn listed(names: &[String], what: &str) -> String {
    format!("{what} {}", names.join(", "))
}

fn similar(names: &[String]) -> String {
    if names.is_empty() { String::new() } else { format!(", or use {}", names.join(" or ")) }
}
