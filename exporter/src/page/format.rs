//! What a page is written in.

/// What a page is written in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PageFormat {
    /// The text format of Prometheus. Versions 0.0.4 and 1.0.0 are the same for names without
    /// characters to escape, which is what families are limited to.
    Text,
    /// `OpenMetrics` 1.0.0.
    OpenMetrics,
}

impl PageFormat {
    /// What ends a page.
    pub(super) fn end(self) -> &'static [u8] {
        match self {
            Self::Text => b"",
            Self::OpenMetrics => b"# EOF\n",
        }
    }
}

/// The form of a page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Form {
    /// What it is written in.
    pub format: PageFormat,
    /// Whether it is compressed.
    pub gzip: bool,
}
