//! The pages that are served, in the forms that are asked for.

use std::sync::Arc;

use logtally_core::limits::PAGE_WHOLE_BYTES_MAX;

use super::format::{Form, PageFormat};
use super::rendered_page::RenderedPage;
use super::snapshot::PageSnapshot;
use crate::layout::View;
use crate::state::DirtySet;

/// The pages of one view, in the forms that are asked for.
pub struct Pages {
    text: CachedForm,
    openmetrics: CachedForm,
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

/// The page in one format, and how long nobody has asked for it.
#[derive(Default)]
struct CachedForm {
    page: Option<RenderedPage>,
    idle: u32,
    idle_gzip: u32,
}

impl Pages {
    /// Pages that are compressed as a whole up to so many bytes.
    pub(crate) fn whole_up_to(whole_max: usize) -> Self {
        let (text, openmetrics) = (CachedForm::default(), CachedForm::default());
        Self { text, openmetrics, version: None, whole_max }
    }

    /// Writes the view, which is served from then on.
    ///
    /// # Panics
    /// If a series is below its high-water mark: then nothing may be served.
    pub fn page(&mut self, view: &mut View, form: Form) -> Arc<PageSnapshot> {
        let changed = view.state.mark_served();
        let version = Some(view.version());
        if self.version != version || changed.listed() != Some(0) {
            self.version = version;
            self.text.update(view, &changed);
            self.openmetrics.update(view, &changed);
        }
        let whole_max = self.whole_max;
        self.cached_mut(form.format).page(view, form, whole_max)
    }

    /// Whether a page costs so little that it need not be written on a thread of its own.
    pub(crate) fn is_quick(&self, view: &View, form: Form) -> bool {
        /// A few hundred nanoseconds each.
        const SERIES_MAX: usize = 2_000;
        let page = self.cached(form.format).page.as_ref();
        let is_cached = page.is_some_and(|page| page.is_compressed() || !form.gzip);
        let pending = view.state.pending();
        view.state.size() <= SERIES_MAX || (is_cached && pending.is_some_and(|n| n <= SERIES_MAX))
    }

    fn cached(&self, format: PageFormat) -> &CachedForm {
        match format {
            PageFormat::Text => &self.text,
            PageFormat::OpenMetrics => &self.openmetrics,
        }
    }

    fn cached_mut(&mut self, format: PageFormat) -> &mut CachedForm {
        match format {
            PageFormat::Text => &mut self.text,
            PageFormat::OpenMetrics => &mut self.openmetrics,
        }
    }
}

impl CachedForm {
    /// Brings the page up to date, if it is still of use.
    fn update(&mut self, view: &mut View, changed: &DirtySet) {
        /// Versions that others asked for since anybody asked for this form: a person who looked once
        /// should not cost the memory for ever.
        const IDLE_MAX: u32 = 64;
        (self.idle, self.idle_gzip) = (self.idle + 1, self.idle_gzip + 1);
        if self.idle > IDLE_MAX {
            self.page = None;
        }
        let Some(page) = &mut self.page else { return };
        if self.idle_gzip > IDLE_MAX && page.is_compressed() {
            page.drop_compressed();
        }
        page.update(view.arrange(), changed);
    }

    fn page(&mut self, view: &mut View, form: Form, whole_max: usize) -> Arc<PageSnapshot> {
        let page = self.page.get_or_insert_with(|| {
            let mut page = RenderedPage::new(form.format);
            page.update(view.arrange(), &DirtySet::Any);
            page
        });
        self.idle = 0;
        if !form.gzip {
            return page.plain();
        }
        self.idle_gzip = 0;
        page.gzip(whole_max)
    }
}
