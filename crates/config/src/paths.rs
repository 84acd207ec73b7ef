//! Patterns of files with placeholders: `/logs/{cluster}/*.csv`. Only reads the patterns; never looks
//! at a file system.

/// The placeholders of a pattern, in order; or what is wrong with it.
///
/// Braces within `[…]` are characters of a class, as in every glob.
pub fn placeholders(pattern: &str) -> Result<Vec<String>, String> {
    let mut names: Vec<String> = Vec::new();
    let mut rest = pattern;
    while let Some(at) = rest.find(['{', '}', '[']) {
        let (mark, behind) = (rest.as_bytes()[at], &rest[at + 1..]);
        rest = match mark {
            b'[' => behind_class(behind),
            b'}' => return Err("`}` without `{` before it".into()),
            _ => {
                let end = behind.find('}').ok_or("`{` without `}` behind it")?;
                let name = &behind[..end];
                check_name(name)?;
                if names.iter().any(|known| known == name) {
                    return Err(format!("the placeholder {{{name}}} stands there twice"));
                }
                names.push(name.to_owned());
                &behind[end + 1..]
            }
        };
    }
    Ok(names)
}

fn check_name(name: &str) -> Result<(), String> {
    let mut bytes = name.bytes();
    let first = bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
    if first && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_') {
        return Ok(());
    }
    Err(format!(
        "`{{{name}}}` is not a placeholder: its name must be letters, digits and underscores"
    ))
}

/// What follows a character class; a bracket right at its beginning belongs to it.
fn behind_class(class: &str) -> &str {
    let inner = class.strip_prefix('!').unwrap_or(class);
    let skipped = usize::from(inner.starts_with(']'));
    match inner[skipped..].find(']') {
        Some(end) => &inner[skipped + end + 1..],
        None => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_found_outside_of_classes() {
        let names = placeholders("/logs/{cluster}/**/{host_1}-[{}]*.csv").expect("valid");
        assert_eq!(names, ["cluster", "host_1"]);
        assert_eq!(placeholders("-"), Ok(Vec::new()));
        for bad in ["{a}/{a}", "{a", "a}", "{}", "{1a}", "{a b}", "{a,b}"] {
            assert!(placeholders(bad).is_err(), "{bad}");
        }
    }
}
