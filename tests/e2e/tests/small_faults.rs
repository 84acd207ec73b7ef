//! Faults one at a time: misconfigured ingests, lost scripts, frozen processes, a deleted key.

use std::thread::sleep;
use std::time::Duration;

use logtally_e2e::catalogue::Catalogue;
use logtally_e2e::cluster::{Cluster, Layout, START};
use logtally_e2e::http;
use logtally_e2e::logs::Logs;
use logtally_e2e::recount::Recount;
use logtally_e2e::redis_cli::redis_cli;
use logtally_e2e::scraper::{Floor, Scraper};
use logtally_e2e::seed;
use logtally_e2e::wait::{holds, until};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

const LOGS: usize = 8;
const LINES: usize = 100_000;
const CATCH_UP: Duration = Duration::from_mins(1);

struct Scene {
    cluster: Cluster,
    logs: Logs,
    scraper: Scraper,
    rng: StdRng,
}

impl Scene {
    /// A running system with logs that have lines already.
    fn start(mut cluster: Cluster) -> Self {
        let mut rng = seed::rng();
        let catalogue = Catalogue::new(10, 5);
        let mut logs = Logs::create(&cluster.logs(), LOGS, &catalogue);
        logs.write(LINES, 1, &mut rng);
        cluster.start();
        let scraper = Scraper::start(cluster.scrape_ports(), Floor::Any, &catalogue);
        Self { cluster, logs, scraper, rng }
    }

    fn write(&mut self) {
        self.logs.write(LINES, 1, &mut self.rng);
    }

    /// The totals end exact, and no page was wrong on the way.
    fn end_exact(mut self) {
        self.logs.finish_lines();
        self.cluster.assert_exact(&Recount::of_folder(&self.cluster.logs()), CATCH_UP);
        self.cluster.assert_all_running();
        let _ = self.scraper.finish();
    }
}

#[test]
fn two_ingests_that_read_everything_count_it_once() {
    let layout = Layout { sharded: false, exporters: 1, ..Layout::default() };
    let mut scene = Scene::start(Cluster::prepare(layout));
    scene.write();
    scene.end_exact();
}

#[test]
fn ingests_that_see_different_rings_count_once() {
    let layout = Layout { sharded: false, exporters: 1, ..Layout::default() };
    let mut cluster = Cluster::prepare(layout);
    let known: Vec<String> =
        cluster.aggregators.iter().map(|a| format!("127.0.0.1:{}", a.port)).collect();
    // One knows both in the other order, the other only the second one.
    let reversed = format!("{},{}", known[1], known[0]);
    cluster.replace_ingest(0, &[reversed]);
    cluster.replace_ingest(1, &known[1..]);
    let mut scene = Scene::start(cluster);
    scene.write();
    scene.end_exact();
}

#[test]
fn scripts_that_redis_has_forgotten_are_loaded_again() {
    let mut scene = Scene::start(Cluster::prepare(Layout { exporters: 1, ..Layout::default() }));
    for _ in 0..5 {
        redis_cli(scene.cluster.redis.port(), &["SCRIPT", "FLUSH"]);
        scene.write();
    }
    scene.end_exact();
}

#[test]
fn a_frozen_aggregator_is_harmless_when_it_comes_back() {
    const FROZEN: Duration = Duration::from_secs(5);
    let mut scene = Scene::start(Cluster::prepare(Layout { exporters: 1, ..Layout::default() }));
    scene.cluster.aggregators[0].program.pause();
    scene.write();
    // The fault itself lasts this long: longer than the timeouts of a request.
    sleep(FROZEN);
    scene.cluster.aggregators[0].program.resume();
    scene.write();
    scene.end_exact();
}

#[test]
fn programs_that_are_asked_to_stop_under_load_end_well_and_lose_nothing() {
    let mut scene = Scene::start(Cluster::prepare(Layout::default()));
    for which in 0..2 {
        scene.write();
        let cluster = &mut scene.cluster;
        let nodes = [
            &mut cluster.ingests[which],
            &mut cluster.aggregators[which],
            &mut cluster.exporters[which],
        ];
        for node in nodes {
            assert_eq!(node.program.terminate().code(), Some(0), "a clean end");
            node.program.start();
        }
    }
    scene.end_exact();
}

#[test]
fn an_emptied_redis_is_filled_again_from_the_files() {
    let layout = Layout { settle: "500ms", ..Layout::default() };
    let mut scene = Scene::start(Cluster::prepare(layout));
    scene.logs.finish_lines();
    scene.cluster.assert_exact(&Recount::of_folder(&scene.cluster.logs()), CATCH_UP);
    redis_cli(scene.cluster.redis.port(), &["FLUSHALL"]);
    scene.write();
    scene.end_exact();
}

#[test]
fn aggregators_frozen_again_and_again_fold_nothing_twice() {
    const FREEZES: usize = 25;
    let mut scene = Scene::start(Cluster::prepare(Layout { exporters: 1, ..Layout::default() }));
    let mut rng = StdRng::seed_from_u64(scene.rng.random());
    for _ in 0..FREEZES {
        scene.logs.write(LINES / FREEZES, 0, &mut scene.rng);
        // Not a wait for anything: it freezes at times that nothing else knows, some of them within
        // a commit or a fold, which the other aggregator then overtakes.
        let aggregator = &scene.cluster.aggregators[rng.random_range(0..2)].program;
        sleep(Duration::from_millis(rng.random_range(0..100)));
        aggregator.pause();
        scene.logs.write(LINES / FREEZES, 0, &mut scene.rng);
        sleep(Duration::from_millis(rng.random_range(0..400)));
        aggregator.resume();
    }
    scene.end_exact();
}

/// A system at rest, and its partition with the most sources.
fn at_rest() -> (Scene, String) {
    let mut scene = Scene::start(Cluster::prepare(Layout { exporters: 1, ..Layout::default() }));
    scene.logs.finish_lines();
    scene.cluster.assert_exact(&Recount::of_folder(&scene.cluster.logs()), CATCH_UP);
    let port = scene.cluster.redis.port();
    let sources =
        |key: &String| redis_cli(port, &["HLEN", key])[0].parse::<u64>().expect("a number");
    let positions = redis_cli(port, &["KEYS", "lt:*:positions"]).into_iter().max_by_key(sources);
    let positions = positions.expect("a partition with sources");
    (scene, positions.trim_end_matches(":positions").to_owned())
}

/// Deletes a key, demands that the loss is refused loudly, and puts it back as an operator would.
fn delete_and_restore(mut scene: Scene, key: &str, refused: impl FnOnce(&mut Cluster)) {
    const KEPT: &str = "kept-by-the-test";
    let port = scene.cluster.redis.port();
    redis_cli(port, &["COPY", key, KEPT]);
    assert_eq!(redis_cli(port, &["DEL", key]), ["1"], "{key} was there");
    scene.write();
    refused(&mut scene.cluster);
    assert_eq!(redis_cli(port, &["EXISTS", key]), ["0"], "{key} was made again");
    redis_cli(port, &["RENAME", KEPT, key]);
    for aggregator in &mut scene.cluster.aggregators {
        if !aggregator.program.is_up() {
            aggregator.program.start();
        }
    }
    scene.end_exact();
}

/// The exporter is silent, and an aggregator that comes to the store does not start.
fn nobody_starts(cluster: &mut Cluster) {
    let exporter = cluster.exporters[0].port;
    until("the exporter is silent", START, || is_damaged(exporter, "/metrics"));
    let new = &mut cluster.aggregators[0].program;
    new.restart();
    assert_eq!(new.wait(START).code(), Some(1));
    assert!(new.output().contains("error: the store is damaged"), "the reason is told");
}

/// An aggregator that counts for the partition is not ready.
fn nobody_counts(cluster: &mut Cluster) {
    let admins: Vec<u16> = cluster.aggregators.iter().map(|a| a.admin).collect();
    until("an aggregator is not ready", START, || {
        let answers: Vec<_> = admins.iter().map(|port| is_damaged(*port, "/-/ready")).collect();
        holds(answers.iter().any(Result::is_ok), || format!("{answers:?}"))
    });
}

/// Whether a page is 503 and says that the store is damaged.
fn is_damaged(port: u16, path: &str) -> Result<(), String> {
    let page = http::get(port, path).map_err(|e| e.to_string())?;
    let damaged = page.status == 503 && page.text().contains("damaged");
    holds(damaged, || format!("{}: {}", page.status, page.text()))
}

#[test]
fn deleted_metadata_is_refused_and_never_made_again() {
    let (scene, _) = at_rest();
    delete_and_restore(scene, "lt:meta", nobody_starts);
}

#[test]
fn a_deleted_head_is_refused_and_never_made_again() {
    let (scene, partition) = at_rest();
    delete_and_restore(scene, &format!("{partition}:head"), |cluster| {
        nobody_counts(cluster);
        nobody_starts(cluster);
    });
}

#[test]
fn deleted_positions_are_refused_and_never_made_again() {
    let (scene, partition) = at_rest();
    // The counts are still right: only what goes on counting must refuse.
    delete_and_restore(scene, &format!("{partition}:positions"), nobody_counts);
}
