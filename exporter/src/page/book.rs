//! The page of one format, kept in pieces from scrape to scrape.
//!
//! It must be the same, to the byte, as a page that is written at once: a piece is changed where it
//! stands only if nothing but values of the same lines changed, and is written anew otherwise.

use std::collections::BTreeMap;
use std::sync::Arc;

use logtally_patchgzip::{Member, PatchableBlock};

use super::Page;
use super::whole::compress;
use super::written::{Edit, Written};
use crate::render::{Format, Text, Writer, end_of};
use crate::view::{Arranged, PieceId, Touched};

/// A part of the page that does not change often.
struct Fixed {
    text: Arc<Vec<u8>>,
    zipped: Option<PatchableBlock>,
}

impl Fixed {
    fn new(text: Vec<u8>) -> Self {
        Self { text: Arc::new(text), zipped: None }
    }

    fn zipped(&mut self) -> &PatchableBlock {
        self.zipped.get_or_insert_with(|| PatchableBlock::new(&self.text, &[]))
    }
}

/// What the page consists of, in its order.
enum Part {
    /// The head of the metric with this number.
    Head(usize),
    Piece(PieceId),
}

/// The written page.
pub(super) struct Book {
    format: Format,
    /// By the number of the piece.
    written: Vec<Written>,
    heads: Vec<Fixed>,
    end: Fixed,
    parts: Vec<Part>,
    /// The time of what was written last.
    now_ms: u64,
    is_zipped: bool,
    plain: Option<Arc<Page>>,
    gzip: Option<Arc<Page>>,
}

/// What is to be changed in some pieces, by piece.
struct Edits(Vec<Edit>);

impl Edits {
    fn new(view: Arranged<'_>, changed: &Touched) -> Self {
        let Touched::These(slots) = changed else { return Self(Vec::new()) };
        let edit = |slot: &_| {
            let place = view.pieces().place(*slot)?;
            let piece = place.piece.index() as u32;
            Some(Edit { piece, index: place.index, slot: *slot })
        };
        let mut edits: Vec<_> = slots.iter().filter_map(edit).collect();
        edits.sort_unstable();
        edits.dedup();
        Self(edits)
    }

    fn of(&self, piece: PieceId) -> &[Edit] {
        let piece = piece.index() as u32;
        let begin = self.0.partition_point(|edit| edit.piece < piece);
        let len = self.0[begin..].partition_point(|edit| edit.piece == piece);
        &self.0[begin..begin + len]
    }
}

impl Book {
    /// An empty book.
    pub(super) fn new(format: Format) -> Self {
        Self {
            format,
            written: Vec::new(),
            heads: Vec::new(),
            end: Fixed::new(end_of(format).to_vec()),
            parts: Vec::new(),
            now_ms: 0,
            is_zipped: false,
            plain: None,
            gzip: None,
        }
    }

    /// Whether the page is kept compressed, too.
    pub(super) fn is_zipped(&self) -> bool {
        self.is_zipped
    }

    /// Forgets the compressed page.
    pub(super) fn unzip(&mut self) {
        self.is_zipped = false;
        self.gzip = None;
        self.written.iter_mut().for_each(Written::unzip);
    }

    /// Brings everything up to date. `changed` are the series that may have changed since the last time.
    pub(super) fn update(&mut self, view: Arranged<'_>, changed: &Touched) {
        // First of all: what is kept here would have to be copied.
        (self.plain, self.gzip) = (None, None);
        // Where time went back, something hidden may live.
        if *changed == Touched::Any || view.now_ms() < self.now_ms {
            self.written.iter_mut().for_each(|written| written.revision = 0);
        }
        self.now_ms = view.now_ms();
        self.written.resize_with(view.pieces().len(), Written::default);
        let edits = Edits::new(view, changed);
        let mut before: BTreeMap<Arc<Vec<u8>>, Fixed> =
            self.heads.drain(..).map(|head| (Arc::clone(&head.text), head)).collect();
        self.parts.clear();
        let mut text = Text::default();
        for metric in view.metrics() {
            let writer = Writer::new(view, metric, self.format);
            let at = self.parts.len();
            for piece in metric.pieces() {
                self.bring_up(view, &writer, *piece, edits.of(*piece), &mut text);
                if !self.written[piece.index()].text().is_empty() {
                    self.parts.push(Part::Piece(*piece));
                }
            }
            if self.parts.len() > at {
                let head = writer.head();
                let known = before.remove(&head);
                self.parts.insert(at, Part::Head(self.heads.len()));
                self.heads.push(known.unwrap_or_else(|| Fixed::new(head)));
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
        let written = &mut self.written[piece.index()];
        let revision = view.pieces().revision(piece);
        let is_same = written.revision == revision
            && written.has_created == writer.has_created()
            && !writer.is_past(written.hides_at);
        if is_same && (edits.is_empty() || written.patch(writer, edits)) {
            return;
        }
        text.clear();
        writer.write(view.pieces().slots(piece), text);
        written.replace(text);
        written.revision = revision;
        written.has_created = writer.has_created();
    }

    fn drop_removed(&mut self, view: Arranged<'_>) {
        let pieces = (0..).map(PieceId::of_index).zip(&mut self.written);
        for (_, written) in pieces.filter(|(piece, _)| view.pieces().revision(*piece) == 0) {
            *written = Written::default();
        }
    }

    /// The page.
    pub(super) fn plain(&mut self) -> Arc<Page> {
        if let Some(page) = &self.plain {
            return Arc::clone(page);
        }
        let part = |part: &Part| match part {
            Part::Head(at) => Arc::clone(&self.heads[*at].text),
            Part::Piece(piece) => Arc::clone(self.written[piece.index()].text()),
        };
        let mut parts: Vec<_> = self.parts.iter().map(part).collect();
        parts.push(Arc::clone(&self.end.text));
        let page = Arc::new(Page::new(parts));
        self.plain = Some(Arc::clone(&page));
        page
    }

    /// The page, compressed, up to so many bytes as a whole.
    pub(super) fn gzip(&mut self, whole_max: usize) -> Arc<Page> {
        if let Some(page) = &self.gzip {
            return Arc::clone(page);
        }
        let plain = self.plain();
        let parts = if plain.len() <= whole_max {
            vec![Arc::new(compress(plain.parts()))]
        } else {
            self.member()
        };
        self.is_zipped = true;
        let page = Arc::new(Page::new(parts));
        self.gzip = Some(Arc::clone(&page));
        page
    }

    fn member(&mut self) -> Vec<Arc<Vec<u8>>> {
        let mut member = Member::with_capacity(self.parts.len() + 1);
        for part in &self.parts {
            member.push(match part {
                Part::Head(at) => self.heads[*at].zipped(),
                Part::Piece(piece) => self.written[piece.index()].zipped(),
            });
        }
        member.push(self.end.zipped());
        member.finish()
    }
}
