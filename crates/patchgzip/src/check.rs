//! Patched blocks against texts that are compressed anew: what the fuzz target and the ordinary tests
//! share.

use std::io::Read;
use std::sync::Arc;

use flate2::read::GzDecoder;

use crate::block::PatchableBlock;
use crate::member::Member;

/// Values are up to so many bytes wide here.
const WIDTH_MAX: usize = 7;

/// A line with a value that is replaced.
struct Line<'a> {
    text: &'a [u8],
    /// The value before and after, of equal widths; `None` if the value is not in the text.
    values: Option<(Vec<u8>, Vec<u8>)>,
}

/// Checks that what `data` stands for can be compressed, patched and read again, and that a patched
/// member is, to the byte, the one that is compressed anew.
///
/// Each line of `data` is one of the text: its first byte tells the value, the others stand before it.
///
/// # Panics
/// If that is not so.
pub fn check(data: &[u8]) {
    let lines: Vec<Line<'_>> = data.split(|byte| *byte == b'\n').map(line).collect();
    let (first, second) = lines.split_at(lines.len() / 2);
    let mut blocks = [block(first, false), block(second, false)];
    assert_eq!(inflated(&member(&blocks)), [text(first, false).0, text(second, false).0].concat());
    let sent = member(&blocks);
    let before = sent.concat_all();
    patch(&mut blocks[0], first);
    patch(&mut blocks[1], second);
    assert_eq!(inflated(&member(&blocks)), [text(first, true).0, text(second, true).0].concat());
    let fresh = [block(first, true), block(second, true)];
    assert_eq!(member(&blocks).concat_all(), member(&fresh).concat_all(), "not as compressed anew");
    assert_eq!(sent.concat_all(), before, "what somebody had has changed");
}

/// The parts of a member as somebody has them who is sent them.
struct Sent(Vec<Arc<Vec<u8>>>);

impl Sent {
    fn concat_all(&self) -> Vec<u8> {
        self.0.iter().flat_map(|part| part.iter().copied()).collect()
    }
}

fn line(bytes: &[u8]) -> Line<'_> {
    let (tells, text) = bytes.split_first().unwrap_or((&0, &[]));
    let width = usize::from(*tells) % (WIDTH_MAX + 1);
    if *tells >= 0xf0 {
        return Line { text, values: None };
    }
    // From the first to the last character that can be seen.
    let visible = |n: usize| b'!' + (n % 94) as u8;
    let value = |of: usize| (0..width).map(|i| visible(of * (i + 1))).collect();
    Line {
        text,
        values: Some((value(usize::from(*tells)), value(usize::from(*tells) + text.len()))),
    }
}

/// The text of some lines before or after the change, and where its values are.
fn text(lines: &[Line<'_>], after: bool) -> (Vec<u8>, Vec<u32>) {
    let (mut text, mut places) = (Vec::new(), Vec::new());
    for line in lines {
        let Some((old, new)) = &line.values else {
            places.push(PatchableBlock::ABSENT);
            continue;
        };
        text.extend_from_slice(line.text);
        places.push(text.len() as u32);
        text.extend_from_slice(if after { new } else { old });
        text.push(b'\n');
    }
    (text, places)
}

fn block(lines: &[Line<'_>], after: bool) -> PatchableBlock {
    let (text, places) = text(lines, after);
    PatchableBlock::new(&text, &places)
}

fn patch(block: &mut PatchableBlock, lines: &[Line<'_>]) {
    let (all, places) = text(lines, false);
    for (index, line) in lines.iter().enumerate() {
        if let Some((old, new)) = &line.values {
            let behind = all.len() - places[index] as usize - old.len();
            block.replace(index, old, new, behind);
        }
    }
}

fn member(blocks: &[PatchableBlock]) -> Sent {
    let mut member = Member::with_capacity(blocks.len());
    for block in blocks {
        member.push(block);
    }
    Sent(member.finish())
}

/// What a client reads, which checks the checksum, too.
fn inflated(sent: &Sent) -> Vec<u8> {
    let bytes = sent.concat_all();
    let (mut rest, mut text) = (&bytes[..], Vec::new());
    GzDecoder::new(&mut rest).read_to_end(&mut text).expect("valid gzip");
    assert!(rest.is_empty(), "one member");
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_value_is_replaced_where_it_stands() {
        let mut block = PatchableBlock::new(b"requests_total 41\n", &[15]);
        block.replace(0, b"41", b"42", 1);
        assert_eq!(inflated(&member(&[block])), b"requests_total 42\n");
    }

    #[test]
    fn no_blocks_are_a_member_too() {
        assert_eq!(inflated(&member(&[])), b"");
        check(b"");
    }

    /// Any bytes, and lines that repeat each other.
    fn data() -> impl Strategy<Value = Vec<u8>> {
        let bytes = prop::collection::vec(any::<u8>(), 0..2_000);
        let line = prop_oneof![
            3 => r"[0-7]lines_total\{host=.web-[0-9]{1,2}.\} \n",
            1 => "[\u{0}-\u{1f}][ab \u{e4}]{0,300}\n",
        ];
        let lines = prop::collection::vec(line, 0..60);
        prop_oneof![bytes, lines.prop_map(|lines| lines.concat().into_bytes())]
    }

    proptest! {
        #[test]
        fn patched_members_are_as_compressed_anew(data in data()) {
            check(&data);
        }
    }
}
