//! Running processes: whether they are ready, and what their sources say.

use std::collections::BTreeMap;

use logtally_core::secret_url::SecretUrl;

use super::findings::Findings;
use crate::commands::sources::followed;
use crate::http::{AnswerLimits, below, get};
use crate::output::count_of;

/// Asks every process.
pub(super) async fn look(from: &[SecretUrl], findings: &mut Findings) {
    if from.is_empty() {
        return findings.skipped("processes", "none is named: add --from http://HOST:ADMIN-PORT");
    }
    for url in from {
        look_at(url, findings).await;
    }
    look_at_ring(from, findings).await;
}

/// Ingests that know different aggregators send the same source to different ones: right, but slow.
async fn look_at_ring(from: &[SecretUrl], findings: &mut Findings) {
    let mut rings: BTreeMap<Vec<String>, &SecretUrl> = BTreeMap::new();
    for url in from {
        // Aggregators and exporters know no ring.
        let Ok(answer) = get(&below(url, "api/aggregators"), AnswerLimits::PAGE).await else {
            continue;
        };
        if answer.status == 200
            && let Ok(names) = serde_json::from_str(&answer.body)
        {
            rings.insert(names, url);
        }
    }
    let mut rings = rings.into_iter();
    match (rings.next(), rings.next()) {
        (None, _) => findings.skipped("ring", "no ingest among the processes"),
        (Some((names, _)), None) => findings.ok("ring", format!("all know {}", names.join(", "))),
        (Some((names, url)), Some((others, other))) => {
            let (names, others) = (names.join(", "), others.join(", "));
            let text = format!(
                "{url} knows {names}, but {other} knows {others}: give all ingests the same --aggregators"
            );
            findings.warning("ring", text);
        }
    }
}

async fn look_at(url: &SecretUrl, findings: &mut Findings) {
    match get(&below(url, "-/ready"), AnswerLimits::PROBE).await {
        Ok(answer) if answer.status == 200 => findings.ok("ready", url.to_string()),
        Ok(answer) => findings.error("ready", format!("{url} is not: {}", answer.body.trim())),
        Err(error) => return findings.error("ready", format!("{error:#}")),
    }
    // Aggregators and exporters have no sources.
    let Ok(rows) = followed(url).await else { return };
    let sources = count_of(rows.len() as u64, "source");
    let lag: u64 = rows.iter().filter_map(|row| row.lag_bytes).sum();
    let failing = || rows.iter().filter_map(|row| Some((row, row.last_error.as_ref()?)));
    match failing().next() {
        None => findings.ok("sources", format!("{url} follows {sources}, {lag} bytes behind")),
        Some((row, error)) => {
            let n = failing().count();
            let path = row.identity.path.as_deref().unwrap_or(&row.identity.source);
            let text = format!("{url}: {n} of {sources} cannot be read, such as {path}: {error}");
            findings.error("sources", text);
        }
    }
}
