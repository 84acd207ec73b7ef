//! The guide: what it shows is what the example folders hold, what it describes is the language.
//!
//! A page shows a file of `examples/guide` between `<!-- example: FOLDER/FILE -->` and `<!-- end -->`,
//! or the part of it between `# [NAME]` and `# [end]` as `FOLDER/FILE#NAME`. After a wanted change of
//! a file: `LOGTALLY_UPDATE=1 cargo test -p logtally-config --test docs`.
//!
//! Never runs the examples; whether they count what they say is tested with the command line.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use logtally_config::{Config, schema};
use logtally_rules::RuleSet;

const BEGIN: &str = "<!-- example: ";
const END: &str = "<!-- end -->";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn entries(folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join(folder)).expect("a folder");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths
}

fn pages() -> Vec<PathBuf> {
    let mut pages = entries("docs/guide");
    pages.push(root().join("docs/guide.md"));
    pages
}

fn folders() -> Vec<PathBuf> {
    entries("examples/guide").into_iter().filter(|path| path.is_dir()).collect()
}

fn is_part_mark(line: &str) -> bool {
    line.trim().strip_prefix("# [").is_some_and(|rest| rest.ends_with(']'))
}

/// A file without the marks of its parts, or one part of it, moved to the left margin.
fn shown(reference: &str) -> String {
    let (file, part) = reference.split_once('#').unwrap_or((reference, ""));
    let text = read(&root().join("examples/guide").join(file));
    let lines = text.lines();
    if part.is_empty() {
        return lines.filter(|line| !is_part_mark(line)).flat_map(|line| [line, "\n"]).collect();
    }
    let begin = format!("# [{part}]");
    let inside = lines.skip_while(|line| line.trim() != begin).skip(1);
    let inside: Vec<_> = inside.take_while(|line| line.trim() != "# [end]").collect();
    assert!(!inside.is_empty(), "{file} has no part {part}");
    let margin = |line: &&str| line.len() - line.trim_start().len();
    let margin = inside.iter().filter(|line| !line.is_empty()).map(margin).min().unwrap_or(0);
    inside.iter().flat_map(|line| [line.get(margin..).unwrap_or(""), "\n"]).collect()
}

/// The page with every example as it is in its file.
fn corrected(page: &str) -> String {
    let mut out = String::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        out.extend([line, "\n"]);
        let Some(reference) = line.strip_prefix(BEGIN) else { continue };
        let reference = reference.trim_end_matches(" -->");
        let block: Vec<_> = lines.by_ref().take_while(|line| *line != END).collect();
        assert!(block.len() > 1 && block[0].starts_with("```"), "{reference}: no fenced block");
        out.extend([block[0], "\n", &shown(reference), "```\n", END, "\n"]);
    }
    out
}

#[test]
fn pages_show_what_the_examples_hold() {
    for path in pages() {
        let page = read(&path);
        let corrected = corrected(&page);
        if std::env::var_os("LOGTALLY_UPDATE").is_some() {
            fs::write(&path, &corrected).expect("written");
        } else {
            assert_eq!(page, corrected, "{}: run it with LOGTALLY_UPDATE=1", path.display());
        }
    }
}

/// Commands and queries stand for themselves; everything else that is shown is an example.
#[test]
fn nothing_is_shown_that_is_not_tested() {
    for path in entries("docs/guide") {
        let (page, mut is_open) = (read(&path), false);
        for (before, line) in page.lines().zip(page.lines().skip(1)) {
            let Some(language) = line.strip_prefix("```") else { continue };
            let fine = is_open
                || before.starts_with(BEGIN)
                || ["sh", "promql", "console"].contains(&language);
            assert!(fine, "{}: {line} after {before:?}", path.display());
            is_open = !is_open;
        }
    }
}

#[test]
fn every_example_is_valid_and_compiles() {
    assert!(folders().len() >= 17);
    for folder in folders() {
        let path = folder.join("logtally.yaml");
        let config = Config::load(&path).unwrap_or_else(|error| panic!("{error}"));
        assert!(config.warnings.is_empty(), "{:?}", config.warnings);
        for input in &config.inputs {
            let rules = RuleSet::compile(&input.rules);
            assert!(rules.is_ok(), "{}: {:?}", path.display(), rules.err());
        }
    }
}

#[test]
fn every_example_has_tests_whose_files_exist() {
    for folder in folders() {
        let text = read(&folder.join("test.yaml"));
        let tests = text.lines().filter(|line| line.starts_with("  - name: ")).count();
        let expectations = text.lines().filter(|line| *line == "    expect: |").count();
        assert!(tests > 0 && tests == expectations, "{}", folder.display());
        for line in text.lines() {
            let line = line.trim();
            let named = ["config: ", "file: "].iter().find_map(|key| line.strip_prefix(key));
            if let Some(name) = named {
                assert!(folder.join(name).is_file(), "{}: {name}", folder.display());
            }
        }
    }
}

#[test]
fn every_example_is_shown() {
    let pages: String = pages().iter().map(|path| read(path)).collect();
    for folder in folders() {
        let name = folder.file_name().expect("a name").to_string_lossy();
        assert!(pages.contains(&format!("{BEGIN}{name}/logtally.yaml")), "{name}");
        assert!(pages.contains(&format!("{BEGIN}{name}/test.yaml")), "{name}");
    }
}

/// The keys in the first column of the table behind a mark.
fn keys_in_table(page: &str, shape: &str) -> BTreeSet<String> {
    let mark = format!("<!-- keys: {shape} -->");
    let behind = page.lines().skip_while(|line| *line != mark).skip(2);
    let rows = behind.skip(2).take_while(|line| line.starts_with('|'));
    rows.filter_map(|row| Some(row.strip_prefix("| `")?.split_once('`')?.0.to_owned())).collect()
}

#[test]
fn the_reference_has_every_key_and_no_other() {
    let page = read(&root().join("docs/guide/configuration.md"));
    let schema = schema();
    let definitions = schema["$defs"].as_object().expect("definitions");
    let named = definitions.iter().map(|(name, shape)| (name.as_str(), shape));
    for (name, shape) in named.chain([("config", &schema)]) {
        let Some(properties) = shape["properties"].as_object() else { continue };
        let known: BTreeSet<String> = properties.keys().cloned().collect();
        assert_eq!(keys_in_table(&page, name), known, "the keys of {name}");
    }
}

/// Words that the schema allows, such as the types of metrics.
fn words<'a>(value: &'a serde_json::Value, out: &mut BTreeSet<&'a str>) {
    match value {
        serde_json::Value::Object(fields) => {
            let list = fields.get("enum").and_then(|list| list.as_array());
            out.extend(list.into_iter().flatten().filter_map(|word| word.as_str()));
            fields.values().for_each(|field| words(field, out));
        }
        serde_json::Value::Array(items) => items.iter().for_each(|item| words(item, out)),
        _ => {}
    }
}

#[test]
fn the_reference_has_every_word() {
    let page = read(&root().join("docs/guide/configuration.md"));
    let schema = schema();
    let mut found = BTreeSet::new();
    words(&schema, &mut found);
    assert!(found.contains("histogram"));
    for word in found {
        assert!(page.contains(&format!("`{word}`")), "{word}");
    }
}

/// The anchor that a heading gets.
fn anchor(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[test]
fn links_lead_somewhere() {
    for path in pages() {
        let text = read(&path);
        for link in text.split("](").skip(1).filter_map(|rest| rest.split_once(')')) {
            let (target, place) = link.0.split_once('#').unwrap_or((link.0, ""));
            if target.contains("://") {
                continue;
            }
            let file = path.parent().expect("a folder").join(target);
            let file = if target.is_empty() { path.clone() } else { file };
            assert!(file.exists(), "{}: {}", path.display(), link.0);
            let headings = || read(&file).lines().any(|l| l.starts_with('#') && anchor(l) == place);
            assert!(place.is_empty() || headings(), "{}: {}", path.display(), link.0);
        }
    }
}
