//! A page that is written at once.

use super::format::PageFormat;
use super::text::Text;
use super::writer::Writer;
use crate::layout::Arranged;

/// Writes the page at once, in one piece. The page that is served is kept up to date instead, and
/// must be the same.
pub fn render(view: Arranged<'_>, format: PageFormat) -> Vec<u8> {
    let mut out = Vec::new();
    let mut text = Text::default();
    for metric in view.metrics() {
        let writer = Writer::new(view, metric, format);
        text.clear();
        for piece in metric.pieces() {
            writer.write(view.pieces().slots(*piece), &mut text);
        }
        if !text.bytes.is_empty() {
            out.extend(writer.head());
            out.extend_from_slice(&text.bytes);
        }
    }
    out.extend_from_slice(format.end());
    out
}
