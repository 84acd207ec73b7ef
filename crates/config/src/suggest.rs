//! Which word was meant, and how words are listed. Only ever proposes; never corrects.

/// The most similar name, if one is similar enough for it to be a slip.
pub(crate) fn similar<'a>(word: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let most = ((word.chars().count() + 1) / 3).max(1);
    names
        .into_iter()
        .map(|name| (distance(&word, &name.to_lowercase()), name))
        .filter(|(distance, _)| *distance <= most)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// A help text that proposes a name, or else lists all.
pub(crate) fn propose(word: &str, names: &[&str], what: &str) -> String {
    match similar(word, names.iter().copied()) {
        Some(name) => format!("did you mean `{name}`?"),
        None if names.is_empty() => format!("there are no {what}"),
        None => format!("the {what} are {}", list(names)),
    }
}

/// Insertions, removals, replacements and swaps of neighbours between two words.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let cost = usize::from(a[i - 1] != b[j - 1]);
            let mut least = (rows[i - 1][j] + 1).min(row[j - 1] + 1).min(rows[i - 1][j - 1] + cost);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

/// Names with commas between them.
pub(crate) fn list(names: &[&str]) -> String {
    names.join(", ")
}

/// `a, b or c`.
pub(crate) fn one_of(names: &[&str]) -> String {
    match names {
        [first @ .., last] if !first.is_empty() => format!("{} or {last}", first.join(", ")),
        names => names.concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_recognised() {
        let names = ["metric", "type", "labels"];
        assert_eq!(similar("metrics", names), Some("metric"));
        assert_eq!(similar("tpye", names), Some("type"));
        assert_eq!(similar("Labels", names), Some("labels"));
        assert_eq!(similar("colour", names), None);
        assert_eq!(one_of(&["a", "b", "c"]), "a, b or c");
    }
}
