//! What every `run` function shares with its process.
//!
//! Must never hold anything of one program only: a test makes a fresh one for each server it starts.

use prometheus::{IntGauge, Opts, Registry};
use tokio_util::sync::CancellationToken;

use crate::health::Health;
use crate::process::ProcessMetrics;
use crate::readiness::Readiness;

/// What every `run` function shares with its process. Clones are handles to the same thing.
#[derive(Clone)]
pub struct Context {
    /// Own metrics of the process; shown on the admin listener only.
    pub registry: Registry,
    /// Whether the process can do its work now, and if not, why.
    pub readiness: Readiness,
    /// Whether the process should be restarted.
    pub health: Health,
    /// Cancelled when the process must stop.
    pub shutdown: CancellationToken,
}

impl Context {
    /// A context whose registry has `logtally_build_info` and the metrics of this process.
    ///
    /// # Panics
    ///
    /// Never: the names it registers are valid and the registry is new.
    pub fn new(program: &str, version: &str) -> Self {
        let registry = Registry::new();
        registry
            .register(Box::new(build_info(program, version)))
            .and_then(|()| registry.register(Box::new(ProcessMetrics::new())))
            .expect("a new registry accepts metrics with valid names");
        Self {
            registry,
            readiness: Readiness::default(),
            health: Health::default(),
            shutdown: CancellationToken::new(),
        }
    }
}

/// The version of the whole workspace, which every program shows as its own.
pub fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

fn build_info(program: &str, version: &str) -> IntGauge {
    let opts = Opts::new(
        "logtally_build_info",
        "Always 1; the labels say which program and version runs.",
    )
    .const_label("program", program)
    .const_label("version", version);
    let info = IntGauge::with_opts(opts).expect("the name and labels of the build info are valid");
    info.set(1);
    info
}

#[cfg(test)]
mod tests {
    use prometheus::TextEncoder;

    use super::*;

    #[test]
    fn a_new_context_tells_build_and_process() {
        let context = Context::new("logtally-test", "1.2.3");
        let families = context.registry.gather();
        let text = TextEncoder::new().encode_to_string(&families).expect("encodable");
        let info = r#"logtally_build_info{program="logtally-test",version="1.2.3"} 1"#;
        assert!(text.lines().any(|line| line == info), "{text}");
        #[cfg(target_os = "linux")]
        assert!(text.contains("\nprocess_resident_memory_bytes "), "{text}");
    }
}
