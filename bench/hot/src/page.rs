//! The exporter's page over a store in memory: the first one, and the ones after it.

use std::sync::Arc;

use anyhow::{Result, ensure};
use logtally_core::series::SeriesKey;
use logtally_exporter::{Exporter, PageFormat, ViewOptions};
use logtally_service::Context;
use logtally_store::CountStore as _;

use crate::repetition::Repetition;
use crate::store::Stored;
use crate::text;

/// Series on the page.
pub(crate) const SERIES: usize = 10_000;

/// Each so many-th of them changes between two pages. With fewer, the cost would be that of the pieces
/// more than that of the lines, and how the page is cut is different in each process.
const CHANGED: usize = 2;

/// A new exporter loads the store, and writes its first page.
pub(crate) fn load() -> Result<Repetition> {
    let (stored, _) = filled()?;
    Ok(Box::new(move || page(&stored, &exporter(&stored))))
}

/// An exporter writes its page again after a few of the series have changed.
pub(crate) fn again() -> Result<Repetition> {
    let (mut stored, keys) = filled()?;
    let changed: Vec<SeriesKey> = keys.into_iter().step_by(CHANGED).collect();
    let exporter = exporter(&stored);
    page(&stored, &exporter)?;
    Ok(Box::new(move || {
        stored.commit(&changed)?;
        page(&stored, &exporter)
    }))
}

fn filled() -> Result<(Stored, Vec<SeriesKey>)> {
    let keys: Vec<SeriesKey> = (0..SERIES).map(text::key).collect();
    let mut stored = Stored::new()?;
    stored.commit(&keys)?;
    stored.runtime.block_on(stored.store.fold(logtally_core::partition::Partition(0)))?;
    Ok((stored, keys))
}

fn exporter(stored: &Stored) -> Exporter {
    let context = Context::new("logtally-hot", env!("CARGO_PKG_VERSION"));
    Exporter::new(Arc::clone(&stored.store) as _, ViewOptions::default(), &context)
}

fn page(stored: &Stored, exporter: &Exporter) -> Result<()> {
    let page = stored.runtime.block_on(exporter.exposition(PageFormat::Text))?;
    ensure!(page.len() > SERIES * 40, "the page has {} bytes", page.len());
    Ok(())
}
