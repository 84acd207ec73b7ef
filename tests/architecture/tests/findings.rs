//! Each rule on small sources: what breaks it is found, and what keeps it is not.

use std::path::{Path, PathBuf};

use logtally_architecture::findings::{Finding, Rule, all, equal_names, inside};
use logtally_architecture::workspace::{Crate, Workspace};

/// A crate of these files.
fn a_crate(name: &str, files: &[(&str, &str)]) -> Crate {
    let files = files.iter().map(|(path, text)| (PathBuf::from(path), (*text).to_owned()));
    Crate::new(name, true, files.collect(), &[Path::new("src/lib.rs")]).expect("a crate")
}

/// The findings in a crate of these files.
fn findings(files: &[(&str, &str)]) -> Vec<Finding> {
    inside(&a_crate("logtally-example", files))
}

fn texts(findings: &[Finding], rule: Rule) -> Vec<&str> {
    findings.iter().filter(|finding| finding.rule == rule).map(|f| f.text.as_str()).collect()
}

fn circles(files: &[(&str, &str)]) -> Vec<String> {
    texts(&findings(files), Rule::Circle).iter().map(|text| (*text).to_owned()).collect()
}

fn upward(files: &[(&str, &str)]) -> Vec<String> {
    texts(&findings(files), Rule::Upward).iter().map(|text| (*text).to_owned()).collect()
}

const ROOT: (&str, &str) = ("src/lib.rs", "mod a; mod b;");

#[test]
fn two_files_that_use_each_other_are_a_circle_with_its_edges_named() {
    let files = [
        ROOT,
        ("src/a.rs", "use crate::b::B;\npub struct A;"),
        ("src/b.rs", "pub struct B(super::a::A);"),
    ];
    let expected = "\n    src/a.rs → src/b.rs (B, line 1)\n    src/b.rs → src/a.rs (A, line 1)";
    assert_eq!(circles(&files), [expected]);
}

#[test]
fn one_direction_is_not_a_circle() {
    let files =
        [ROOT, ("src/a.rs", "use crate::b::B; pub struct A(B);"), ("src/b.rs", "pub struct B;")];
    assert!(findings(&files).is_empty());
}

#[test]
fn a_circle_may_have_three_files() {
    let files = [
        ("src/lib.rs", "mod a; mod b; mod c; mod d;"),
        ("src/a.rs", "pub fn a() { crate::b::b() }"),
        ("src/b.rs", "pub fn b() { super::c::c() }"),
        ("src/c.rs", "use crate::d::d; pub fn c() { crate::a::a(); d() }"),
        ("src/d.rs", "pub fn d() {}"),
    ];
    let found = circles(&files);
    assert_eq!(found.len(), 1);
    assert!(!found[0].contains("d.rs"), "{found:?}");
    assert_eq!(found[0].matches('→').count(), 3, "{found:?}");
}

/// How `a` may use `B` of `b`, which uses `a`.
const USES: [&str; 15] = [
    "use crate::b::B;",
    "use super::b::B as Other;",
    "use crate::b; fn f(_: b::B) {}",
    "use crate::{b::{self, B}};",
    "fn f() -> Vec<crate::b::B> { Vec::new() }",
    "fn f() { use crate::b::B; }",
    "fn f() { use crate::b; b::B::new(); }",
    "fn f() { println!(\"{:?}\", crate::b::B); }",
    "fn f() { assert!(matches!(x, Some(crate::b::B::C))); }",
    "macro_rules! m { () => { $crate::b::B }; }",
    "impl crate::b::B {}",
    "#[derive(Serialize)] struct S { #[serde(with = \"crate::b::B\")] s: u8 }",
    "#[arg(value_parser = crate::b::B)] struct S;",
    "use crate::b::*; fn f(_: B) {}",
    "use crate::B;",
];

#[test]
fn every_way_to_use_a_thing_is_seen() {
    let root = ("src/lib.rs", "mod a; mod b; pub use b::B;");
    for text in USES {
        let a = format!("pub struct A; {text}");
        let files = [root, ("src/a.rs", a.as_str()), ("src/b.rs", "pub struct B(crate::a::A);")];
        assert_eq!(circles(&files).len(), 1, "{text}");
    }
}

#[test]
fn tests_texts_and_other_crates_are_not_uses() {
    let texts = [
        "#[cfg(test)] mod tests { use crate::b::B; }",
        "#[cfg(any(test, feature = \"testing\"))] use crate::b::B;",
        "#[cfg(test)] impl crate::b::B {}",
        "#[test] fn f() { crate::b::B; }",
        "impl A { #[cfg(test)] fn f() { crate::b::B; } }",
        "/// [`crate::b::B`]\nfn f() {}",
        "fn f() { println!(\"crate::b::B\"); }",
        "pub(in crate::b) fn f() {}",
        "use ::b::B;",
        "fn f() { struct B; let _ = B; }",
        "fn f() { self.b.B(); }",
        "use other::b::B;",
    ];
    for text in texts {
        let a = format!("pub struct A; {text}");
        let files = [ROOT, ("src/a.rs", a.as_str()), ("src/b.rs", "pub struct B(crate::a::A);")];
        assert!(findings(&files).is_empty(), "{text}");
    }
}

#[test]
fn code_that_is_not_for_tests_counts() {
    let a = "pub struct A; #[cfg(not(test))] use crate::b::B;";
    let files = [ROOT, ("src/a.rs", a), ("src/b.rs", "pub struct B(crate::a::A);")];
    assert_eq!(circles(&files).len(), 1);
}

#[test]
fn modules_are_found_in_all_the_places_where_they_may_stand() {
    let files = [
        ("src/lib.rs", "mod a; mod inline { mod b; } #[path = \"elsewhere/x.rs\"] mod c;"),
        ("src/a/mod.rs", "mod d; pub struct A(d::D);"),
        ("src/a/d.rs", "mod e; pub use e::D;"),
        ("src/a/d/e.rs", "pub struct D(crate::c::C);"),
        ("src/inline/b.rs", ""),
        ("src/elsewhere/x.rs", "pub struct C(crate::a::A);"),
    ];
    let expected = "\n    src/a/d/e.rs → src/elsewhere/x.rs (C, line 1)\
                    \n    src/a/mod.rs → src/a/d/e.rs (D, line 1)\
                    \n    src/elsewhere/x.rs → src/a/mod.rs (A, line 1)";
    assert_eq!(circles(&files), [expected]);
}

#[test]
fn what_an_ancestor_defines_is_upward() {
    let root = "mod a; pub struct Root; pub(crate) fn f() {} macro_rules! m { () => {} }";
    for text in ["use crate::Root;", "fn g() { super::f() }", "m!();", "impl crate::Root {}"] {
        let found = upward(&[("src/lib.rs", root), ("src/a.rs", text)]);
        assert_eq!(found.len(), 1, "{text}");
        assert!(found[0].starts_with("src/a.rs → src/lib.rs ("), "{found:?}");
    }
}

#[test]
fn the_ancestor_may_be_any_one_above() {
    let files = [
        ("src/lib.rs", "mod a;"),
        ("src/a.rs", "mod b; pub struct A;"),
        ("src/a/b.rs", "mod c;"),
        ("src/a/b/c.rs", "use super::super::A;"),
    ];
    assert_eq!(upward(&files), ["src/a/b/c.rs → src/a.rs (A, line 1)"]);
}

#[test]
fn what_an_ancestor_only_passes_on_is_not_upward() {
    let root = "mod a; mod b; pub use b::B; macro_rules! m { () => {} } pub(crate) use m;";
    let a = "use crate::B; fn f(_: B, _: super::b::B) {}";
    assert!(
        findings(&[("src/lib.rs", root), ("src/a.rs", a), ("src/b.rs", "pub struct B;")])
            .is_empty()
    );
}

#[test]
fn a_module_inside_of_the_file_may_use_the_file() {
    let files = [("src/lib.rs", "pub struct Root; mod a { use super::Root; }")];
    assert!(findings(&files).is_empty());
}

#[test]
fn a_path_that_leads_nowhere_is_not_passed_over() {
    let found = findings(&[ROOT, ("src/a.rs", "\nuse crate::b::Nothing;"), ("src/b.rs", "")]);
    assert_eq!(texts(&found, Rule::UnknownPath), ["src/a.rs:2: crate::b::Nothing"]);
}

#[test]
fn what_a_macro_generates_is_in_the_file_of_the_macro_s_call() {
    let b = "made! { B } use crate::a::A;";
    let a = ("src/a.rs", "pub struct A; use crate::b::B;");
    assert_eq!(circles(&[ROOT, a, ("src/b.rs", b)]).len(), 1);
    let included = "include!(\"b.in\"); use crate::a::A;";
    assert!(findings(&[ROOT, a, ("src/b.rs", included)]).is_empty());
}

/// The types that are equal in two crates, the first of which has `pub struct Name`.
fn equal(second: &[(&str, &str)]) -> Vec<Finding> {
    let first = a_crate("logtally-first", &[("src/lib.rs", "pub struct Name;")]);
    equal_names(&[first, a_crate("logtally-second", second)])
}

#[test]
fn public_types_of_one_name_are_found() {
    for kind in
        ["pub enum Name {}", "pub trait Name {}", "pub type Name = u8;", "pub union Name {}"]
    {
        for root in ["pub mod a;", "mod a; pub use a::Name;", "mod a; pub use a::*;"] {
            let found = equal(&[("src/lib.rs", root), ("src/a.rs", kind)]);
            assert_eq!(found.len(), 1, "{root} {kind}");
            assert_eq!(found[0].crates, ["logtally-first", "logtally-second"]);
            let expected = "Name: logtally-first src/lib.rs:1, logtally-second src/a.rs:1";
            assert_eq!(found[0].text, expected);
        }
    }
}

#[test]
fn names_that_nobody_else_can_see_may_be_equal() {
    let inner = ("src/a.rs", "pub struct Name;");
    assert!(equal(&[("src/lib.rs", "mod a;"), inner]).is_empty());
    assert!(equal(&[("src/lib.rs", "mod a; pub(crate) use a::Name;"), inner]).is_empty());
    assert!(equal(&[("src/lib.rs", "pub(crate) struct Name;")]).is_empty());
    assert!(equal(&[("src/lib.rs", "pub use logtally_first::Name;")]).is_empty());
    assert!(equal(&[("src/lib.rs", "pub fn name() {} pub const NAME: u8 = 0;")]).is_empty());
    assert!(equal(&[("src/lib.rs", "include!(\"generated.rs\");")]).is_empty());
}

#[test]
fn names_in_tests_and_benchmarks_may_be_equal() {
    let files = [("src/lib.rs", "pub struct Name;")];
    let mut other = a_crate("logtally-bench", &files);
    other.ships = false;
    assert!(equal_names(&[a_crate("logtally-first", &files), other]).is_empty());
}

#[test]
fn one_crate_may_not_have_two_public_types_of_one_name() {
    let files = [
        ("src/lib.rs", "pub mod a; pub mod b; pub use a::Name;"),
        ("src/a.rs", "pub struct Name;"),
        ("src/b.rs", "pub struct Name;"),
    ];
    let found = equal_names(&[a_crate("logtally-first", &files)]);
    assert_eq!(texts(&found, Rule::EqualNames).len(), 1);
    assert_eq!(found[0].crates, ["logtally-first"]);
}

#[test]
fn a_struct_has_at_most_twelve_open_fields() {
    let of = |count: usize, vis: &str| {
        let fields: String = format!("{vis} f: u8, ").repeat(count);
        let text = format!("pub struct Wide {{ {fields} own: u8 }}");
        let found = findings(&[("src/lib.rs", text.as_str())]);
        texts(&found, Rule::OpenFields).iter().map(|text| (*text).to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(of(13, "pub"), ["Wide (src/lib.rs:1) has 13 fields that are not private"]);
    assert_eq!(of(13, "pub(crate)").len(), 1);
    assert!(of(12, "pub").is_empty());
    assert!(of(13, "").is_empty());
}

#[test]
fn the_methods_of_a_type_stand_in_at_most_two_files() {
    let root = "pub mod a; pub mod b; pub mod c; pub use a::A;";
    let a = ("src/a.rs", "pub struct A; impl A {} impl A {}");
    let b = ("src/b.rs", "use crate::A as Other; impl Other {}");
    let three = findings(&[("src/lib.rs", root), a, b, ("src/c.rs", "impl<T> crate::a::A<T> {}")]);
    let expected = "A (src/a.rs:1) in src/a.rs, src/b.rs, src/c.rs";
    assert_eq!(texts(&three, Rule::ScatteredImpl), [expected]);
    for fine in
        ["impl Clone for crate::A {}", "#[cfg(test)] impl crate::A {}", "struct A; impl A {}"]
    {
        assert!(findings(&[("src/lib.rs", root), a, b, ("src/c.rs", fine)]).is_empty(), "{fine}");
    }
}

#[test]
fn files_have_fewer_than_500_lines_tests_too() {
    let (long, short) = ("//\n".repeat(500), "//\n".repeat(499));
    let files = [("src/lib.rs", ""), ("tests/long.rs", &long), ("tests/short.rs", &short)];
    let found = findings(&files);
    assert_eq!(texts(&found, Rule::LongFile), ["tests/long.rs has 500 lines"]);
    assert_eq!(found.len(), 1);
}

#[test]
fn ingest_has_fewer_than_1000_lines_without_its_tests() {
    let large = |lines: usize, tests: usize| {
        let half = "//\n".repeat(lines / 2 - 1);
        let root =
            format!("mod a;\n{half}#[cfg(test)]\nmod tests {{\n{}}}\n", "//\n".repeat(tests));
        let files = [("src/lib.rs", root.as_str()), ("src/a.rs", &format!("{half}//\n"))];
        let found = inside(&a_crate("logtally-ingest", &files));
        texts(&found, Rule::LargeIngest).len()
    };
    assert_eq!(large(980, 0), 0);
    assert_eq!(large(980, 100), 0);
    assert_eq!(large(1_002, 0), 1);
}

#[test]
fn only_what_runs_ingest_is_taken_from_it_and_only_by_the_command_line() {
    let taken = |by: &str, text: &str| inside(&a_crate(by, &[("src/lib.rs", text)]));
    assert!(taken("logtally", "use logtally_ingest::{ConfigArgs, Reloader};").is_empty());
    assert!(taken("logtally-ingest", "fn f() { logtally_ingest::run() }").is_empty());
    let found = taken("logtally", "fn f() { logtally_ingest::plan::compile() }");
    assert_eq!(texts(&found, Rule::IngestImport), ["src/lib.rs:1: logtally_ingest::plan::compile"]);
    let found = taken("logtally-bench", "use logtally_ingest::Reloader;");
    assert_eq!(texts(&found, Rule::IngestImport).len(), 1);
}

#[test]
fn dependencies_that_no_code_names_are_found() {
    let unused = |text: &str| {
        let mut of = a_crate("logtally-example", &[("src/lib.rs", text)]);
        of.dependencies = ["some-thing".to_owned()].into();
        texts(&inside(&of), Rule::UnusedDependency).len()
    };
    let uses = [
        "use some_thing::Thing;",
        "fn f() { some_thing::f() }",
        "#[derive(some_thing::Thing)] struct S;",
        "#[some_thing::main] fn f() {}",
        "mod some_thing {} fn f() { ::some_thing::f() }",
        "mod some_thing {} use ::some_thing::Thing;",
        "fn f() { some_thing::m!() }",
        "include!(\"generated.rs\");",
    ];
    for text in uses {
        assert_eq!(unused(text), 0, "{text}");
    }
    for text in ["", "#[cfg(test)] mod tests { use some_thing::Thing; }", "mod some_thing {}"] {
        assert_eq!(unused(text), 1, "{text}");
    }
}

#[test]
fn the_root_has_at_most_13_folders() {
    let of = |count: usize| {
        let folders = (0..count).map(|n| format!("folder{n}")).collect();
        all(&Workspace { folders, crates: Vec::new() })
    };
    assert!(of(13).is_empty());
    assert_eq!(of(14)[0].rule, Rule::RootFolders);
}
