//! Making one line out of a text that somebody else wrote. Must never be used for log fields, which are
//! escaped instead of shortened.

/// `text` without control characters, so that it cannot begin a line of its own.
pub(crate) fn one_line(text: &str) -> String {
    let words = text.split(char::is_control).map(str::trim).filter(|part| !part.is_empty());
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::one_line;

    #[test]
    fn lines_are_joined() {
        assert_eq!(one_line("refused\r\n  try later\t\u{1b}[0m\n"), "refused try later [0m");
        assert_eq!(one_line("as  it was"), "as  it was");
    }
}
