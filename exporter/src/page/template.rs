//! The text of a line around its label values, put together once per metric.

use crate::state::{push_escaped, split};

/// What stands before, between and behind the label values of a sample, up to its value.
pub(super) struct Template {
    parts: Vec<Vec<u8>>,
}

impl Template {
    /// The template of samples with this name and these labels.
    pub(super) fn new(name: &str, labels: &[String]) -> Self {
        let open = |(at, label): (usize, &String)| {
            let before = if at == 0 { format!("{name}{{") } else { "\",".to_owned() };
            format!("{before}{label}=\"").into_bytes()
        };
        let mut parts: Vec<_> = labels.iter().enumerate().map(open).collect();
        let last = if labels.is_empty() { format!("{name} ") } else { "\"} ".to_owned() };
        parts.push(last.into_bytes());
        Self { parts }
    }

    /// Appends a line up to its value, from the label values as they stand in a key.
    pub(super) fn push(&self, out: &mut Vec<u8>, values: &[u8]) {
        let Some((last, parts)) = self.parts.split_last() else { return };
        for (part, value) in parts.iter().zip(split(values)) {
            out.extend_from_slice(part);
            push_escaped(out, value);
        }
        out.extend_from_slice(last);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(labels: &[&str], values: &[u8], expect: &str) {
        let labels: Vec<_> = labels.iter().map(|label| (*label).to_owned()).collect();
        let mut out = Vec::new();
        Template::new("m", &labels).push(&mut out, values);
        assert_eq!(String::from_utf8_lossy(&out), expect);
    }

    #[test]
    fn lines_up_to_their_values() {
        check(&[], b"", "m ");
        check(&["a"], b"\0", "m{a=\"\"} ");
        check(&["a", "b"], b"\0x\0\"y\\", "m{a=\"x\",b=\"\\\"y\\\\\"} ");
    }
}
