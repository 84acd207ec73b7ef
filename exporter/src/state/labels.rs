//! Label sets: how they stand in a series key, their text, and when two of them are the same.

/// The label values in a series key from its family id on: `NUL value NUL value …`.
pub(crate) fn split(values: &[u8]) -> impl Iterator<Item = &[u8]> {
    values.split(|byte| *byte == 0).skip(1)
}

/// Appends `{name="value",…}`, or nothing if there are no labels.
pub(crate) fn push_text(out: &mut Vec<u8>, names: &[String], values: &[u8]) {
    let mut open = b'{';
    for (name, value) in names.iter().zip(split(values)) {
        out.push(open);
        open = b',';
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"=\"");
        push_escaped(out, value);
        out.push(b'"');
    }
    if open == b',' {
        out.push(b'}');
    }
}

/// Both formats escape backslash, quote and line feed in label values, and nothing else.
pub(crate) fn push_escaped(out: &mut Vec<u8>, value: &[u8]) {
    // Nearly all values have none of them.
    if !value.iter().any(|byte| matches!(byte, b'\\' | b'"' | b'\n')) {
        out.extend_from_slice(value);
        return;
    }
    for byte in value {
        match byte {
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'"' => out.extend_from_slice(b"\\\""),
            b'\n' => out.extend_from_slice(b"\\n"),
            byte => out.push(*byte),
        }
    }
}

/// A label set in a form that is equal for equal sets: sorted by name, without empty values, which
/// mean the same as an absent label.
pub(crate) fn canonical<'a>(names: &'a [String], values: &'a [u8]) -> Vec<(&'a str, &'a [u8])> {
    let pairs = names.iter().map(String::as_str).zip(split(values));
    let mut pairs: Vec<_> = pairs.filter(|(_, value)| !value.is_empty()).collect();
    pairs.sort_unstable();
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn check(labels: &[&str], values: &[u8], expect: &str) {
        let mut text = Vec::new();
        push_text(&mut text, &names(labels), values);
        assert_eq!(String::from_utf8_lossy(&text), expect);
    }

    #[test]
    fn label_texts() {
        check(&[], b"", "");
        check(&["a"], b"\0", r#"{a=""}"#);
        check(&["a", "b"], b"\0x\0y", r#"{a="x",b="y"}"#);
        check(&["a"], b"\0C:\\tmp \"q\"\n\t\xc3\xa4", "{a=\"C:\\\\tmp \\\"q\\\"\\n\t\u{e4}\"}");
    }

    #[test]
    fn the_order_of_labels_and_empty_values_mean_nothing() {
        let one = canonical(&names(&["a", "b", "c"]), b"\x001\x002\0").len();
        assert_eq!(one, 2);
        let (ab, ba) = (names(&["a", "b"]), names(&["b", "a"]));
        assert_eq!(canonical(&ab, b"\x001\x002"), canonical(&ba, b"\x002\x001"));
        assert_ne!(canonical(&ab, b"\x001\x002"), canonical(&ba, b"\x001\x002"));
    }
}
