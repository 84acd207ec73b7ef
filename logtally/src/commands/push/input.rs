//! What is pushed: a file or standard input, read from where the last push ended. Checks that it is the
//! one that was pushed before, and never goes on behind other bytes than those that were counted.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use anyhow::{Context, bail};
use bytes::{Bytes, BytesMut};
use logtally_client::Resumed;
use logtally_core::hash::hash64;
use logtally_core::limits::{PRODUCER_NAME_BYTES_MAX, PUSH_BYTES_MAX, READ_BYTES};

use super::cut::Cutter;

/// Where the name of standard input is asked for.
pub(crate) const STDIN: &str = "-";

/// How much is looked at for a header.
const BEGINNING_BYTES: usize = 64 << 10;

/// Bytes that are hashed at most to find the last message: seconds.
const SEARCH_BYTES_MAX: u64 = 8 << 30;

/// A file or standard input.
pub(crate) struct Input {
    name: String,
    from: From,
    beginning: Vec<u8>,
}

enum From {
    File(File),
    /// Its beginning has been read.
    Stdin(std::io::Stdin),
}

impl Input {
    /// Opens it and looks at its beginning.
    pub(crate) fn open(name: &str) -> anyhow::Result<Self> {
        let cannot = || format!("cannot read {name}");
        let (from, beginning) = if name == STDIN {
            let mut stdin = std::io::stdin();
            let beginning = first_line(&mut stdin).with_context(cannot)?;
            (From::Stdin(stdin), beginning)
        } else {
            let mut file = File::open(name).with_context(cannot)?;
            if file.metadata().with_context(cannot)?.is_dir() {
                bail!("{name} is a folder: name the files in it");
            }
            let beginning = first_line(&mut file).with_context(cannot)?;
            (From::File(file), beginning)
        };
        if beginning.starts_with(&[0x1f, 0x8b]) || beginning.starts_with(&[0x28, 0xb5, 0x2f, 0xfd])
        {
            bail!("{name} is compressed: unpack it on the way (`zcat FILE | logtally push -`)");
        }
        Ok(Self { name: name.to_owned(), from, beginning })
    }

    /// What it begins with.
    pub(crate) fn beginning(&self) -> &[u8] {
        &self.beginning
    }

    /// Everything behind what is counted. `header` stood before every message but the first.
    pub(crate) fn rest(
        self,
        resumed: Resumed,
        header: &[u8],
        producer: &str,
    ) -> anyhow::Result<Rest> {
        let Self { name, from, beginning } = self;
        let other = |why: &str| {
            format!(
                "{name} is not what the producer {producer} pushed before ({why}): push it as another \
                 one with --producer NAME"
            )
        };
        let mut read = match from {
            From::File(mut file) => {
                file.rewind().with_context(|| format!("cannot read {name}"))?;
                Reading::File(file)
            }
            From::Stdin(stdin) => Reading::Stdin(std::io::Cursor::new(beginning).chain(stdin)),
        };
        let Some(content_hash) = resumed.content_hash else {
            return Ok(Rest { read, offset: 0 });
        };
        let Some(note) = resumed.note else { bail!(other("its messages have no offsets")) };
        let window = read.skip_to(note).with_context(|| format!("cannot read {name}"))?;
        let Some(window) = window else { bail!(other("it is shorter now")) };
        let start = note - window.len() as u64;
        if !is_last_message(&window, start == 0, header, content_hash) {
            bail!(other("it has other bytes there"));
        }
        let ended = window.ends_with(b"\n");
        let mut rest = Rest { read, offset: note };
        if !ended && !rest.end_line().with_context(|| format!("cannot read {name}"))? {
            bail!(
                "the last line of {name} was pushed before it was complete: push the file as another \
                 producer with --producer NAME"
            );
        }
        Ok(rest)
    }
}

fn first_line(from: &mut impl Read) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut piece = [0; 4096];
    while bytes.len() < BEGINNING_BYTES && !bytes.contains(&b'\n') {
        match from.read(&mut piece)? {
            0 => break,
            n => bytes.extend_from_slice(&piece[..n]),
        }
    }
    Ok(bytes)
}

/// What is left to push.
pub(crate) struct Rest {
    read: Reading,
    offset: u64,
}

enum Reading {
    File(File),
    Stdin(std::io::Chain<std::io::Cursor<Vec<u8>>, std::io::Stdin>),
}

impl Rest {
    /// The offset that it begins at.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// If nothing or an end of line is next, goes behind it.
    fn end_line(&mut self) -> std::io::Result<bool> {
        let mut next = [0];
        while self.read.read(&mut next)? > 0 {
            self.offset += 1;
            match next {
                [b'\n'] => return Ok(true),
                [b'\r'] => {}
                _ => return Ok(false),
            }
        }
        Ok(true)
    }

    /// The next message, taken from the front of `buffer`, which holds what was read before.
    pub(crate) fn next(
        &mut self,
        buffer: &mut BytesMut,
        cutter: &Cutter,
        target: usize,
    ) -> anyhow::Result<Option<Bytes>> {
        let mut last = false;
        loop {
            if let Some(len) = cutter.cut(buffer, target, last) {
                let is_first = self.offset == 0;
                self.offset += len as u64;
                let part = buffer.split_to(len).freeze();
                let header = if is_first { &[] } else { cutter.header() };
                let whole = || [header, &part[..]].concat().into();
                return Ok(Some(if header.is_empty() { part } else { whole() }));
            }
            if last {
                return Ok(None);
            }
            if buffer.len() > cutter.part_max() {
                bail!("the record at byte {} is larger than a message can be", self.offset);
            }
            last = self.fill(buffer)?;
        }
    }

    /// Reads more; whether nothing follows.
    fn fill(&mut self, buffer: &mut BytesMut) -> std::io::Result<bool> {
        let had = buffer.len();
        buffer.resize(had + READ_BYTES, 0);
        let n = self.read.read(&mut buffer[had..])?;
        buffer.truncate(had + n);
        Ok(n == 0)
    }
}

impl Reading {
    /// Goes to an offset; the bytes before it, as many as a message may have. None if it ends before.
    fn skip_to(&mut self, offset: u64) -> std::io::Result<Option<Vec<u8>>> {
        let length = offset.min(PUSH_BYTES_MAX as u64);
        let before = offset - length;
        let skipped = match self {
            Self::File(file) => file.seek(SeekFrom::Start(before))?,
            Self::Stdin(stdin) => {
                std::io::copy(&mut stdin.by_ref().take(before), &mut std::io::sink())?
            }
        };
        let mut window = Vec::new();
        self.by_ref().take(length).read_to_end(&mut window)?;
        Ok((skipped == before && window.len() as u64 == length).then_some(window))
    }
}

impl Read for Reading {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Self::File(file) => file.read(buffer),
            Self::Stdin(stdin) => stdin.read(buffer),
        }
    }
}

/// Whether the end of `window` can be the last message: it began with some line of it, and had this
/// hash. Nothing tells where it began, so every line is tried, the last one first.
fn is_last_message(window: &[u8], from_start: bool, header: &[u8], hash: u64) -> bool {
    let mut bytes = header.to_vec();
    bytes.extend_from_slice(window);
    let mut hashed = 0;
    for start in (0..window.len()).rev() {
        if start > 0 && window[start - 1] != b'\n' {
            continue;
        }
        let is_first = start == 0 && from_start;
        if start == 0 && !from_start {
            // The window begins anywhere in a record.
            return false;
        }
        let from = if is_first { header.len() } else { start };
        // The header goes where the bytes before the message lie, and these come back afterwards.
        let saved = bytes[from..start + header.len()].to_vec();
        bytes[from..start + header.len()].copy_from_slice(&header[..saved.len()]);
        let found = hash64(&bytes[from..]) == hash;
        bytes[from..start + header.len()].copy_from_slice(&saved);
        hashed += (bytes.len() - from) as u64;
        // Not found in that long is no proof of anything; the length is right, at least.
        if found || hashed > SEARCH_BYTES_MAX {
            return true;
        }
    }
    false
}

/// The name of the producer of a file: host and absolute path, without bytes that a name cannot have.
pub(crate) fn producer_of(file: &str) -> anyhow::Result<String> {
    let path = Path::new(file).canonicalize().with_context(|| format!("cannot read {file}"))?;
    let uname = rustix::system::uname();
    let host = uname.nodename().to_string_lossy();
    Ok(name_of(&host, path.as_os_str().as_encoded_bytes()))
}

fn name_of(host: &str, path: &[u8]) -> String {
    let mut name = String::new();
    for byte in host.bytes().chain(path.iter().copied()) {
        if byte.is_ascii_graphic() && byte != b'%' {
            name.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(name, "%{byte:02X}");
        }
    }
    if name.len() <= PRODUCER_NAME_BYTES_MAX {
        return name;
    }
    // Its end says more than its beginning; the hash makes it unique.
    let hash = format!("{:016x}", hash64(name.as_bytes()));
    let end = &name[name.len() - (PRODUCER_NAME_BYTES_MAX - hash.len() - 3)..];
    format!("{hash}...{end}")
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use logtally_core::push::ProducerName;

    use super::*;

    #[test]
    fn names_of_producers_are_valid_and_distinct() {
        assert_eq!(name_of("web1", b"/var/log/a b%.csv"), "web1/var/log/a%20b%25.csv");
        let long = |end: &str| name_of("web1", format!("/{}{end}", "ä".repeat(200)).as_bytes());
        assert_ne!(name_of("h", &[b'x'; 300]), name_of("h", &[b'x'; 301]));
        for name in [name_of("w", b"/\xff\n\t"), long("1"), long("2")] {
            assert!(ProducerName::new(&name).is_ok(), "{name}");
        }
    }

    fn file(bytes: &[u8]) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        file.write_all(bytes).expect("written");
        file
    }

    fn rest(bytes: &[u8], note: u64, message: &[u8], header: &[u8]) -> Result<String, String> {
        let file = file(bytes);
        let name = file.path().to_str().expect("a path in UTF-8");
        let resumed = Resumed {
            sequence: 2,
            content_hash: Some(hash64(message)),
            note: Some(note),
            durable: true,
        };
        let rest = Input::open(name).and_then(|input| input.rest(resumed, header, "p"));
        let mut text = String::new();
        let mut rest = rest.map_err(|error| error.to_string())?;
        rest.read.read_to_string(&mut text).expect("read");
        assert_eq!(rest.offset() as usize + text.len(), bytes.len());
        Ok(text)
    }

    #[test]
    fn a_push_goes_on_behind_what_is_counted() {
        assert_eq!(rest(b"a\nb\nc\nd\n", 6, b"b\nc\n", b"").as_deref(), Ok("d\n"));
        assert_eq!(rest(b"a\nb\nc\nd\n", 4, b"a\nb\n", b"").as_deref(), Ok("c\nd\n"));
        assert_eq!(rest(b"h\nb\nc\nd\n", 6, b"h\nc\n", b"h\n").as_deref(), Ok("d\n"));
        assert_eq!(rest(b"h\nb\nc\nd\n", 4, b"h\nb\n", b"h\n").as_deref(), Ok("c\nd\n"));
        assert_eq!(rest(b"a\nb", 3, b"a\nb", b"").as_deref(), Ok(""));
        assert_eq!(rest(b"a\nb\nc", 3, b"a\nb", b"").as_deref(), Ok("c"));
    }

    #[test]
    fn another_file_is_refused_with_the_way_out() {
        for (bytes, message) in [
            (&b"a\nx\nc\nd\n"[..], &b"b\nc\n"[..]),
            (b"a\nb\n", b"b\nc\n"),
            (b"", b"b\nc\n"),
            (b"a\nb\nc!d\n", b"b\nc\n"),
        ] {
            let error = rest(bytes, 6, message, b"").expect_err("another file");
            assert!(error.contains("--producer NAME"), "{error}");
        }
        let half = rest(b"a\nbcd\n", 3, b"a\nb", b"").expect_err("half a line");
        assert!(half.contains("before it was complete"), "{half}");
    }

    #[test]
    fn what_is_compressed_is_refused() {
        let file = file(&[0x1f, 0x8b, 8, 0]);
        let name = file.path().to_str().expect("a path in UTF-8");
        let error = Input::open(name).err().expect("refused").to_string();
        assert!(error.contains("zcat"), "{error}");
    }
}
