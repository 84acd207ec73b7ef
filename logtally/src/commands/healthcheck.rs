//! `logtally healthcheck`: a health probe for images without a shell. Exits 0 on a 200, and never
//! waits longer than a probe may.

use anyhow::bail;

use logtally_core::secret_url::SecretUrl;

use crate::http::{Limits, get};

/// Flags of `logtally healthcheck`.
#[derive(clap::Args, Clone, Debug)]
pub struct HealthcheckArgs {
    /// What to ask, e.g. <http://localhost:8001/-/healthy>.
    pub url: SecretUrl,
}

/// Asks the URL; anything but a 200 is an error that says what was answered.
pub async fn healthcheck(args: &HealthcheckArgs) -> anyhow::Result<()> {
    let answer = get(&args.url, Limits::PROBE).await?;
    if answer.status == 200 {
        return Ok(());
    }
    bail!("{} {}", answer.status_line, answer.body.trim())
}
