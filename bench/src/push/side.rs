//! Who is measured.

/// Who takes the lines.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    /// The ingest, in messages of so many lines.
    Ingest(usize),
    /// The baseline.
    Baseline,
}
