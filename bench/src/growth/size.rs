//! How large an experiment is.

/// How large everything is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Size {
    /// To see that it works.
    Short,
    /// As a rule.
    Usual,
    /// As large as promised.
    Full,
}
