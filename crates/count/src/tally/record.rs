//! A record and a marked piece of text, as the tally is given them.

use logtally_formats::Layout;

/// A record in its source.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record<'a> {
    /// Its content, without the terminator.
    pub body: &'a [u8],
    /// Whether it has a quote, so that its fields need unquoting.
    pub quoted: bool,
    /// Position just after it.
    pub position: u64,
}

/// A piece of text whose records are to be counted.
#[derive(Clone, Copy)]
pub(crate) struct Piece<'a> {
    /// The text.
    pub text: &'a [u8],
    /// Where the text begins in its source.
    pub start: u64,
    /// Where the columns are.
    pub layout: &'a Layout,
    /// Values of the path's placeholders.
    pub path: &'a [Option<String>],
}
