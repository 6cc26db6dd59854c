//! Bytes out of a file or another reader: decompressed, and every failure named with its file and position.

use std::fs::File;
use std::io::{self, BufReader, Chain, Cursor, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use flate2::bufread::MultiGzDecoder;
use lzma_rust2::XzReader;

use super::format::Compression;
use super::zstd::Frames;
use crate::{Error, Result};

/// Bytes asked of the file at once.
const READ_BYTES: usize = 128 * 1024;
/// Enough to tell any compression, and the size of an xz file's dictionary.
const HEAD_BYTES: usize = 64;
/// The largest xz dictionary that is read: `xz -9` makes 64 MiB.
const MAX_XZ_DICTIONARY: u64 = 128 * 1024 * 1024;

/// What happened below the decompression, seen from above it.
#[derive(Default)]
struct Tally {
    bytes: AtomicU64,
    ended: AtomicBool,
    failed: AtomicBool,
}

type Raw = Chain<Cursor<Vec<u8>>, Box<dyn Read + Send>>;

/// Counts what it passes on. Every read is as long as was asked for until the end: the xz decoder
/// takes a short one for the end of the file.
struct Counted {
    inner: BufReader<Raw>,
    tally: Arc<Tally>,
}

impl Read for Counted {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while filled < to.len() {
            match self.inner.read(&mut to[filled..]) {
                Ok(0) => {
                    self.tally.ended.store(true, Relaxed);
                    break;
                }
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.tally.failed.store(true, Relaxed);
                    return Err(error);
                }
            }
        }
        self.tally.bytes.fetch_add(filled as u64, Relaxed);
        Ok(filled)
    }
}

/// As [`Counted`], without waiting for a full buffer: messages from a pipe are seen as they come.
struct Plain {
    inner: Raw,
    tally: Arc<Tally>,
}

impl Read for Plain {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(to).inspect_err(|error| {
            let failed = error.kind() != io::ErrorKind::Interrupted;
            self.tally.failed.store(failed, Relaxed);
        })?;
        self.tally.bytes.fetch_add(read as u64, Relaxed);
        Ok(read)
    }
}

pub(super) struct Input {
    reader: Box<dyn Read + Send>,
    tally: Arc<Tally>,
    broken: bool,
    pub name: Arc<str>,
    pub compression: Compression,
    pub size: Option<u64>,
}

impl Input {
    pub fn open(path: &Path) -> Result<Self> {
        if path.as_os_str() == "-" {
            return Self::over("standard input", Box::new(io::stdin()), None);
        }
        let name = path.display().to_string();
        let file = File::open(path).map_err(Error::io(format!("opening {name}")))?;
        let facts = file
            .metadata()
            .map_err(Error::io(format!("opening {name}")))?;
        if facts.is_dir() {
            return Err(Error::input(format!(
                "{name} is a directory: give the files in it"
            )));
        }
        let size = facts.is_file().then_some(facts.len());
        Self::over(&name, Box::new(file), size)
    }

    pub fn over(name: &str, mut input: Box<dyn Read + Send>, size: Option<u64>) -> Result<Self> {
        let mut head = Vec::with_capacity(HEAD_BYTES);
        read_head(&mut input, &mut head, 6).map_err(Error::io(format!("reading {name}")))?;
        let compression = Compression::of(&head);
        if compression == Compression::Xz {
            read_head(&mut input, &mut head, HEAD_BYTES)
                .map_err(Error::io(format!("reading {name}")))?;
            if let Some(bytes) = xz_dictionary(&head).filter(|bytes| *bytes > MAX_XZ_DICTIONARY) {
                return Err(Error::input(format!(
                    "{name} needs {} MiB to decompress, {} are allowed: recompress it with xz -9",
                    bytes >> 20,
                    MAX_XZ_DICTIONARY >> 20
                )));
            }
        }
        refuse_archives(name, &head)?;
        let tally = Arc::new(Tally::default());
        let raw = Cursor::new(head).chain(input);
        Ok(Self {
            reader: decompressing(raw, compression, &tally),
            tally,
            broken: false,
            name: name.into(),
            compression,
            size,
        })
    }

    /// Compressed bytes consumed.
    pub fn position(&self) -> u64 {
        self.tally.bytes.load(Relaxed)
    }

    /// As `Read::read`; 0 is the end.
    pub fn read(&mut self, to: &mut [u8]) -> Result<usize> {
        if self.broken {
            return Err(Error::input(format!(
                "{} cannot be read on after an error",
                self.name
            )));
        }
        loop {
            match self.reader.read(to) {
                Ok(read) => return Ok(read),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.broken = true;
                    return Err(self.explain(error));
                }
            }
        }
    }

    fn explain(&self, error: io::Error) -> Error {
        let at = self.position();
        if self.compression == Compression::None || self.tally.failed.load(Relaxed) {
            return Error::io(format!("reading {} at byte {at}", self.name))(error);
        }
        // The gzip decoder reads ahead: that it met the end of the file tells nothing of an error.
        let short =
            self.compression != Compression::Gzip || error.kind() == io::ErrorKind::UnexpectedEof;
        let what = if short && self.tally.ended.load(Relaxed) {
            format!(
                "the {} data end at byte {at} before they are complete: it is truncated, \
                 copy or download it again",
                self.compression
            )
        } else {
            format!(
                "the {} data before byte {at} cannot be decompressed ({error}): \
                 copy or download it again",
                self.compression
            )
        };
        Error::input(format!("{} is damaged: {what}", self.name))
    }
}

fn decompressing(raw: Raw, compression: Compression, tally: &Arc<Tally>) -> Box<dyn Read + Send> {
    let tally = Arc::clone(tally);
    if compression == Compression::None {
        return Box::new(Plain { inner: raw, tally });
    }
    let counted = Counted {
        inner: BufReader::with_capacity(READ_BYTES, raw),
        tally,
    };
    match compression {
        Compression::Xz => Box::new(XzReader::new(counted, true)),
        Compression::Zstd => Box::new(Frames::new(counted)),
        _ => Box::new(MultiGzDecoder::new(BufReader::with_capacity(
            READ_BYTES / 4,
            counted,
        ))),
    }
}

fn read_head(input: &mut dyn Read, head: &mut Vec<u8>, upto: usize) -> io::Result<()> {
    let missing = (upto - head.len()) as u64;
    input.take(missing).read_to_end(head).map(|_| ())
}

/// The dictionary of the first block of an xz file, in bytes; none when the header cannot be
/// followed, which the decoder then reports. Format: xz-file-format 1.2, section 3.1.
fn xz_dictionary(head: &[u8]) -> Option<u64> {
    const LZMA2: u64 = 0x21;
    let mut rest = head.get(13..)?;
    let flags = take_byte(&mut rest)?;
    for present in [flags & 0x40, flags & 0x80] {
        if present != 0 {
            take_number(&mut rest)?;
        }
    }
    for _ in 0..=(flags & 3) {
        let filter = take_number(&mut rest)?;
        let properties = take_number(&mut rest)? as usize;
        if filter == LZMA2 {
            let code = u64::from(*rest.first()?);
            return (code <= 40).then(|| (2 | (code & 1)) << (code / 2 + 11));
        }
        rest = rest.get(properties..)?;
    }
    None
}

fn take_byte(rest: &mut &[u8]) -> Option<u8> {
    let (first, tail) = rest.split_first()?;
    *rest = tail;
    Some(*first)
}

fn take_number(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in 0..9 {
        let byte = take_byte(rest)?;
        number |= u64::from(byte & 0x7f) << (shift * 7);
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

/// Learning the bytes of an archive as text would be no error, and of no use.
fn refuse_archives(name: &str, head: &[u8]) -> Result<()> {
    let what = match head {
        [b'P', b'K', 3, 4, ..] => "a zip archive",
        [b'B', b'Z', b'h', b'1'..=b'9', b'1', b'A', ..] => "compressed with bzip2",
        [b'7', b'z', 0xbc, 0xaf, 0x27, 0x1c, ..] => "a 7z archive",
        [0x04, 0x22, 0x4d, 0x18, ..] => "compressed with lz4",
        _ => return Ok(()),
    };
    Err(Error::input(format!(
        "{name} is {what}: unpack it first, or recompress it with gzip, xz or zstd"
    )))
}
