//! Written pages: each is written once, and compressed once, however many ask for it.

use std::io::Write;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::render::Format;

/// A page, and its compressed form if somebody wanted it.
pub(crate) struct Page {
    plain: Bytes,
    gzip: OnceLock<Bytes>,
}

impl Page {
    /// A page of this text.
    pub(crate) fn new(text: Vec<u8>) -> Self {
        Self { plain: text.into(), gzip: OnceLock::new() }
    }

    /// The text.
    pub(crate) fn plain(&self) -> Bytes {
        self.plain.clone()
    }

    /// The compressed text. The first call takes long and belongs on a thread that may block.
    pub(crate) fn gzip(&self) -> Bytes {
        self.gzip.get_or_init(|| compress(&self.plain)).clone()
    }
}

/// The header has no time in it, so equal pages are equal after compression, too.
fn compress(text: &[u8]) -> Bytes {
    // The fastest level: a page lives for seconds, and repeats itself so much that more effort
    // gains little.
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let compressed = encoder.write_all(text).and_then(|()| encoder.finish());
    compressed.expect("writing to a vector does not fail").into()
}

/// The pages of one version of the view, by format.
#[derive(Default)]
pub(crate) struct Pages {
    text: Option<Arc<Page>>,
    openmetrics: Option<Arc<Page>>,
}

impl Pages {
    /// The page, if it has been written.
    pub(crate) fn get(&self, format: Format) -> Option<Arc<Page>> {
        match format {
            Format::Text => self.text.clone(),
            Format::OpenMetrics => self.openmetrics.clone(),
        }
    }

    /// Keeps a page.
    pub(crate) fn put(&mut self, format: Format, page: Arc<Page>) {
        match format {
            Format::Text => self.text = Some(page),
            Format::OpenMetrics => self.openmetrics = Some(page),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::GzDecoder;

    use super::*;

    #[test]
    fn compressed_pages_come_back_whole_and_are_alike() {
        let text = "log_host_job_count{host=\"server1\"} 5\n".repeat(1000);
        let [one, two] = [(); 2].map(|()| Page::new(text.clone().into()).gzip());
        assert_eq!(one, two);
        let mut back = String::new();
        GzDecoder::new(&one[..]).read_to_string(&mut back).expect("readable");
        assert_eq!(back, text);
        assert!(one.len() < text.len() / 10);
    }
}
