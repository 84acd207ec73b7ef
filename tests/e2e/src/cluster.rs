//! The whole distributed system on one machine: Redis, aggregators, ingests and exporters as real
//! processes on the loopback.

use std::path::{Path, PathBuf};
use std::time::Duration;

use logtally_testkit::{RedisServer, free_port, local};
use tempfile::TempDir;

use crate::configuration::configure;
use crate::exposition::{COUNTED, Counts, READ, counted_series, difference, parse, rejected_total};
use crate::http;
use crate::program::Program;
use crate::recount::Recount;
use crate::wait::{holds, until};

/// How long a program may take to answer after its start, on a busy machine.
pub const START: Duration = Duration::from_secs(30);

/// What to start, and how.
pub struct Layout {
    /// Aggregators that the ingests know.
    pub aggregators: usize,
    /// Ingests over the same logs.
    pub ingests: usize,
    /// Whether each ingest reads its share of the logs, or all of them read all.
    pub sharded: bool,
    /// Exporters of the same store.
    pub exporters: usize,
    /// When a commit counts as durable: `applied` or `fsync`.
    pub durability: &'static str,
    /// When Redis syncs its log: `always` or `everysec`.
    pub appendfsync: &'static str,
    /// How long an exporter is silent after it saw another Redis process.
    pub settle: &'static str,
    /// Environment variables of aggregators and ingests.
    pub env: Vec<(String, String)>,
    /// What the ingests read and count; without it they count all logs by the default rule.
    pub config: Option<String>,
    /// Whether they may read files, or are gateways, which only take pushes.
    pub reads_files: bool,
}

impl Default for Layout {
    fn default() -> Self {
        Self {
            aggregators: 2,
            ingests: 2,
            sharded: true,
            exporters: 2,
            durability: "fsync",
            appendfsync: "always",
            settle: "1s",
            env: Vec::new(),
            config: None,
            reads_files: true,
        }
    }
}

/// One process of the system and its ports.
pub struct Node {
    /// The process.
    pub program: Program,
    /// Where it serves what it is for: gRPC, or pages.
    pub port: u16,
    /// Where an ingest takes pushes over HTTP; 0 for other programs.
    pub push: u16,
    /// Its admin listener.
    pub admin: u16,
}

impl Node {
    /// Whether it is ready: the status and the text of its readiness page.
    pub fn ready(&self) -> Result<(), String> {
        let page = http::get(self.admin, "/-/ready").map_err(|e| e.to_string())?;
        holds(page.status == 200, || format!("not ready: {}", page.text()))
    }

    /// Waits until it is ready.
    pub fn wait_ready(&self) {
        until("readiness", START, || self.ready());
    }

    /// Its own metrics.
    pub fn admin_page(&self) -> String {
        http::get(self.admin, "/metrics").map(|page| page.text()).unwrap_or_default()
    }
}

/// The system. Its folder and all its processes go when it is dropped.
pub struct Cluster {
    /// The aggregators.
    pub aggregators: Vec<Node>,
    /// The ingests.
    pub ingests: Vec<Node>,
    /// The exporters.
    pub exporters: Vec<Node>,
    /// The store.
    pub redis: RedisServer,
    folder: TempDir,
    layout: Layout,
}

impl Cluster {
    /// Starts Redis, and prepares everything else without starting it.
    pub fn prepare(layout: Layout) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::create_dir(folder.path().join("logs")).expect("the folder of logs");
        if let Some(config) = &layout.config {
            configure(folder.path(), config);
        }
        let redis =
            RedisServer::start(&["--appendonly", "yes", "--appendfsync", layout.appendfsync]);
        let build = Builder { layout: &layout, folder: folder.path(), store: redis.url() };
        let aggregators: Vec<Node> = (0..layout.aggregators).map(|i| build.aggregator(i)).collect();
        let addresses: Vec<String> = aggregators.iter().map(|a| local(a.port)).collect();
        let ingests = (0..layout.ingests).map(|i| build.ingest(i, &addresses)).collect();
        let exporters = (0..layout.exporters).map(|i| build.exporter(i)).collect();
        Self { aggregators, ingests, exporters, redis, folder, layout }
    }

    /// Gives an ingest that is not started yet other aggregators than the rest has.
    pub fn replace_ingest(&mut self, which: usize, aggregators: &[String]) {
        let store = self.redis.url();
        let build = Builder { layout: &self.layout, folder: self.folder.path(), store };
        self.ingests[which] = build.ingest(which, aggregators);
    }

    /// Starts everything and waits until all of it is ready.
    pub fn start(&mut self) {
        self.nodes_mut().for_each(|node| node.program.start());
        self.nodes().for_each(Node::wait_ready);
    }

    /// The folder of the logs that the ingests read (`*.csv*`).
    pub fn logs(&self) -> PathBuf {
        self.folder.path().join("logs")
    }

    /// The folder of everything, for further files of a test.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where the ingests take pushes over gRPC.
    pub fn push_ports(&self) -> Vec<u16> {
        self.ingests.iter().map(|i| i.port).collect()
    }

    /// The ports of the exporters.
    pub fn scrape_ports(&self) -> Vec<u16> {
        self.exporters.iter().map(|e| e.port).collect()
    }

    /// All programs, aggregators first.
    pub fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.aggregators.iter().chain(&self.ingests).chain(&self.exporters)
    }

    fn nodes_mut(&mut self) -> impl Iterator<Item = &mut Node> {
        self.aggregators.iter_mut().chain(&mut self.ingests).chain(&mut self.exporters)
    }

    /// One page of an exporter.
    pub fn scrape(&self, exporter: usize) -> Result<Counts, String> {
        scrape(self.exporters[exporter].port)
    }

    /// Waits until every exporter shows that `records` were read.
    pub fn wait_for_records(&self, records: u64, within: Duration) {
        for exporter in &self.exporters {
            wait_for_records(exporter.port, records, within);
        }
    }

    /// Waits until the system is at rest, and then demands that every exporter agrees with the
    /// recount in every series, that all records are accounted for, and that the pages are the same
    /// byte by byte.
    pub fn assert_exact(&self, expected: &Recount, within: Duration) {
        self.wait_for_records(expected.records, within);
        let pages: Vec<Vec<u8>> = self.exporters.iter().map(|e| page(e.port)).collect();
        for page in &pages {
            assert_page_exact(expected, &String::from_utf8_lossy(page));
            assert!(page == &pages[0], "two exporters at rest show different bytes");
        }
    }

    /// Demands that no program has ended by itself.
    pub fn assert_all_running(&mut self) {
        self.nodes_mut().for_each(|node| node.program.assert_running());
    }
}

/// The counts on the page of an exporter, or why there are none.
pub fn scrape(port: u16) -> Result<Counts, String> {
    let page = http::get(port, "/metrics").map_err(|e| e.to_string())?;
    holds(page.status == 200, || format!("status {}: {}", page.status, page.text()))?;
    parse(&page.text())
}

/// Waits until an exporter shows that `records` were read. More than that fails at once.
pub fn wait_for_records(port: u16, records: u64, within: Duration) {
    until(&format!("{records} records"), within, || {
        let counts = scrape(port)?;
        let read = counts.get(READ).copied().unwrap_or(0);
        assert!(read <= records, "{read} records were read of {records}");
        holds(read == records, || format!("{READ} is {read}"))
    });
}

fn page(port: u16) -> Vec<u8> {
    let page = http::get(port, "/metrics").expect("a page at rest");
    assert_eq!(page.status, 200, "{}", page.text());
    page.body
}

/// Demands that a page without rejections agrees with a recount in every series.
pub fn assert_page_exact(expected: &Recount, page: &str) {
    let counts = parse(page).expect("a readable page");
    let difference = difference(&expected.counts, &counted_series(&counts));
    assert!(difference.is_empty(), "the page disagrees with the recount:\n{difference}");
    assert_eq!(counts.get(READ), Some(&expected.records), "{READ}");
    assert_eq!(counts.get(COUNTED), Some(&expected.records), "{COUNTED}");
    assert_eq!(rejected_total(&counts), 0, "nothing is malformed");
}

struct Builder<'a> {
    layout: &'a Layout,
    folder: &'a Path,
    store: String,
}

impl Builder<'_> {
    fn aggregator(&self, i: usize) -> Node {
        self.node(
            &format!("aggregator{i}"),
            "logtally-aggregator",
            "--grpc.listen-address",
            |args| {
                args.extend(["--store".into(), self.store.clone()]);
                args.extend(["--durability".into(), self.layout.durability.into()]);
            },
        )
    }

    fn ingest(&self, i: usize, aggregators: &[String]) -> Node {
        let listen = "--grpc.listen-address";
        let mut node = self.node(&format!("ingest{i}"), "logtally-ingest", listen, |args| {
            args.extend(["--aggregators".into(), aggregators.join(",")]);
            if self.layout.reads_files {
                args.extend(["--volume".into(), "test".into()]);
            }
            if self.layout.reads_files && self.layout.sharded {
                let total = self.layout.ingests.to_string();
                args.extend(["--shard".into(), i.to_string(), "--total-shards".into(), total]);
            }
            match &self.layout.config {
                Some(_) => args.extend(["--config.file".into(), self.inside("logtally.yaml")]),
                None => args.push(self.inside("logs/*.csv*")),
            }
        });
        node.push = free_port();
        node.program = node.program.args(["--push.listen-address", &local(node.push)]);
        node
    }

    fn inside(&self, path: &str) -> String {
        self.folder.join(path).display().to_string()
    }

    fn exporter(&self, i: usize) -> Node {
        self.node(&format!("exporter{i}"), "logtally-exporter", "--web.listen-address", |args| {
            args.extend(["--store".into(), self.store.clone()]);
            args.extend(["--store.settle-time".into(), self.layout.settle.into()]);
        })
    }

    fn node(
        &self,
        name: &str,
        program: &str,
        listen: &str,
        add: impl FnOnce(&mut Vec<String>),
    ) -> Node {
        let (port, admin) = (free_port(), free_port());
        let mut args =
            vec![listen.to_owned(), local(port), "--admin.listen-address".into(), local(admin)];
        add(&mut args);
        let mut program = Program::new(self.folder, name, program).args(args);
        for (variable, value) in &self.layout.env {
            program = program.env(variable, value);
        }
        Node { program, port, push: 0, admin }
    }
}
