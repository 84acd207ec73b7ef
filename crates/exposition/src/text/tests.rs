//! What lines say, and why some say nothing that can be used.

use proptest::prelude::*;

use super::*;

fn read(body: &str) -> Vec<(usize, Line<'_>)> {
    let good = |(number, line): (usize, Result<_, _>)| (number, line.expect(body));
    Lines::new(body.as_bytes()).map(good).collect()
}

fn sample(line: &str) -> (String, Vec<(String, String)>, String) {
    let body = format!("{line}\n");
    let lines = read(&body);
    let [(1, Line::Sample(sample))] = &lines[..] else { panic!("{lines:?}") };
    let own = |(name, value): &(&str, Cow<'_, str>)| ((*name).to_owned(), value.to_string());
    (sample.name.to_owned(), sample.labels.iter().map(own).collect(), sample.value.to_owned())
}

#[test]
fn samples() {
    let labels = |labels: &[(&str, &str)]| -> Vec<(String, String)> {
        labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    for (line, name, expected, value) in [
        ("a 1", "a", labels(&[]), "1"),
        ("  a:b_2\t \t-1.5e+06  ", "a:b_2", labels(&[]), "-1.5e+06"),
        ("a{} 1", "a", labels(&[]), "1"),
        ("a {x=\"y\"} 1", "a", labels(&[("x", "y")]), "1"),
        ("a{x=\"y\"}1", "a", labels(&[("x", "y")]), "1"),
        (
            "a { x = \"y\" , z=\"a b}\\\"\\\\\\n#\", } NaN",
            "a",
            labels(&[("x", "y"), ("z", "a b}\"\\\n#")]),
            "NaN",
        ),
        ("_{_=\"ä\"} 1", "_", labels(&[("_", "ä")]), "1"),
    ] {
        assert_eq!(sample(line), (name.to_owned(), expected, value.to_owned()), "{line}");
    }
}

#[test]
fn comments_and_empty_lines() {
    let body = "\n# HELP a Says \\\\ \\n \\\" it \n#TYPE a COUNTER\n \t\n# HELPa\n#\n# a comment \\x\n\
                #\tTYPE\tb\tuntyped \n# HELP b\na 1\n";
    let [(2, help), (3, a), (8, b), (9, empty), (10, Line::Sample(_))] = &read(body)[..] else {
        panic!("{:?}", read(body));
    };
    assert_eq!(*help, Line::Help("a", "Says \\ \n \" it ".into()));
    assert_eq!(*a, Line::Type("a", Type::Counter));
    assert_eq!(*b, Line::Type("b", Type::Untyped));
    assert_eq!(*empty, Line::Help("b", "".into()));
    assert_eq!(read(""), []);
}

#[test]
fn what_needs_no_change_is_borrowed() {
    let lines = read("a{x=\"y\",z=\"\\n\"} 1\n");
    let [(1, Line::Sample(sample))] = &lines[..] else { panic!("{lines:?}") };
    assert!(matches!(sample.labels[0].1, Cow::Borrowed("y")));
    assert!(matches!(sample.labels[1].1, Cow::Owned(_)));
}

#[test]
fn lines_that_cannot_be_read() {
    let own = |text: &str| text.to_owned();
    let labels = (0..=LABELS_MAX).map(|n| format!("l{n}=\"\",")).collect::<Vec<_>>().concat();
    let long = "x".repeat(LABEL_VALUE_BYTES_MAX + 1);
    for (line, expected) in [
        ("a 1\r", SyntaxError::CarriageReturn),
        ("a{x=\"\0\"} 1", SyntaxError::Nul),
        ("1a 1", SyntaxError::Name(own("1a 1"))),
        ("{\"a\"} 1", SyntaxError::Name(own("{\"a\"} 1"))),
        ("a-b 1", SyntaxError::Name(own("a-b 1"))),
        ("größe 1", SyntaxError::Name(own("größe 1"))),
        ("# TYPE 1a counter", SyntaxError::Name(own("1a counter"))),
        ("# HELP", SyntaxError::Name(own(""))),
        ("# TYPE a", SyntaxError::Type(own(""))),
        ("# TYPE a gaugehistogram", SyntaxError::Type(own("gaugehistogram"))),
        ("# HELP a \\x", SyntaxError::Escape),
        ("# HELP a \\", SyntaxError::Escape),
        ("a", SyntaxError::NoValue(own("a"))),
        ("a ", SyntaxError::NoValue(own("a"))),
        ("a{x=\"y\"}", SyntaxError::NoValue(own("a"))),
        ("a{x=\"y\" 1", SyntaxError::Labels(own("a"))),
        ("a{x=\"y} 1", SyntaxError::Labels(own("a"))),
        ("a{x=\"y\\\"} 1", SyntaxError::Labels(own("a"))),
        ("a{x=y} 1", SyntaxError::Labels(own("a"))),
        ("a{x} 1", SyntaxError::Labels(own("a"))),
        ("a{,} 1", SyntaxError::Labels(own("a"))),
        ("a{1=\"\"} 1", SyntaxError::Labels(own("a"))),
        ("a{\"x\"=\"y\"} 1", SyntaxError::Labels(own("a"))),
        ("a{", SyntaxError::Labels(own("a"))),
        ("a{x=\"\\", SyntaxError::Labels(own("a"))),
        ("a{x=\"\\t\"} 1", SyntaxError::Escape),
        ("a{__name__=\"b\"} 1", SyntaxError::ReservedLabel(own("__name__"))),
        ("a{x=\"\",x=\"\"} 1", SyntaxError::LabelTwice(own("x"))),
        ("a 1 1700000000000", SyntaxError::Timestamp(own("a"))),
        ("a 1 -5", SyntaxError::Timestamp(own("a"))),
        ("a 1 # {x=\"y\"} 1", SyntaxError::Trailing(own("a"))),
        ("a 1 5 5", SyntaxError::Trailing(own("a"))),
        (&format!("a{{{labels}}} 1"), SyntaxError::TooManyLabels),
        (&format!("a{{x=\"{long}\"}} 1"), SyntaxError::LabelTooLong(own("x"))),
        (&format!("# HELP a {long}"), SyntaxError::HelpTooLong(own("a"))),
        (&format!("{long} 1"), SyntaxError::NameTooLong),
    ] {
        let body = format!("# one\n\n{line}\n");
        let found: Vec<_> = Lines::new(body.as_bytes()).collect();
        assert_eq!(found, [(3, Err(expected))], "{line}");
    }
    let cut = Lines::new(b"a 1\nb 2").nth(1);
    assert_eq!(cut, Some((2, Err(SyntaxError::NoLineFeed))));
    assert_eq!(Lines::new(b"\xff\n").next(), Some((1, Err(SyntaxError::NotUtf8))));
}

proptest! {
    #[test]
    fn every_body_comes_to_an_end(body in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(Lines::new(&body).count() <= 200);
    }

    #[test]
    fn so_does_what_looks_like_lines(body in "([a-z#{}=\",\\\\ \n0-9]|# TYPE |# HELP ){0,80}") {
        prop_assert!(Lines::new(body.as_bytes()).count() <= 200);
    }
}
