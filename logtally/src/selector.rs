//! Selectors of series, as in a query: `http_requests_total{host="web1",status=~"5.."}`. Expressions
//! match the whole value; a label that a series does not have is an empty text.

use anyhow::{Context, bail};
use logtally_core::names::{is_label_name, is_metric_name};
use regex::Regex;

use crate::page::quoted;

/// Which series are meant.
#[derive(Clone, Debug)]
pub(crate) struct Selector {
    metric: String,
    matchers: Vec<Matcher>,
}

#[derive(Clone, Debug)]
struct Matcher {
    label: String,
    negative: bool,
    with: With,
}

#[derive(Clone, Debug)]
enum With {
    Text(String),
    Regex(Regex),
}

impl Selector {
    /// Reads a selector. It names its metric: what is meant to be removed should be said in full.
    pub(crate) fn parse(text: &str) -> anyhow::Result<Self> {
        let text = text.trim();
        let (metric, rest) = text.split_once('{').unwrap_or((text, "}"));
        let metric = metric.trim();
        if !is_metric_name(metric) {
            bail!(
                "a selector begins with the name of a metric: 'http_requests_total{{host=\"web1\"}}'"
            );
        }
        let (mut matchers, mut rest) = (Vec::new(), rest.trim_start());
        loop {
            if let Some(after) = rest.strip_prefix('}') {
                if !after.trim().is_empty() {
                    bail!("after the closing brace of the selector stands {:?}", after.trim());
                }
                return Ok(Self { metric: metric.to_owned(), matchers });
            }
            let (matcher, after) = Matcher::parse(rest)?;
            matchers.push(matcher);
            let after = after.trim_start();
            rest = match after.strip_prefix(',') {
                Some(after) => after.trim_start(),
                None if after.starts_with('}') => after,
                None => bail!("a comma or a closing brace is missing before {after:?}"),
            };
        }
    }

    /// The metric.
    pub(crate) fn metric(&self) -> &str {
        &self.metric
    }

    /// Labels that the matchers name.
    pub(crate) fn labels(&self) -> impl Iterator<Item = &str> {
        self.matchers.iter().map(|matcher| matcher.label.as_str())
    }

    /// Whether a series of the metric is meant; `value` tells its labels.
    pub(crate) fn matches<'a>(
        &self,
        metric: &str,
        value: impl Fn(&str) -> Option<&'a str>,
    ) -> bool {
        metric == self.metric
            && self.matchers.iter().all(|m| m.holds(value(&m.label).unwrap_or_default()))
    }
}

impl Matcher {
    fn parse(text: &str) -> anyhow::Result<(Self, &str)> {
        let end = text.find(['=', '!']).context("a matcher is written label=\"value\"")?;
        let (label, rest) = text.split_at(end);
        let label = label.trim();
        if !is_label_name(label) {
            bail!("{label:?} is not the name of a label");
        }
        let (rest, negative, is_regex) = if let Some(rest) = rest.strip_prefix("=~") {
            (rest, false, true)
        } else if let Some(rest) = rest.strip_prefix("!~") {
            (rest, true, true)
        } else if let Some(rest) = rest.strip_prefix("!=") {
            (rest, true, false)
        } else if let Some(rest) = rest.strip_prefix('=') {
            (rest, false, false)
        } else {
            bail!("the operators are =, !=, =~ and !~");
        };
        let rest =
            rest.trim_start().strip_prefix('"').context("the value stands in double quotes")?;
        let (value, rest) = quoted(rest).context("the closing quote of a value is missing")?;
        let with = if is_regex {
            let regex = Regex::new(&format!("^(?s:{value})$"));
            With::Regex(regex.with_context(|| format!("{value:?} is not a regular expression"))?)
        } else {
            With::Text(value)
        };
        Ok((Self { label: label.to_owned(), negative, with }, rest))
    }

    fn holds(&self, value: &str) -> bool {
        let matches = match &self.with {
            With::Text(text) => text == value,
            With::Regex(regex) => regex.is_match(value),
        };
        matches != self.negative
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(selector: &str, metric: &str, labels: &[(&str, &str)]) -> bool {
        let owned: Vec<(&str, &str)> = labels.to_vec();
        let value = |name: &str| owned.iter().find(|(n, _)| *n == name).map(|(_, v)| *v);
        Selector::parse(selector).expect("valid").matches(metric, value)
    }

    #[test]
    fn series_are_matched() {
        let labels = [("host", "web1"), ("status", "503")];
        for yes in [
            "m",
            "m{}",
            "m{host=\"web1\"}",
            "m{ host = \"web1\" , status=~\"5..\", }",
            "m{host!=\"web2\",other=\"\"}",
            "m{status!~\"2..|3..\"}",
        ] {
            assert!(matches(yes, "m", &labels), "{yes}");
        }
        for no in
            ["n", "m{host=\"web\"}", "m{status=~\"5\"}", "m{other!=\"\"}", "m{host!~\"web.\"}"]
        {
            assert!(!matches(no, "m", &labels), "{no}");
        }
    }

    #[test]
    fn what_is_no_selector_is_refused_with_the_fix() {
        for (bad, word) in [
            ("", "name of a metric"),
            ("{host=\"a\"}", "name of a metric"),
            ("m{host=web1}", "double quotes"),
            ("m{host~\"web1\"}", "matcher is written"),
            ("m{host=\"web1\"", "comma or a closing brace"),
            ("m{host=\"web1}", "closing quote"),
            ("m{host=~\"(\"}", "not a regular expression"),
            ("m{1x=\"\"}", "name of a label"),
            ("m{} 5", "after the closing brace"),
        ] {
            let error = Selector::parse(bad).expect_err(bad);
            assert!(error.to_string().contains(word), "{bad}: {error}");
        }
    }
}
