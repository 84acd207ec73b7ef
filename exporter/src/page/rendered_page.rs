//! The page of one format, kept in pieces from scrape to scrape.
//!
//! It must be the same, to the byte, as a page that is written at once: a piece is changed where it
//! stands only if nothing but values of the same lines changed, and is written anew otherwise.

use std::collections::BTreeMap;
use std::sync::Arc;

use logtally_patchgzip::Member;

use super::edits::{Edit, Edits};
use super::format::PageFormat;
use super::piece::RenderedPiece;
use super::snapshot::PageSnapshot;
use super::static_part::StaticPart;
use super::text::Text;
use super::whole_gzip::compress;
use super::writer::Writer;
use crate::layout::{Arranged, PieceId};
use crate::state::DirtySet;

/// What the page consists of, in its order.
enum Part {
    /// The head of the metric with this number.
    Head(usize),
    Piece(PieceId),
}

/// The page as text, and compressed if that is asked for.
pub(super) struct RenderedPage {
    format: PageFormat,
    /// By the number of the piece.
    pieces: Vec<RenderedPiece>,
    heads: Vec<StaticPart>,
    end: StaticPart,
    parts: Vec<Part>,
    /// The time of what was written last.
    now_ms: u64,
    is_compressed: bool,
    plain: Option<Arc<PageSnapshot>>,
    gzip: Option<Arc<PageSnapshot>>,
}

impl RenderedPage {
    /// An empty page.
    pub(super) fn new(format: PageFormat) -> Self {
        Self {
            format,
            pieces: Vec::new(),
            heads: Vec::new(),
            end: StaticPart::new(format.end().to_vec()),
            parts: Vec::new(),
            now_ms: 0,
            is_compressed: false,
            plain: None,
            gzip: None,
        }
    }

    /// Whether the page is kept compressed, too.
    pub(super) fn is_compressed(&self) -> bool {
        self.is_compressed
    }

    /// Forgets the compressed page.
    pub(super) fn drop_compressed(&mut self) {
        self.is_compressed = false;
        self.gzip = None;
        self.pieces.iter_mut().for_each(RenderedPiece::drop_compressed);
    }

    /// Brings everything up to date. `changed` are the series that may have changed since the last time.
    pub(super) fn update(&mut self, view: Arranged<'_>, changed: &DirtySet) {
        // First of all: what is kept here would have to be copied.
        (self.plain, self.gzip) = (None, None);
        // Where time went back, something hidden may live.
        if *changed == DirtySet::Any || view.now_ms() < self.now_ms {
            self.pieces.iter_mut().for_each(|piece| piece.revision = 0);
        }
        self.now_ms = view.now_ms();
        self.pieces.resize_with(view.pieces().len(), RenderedPiece::default);
        let edits = Edits::new(view, changed);
        let mut before: BTreeMap<Arc<Vec<u8>>, StaticPart> =
            self.heads.drain(..).map(|head| (Arc::clone(head.text()), head)).collect();
        self.parts.clear();
        let mut text = Text::default();
        for metric in view.metrics() {
            let writer = Writer::new(view, metric, self.format);
            let at = self.parts.len();
            for piece in metric.pieces() {
                self.bring_up(view, &writer, *piece, edits.of(*piece), &mut text);
                if !self.pieces[piece.index()].text().is_empty() {
                    self.parts.push(Part::Piece(*piece));
                }
            }
            if self.parts.len() > at {
                let head = writer.head();
                let known = before.remove(&head);
                self.parts.insert(at, Part::Head(self.heads.len()));
                self.heads.push(known.unwrap_or_else(|| StaticPart::new(head)));
            }
        }
        self.drop_removed(view);
    }

    fn bring_up(
        &mut self,
        view: Arranged<'_>,
        writer: &Writer<'_>,
        piece: PieceId,
        edits: &[Edit],
        text: &mut Text,
    ) {
        let rendered = &mut self.pieces[piece.index()];
        let revision = view.pieces().revision(piece);
        let is_same = rendered.revision == revision
            && rendered.has_created == writer.has_created()
            && !writer.is_past(rendered.hides_at);
        if is_same && (edits.is_empty() || rendered.patch(writer, edits)) {
            return;
        }
        text.clear();
        writer.write(view.pieces().slots(piece), text);
        rendered.replace(text);
        rendered.revision = revision;
        rendered.has_created = writer.has_created();
    }

    fn drop_removed(&mut self, view: Arranged<'_>) {
        let pieces = (0..).map(PieceId::of_index).zip(&mut self.pieces);
        for (piece, rendered) in pieces {
            if view.pieces().revision(piece) == 0 {
                *rendered = RenderedPiece::default();
            }
        }
    }

    /// The page.
    pub(super) fn plain(&mut self) -> Arc<PageSnapshot> {
        if let Some(page) = &self.plain {
            return Arc::clone(page);
        }
        let part = |part: &Part| match part {
            Part::Head(at) => Arc::clone(self.heads[*at].text()),
            Part::Piece(piece) => Arc::clone(self.pieces[piece.index()].text()),
        };
        let mut parts: Vec<_> = self.parts.iter().map(part).collect();
        parts.push(Arc::clone(self.end.text()));
        let page = Arc::new(PageSnapshot::new(parts));
        self.plain = Some(Arc::clone(&page));
        page
    }

    /// The page, compressed, up to so many bytes as a whole.
    pub(super) fn gzip(&mut self, whole_max: usize) -> Arc<PageSnapshot> {
        if let Some(page) = &self.gzip {
            return Arc::clone(page);
        }
        let plain = self.plain();
        let parts = if plain.len() <= whole_max {
            vec![Arc::new(compress(plain.parts()))]
        } else {
            self.member()
        };
        self.is_compressed = true;
        let page = Arc::new(PageSnapshot::new(parts));
        self.gzip = Some(Arc::clone(&page));
        page
    }

    fn member(&mut self) -> Vec<Arc<Vec<u8>>> {
        let mut member = Member::with_capacity(self.parts.len() + 1);
        for part in &self.parts {
            member.push(match part {
                Part::Head(at) => self.heads[*at].compressed(),
                Part::Piece(piece) => self.pieces[piece.index()].compressed(),
            });
        }
        member.push(self.end.compressed());
        member.finish()
    }
}
