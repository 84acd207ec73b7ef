//! Configurations that are right become the expected specifications.

use std::io;
use std::path::Path;

use logtally_config::Config;

fn files(name: &str) -> io::Result<String> {
    match name {
        "my.grok" => Ok("# mine\nWORDS \\w+ \\w+\n\nMINE over\n".into()),
        "hosts.csv" => Ok("10.0.0.1,web\n\"a,b\",\"x \"\"y\"\"\"\n".into()),
        _ => Err(io::ErrorKind::NotFound.into()),
    }
}

fn parse(text: &str) -> Config {
    Config::parse("c.yaml", text, &files).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn full() {
    let config = parse(include_str!("good/full.yaml"));
    println!("{config:#?}");
}

#[test]
fn the_example_is_valid() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/logtally.yaml");
    let config = Config::load(&path).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(config.inputs.len(), 3);
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
}
