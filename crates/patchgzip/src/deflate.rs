//! Deflate (RFC 1951) for text in which some values will change: a block with the fixed codes, whose
//! codes for ASCII have eight bits each, so that a value can be replaced by another one of the same
//! width where it stands. Behind it, an empty stored block ends at a full byte, so that streams can
//! stand one behind the other.
//!
//! For that no match may reach into a value: what repeats a value would repeat its successor, too.
//! So the stream depends on the text around the values and on their widths, and on nothing else.

/// Farthest that a match may reach back.
const DISTANCE_MAX: usize = 32 << 10;

/// Longest match.
const MATCH_MAX: usize = 258;

/// Shortest match that is looked for.
const MATCH_MIN: usize = 4;

const HASH_BITS: u32 = 12;

/// By byte: its code, lowest bit first, and the number of its bits.
const LITERALS: [(u16, u8); 256] = literals();

/// By length less 3: its code with the extra bits, and the number of them all.
const LENGTHS: [(u16, u8); 256] = lengths();

/// Replaces the eight bits of the code of a byte of a value.
pub(crate) fn put_code(bytes: &mut [u8], bit: usize, byte: u8) {
    debug_assert!(byte < 144, "values are ASCII");
    let code = LITERALS[usize::from(byte)].0 << (bit % 8);
    let mask = 0xff_u16 << (bit % 8);
    let pair = &mut bytes[bit / 8..];
    pair[0] = pair[0] & !(mask as u8) | code as u8;
    // There is a byte behind every code: at least those of the stored block.
    pair[1] = pair[1] & !((mask >> 8) as u8) | (code >> 8) as u8;
}

/// A stream, and where the values are in it.
pub(crate) struct Stream {
    /// The stream.
    pub(crate) bytes: Vec<u8>,
    /// At which bit of it each value begins, in their order.
    pub(crate) values: Vec<u32>,
}

/// A place in the text that can be repeated, and where that ends.
#[derive(Clone, Copy, Default)]
struct Source {
    at: u32,
    end: u32,
}

/// What ends a stream of streams: an empty last block.
pub(crate) const END: [u8; 2] = [0b011, 0];

/// Deflates `text`. `values` are the places of its values, ascending; each ends before a line feed.
pub(crate) fn deflate(text: &[u8], values: impl Iterator<Item = usize>) -> Stream {
    let mut out = Bits { bytes: Vec::with_capacity(text.len() / 4), ..Bits::default() };
    let mut matcher = Matcher { text, table: vec![Source::default(); 1 << HASH_BITS], last: 0..0 };
    let mut places = Vec::with_capacity(values.size_hint().0);
    // A block that is not the last one, with fixed codes.
    out.put(0b010, 3);
    let mut from = 0;
    for value in values {
        matcher.push(&mut out, from, value);
        places.push(out.len() as u32);
        from = value;
        while let Some(byte) = text.get(from).filter(|byte| **byte != b'\n') {
            out.put_literal(*byte);
            from += 1;
        }
    }
    matcher.push(&mut out, from, text.len());
    // The end of the block, and the head of an empty stored one.
    out.put(0, 7 + 3);
    Stream { bytes: out.finish(), values: places }
}

/// Finds what has been there before.
struct Matcher<'a> {
    text: &'a [u8],
    table: Vec<Source>,
    /// The run before this one.
    last: std::ops::Range<usize>,
}

impl Matcher<'_> {
    /// Appends a run of text between two values.
    fn push(&mut self, out: &mut Bits, from: usize, to: usize) {
        // Most lines begin as the one before.
        let same = common(&self.text[self.last.clone()], &self.text[from..to]);
        let mut at = from;
        if same >= MATCH_MIN && from - self.last.start <= DISTANCE_MAX {
            at += out.put_match(same, from - self.last.start);
        }
        self.last = from..to;
        while at < to {
            let (len, distance) = self.find(at, to);
            if len >= MATCH_MIN {
                at += out.put_match(len, distance);
            } else {
                out.put_literal(self.text[at]);
                at += 1;
            }
        }
    }

    /// The length of what was there before, and how far before; and remembers this place.
    fn find(&mut self, at: usize, to: usize) -> (usize, usize) {
        let Some(next) = self.text[at..to].first_chunk::<MATCH_MIN>() else { return (0, 0) };
        let hash = u32::from_le_bytes(*next).wrapping_mul(0x9e37_79b1) >> (32 - HASH_BITS);
        let here = Source { at: at as u32, end: to as u32 };
        let source = std::mem::replace(&mut self.table[hash as usize], here);
        let distance = at - source.at as usize;
        if source.end == 0 || distance > DISTANCE_MAX {
            return (0, 0);
        }
        (common(&self.text[source.at as usize..source.end as usize], &self.text[at..to]), distance)
    }
}

/// How many bytes two texts begin with in common.
fn common(a: &[u8], b: &[u8]) -> usize {
    let (a_words, b_words) = (a.as_chunks::<8>().0, b.as_chunks::<8>().0);
    let mut len = 0;
    for (x, y) in a_words.iter().zip(b_words) {
        let differ = u64::from_le_bytes(*x) ^ u64::from_le_bytes(*y);
        if differ != 0 {
            return len + (differ.trailing_zeros() / 8) as usize;
        }
        len += 8;
    }
    len + a[len..].iter().zip(&b[len..]).take_while(|(x, y)| x == y).count()
}

/// Bits, lowest first.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    open: u64,
    /// How many are open: fewer than 32 between calls.
    count: u32,
}

impl Bits {
    /// Bits so far.
    fn len(&self) -> usize {
        self.bytes.len() * 8 + self.count as usize
    }

    /// Appends up to 32 bits.
    fn put(&mut self, bits: u32, count: u32) {
        self.open |= u64::from(bits) << self.count;
        self.count += count;
        if self.count >= 32 {
            self.bytes.extend_from_slice(&(self.open as u32).to_le_bytes());
            self.open >>= 32;
            self.count -= 32;
        }
    }

    fn put_literal(&mut self, byte: u8) {
        let (code, bits) = LITERALS[usize::from(byte)];
        self.put(u32::from(code), u32::from(bits));
    }

    /// Appends matches for `len` bytes, or, if one or two would be left over, for fewer. For how many.
    fn put_match(&mut self, len: usize, distance: usize) -> usize {
        let (code, bits) = distance_code(distance);
        let mut left = len;
        while left >= 3 {
            let part = left.min(MATCH_MAX);
            let (length, length_bits) = LENGTHS[part - 3];
            let pair = u32::from(length) | code << length_bits;
            self.put(pair, u32::from(length_bits) + bits);
            left -= part;
        }
        len - left
    }

    fn finish(mut self) -> Vec<u8> {
        let bytes = self.count.div_ceil(8) as usize;
        self.bytes.extend_from_slice(&self.open.to_le_bytes()[..bytes]);
        // No bytes, and the complement of that.
        self.bytes.extend_from_slice(&[0, 0, 0xff, 0xff]);
        self.bytes
    }
}

fn distance_code(distance: usize) -> (u32, u32) {
    let rest = distance as u32 - 1;
    if rest < 4 {
        return (reversed(rest, 5), 5);
    }
    let extra = rest.ilog2() - 1;
    let symbol = 2 * (extra + 1) + ((rest >> extra) & 1);
    (reversed(symbol, 5) | (rest & ((1 << extra) - 1)) << 5, 5 + extra)
}

/// Huffman codes are written highest bit first, everything else lowest bit first.
const fn reversed(code: u32, bits: u32) -> u32 {
    code.reverse_bits() >> (32 - bits)
}

const fn literals() -> [(u16, u8); 256] {
    let mut all = [(0, 0); 256];
    let mut byte = 0;
    while byte < 256 {
        all[byte as usize] = if byte < 144 {
            (reversed(0x30 + byte, 8) as u16, 8)
        } else {
            (reversed(0x190 + byte - 144, 9) as u16, 9)
        };
        byte += 1;
    }
    all
}

const fn lengths() -> [(u16, u8); 256] {
    let mut all = [(0, 0); 256];
    let mut rest: u32 = 0;
    while rest < 256 {
        // From the eighth on, four lengths each have one more extra bit than the four before; the
        // longest has a symbol of its own.
        let extra = if rest < 8 || rest == 255 { 0 } else { rest.ilog2() - 2 };
        let symbol = match rest {
            255 => 285,
            0..8 => 257 + rest,
            _ => 257 + 4 * (extra + 1) + ((rest >> extra) & 3),
        };
        let (code, bits) = if symbol < 280 {
            (reversed(symbol - 256, 7), 7)
        } else {
            (reversed(0xc0 + symbol - 280, 8), 8)
        };
        let extras = rest & ((1 << extra) - 1);
        all[rest as usize] = ((code | extras << bits) as u16, (bits + extra) as u8);
        rest += 1;
    }
    all
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::DeflateDecoder;
    use proptest::prelude::*;

    use super::*;

    fn inflated(stream: &[u8]) -> Vec<u8> {
        let mut back = Vec::new();
        DeflateDecoder::new(&[stream, &END].concat()[..])
            .read_to_end(&mut back)
            .expect("a valid stream");
        back
    }

    #[test]
    fn every_length_distance_and_byte_comes_back() {
        let noise = |n: usize| (0..n).map(|i| (i * i / 7 + i * 31) as u8).collect::<Vec<_>>();
        for n in (0..600).chain([32_767, 32_768, 32_769, 40_000]) {
            let text = [&noise(n)[..], b"0123456789", &noise(n)].concat();
            assert_eq!(inflated(&deflate(&text, [].into_iter()).bytes), text, "{n}");
        }
        for n in 0..1200 {
            let text = [b"x".repeat(n), b"y".to_vec()].concat();
            assert_eq!(inflated(&deflate(&text, [].into_iter()).bytes), text, "{n}");
        }
    }

    proptest! {
        #[test]
        fn the_stream_knows_nothing_of_the_values(
            lines in prop::collection::vec(("[ab 1}\u{e4}\u{ff}]{0,9}", 0..999_u32, 0..999_u32), 0..40),
        ) {
            let text = |pick: fn(&(String, u32, u32)) -> u32| {
                let (mut text, mut places) = (Vec::new(), Vec::new());
                for line in &lines {
                    text.extend_from_slice(line.0.as_bytes());
                    places.push(text.len());
                    text.extend(format!("{:03}\n", pick(line)).bytes());
                }
                (text, places)
            };
            let ((one, places), (other, _)) = (text(|line| line.1), text(|line| line.2));
            let mut stream = deflate(&one, places.iter().copied());
            prop_assert_eq!(inflated(&stream.bytes), one);
            for (at, bit) in places.iter().zip(&stream.values) {
                for (i, byte) in other[*at..at + 3].iter().enumerate() {
                    put_code(&mut stream.bytes, *bit as usize + 8 * i, *byte);
                }
            }
            prop_assert_eq!(inflated(&stream.bytes), &other[..]);
            let fresh = deflate(&other, places.iter().copied());
            prop_assert_eq!(stream.bytes, fresh.bytes);
        }
    }
}
