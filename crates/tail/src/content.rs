//! The bytes of a source, wherever they come from: a file, a compressed file, standard input. To the
//! reader all are the same: bytes at offsets. Offsets of a compressed file count what is in it.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use flate2::read::MultiGzDecoder;

use crate::stdin::Stdin;

/// How a file is compressed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Compression {
    /// `.gz`, of one member or several.
    Gzip,
    /// `.zst`, of one frame or several.
    Zstd,
}

/// Bytes at offsets.
pub enum Content {
    /// A file.
    File(File),
    /// A compressed file.
    Packed(Box<Packed>),
    /// Standard input.
    Stdin(Arc<Stdin>),
}

impl Content {
    /// The content of an open file.
    pub fn of_file(file: File, compression: Option<Compression>) -> Self {
        match compression {
            None => Self::File(file),
            Some(compression) => Self::Packed(Box::new(Packed::new(file, compression))),
        }
    }

    /// The open file, if it is one.
    pub fn file(&self) -> Option<&File> {
        match self {
            Self::File(file) => Some(file),
            Self::Packed(packed) => Some(&packed.file),
            Self::Stdin(_) => None,
        }
    }

    /// Reads bytes at an offset; 0 at the end.
    pub fn read_at(&mut self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        match self {
            Self::File(file) => file.read_at(buffer, offset),
            Self::Packed(packed) => packed.read_at(buffer, offset),
            Self::Stdin(stdin) => stdin.read_at(buffer, offset),
        }
    }
}

/// A compressed file. It is unpacked forwards; going back begins anew. Memory: what the last reads
/// asked for, so one record and the bytes before it at most, whatever the file unpacks to.
pub struct Packed {
    file: File,
    compression: Compression,
    unpacked: Option<Box<dyn Read + Send>>,
    /// The last bytes unpacked, ending at `end`.
    window: Vec<u8>,
    end: u64,
}

/// Reads a file from its beginning without moving anybody else's place in it.
struct FromStart {
    file: File,
    at: u64,
}

impl Read for FromStart {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.file.read_at(buffer, self.at)?;
        self.at += n as u64;
        Ok(n)
    }
}

/// Bytes unpacked at once.
const UNPACK_BYTES: usize = 128 << 10;

impl Packed {
    fn new(file: File, compression: Compression) -> Self {
        Self { file, compression, unpacked: None, window: Vec::new(), end: 0 }
    }

    fn start(&mut self) -> io::Result<()> {
        let packed = FromStart { file: self.file.try_clone()?, at: 0 };
        let packed = io::BufReader::with_capacity(UNPACK_BYTES, packed);
        self.unpacked = Some(match self.compression {
            Compression::Gzip => Box::new(MultiGzDecoder::new(packed)),
            Compression::Zstd => Box::new(zstd::stream::read::Decoder::with_buffer(packed)?),
        });
        self.window.clear();
        self.end = 0;
        Ok(())
    }

    fn read_at(&mut self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let begin = self.end - self.window.len() as u64;
        if self.unpacked.is_none() || offset < begin {
            self.start()?;
        }
        self.unpack_to(offset, buffer.len())?;
        let begin = self.end - self.window.len() as u64;
        let Some(from) = offset.checked_sub(begin).filter(|from| *from < self.window.len() as u64)
        else {
            return Ok(0);
        };
        let found = &self.window[from as usize..];
        let n = found.len().min(buffer.len());
        buffer[..n].copy_from_slice(&found[..n]);
        Ok(n)
    }

    /// Unpacks until the window has `len` bytes from `offset` on, or to the end, and forgets what is
    /// before `offset`. An error is returned only when there is nothing else to give.
    fn unpack_to(&mut self, offset: u64, len: usize) -> io::Result<()> {
        let wanted = offset + len as u64;
        let Some(unpacked) = &mut self.unpacked else { return Ok(()) };
        while self.end < wanted {
            let before = self.window.len();
            self.window.resize(before + UNPACK_BYTES, 0);
            let n = match unpacked.read(&mut self.window[before..]) {
                Ok(n) => n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {
                    self.window.truncate(before);
                    continue;
                }
                Err(error) => {
                    self.window.truncate(before);
                    // The next look begins anew: the file may have grown to its end.
                    self.unpacked = None;
                    return if self.end > offset { Ok(()) } else { Err(error) };
                }
            };
            self.window.truncate(before + n);
            if n == 0 {
                break;
            }
            self.end += n as u64;
            let begin = self.end - self.window.len() as u64;
            let passed = offset.saturating_sub(begin).min(self.window.len() as u64);
            if passed >= UNPACK_BYTES as u64 {
                self.window.drain(..passed as usize);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn packed(compression: Compression, text: &[u8], cut: usize) -> Content {
        let half = text.len() / 2;
        let mut bytes = Vec::new();
        // Two members or frames, as `cat a.gz b.gz` makes them.
        for part in [&text[..half], &text[half..]] {
            match compression {
                Compression::Gzip => {
                    let mut encoder =
                        flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                    encoder.write_all(part).expect("in memory");
                    bytes.extend(encoder.finish().expect("in memory"));
                }
                Compression::Zstd => bytes.extend(zstd::encode_all(part, 1).expect("in memory")),
            }
        }
        let mut file = tempfile::tempfile().expect("temporary file");
        file.write_all(&bytes[..bytes.len() - cut]).expect("written");
        Content::of_file(file, Some(compression))
    }

    fn text() -> Vec<u8> {
        (0..200_000_u32).flat_map(u32::to_le_bytes).collect()
    }

    #[test]
    fn compressed_bytes_are_read_at_any_offset() {
        let text = text();
        for compression in [Compression::Gzip, Compression::Zstd] {
            let mut content = packed(compression, &text, 0);
            for offset in [0, 5, 399_000, 399_990, 700_001, 10, 799_999, 800_000, 900_000] {
                let mut buffer = vec![0; 3_000];
                let n = content.read_at(&mut buffer, offset as u64).expect("readable");
                let rest = text.get(offset..).unwrap_or_default();
                assert_eq!(
                    &buffer[..n],
                    &rest[..rest.len().min(3_000)],
                    "{compression:?} {offset}"
                );
            }
        }
    }

    #[test]
    fn what_is_cut_off_is_an_error_after_what_is_there() {
        let text = text();
        for compression in [Compression::Gzip, Compression::Zstd] {
            let mut content = packed(compression, &text, 10);
            let (mut offset, mut buffer) = (0, vec![0; 100_000]);
            let error = loop {
                match content.read_at(&mut buffer, offset) {
                    Ok(0) => panic!("{compression:?}: taken for the end at {offset}"),
                    Ok(n) => offset += n as u64,
                    Err(error) => break error,
                }
            };
            assert!(offset > 300_000, "{compression:?} {offset}: {error}");
        }
    }

    #[test]
    fn a_bomb_is_unpacked_in_bounded_memory() {
        let zeros = vec![0; 64 << 20];
        let Content::Packed(mut packed) = packed(Compression::Zstd, &zeros, 0) else { panic!() };
        let mut buffer = vec![0; 1000];
        packed.read_at(&mut buffer, 60 << 20).expect("readable");
        assert!(packed.window.capacity() < 1 << 20, "{}", packed.window.capacity());
    }
}
