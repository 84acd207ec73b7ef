//! Reads a page of counts: samples with their labels and values as they were written. Refuses a page
//! that it does not understand in full, because half a page would look like lost counts.

use std::collections::BTreeMap;

use anyhow::{Context, bail};

/// A page.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(crate) struct Page {
    /// The samples, in their order.
    pub(crate) samples: Vec<Sample>,
    /// The types of metrics, by name.
    pub(crate) types: BTreeMap<String, String>,
}

/// One line of a page.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Sample {
    /// The metric, with the suffixes of a histogram.
    pub(crate) metric: String,
    /// Label names and values, in their order.
    pub(crate) labels: Vec<(String, String)>,
    /// The value, as it was written.
    pub(crate) value: String,
}

impl Sample {
    /// The series as it is written on a page.
    pub(crate) fn series(&self) -> String {
        written(&self.metric, self.labels.iter().map(|(n, v)| (n.as_str(), v.as_str())))
    }
}

/// A series as it is written on a page.
pub(crate) fn written<'a>(
    metric: &str,
    labels: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> String {
    let escape = |v: &str| v.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    let pairs: Vec<String> =
        labels.into_iter().map(|(name, value)| format!("{name}=\"{}\"", escape(value))).collect();
    match pairs.as_slice() {
        [] => metric.to_owned(),
        pairs => format!("{metric}{{{}}}", pairs.join(",")),
    }
}

/// Reads a page in the text format of Prometheus.
pub(crate) fn parse(text: &str) -> anyhow::Result<Page> {
    let mut page = Page::default();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if let Some(comment) = line.strip_prefix('#') {
            let mut words = comment.split_whitespace();
            if words.next() == Some("TYPE")
                && let (Some(name), Some(kind)) = (words.next(), words.next())
            {
                page.types.insert(name.to_owned(), kind.to_owned());
            }
        } else if !line.is_empty() {
            let sample = sample(line).with_context(|| format!("line {}: {line}", index + 1))?;
            page.samples.push(sample);
        }
    }
    Ok(page)
}

/// Reads one sample.
pub(crate) fn sample(line: &str) -> anyhow::Result<Sample> {
    let end = line.find(['{', ' ']).context("not a series and a value")?;
    let (metric, rest) = line.split_at(end);
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(rest) => labels(rest)?,
        None => (Vec::new(), rest),
    };
    let value = rest.split_whitespace().next().context("no value")?;
    if metric.is_empty() || !is_value(value) {
        bail!("not a series and a value");
    }
    Ok(Sample { metric: metric.to_owned(), labels, value: value.to_owned() })
}

fn is_value(text: &str) -> bool {
    text.parse::<f64>().is_ok()
}

type Labels = Vec<(String, String)>;

/// Reads `name="value",…}` and returns what follows.
fn labels(mut rest: &str) -> anyhow::Result<(Labels, &str)> {
    let mut labels = Vec::new();
    loop {
        rest = rest.trim_start_matches([',', ' ']);
        if let Some(rest) = rest.strip_prefix('}') {
            return Ok((labels, rest));
        }
        let (name, after) = rest.split_once("=\"").context("a label without =\"…\"")?;
        let (value, after) = quoted(after).context("a label without its closing quote")?;
        labels.push((name.trim().to_owned(), value));
        rest = after;
    }
}

/// Reads up to the closing quote; the value without escapes, and what follows the quote.
pub(crate) fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => match chars.next()?.1 {
                'n' => value.push('\n'),
                other => value.push(other),
            },
            c => value.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_read_and_written_alike() {
        let text = "# HELP a_total Help\n# TYPE a_total counter\n\
                    a_total{x=\"q\\\"u\\\\o\\nte\",y=\"}, {\"} 12\n\nb 1.5e3 1700000000\nc +Inf\n";
        let page = parse(text).expect("a page");
        assert_eq!(page.types["a_total"], "counter");
        assert_eq!(page.samples[0].labels[0].1, "q\"u\\o\nte");
        assert_eq!(page.samples[0].series(), "a_total{x=\"q\\\"u\\\\o\\nte\",y=\"}, {\"}");
        assert_eq!(
            (page.samples[1].series().as_str(), page.samples[1].value.as_str()),
            ("b", "1.5e3")
        );
        assert_eq!(page.samples[2].value, "+Inf");
    }

    #[test]
    fn what_is_no_page_is_refused() {
        for bad in ["a", "a{x=\"1\" 2", "a{x=\"1} 2", "a{x} 1", "{} 1", "a b", "<html>"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
