//! The path of a push: which group it is meant for.
//!
//! `job/<job>{/<label>/<value>}`, each part percent-encoded; a name that ends with `@base64` says that
//! its value is in base 64, in the alphabet for URLs, with or without padding. The path is cut at its
//! slashes first and decoded then, so `%2F` is a slash in a value.
//!
//! Must never guess: two spellings of a group are one group, and what could be meant for another one
//! is refused.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use logtally_core::limits::{LABEL_VALUE_BYTES_MAX, LABELS_MAX};
use logtally_core::names::{BUCKET_LABEL, is_label_name};
use logtally_core::push::Group;
use logtally_core::rule::{Reject, check_value};

const JOB: &str = "job";
const BASE64: &str = "@base64";

/// Labels that no group can have, because buckets and quantiles need them.
const TAKEN: [&str; 2] = [BUCKET_LABEL, "quantile"];

/// Why a path names no group.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PathError {
    /// It does not begin with the job.
    #[error("the path of a push is /metrics/job/<job>, and further labels as /<label>/<value>")]
    NoJob,
    /// The job is empty.
    #[error("the job is empty; name it: /metrics/job/<job>")]
    EmptyJob,
    /// The last label has no value.
    #[error("label `{0}` has no value; labels follow the job as /<label>/<value>")]
    NoValue(String),
    /// A value is empty, which proxies and clients do not leave in a path.
    #[error("label `{0}` is empty; an empty value is written as /{0}@base64/=")]
    EmptyValue(String),
    /// A name that no label can have.
    #[error(
        "`{0}` is not a label name: it has letters, digits and `_`, and does not begin with a digit"
    )]
    LabelName(String),
    /// A name that Prometheus or histograms and summaries keep for themselves.
    #[error(
        "label `{0}` cannot name a group: `__…`, `le` and `quantile` have a meaning of their own"
    )]
    Reserved(String),
    /// A name occurs twice.
    #[error("label `{0}` occurs twice; each label of a group has one value")]
    Twice(String),
    /// A percent sign without two hexadecimal digits.
    #[error("`{0}` has a `%` without two hexadecimal digits; a percent sign itself is `%25`")]
    Percent(String),
    /// A value that is not what its name says.
    #[error("the value of `{0}@base64` is not base64; the alphabet is that for URLs, with - and _")]
    Base64(String),
    /// Bytes that are no text.
    #[error("`{0}` is not valid UTF-8")]
    NotUtf8(String),
    /// A value has a zero byte.
    #[error("the value of label `{0}` has a zero byte, which no label value can have")]
    Nul(String),
    /// A value is too long.
    #[error("the value of label `{0}` is longer than {LABEL_VALUE_BYTES_MAX} bytes")]
    TooLong(String),
    /// There are too many labels.
    #[error("a group has at most {LABELS_MAX} labels, the job included")]
    TooManyLabels,
}

/// The group of a path, which is what follows `/metrics/`, as it stands in the request.
///
/// A label with an empty value is part of the group's name, though it means on a page the same as no
/// label: `job/a` and `job/a/zone@base64/=` are two groups that can be listed and deleted apart, and
/// pushed series lose a label of that name.
pub fn group(path: &str) -> Result<Group, PathError> {
    let mut parts = path.split('/');
    let mut labels = Vec::new();
    while let Some(part) = parts.next() {
        // A slash at the end.
        if part.is_empty() && !labels.is_empty() && parts.clone().next().is_none() {
            break;
        }
        labels.push(label(part, parts.next(), labels.is_empty())?);
        if labels.len() > LABELS_MAX {
            return Err(PathError::TooManyLabels);
        }
    }
    if let Some(name) = first_twice(&labels) {
        return Err(PathError::Twice(name));
    }
    Group::new(labels).ok_or(PathError::NoJob)
}

fn label(part: &str, value: Option<&str>, is_first: bool) -> Result<(String, String), PathError> {
    let part = decoded(part)?;
    let (name, is_base64) = part.strip_suffix(BASE64).map_or((&*part, false), |name| (name, true));
    if is_first && name != JOB {
        return Err(PathError::NoJob);
    }
    check_name(name)?;
    let value = match value {
        None if is_first => return Err(PathError::EmptyJob),
        None => return Err(PathError::NoValue(name.to_owned())),
        Some(value) => read_value(name, value, is_base64)?,
    };
    if is_first && value.is_empty() {
        return Err(PathError::EmptyJob);
    }
    Ok((name.to_owned(), value))
}

fn check_name(name: &str) -> Result<(), PathError> {
    if !is_label_name(name) {
        return Err(PathError::LabelName(name.to_owned()));
    }
    if name.starts_with("__") || TAKEN.contains(&name) {
        return Err(PathError::Reserved(name.to_owned()));
    }
    Ok(())
}

fn read_value(name: &str, text: &str, is_base64: bool) -> Result<String, PathError> {
    let own = || name.to_owned();
    if text.is_empty() && name != JOB {
        return Err(PathError::EmptyValue(own()));
    }
    let mut bytes = percent_decoded(text)?;
    if is_base64 {
        let digits = bytes.trim_ascii_end();
        let padding = digits.iter().rev().take_while(|byte| **byte == b'=').count();
        let digits = &digits[..digits.len() - padding];
        bytes = URL_SAFE_NO_PAD.decode(digits).map_err(|_| PathError::Base64(own()))?;
    }
    match check_value(&bytes) {
        Ok(value) => Ok(value.to_owned()),
        Err(Reject::Nul) => Err(PathError::Nul(own())),
        Err(Reject::LabelTooLong) => Err(PathError::TooLong(own())),
        Err(_) => Err(PathError::NotUtf8(own())),
    }
}

fn decoded(text: &str) -> Result<String, PathError> {
    String::from_utf8(percent_decoded(text)?).map_err(|_| PathError::NotUtf8(text.to_owned()))
}

fn percent_decoded(text: &str) -> Result<Vec<u8>, PathError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        if *byte != b'%' {
            bytes.push(*byte);
            continue;
        }
        let code = rest.split_at_checked(2).and_then(|(digits, after)| {
            rest = after;
            Some(hexadecimal(digits[0])? * 16 + hexadecimal(digits[1])?)
        });
        bytes.push(code.ok_or_else(|| PathError::Percent(text.to_owned()))?);
    }
    Ok(bytes)
}

fn hexadecimal(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| value as u8)
}

fn first_twice(labels: &[(String, String)]) -> Option<String> {
    let twice = |(at, (name, _)): &(usize, &(String, String))| {
        labels[..*at].iter().any(|(before, _)| before == name)
    };
    labels.iter().enumerate().find(twice).map(|(_, (name, _))| name.clone())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn labels(path: &str) -> Vec<(String, String)> {
        group(path).unwrap_or_else(|e| panic!("{path}: {e}")).labels().to_vec()
    }

    fn own(labels: &[(&str, &str)]) -> Vec<(String, String)> {
        labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn groups_are_read() {
        for (path, expected) in [
            ("job/a", own(&[("job", "a")])),
            ("job/a/", own(&[("job", "a")])),
            ("job/a/instance/b:9100", own(&[("instance", "b:9100"), ("job", "a")])),
            ("job/a/instance/b/", own(&[("instance", "b"), ("job", "a")])),
            ("job/a%20b/x/%C3%A4+%2f", own(&[("job", "a b"), ("x", "ä+/")])),
            ("job@base64/L3Zhci90bXA", own(&[("job", "/var/tmp")])),
            ("job@base64/L3Zhci90bXA=", own(&[("job", "/var/tmp")])),
            ("job%40base64/L3Zhci90bXA%3D", own(&[("job", "/var/tmp")])),
            (
                "job/t/name@base64/zqDPgc6_zrzOt864zrXPjc-C",
                own(&[("job", "t"), ("name", "Προμηθεύς")]),
            ),
            ("job/a/x@base64/=/y/z", own(&[("job", "a"), ("x", ""), ("y", "z")])),
        ] {
            assert_eq!(labels(path), expected, "{path}");
        }
    }

    #[test]
    fn two_spellings_are_one_group() {
        assert_eq!(group("job/a/x/b"), group("job@base64/YQ==/x/%62"));
        assert_eq!(group("job/a/x/1/y/2"), group("job/a/y/2/x/1"));
        assert_ne!(group("job/a"), group("job/a/x@base64/="));
    }

    #[test]
    fn what_names_no_group_is_refused() {
        let long = "x".repeat(LABEL_VALUE_BYTES_MAX + 1);
        let many = (0..LABELS_MAX).map(|n| format!("/x{n}/y")).collect::<Vec<_>>().concat();
        let own = |name: &str| name.to_owned();
        for (path, expected) in [
            ("", PathError::NoJob),
            ("instance/a/job/b", PathError::NoJob),
            ("job", PathError::EmptyJob),
            ("job/", PathError::EmptyJob),
            ("job@base64/=", PathError::EmptyJob),
            ("job//x/y", PathError::EmptyJob),
            ("job/a/x", PathError::NoValue(own("x"))),
            ("job/a/x/", PathError::EmptyValue(own("x"))),
            ("job/a/x//y/z", PathError::EmptyValue(own("x"))),
            ("job/a//b", PathError::LabelName(own(""))),
            ("job/a/1x/b", PathError::LabelName(own("1x"))),
            ("job/a/x-y/b", PathError::LabelName(own("x-y"))),
            ("job/a/x@base/b", PathError::LabelName(own("x@base"))),
            ("job/a/__x/b", PathError::Reserved(own("__x"))),
            ("job/a/le/b", PathError::Reserved(own("le"))),
            ("job/a/quantile/b", PathError::Reserved(own("quantile"))),
            ("job/a/job/b", PathError::Twice(own("job"))),
            ("job/a/x/b/x/b", PathError::Twice(own("x"))),
            ("job/a%2", PathError::Percent(own("a%2"))),
            ("job/a%+1", PathError::Percent(own("a%+1"))),
            ("job/a/x@base64/a+b", PathError::Base64(own("x"))),
            ("job/a/x@base64/a", PathError::Base64(own("x"))),
            ("job/%ff", PathError::NotUtf8(own("job"))),
            ("job/a/%ff/b", PathError::NotUtf8(own("%ff"))),
            ("job/a%00", PathError::Nul(own("job"))),
            (&format!("job/{long}"), PathError::TooLong(own("job"))),
            (&format!("job/a{many}"), PathError::TooManyLabels),
        ] {
            assert_eq!(group(path), Err(expected), "{path}");
        }
    }

    /// The errors as a person reads them.
    #[test]
    fn the_errors_say_what_to_do() {
        let text = |path: &str| group(path).expect_err(path).to_string();
        assert_eq!(
            text("job/a/x/"),
            "label `x` is empty; an empty value is written as /x@base64/="
        );
        assert_eq!(
            text("job/a%2"),
            "`a%2` has a `%` without two hexadecimal digits; a percent sign itself is `%25`"
        );
    }

    proptest! {
        #[test]
        fn no_path_is_too_strange(path in any::<String>()) {
            let _ = group(&path);
            let _ = group(&format!("job/{path}"));
        }

        #[test]
        fn every_value_has_a_spelling(value in "[^\0]{0,40}") {
            let base64 = format!("job/a/x@base64/{}=", URL_SAFE_NO_PAD.encode(&value));
            let base64 = group(&base64).expect("a group");
            prop_assert_eq!(base64.value("x"), Some(value.as_str()));
            let percent: Vec<String> = value.bytes().map(|byte| format!("%{byte:02x}")).collect();
            let percent = percent.concat();
            if !value.is_empty() {
                let percent = group(&format!("job/a/x/{percent}")).expect("a group");
                prop_assert_eq!(percent.value("x"), Some(value.as_str()));
            }
        }
    }
}
