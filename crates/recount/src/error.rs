//! Why a specification cannot be read. Nothing that stands in an input is ever such an error.

/// Why a specification cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RecountError {
    /// The expression is none.
    #[error("the expression cannot be used: {0}")]
    Expression(#[from] regex::Error),
    /// A grok pattern that nobody defined, or that has itself inside.
    #[error("the grok pattern {0:?} is not defined, or by itself")]
    Grok(String),
}
