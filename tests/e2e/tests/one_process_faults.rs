//! Exactness under faults on one machine: `logtally run` on the embedded store is killed again and
//! again while its files grow and rotate.

use std::thread::sleep;
use std::time::Duration;

use logtally_e2e::catalogue::Catalogue;
use logtally_e2e::cluster::{assert_page_exact, wait_for_records};
use logtally_e2e::http;
use logtally_e2e::logs::Logs;
use logtally_e2e::one_process::OneProcess;
use logtally_e2e::recount::Recount;
use logtally_e2e::scraper::{Floor, Scraper};
use logtally_e2e::seed;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

const ROUNDS: usize = 15;
const LOGS: usize = 4;
const LINES_PER_ROUND: usize = 40_000;
const CATCH_UP: Duration = Duration::from_mins(1);

#[test]
fn a_killed_process_goes_on_where_its_store_says() {
    let mut rng = seed::rng();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let logs_folder = folder.path().join("logs");
    std::fs::create_dir(&logs_folder).expect("the folder of logs");
    let catalogue = Catalogue::new(20, 5);
    let mut logs = Logs::create(&logs_folder, LOGS, &catalogue);
    let mut one = OneProcess::new(folder.path(), "store", &[logs_folder.join("*.csv*")]);
    one.program.start();
    let scraper = Scraper::start(vec![one.port], Floor::Any, &catalogue);

    for _ in 0..ROUNDS {
        let mut writing_rng = StdRng::seed_from_u64(rng.random());
        std::thread::scope(|scope| {
            scope.spawn(|| logs.write(LINES_PER_ROUND, 1, &mut writing_rng));
            // Not a wait for anything: the kill comes at a time that nothing else knows.
            sleep(Duration::from_millis(rng.random_range(0..600)));
            one.program.restart();
        });
        let _ = scraper.seen();
    }
    logs.finish_lines();

    let recount = Recount::of_folder(&logs_folder);
    assert_eq!(recount.records, (ROUNDS * LINES_PER_ROUND) as u64);
    wait_for_records(one.port, recount.records, CATCH_UP);
    assert_page_exact(&recount, &http::get(one.port, "/metrics").expect("a page").text());
    one.program.assert_running();
    let seen = scraper.finish();
    assert!(seen.pages > 2 * ROUNDS as u64, "the scraper saw something: {seen:?}");
}
