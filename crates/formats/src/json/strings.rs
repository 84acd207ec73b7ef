//! JSON strings: where they end, and what they say.

/// Where the string ends whose content begins at `from`: the index of its closing quote, and whether
/// it has escapes. `None` if it is no string.
pub(super) fn end(text: &[u8], from: usize) -> Option<(usize, bool)> {
    let (mut at, mut escaped) = (from, false);
    loop {
        at += text[at..].iter().position(|&b| b == b'"' || b == b'\\' || b < 0x20)?;
        match text[at] {
            b'"' => return Some((at, escaped)),
            b'\\' => {
                escaped = true;
                at += escape(&text[at..])?.1;
            }
            _ => return None,
        }
    }
}

/// The escape at the beginning of `text`: the character, and the length of the escape.
fn escape(text: &[u8]) -> Option<(char, usize)> {
    let c = match *text.get(1)? {
        c @ (b'"' | b'\\' | b'/') => char::from(c),
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => return unicode(text),
        _ => return None,
    };
    Some((c, 2))
}

/// `\uXXXX`, or two of them that are one character.
fn unicode(text: &[u8]) -> Option<(char, usize)> {
    let first = hex(text.get(2..6)?)?;
    if let Some(c) = char::from_u32(first) {
        return Some((c, 6));
    }
    let second = hex(text.get(6..12)?.strip_prefix(b"\\u")?)?;
    if first >= 0xDC00 || !(0xDC00..0xE000).contains(&second) {
        return None;
    }
    let c = char::from_u32(0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00))?;
    Some((c, 12))
}

fn hex(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |n, d| Some(n << 4 | char::from(*d).to_digit(16)?))
}

/// Appends what a string with escapes says, given its content.
pub(super) fn unescape(content: &[u8], out: &mut Vec<u8>) {
    let mut rest = content;
    while let Some(i) = memchr::memchr(b'\\', rest) {
        out.extend_from_slice(&rest[..i]);
        let Some((c, len)) = escape(&rest[i..]) else { return };
        out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        rest = &rest[i + len..];
    }
    out.extend_from_slice(rest);
}
