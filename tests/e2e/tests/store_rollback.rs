//! The store loses what it had not made durable: an older copy of Redis' data is put back.
//!
//! Counts and positions go back together, so the files are read again from there, and the totals
//! end exact. Until then the exporters are silent rather than low.

use std::time::{Duration, Instant};

use logtally_e2e::catalogue::Catalogue;
use logtally_e2e::cluster::{Cluster, Layout, START};
use logtally_e2e::exposition::admin_value;
use logtally_e2e::http;
use logtally_e2e::logs::Logs;
use logtally_e2e::recount::Recount;
use logtally_e2e::redis_cli::redis_cli;
use logtally_e2e::scraper::{Floor, Scraper};
use logtally_e2e::wait::{holds, until};
use logtally_e2e::{exposition, seed};

const LOGS: usize = 6;
const LINES: usize = 200_000;
const SETTLE: Duration = Duration::from_secs(3);
const CATCH_UP: Duration = Duration::from_mins(1);
const CHANGES: &str = "logtally_exporter_server_changes_total";

#[test]
fn what_the_store_forgot_is_read_again_and_nobody_goes_back() {
    let mut rng = seed::rng();
    let catalogue = Catalogue::new(20, 5);
    let mut cluster = Cluster::prepare(Layout {
        durability: "applied",
        appendfsync: "everysec",
        settle: "3s",
        ..Layout::default()
    });
    let mut logs = Logs::create(&cluster.logs(), LOGS, &catalogue);
    logs.write(LINES, 2, &mut rng);
    logs.finish_lines();
    cluster.start();
    let scraper = Scraper::start(cluster.scrape_ports(), Floor::Same, &catalogue);
    cluster.assert_exact(&Recount::of_folder(&cluster.logs()), CATCH_UP);

    let older = tempfile::tempdir().expect("a folder for the copy");
    cluster.redis.stop();
    cluster.redis.copy_data_to(older.path());
    cluster.redis.restart();
    logs.write(LINES, 2, &mut rng);
    logs.finish_lines();
    let recount = Recount::of_folder(&cluster.logs());
    cluster.assert_exact(&recount, CATCH_UP);
    let before = cluster.scrape(0).expect("a page before the rollback");

    // With frozen aggregators, nobody can repair the store before the test has looked into it.
    cluster.aggregators.iter().for_each(|a| a.program.pause());
    cluster.redis.kill();
    cluster.redis.restore_data_from(older.path());
    cluster.redis.restart();
    assert_eq!(stored_records(cluster.redis.port()), LINES as u64, "the second half is forgotten");
    cluster.aggregators.iter().for_each(|a| a.program.resume());
    assert_silent_until_settled(&cluster);
    cluster.assert_exact(&recount, CATCH_UP);
    assert_eq!(cluster.scrape(1), Ok(before), "nothing more, nothing less than before");
    assert_loud(&cluster);
    cluster.assert_all_running();

    let seen = scraper.finish();
    assert!(seen.pages > 2 && seen.unavailable > 0, "{seen:?}");
}

/// The records of all sources, by what the store remembers of them: the sixth word of a source's
/// state is how many were counted.
fn stored_records(port: u16) -> u64 {
    let keys = redis_cli(port, &["KEYS", "lt:*:positions"]);
    let states = keys.iter().flat_map(|key| redis_cli(port, &["HVALS", key]));
    let counted = |state: String| state.split(' ').nth(5).and_then(|word| word.parse::<u64>().ok());
    states.map(|state| counted(state).expect("a source's state")).sum()
}

/// Every exporter answers 503, with the reason, for the settle time after it saw the new server.
fn assert_silent_until_settled(cluster: &Cluster) {
    let port = cluster.exporters[0].port;
    let status = || http::get(port, "/metrics").map(|page| (page.status, page.text()));
    let noticed = until("a 503 about the new server", START, || match status() {
        Ok((503, text)) if text.contains("server") => Ok(Instant::now()),
        other => Err(format!("{other:?}")),
    });
    until("the end of the silence", CATCH_UP, || match status() {
        Ok((200, _)) => Ok(()),
        other => Err(format!("{other:?}")),
    });
    // The exporter may have noticed a little earlier than this test did.
    let silent = noticed.elapsed() + SETTLE / 5;
    assert!(silent >= SETTLE, "silent for {silent:?} only");
}

/// The event is counted and logged by every exporter.
fn assert_loud(cluster: &Cluster) {
    for exporter in &cluster.exporters {
        until("the event is counted", START, || {
            let changes = admin_value(&exporter.admin_page(), CHANGES);
            holds(changes >= Some(1.0), || format!("{CHANGES} is {changes:?}"))
        });
        let output = exporter.program.output();
        let logged = |line: &str| line.contains("level=warn") && line.contains("server");
        assert!(output.lines().any(logged), "no warning about the change of the server");
    }
    let read = cluster.scrape(0).expect("a page")[exposition::READ];
    assert_eq!(read, 2 * LINES as u64);
}
