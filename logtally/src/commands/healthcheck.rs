//! `logtally healthcheck`: a health probe for images without a shell. Exits 0 on a 200, and never
//! waits longer than a probe may.

use anyhow::bail;

use logtally_core::secret_url::SecretUrl;

use crate::http::{AnswerLimits, get};

/// Flags of `logtally healthcheck`.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct HealthcheckArgs {
    /// The page to ask, for example <http://localhost:8001/-/healthy>.
    pub(crate) url: SecretUrl,
}

/// Asks the URL; anything but a 200 is an error that says what was answered.
pub(crate) async fn healthcheck(args: &HealthcheckArgs) -> anyhow::Result<()> {
    let answer = get(&args.url, AnswerLimits::PROBE).await?;
    if answer.status == 200 {
        return Ok(());
    }
    bail!("{} {}", answer.status_line, answer.body.trim())
}
