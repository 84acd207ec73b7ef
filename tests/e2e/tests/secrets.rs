//! Passwords in URLs: no program shows them, whichever way it was given them, and whatever goes wrong.

use std::path::Path;
use std::time::Duration;

use logtally_e2e::cluster::START;
use logtally_e2e::http;
use logtally_e2e::program::Program;
use logtally_e2e::wait::until;
use logtally_testkit::{RedisServer, free_port, local};

const SECRET: &str = "hunter2-secret";

/// How long a command may take that finds nobody.
const COMMAND: Duration = Duration::from_secs(20);

/// A way to name a store.
struct Way {
    name: &'static str,
    args: Vec<String>,
    env: Vec<(&'static str, String)>,
}

fn ways(folder: &Path, url: &str) -> Vec<Way> {
    let file = folder.join("store-url");
    std::fs::write(&file, format!("{url}\n")).expect("writing a file");
    let file = file.display().to_string();
    let (url, flag) =
        (url.to_owned(), |name: &str, value: &str| vec![name.to_owned(), value.to_owned()]);
    vec![
        Way { name: "flag", args: flag("--store", &url), env: Vec::new() },
        Way { name: "variable", args: Vec::new(), env: vec![("LOGTALLY_STORE", url)] },
        Way { name: "file", args: flag("--store-file", &file), env: Vec::new() },
        Way {
            name: "file by variable",
            args: Vec::new(),
            env: vec![("LOGTALLY_STORE_FILE", file)],
        },
    ]
}

impl Way {
    fn program(&self, folder: &Path, name: &str, args: &[&str]) -> Program {
        let program = Program::new(folder, "program", name).args(args).args(&self.args);
        self.env.iter().fold(program, |program, (name, value)| program.env(name, value))
    }

    /// Runs a command to its end; what it said.
    fn said(&self, folder: &Path, name: &str, args: &[&str]) -> String {
        let finished = self.program(folder, name, args).run(COMMAND);
        let said = format!("{}{}", finished.stdout, finished.stderr);
        assert_hidden(&format!("{name} {args:?}, by {}", self.name), &said);
        said
    }
}

fn assert_hidden(what: &str, text: &str) {
    assert!(!text.contains(SECRET), "{what} shows the password:\n{text}");
}

/// The programs that serve, with the flag of a listener beside the admin's.
const SERVICES: [(&str, &[&str], &str); 3] = [
    ("logtally", &["run", "-"], "--web.listen-address"),
    ("logtally-aggregator", &[], "--grpc.listen-address"),
    ("logtally-exporter", &[], "--web.listen-address"),
];

const COMMANDS: [&[&str]; 7] = [
    &["run", "--once", "-"],
    &["series"],
    &["sources"],
    &["forget", "m", "--yes"],
    &["sources", "rewind", "file/local/1/1", "--to", "0"],
    &["sources", "forget", "file/local/1/1"],
    &["doctor"],
];

fn helps() -> Vec<(&'static str, Vec<&'static str>)> {
    let mut helps = vec![
        ("logtally", vec!["--help"]),
        ("logtally-ingest", vec!["--help"]),
        ("logtally-aggregator", vec!["--help"]),
        ("logtally-exporter", vec!["--help"]),
    ];
    for command in ["run", "push", "series", "sources", "forget", "doctor", "verify", "healthcheck"]
    {
        helps.push(("logtally", vec![command, "--help"]));
    }
    helps.push(("logtally", vec!["sources", "rewind", "--help"]));
    helps.push(("logtally", vec!["sources", "forget", "--help"]));
    helps.push(("logtally", vec!["man"]));
    helps
}

/// Starts a service, looks at all its pages, stops it, and looks at its log.
fn check_service(folder: &Path, way: &Way, (name, args, listen): (&str, &[&str], &str)) {
    let (port, admin) = (free_port(), free_port());
    let mut program = way
        .program(folder, name, args)
        .args([listen, &local(port), "--admin.listen-address", &local(admin)])
        .args(["--log.level", "trace"]);
    program.start();
    let what = format!("{name}, by {}", way.name);
    until(&format!("{what}: it says that it is not ready"), START, || {
        let ready = http::get(admin, "/-/ready").map_err(|error| error.to_string())?;
        assert_hidden(&what, &ready.text());
        if ready.text().contains("store") || ready.text().contains("view") {
            return Ok(());
        }
        Err(ready.text())
    });
    let pages =
        ["/", "/metrics", "/-/healthy", "/api/sources", "/api/rejected", "/api/aggregators"];
    for page in pages {
        assert_hidden(&what, &http::get(admin, page).expect("an answer").text());
    }
    if listen == "--web.listen-address" {
        // While the store is away, a scrape waits for it before it says so.
        for page in ["/", "/metrics", "/-/ready"] {
            until(&format!("{what}: {page} answers"), START, || {
                let answer = http::get(port, page).map_err(|error| error.to_string())?;
                assert_hidden(&what, &answer.text());
                Ok(())
            });
        }
    }
    let of_process = |file: &str| {
        let bytes = std::fs::read(format!("/proc/{}/{file}", program.pid())).expect("/proc");
        String::from_utf8_lossy(&bytes).into_owned()
    };
    if way.name != "flag" {
        assert_hidden(&what, &of_process("cmdline"));
    }
    if way.name.starts_with("file") {
        assert_hidden(&what, &of_process("environ"));
    }
    program.terminate();
    assert_hidden(&what, &program.output());
}

fn check_all(url: &str) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for way in ways(folder.path(), url) {
        for service in SERVICES {
            // Each has a log of its own.
            let own = tempfile::tempdir().expect("a temporary folder");
            check_service(own.path(), &way, service);
        }
        for command in COMMANDS {
            // `run` waits for its store; so does nobody else.
            if command[0] != "run" {
                way.said(folder.path(), "logtally", command);
            }
        }
    }
}

#[test]
fn a_store_that_is_away_is_told_without_its_password() {
    check_all(&format!("redis://user:{SECRET}@127.0.0.1:{}", free_port()));
}

#[test]
fn a_store_that_refuses_the_password_is_told_without_it() {
    // It knows no such user.
    let redis = RedisServer::start(&[]);
    check_all(&format!("redis://user:{SECRET}@127.0.0.1:{}", redis.port()));
}

#[test]
fn no_help_shows_what_the_environment_holds() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let url = format!("redis://user:{SECRET}@127.0.0.1:1");
    let push = format!("http://user:{SECRET}@127.0.0.1:1");
    for (program, args) in helps() {
        let finished = Program::new(folder.path(), "help", program)
            .args(&args)
            .env("LOGTALLY_STORE", &url)
            .env("LOGTALLY_PUSH_TO", &push)
            .run(COMMAND);
        assert_eq!(finished.code(), 0, "{program} {args:?}: {}", finished.stderr);
        assert!(!finished.stdout.is_empty());
        assert_hidden(&format!("{program} {args:?}"), &finished.stdout);
    }
}

#[test]
fn urls_that_are_wrong_are_not_repeated() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let programs = [
        ("logtally", vec!["series"]),
        ("logtally-aggregator", vec![]),
        ("logtally-exporter", vec![]),
    ];
    let (scheme, port) =
        (format!("reds://user:{SECRET}@h:1"), format!("redis://user:{SECRET}@h:port"));
    for url in [scheme, format!("user:{SECRET}@h:1"), port] {
        for way in ways(folder.path(), &url) {
            for (program, args) in &programs {
                let said = way.said(folder.path(), program, args);
                assert!(said.starts_with("error: "), "{program}, by {}: {said}", way.name);
            }
        }
    }
}

#[test]
fn other_urls_are_told_without_their_passwords_too() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("a.log");
    std::fs::write(&file, "web1,backup\n").expect("writing a log");
    let file = file.display().to_string();
    let url = format!("http://user:{SECRET}@127.0.0.1:1");
    let commands: [&[&str]; 7] = [
        &["series", "--from", &url],
        &["sources", "--from", &url],
        &["doctor", "--from", &url],
        &["verify", "--from", &url, &file],
        &["healthcheck", &url],
        &["push", "--give-up", "100ms", "--to", &url, "--log.level", "debug", &file],
        &["push", "--to", &format!("https://user:{SECRET}@127.0.0.1:1"), &file],
    ];
    for args in commands {
        let finished = Program::new(folder.path(), "command", "logtally").args(args).run(COMMAND);
        assert_eq!(finished.code(), 1, "{args:?}: {finished:?}");
        assert_hidden(&format!("{args:?}"), &format!("{}{}", finished.stdout, finished.stderr));
    }
    let aggregators = format!("user:{SECRET}@h:9510");
    let finished = Program::new(folder.path(), "ingest", "logtally-ingest")
        .args(["--aggregators", &aggregators])
        .run(COMMAND);
    assert_eq!(finished.code(), 2, "{finished:?}");
    assert_hidden("logtally-ingest", &finished.stderr);
}

#[test]
fn where_traces_go_is_told_without_its_password() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for endpoint in [format!("http://user:{SECRET}@127.0.0.1:1"), format!("http://{SECRET} x:port")]
    {
        let finished = Program::new(folder.path(), "once", "logtally")
            .args(["run", "--once", "--store", "memory:", "--log.level", "debug", "-"])
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint)
            .env("OTEL_EXPORTER_OTLP_HEADERS", &format!("authorization={SECRET}"))
            .run(COMMAND);
        let said = format!("{}{}", finished.stdout, finished.stderr);
        assert_hidden(&endpoint.replace(SECRET, "…"), &said);
    }
}
