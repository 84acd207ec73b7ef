//! URLs that may hold a password. They are shown without it, wherever they are shown: in logs, errors
//! and debug output. Must never print what [`SecretUrl::expose`] returns.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

/// What stands where something is left out.
const HIDDEN: char = '…';

/// A URL as somebody wrote it, valid or not.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretUrl(String);

impl SecretUrl {
    /// The whole text, with its secrets: for whoever connects, and for nobody else.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl<T: Into<String>> From<T> for SecretUrl {
    fn from(text: T) -> Self {
        Self(text.into())
    }
}

impl FromStr for SecretUrl {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self::from(text))
    }
}

impl fmt::Display for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&without_secrets(&self.0))
    }
}

impl fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&without_secrets(&self.0), f)
    }
}

/// A URL without user, password and query, each replaced by `…`.
///
/// Cuts too much rather than too little: a password may contain any character, so everything before
/// the last `@` goes, whatever it looks like.
pub fn without_secrets(url: &str) -> String {
    let mut shown = String::new();
    let mut rest = url;
    if let Some(at) = url.rfind('@') {
        shown.push_str(scheme(&url[..at]));
        shown.push(HIDDEN);
        rest = &url[at..];
    }
    match rest.split_once('?') {
        Some((place, _)) => {
            shown.push_str(place);
            shown.push('?');
            shown.push(HIDDEN);
        }
        None => shown.push_str(rest),
    }
    shown
}

/// The `scheme://` that a text begins with, or nothing.
fn scheme(text: &str) -> &str {
    let Some(end) = text.find("://") else { return "" };
    let is_plain = text[..end].chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    if is_plain { &text[..end + 3] } else { "" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_passwords_and_queries_are_not_shown() {
        for (url, shown) in [
            ("redis://u:secret@h:1/2", "redis://…@h:1/2"),
            ("redis://:secret@h", "redis://…@h"),
            ("redis://u:sec@ret@h:1", "redis://…@h:1"),
            ("redis://u:sec?ret@h:1", "redis://…@h:1"),
            ("redis://u:se://cret@h:1", "redis://…@h:1"),
            ("u:secret@h:1", "…@h:1"),
            ("u:se://cret@h:1", "…@h:1"),
            ("http://h/metrics?token=secret", "http://h/metrics?…"),
            ("http://u:secret@h/?a=secret", "http://…@h/?…"),
            ("http://h:9501", "http://h:9501"),
            ("@h", "…@h"),
            ("", ""),
        ] {
            assert_eq!(without_secrets(url), shown);
            assert_eq!(SecretUrl::from(url).to_string(), shown);
            assert_eq!(format!("{:?}", SecretUrl::from(url)), format!("{shown:?}"));
            assert_eq!(SecretUrl::from(url).expose(), url);
        }
    }
}
