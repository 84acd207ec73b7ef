//! Patterns of files: globs with placeholders, such as `/logs/{cluster}/{host}.csv`.

use std::path::Path;

use regex::Regex;

/// A path or a glob.
#[derive(Clone, Debug)]
pub struct Pattern {
    text: String,
    glob: String,
    /// Only for patterns with placeholders.
    regex: Option<Regex>,
}

impl Pattern {
    /// Reads a pattern. `{name}` stands for a part of the path without a slash.
    pub fn parse(text: &str) -> Result<Self, String> {
        let names = logtally_config::placeholders(text)?;
        if names.is_empty() {
            return Ok(Self { text: text.to_owned(), glob: text.to_owned(), regex: None });
        }
        let (mut glob, mut regex) = (String::new(), String::from("^"));
        // Files are found without it.
        let mut rest = text.strip_prefix("./").unwrap_or(text);
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').ok_or("a { without its }")?;
            glob.push_str(before);
            glob.push('*');
            regex.push_str(&as_regex(before));
            regex.extend(["(?P<", name, ">[^/]+?)"]);
            rest = after;
        }
        glob.push_str(rest);
        regex.push_str(&as_regex(rest));
        regex.push('$');
        let regex = Regex::new(&regex).map_err(|_| format!("{text:?} is not a valid pattern"))?;
        Ok(Self { text: text.to_owned(), glob, regex: Some(regex) })
    }

    /// The pattern as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The pattern as a glob.
    pub fn glob(&self) -> &str {
        &self.glob
    }

    /// Whether it is standard input.
    pub fn is_stdin(&self) -> bool {
        self.text == "-"
    }

    /// Whether it has wildcards or placeholders.
    pub fn is_glob(&self) -> bool {
        is_glob(&self.glob)
    }

    /// Whether it matches the path.
    pub fn matches(&self, path: &Path) -> bool {
        let options = glob::MatchOptions { require_literal_separator: true, ..Default::default() };
        let glob = glob::Pattern::new(&self.glob);
        path == Path::new(&self.text) || glob.is_ok_and(|g| g.matches_path_with(path, options))
    }

    /// Whether it has the placeholder.
    pub fn has(&self, name: &str) -> bool {
        let regex = self.regex.as_ref();
        regex.is_some_and(|regex| regex.capture_names().flatten().any(|n| n == name))
    }

    /// The values of placeholders in a path; `None` if the path does not match. A placeholder that the
    /// pattern does not have has no value.
    pub fn values(&self, path: &Path, names: &[String]) -> Option<Vec<Option<String>>> {
        let text = path.to_string_lossy();
        let text = text.strip_prefix("./").unwrap_or(&text);
        let captures = self.regex.as_ref()?.captures(text)?;
        let value = |name: &String| Some(captures.name(name)?.as_str().to_owned());
        Some(names.iter().map(value).collect())
    }
}

/// Whether a text has wildcards.
pub fn is_glob(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

/// A part of a glob as a regular expression.
fn as_regex(glob: &str) -> String {
    let mut regex = String::new();
    let mut chars = glob.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '*' if chars.peek() == Some(&'*') => {
                chars.next();
                // `**/` matches nothing as well.
                if chars.next_if_eq(&'/').is_some() {
                    regex.push_str("(?:.*/)?");
                } else {
                    regex.push_str(".*");
                }
            }
            '*' => regex.push_str("[^/]*"),
            '?' => regex.push_str("[^/]"),
            '[' => {
                let class: String = chars.by_ref().take_while(|c| *c != ']').collect();
                let class = class.strip_prefix('!').map_or(class.clone(), |c| format!("^{c}"));
                regex.extend(["[", &class, "]"]);
            }
            other => regex.push_str(&regex::escape(other.encode_utf8(&mut [0; 4]))),
        }
    }
    regex
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, path: &str, expected: Option<&[&str]>) {
        let pattern = Pattern::parse(pattern).expect("valid");
        let names = ["cluster".to_owned(), "host".to_owned()];
        let values = pattern.values(Path::new(path), &names);
        let some = |value: &&str| Some((*value).to_owned());
        assert_eq!(values, expected.map(|v| v.iter().map(some).collect()), "{path}");
    }

    #[test]
    fn placeholders_take_parts_of_the_path() {
        let pattern = "/logs/{cluster}/{host}.csv*";
        check(pattern, "/logs/eu/web.1.csv", Some(&["eu", "web.1"]));
        check(pattern, "/logs/eu/web.csv.1", Some(&["eu", "web"]));
        check(pattern, "/logs/eu/x/web.csv", None);
        check("/l/**/{cluster}-{host}.log", "/l/a/b/eu-x.log", Some(&["eu", "x"]));
        check("/l/**/{cluster}-{host}.log", "/l/eu-x.log", Some(&["eu", "x"]));
        check("[ab]/{cluster}.{host}", "a/x.y", Some(&["x", "y"]));
        check("./{cluster}/{host}", "eu/web", Some(&["eu", "web"]));
        check("{cluster}/{host}", "./eu/web", Some(&["eu", "web"]));
        check("plain", "plain", None);
    }

    #[test]
    fn a_pattern_is_a_glob_with_stars_for_its_placeholders() {
        let pattern = Pattern::parse("/logs/{cluster}/{host}.csv").expect("valid");
        assert_eq!(pattern.glob(), "/logs/*/*.csv");
        assert!(pattern.is_glob() && pattern.has("host") && !pattern.has("dc"));
        assert!(Pattern::parse("-").expect("valid").is_stdin());
        assert!(Pattern::parse("/logs/{a").is_err());
    }
}
