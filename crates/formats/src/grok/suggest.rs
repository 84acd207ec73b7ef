//! Names that somebody may have meant.

/// At most this many are worth reading.
const SUGGESTIONS_MAX: usize = 3;

/// The known names that are like `name`, best first.
pub(super) fn similar<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Vec<String> {
    let wanted = name.to_ascii_uppercase();
    let allowed = (wanted.len() / 3).max(1);
    let mut found: Vec<(usize, &str)> = known
        .filter_map(|other| {
            let distance = distance(wanted.as_bytes(), other.to_ascii_uppercase().as_bytes());
            (distance <= allowed).then_some((distance, other))
        })
        .collect();
    found.sort_unstable();
    found.into_iter().take(SUGGESTIONS_MAX).map(|(_, other)| other.to_owned()).collect()
}

/// How many bytes must be changed, added or removed to make one of the other.
fn distance(a: &[u8], b: &[u8]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let changed = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_names_come_first() {
        let known = ["NUMBER", "BASE10NUM", "MONTHNUM", "IP", "TIME", "IPV4", "IPV6"];
        assert_eq!(similar("NUMER", known.into_iter()), ["NUMBER"]);
        assert_eq!(similar("ipv5", known.into_iter()), ["IPV4", "IPV6"]);
        assert!(similar("SOMETHING", known.into_iter()).is_empty());
        assert_eq!(distance(b"kitten", b"sitting"), 3);
        assert_eq!(distance(b"", b"ab"), 2);
    }
}
