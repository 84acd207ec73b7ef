//! Registers own metrics.
//!
//! Must never know what they mean.

use prometheus::core::Collector;
use prometheus::{Registry, Result};

/// Registers a metric that was just made, and hands out the handle to it.
///
/// # Errors
/// If the metric could not be made, or the registry has one of that name.
pub fn register<C: Collector + Clone + 'static>(
    registry: &Registry,
    metric: Result<C>,
) -> Result<C> {
    let metric = metric?;
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}
