//! Configurations that are wrong, each with all of its errors as people see them.
//!
//! After a wanted change: `LOGTALLY_UPDATE=1 cargo test -p logtally-config --test bad`, and read the
//! difference.

use std::io;
use std::path::{Path, PathBuf};

use logtally_config::Config;

fn files(name: &str) -> io::Result<String> {
    match name {
        "bad.grok" => Ok("GOOD x\nBAD\n".into()),
        "bad.csv" => Ok("a,b\na,c\nd\n".into()),
        _ => Err(io::ErrorKind::NotFound.into()),
    }
}

fn cases() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bad");
    let entries = std::fs::read_dir(folder).expect("the folder of cases");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "yaml"));
    paths.sort();
    paths
}

fn rendered(path: &Path) -> String {
    let text = std::fs::read_to_string(path).expect("a case");
    let name = path.file_name().expect("a name").to_string_lossy();
    match Config::parse(&name, &text, &files) {
        Ok(_) => "no error\n".to_owned(),
        Err(error) => format!("{error}\n"),
    }
}

#[test]
fn errors_are_as_expected() {
    let update = std::env::var_os("LOGTALLY_UPDATE").is_some();
    let mut wrong = Vec::new();
    for path in cases() {
        let got = rendered(&path);
        let expected = path.with_extension("err");
        if update {
            std::fs::write(&expected, &got).expect("written");
        } else if std::fs::read_to_string(&expected).unwrap_or_default() != got {
            wrong.push(format!("{}:\n{got}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "not as expected:\n{}", wrong.join("\n"));
}

#[test]
fn every_error_names_a_line_and_most_a_way_out() {
    assert!(cases().len() >= 30);
    for path in cases() {
        let text = std::fs::read_to_string(&path).expect("a case");
        let error = Config::parse("c.yaml", &text, &files).expect_err("a bad case");
        for diagnostic in error.diagnostics() {
            assert!(diagnostic.location.line > 0, "{}: {diagnostic:?}", path.display());
        }
    }
}

/// Half a file, a file without a character, nesting without end: errors or not, never a panic.
#[test]
fn nothing_makes_it_panic() {
    let text = include_str!("good/full.yaml").replace("prod", "größer");
    for (index, _) in text.char_indices() {
        let _ = Config::parse("c.yaml", &text[..index], &files);
        let mut without = text.clone();
        without.remove(index);
        if let Err(error) = Config::parse("c.yaml", &without, &files) {
            assert!(!error.to_string().is_empty());
        }
    }
    for deep in ["[", "{a: ", "- ", "rules: [{when: {not: "] {
        assert!(Config::parse("c.yaml", &deep.repeat(5000), &files).is_err());
    }
    let nested = format!(
        "rules: [{{metric: a, when: {}{{b: c}}{}}}]",
        "{not: ".repeat(3000),
        "}".repeat(3000)
    );
    assert!(Config::parse("c.yaml", &nested, &files).is_err());
    let bomb = (1..12).fold("a0: &a0 [x]\n".to_owned(), |text, n| {
        let aliases = vec![format!("*a{}", n - 1); 10].join(", ");
        format!("{text}a{n}: &a{n} [{aliases}]\n")
    });
    assert!(Config::parse("c.yaml", &bomb, &files).is_err());
}
