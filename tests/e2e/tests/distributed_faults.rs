//! Exactness under faults, in the distributed system: whatever is killed or frozen, at whatever
//! moment, the totals equal a recount of the logs, and no page on the way is too low or too high.

use std::thread::sleep;
use std::time::Duration;

use logtally_e2e::catalogue::Catalogue;
use logtally_e2e::cluster::{Cluster, Layout, Node};
use logtally_e2e::logs::Logs;
use logtally_e2e::recount::Recount;
use logtally_e2e::scraper::{Floor, Scraper};
use logtally_e2e::seed;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// One fault of each kind comes in every run of this many rounds, so that no kind is left to chance.
const KINDS: usize = 6;
const ROUNDS: usize = 4 * KINDS;
const LOGS: usize = 8;
/// Written before anything starts, so that the first faults hit a system that is catching up.
const LINES_AT_START: usize = 600_000;
const LINES_PER_ROUND: usize = 100_000;
const LINES: usize = LINES_AT_START + ROUNDS * LINES_PER_ROUND;
const ROTATIONS_PER_ROUND: usize = 2;
/// How long the system may take to catch up with everything after the last fault.
const CATCH_UP: Duration = Duration::from_mins(2);

#[test]
fn totals_stay_exact_whatever_is_killed() {
    let mut rng = seed::rng();
    let catalogue = Catalogue::new(30, 10);
    let mut cluster = Cluster::prepare(Layout::default());
    let mut logs = Logs::create(&cluster.logs(), LOGS, &catalogue);
    logs.write(LINES_AT_START, 1, &mut rng);
    cluster.start();
    let scraper = Scraper::start(cluster.scrape_ports(), Floor::Any, &catalogue);

    for round in 0..ROUNDS {
        // The lines of a round are written while its fault happens.
        let mut writing_rng = StdRng::seed_from_u64(rng.random());
        std::thread::scope(|scope| {
            scope.spawn(|| logs.write(LINES_PER_ROUND, ROTATIONS_PER_ROUND, &mut writing_rng));
            fault(round % KINDS, &mut cluster, &mut rng);
        });
        let _ = scraper.seen();
    }
    logs.finish_lines();

    let recount = Recount::of_folder(&cluster.logs());
    assert_eq!(recount.counts, catalogue.counts(), "the test wrote what it thinks it wrote");
    assert_eq!(recount.records, LINES as u64);
    assert!(logs.rotations() > ROUNDS, "logs were rotated");
    cluster.assert_exact(&recount, CATCH_UP);
    cluster.assert_all_running();

    let seen = scraper.finish();
    println!("{} pages, {} unavailable, {} failed", seen.pages, seen.unavailable, seen.failed);
    assert!(seen.pages > 10 * ROUNDS as u64, "the scraper saw something: {seen:?}");
    assert!(seen.unavailable + seen.failed > 0, "the faults were real: {seen:?}");
}

/// One fault of a kind, at a random moment of the round.
fn fault(kind: usize, cluster: &mut Cluster, rng: &mut StdRng) {
    random_moment(rng);
    match kind {
        0 => kill_and_start(one_of(&mut cluster.aggregators, rng), rng),
        1 => kill_and_start(one_of(&mut cluster.ingests, rng), rng),
        2 => kill_and_start(one_of(&mut cluster.exporters, rng), rng),
        3 => {
            cluster.redis.kill();
            random_moment(rng);
            cluster.redis.restart();
        }
        4 => {
            cluster.aggregators.iter_mut().for_each(|a| a.program.kill());
            random_moment(rng);
            cluster.aggregators.iter_mut().for_each(|a| a.program.start());
        }
        _ => {
            let (aggregator, ingest) =
                (one_of(&mut cluster.aggregators, rng), one_of(&mut cluster.ingests, rng));
            aggregator.program.pause();
            random_moment(rng);
            ingest.program.restart();
            random_moment(rng);
            aggregator.program.resume();
        }
    }
    random_moment(rng);
}

fn kill_and_start(node: &mut Node, rng: &mut StdRng) {
    node.program.kill();
    random_moment(rng);
    node.program.start();
}

fn one_of<'a>(nodes: &'a mut [Node], rng: &mut StdRng) -> &'a mut Node {
    let which = rng.random_range(0..nodes.len());
    &mut nodes[which]
}

/// Not a wait for anything: faults come at times that nothing else knows.
fn random_moment(rng: &mut StdRng) {
    sleep(Duration::from_millis(rng.random_range(0..700)));
}
