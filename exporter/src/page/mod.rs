//! The pages that are served: written once, and then changed where the counts change.
//!
//! A scrape costs what changed since the last one, and the sending. What a page shows is on the
//! floor of the view before anybody gets it.

mod body;

mod book;

mod whole;

mod written;

use std::sync::Arc;

use bytes::Bytes;
use logtally_core::limits::PAGE_WHOLE_BYTES_MAX;

pub(crate) use self::body::PageBody;
use self::book::Book;
use crate::render::Format;
use crate::view::{Touched, View};

/// A page for somebody, in parts that stand one behind the other. It never changes.
pub struct Page {
    parts: Vec<Arc<Vec<u8>>>,
    len: usize,
}

impl Page {
    fn new(mut parts: Vec<Arc<Vec<u8>>>) -> Self {
        parts.retain(|part| !part.is_empty());
        let len = parts.iter().map(|part| part.len()).sum();
        Self { parts, len }
    }

    /// Bytes of the page.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is nothing on it.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The parts.
    pub fn parts(&self) -> impl Iterator<Item = &[u8]> {
        self.parts.iter().map(|part| part.as_slice())
    }

    fn part(&self, at: usize) -> Option<&Arc<Vec<u8>>> {
        self.parts.get(at)
    }

    /// The page in one piece.
    pub fn to_bytes(&self) -> Bytes {
        let mut bytes = Vec::with_capacity(self.len);
        self.parts().for_each(|part| bytes.extend_from_slice(part));
        bytes.into()
    }
}

/// The form of a page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Form {
    /// What it is written in.
    pub format: Format,
    /// Whether it is compressed.
    pub gzip: bool,
}

/// The pages of one view, in the forms that are asked for.
pub struct Pages {
    text: Kept,
    openmetrics: Kept,
    /// Of the view that is written.
    version: Option<u64>,
    /// Bytes of a page that is compressed as a whole.
    whole_max: usize,
}

impl Default for Pages {
    fn default() -> Self {
        Self::whole_up_to(PAGE_WHOLE_BYTES_MAX)
    }
}

/// A book, and how long nobody has asked for it.
#[derive(Default)]
struct Kept {
    book: Option<Book>,
    idle: u32,
    idle_gzip: u32,
}

impl Pages {
    /// Pages that are compressed as a whole up to so many bytes.
    pub(crate) fn whole_up_to(whole_max: usize) -> Self {
        let (text, openmetrics) = (Kept::default(), Kept::default());
        Self { text, openmetrics, version: None, whole_max }
    }

    /// Writes the view, which is served from then on.
    ///
    /// # Panics
    /// If a series is below the floor: then nothing may be served.
    pub fn page(&mut self, view: &mut View, form: Form) -> Arc<Page> {
        let changed = view.mark_served();
        let version = Some(view.version());
        if self.version != version || changed.listed() != Some(0) {
            self.version = version;
            self.text.update(view, &changed);
            self.openmetrics.update(view, &changed);
        }
        let whole_max = self.whole_max;
        self.kept_mut(form.format).page(view, form, whole_max)
    }

    /// Whether a page costs so little that it need not be written on a thread of its own.
    pub fn is_quick(&self, view: &View, form: Form) -> bool {
        /// A few hundred nanoseconds each.
        const SERIES_MAX: usize = 2_000;
        let book = self.kept(form.format).book.as_ref();
        let is_kept = book.is_some_and(|book| book.is_zipped() || !form.gzip);
        view.size() <= SERIES_MAX || (is_kept && view.pending().is_some_and(|n| n <= SERIES_MAX))
    }

    fn kept(&self, format: Format) -> &Kept {
        match format {
            Format::Text => &self.text,
            Format::OpenMetrics => &self.openmetrics,
        }
    }

    fn kept_mut(&mut self, format: Format) -> &mut Kept {
        match format {
            Format::Text => &mut self.text,
            Format::OpenMetrics => &mut self.openmetrics,
        }
    }
}

impl Kept {
    /// Brings the book up to date, if it is still of use.
    fn update(&mut self, view: &mut View, changed: &Touched) {
        /// Versions that others asked for since anybody asked for this form: a person who looked once
        /// should not cost the memory for ever.
        const IDLE_MAX: u32 = 64;
        (self.idle, self.idle_gzip) = (self.idle + 1, self.idle_gzip + 1);
        if self.idle > IDLE_MAX {
            self.book = None;
        }
        let Some(book) = &mut self.book else { return };
        if self.idle_gzip > IDLE_MAX && book.is_zipped() {
            book.unzip();
        }
        book.update(view.arrange(), changed);
    }

    fn page(&mut self, view: &mut View, form: Form, whole_max: usize) -> Arc<Page> {
        let book = self.book.get_or_insert_with(|| {
            let mut book = Book::new(form.format);
            book.update(view.arrange(), &Touched::Any);
            book
        });
        self.idle = 0;
        if !form.gzip {
            return book.plain();
        }
        self.idle_gzip = 0;
        book.gzip(whole_max)
    }
}
