//! Files written once: named sections, each with a checksum, and a footer that says where they are.
//!
//! ```text
//! head     magic 8 bytes, version u32, zero u32
//! sections each begins at a multiple of 8, zeros before it
//! footer   count rows: name u32, crc32 u32, offset u64, length u64
//! tail     count u32, crc32 of head and rows u32, length of the file u64, magic 8 bytes
//! ```
//!
//! All numbers are little endian. The footer stands at the end, so that a file is written in one go
//! and a truncated one has none.

use std::io::{self, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use bytemuck::{AnyBitPattern, cast_slice, try_cast_slice};

use crate::map::Map;
use crate::{Error, Result};

#[cfg(target_endian = "big")]
compile_error!("files are mapped as they are: little endian machines only");

const HEAD: usize = 16;
const ROW: usize = 24;
const TAIL: usize = 24;

/// What a file is: eight bytes at its beginning and at its end, and the version that this code
/// writes.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    pub magic: [u8; 8],
    pub version: u32,
}

/// Writes a file of sections to anything.
pub struct Writer<W> {
    out: W,
    kind: Kind,
    position: u64,
    rows: Vec<Row>,
    open: Option<(Row, crc32fast::Hasher)>,
}

#[derive(Clone, Copy, Debug)]
struct Row {
    name: u32,
    crc: u32,
    offset: u64,
    length: u64,
}

impl<W: Write> Writer<W> {
    /// # Errors
    ///
    /// Those of `out`, as in all that follows.
    pub fn new(out: W, kind: Kind) -> io::Result<Self> {
        let mut writer = Self {
            out,
            kind,
            position: 0,
            rows: Vec::new(),
            open: None,
        };
        writer.put(&head(kind))?;
        Ok(writer)
    }

    /// A whole section at once.
    pub fn section<T: bytemuck::NoUninit>(&mut self, name: u32, values: &[T]) -> io::Result<()> {
        self.begin(name);
        self.write(values)?;
        self.end()
    }

    /// Begins a section, which `write` then fills and `end` closes.
    pub fn begin(&mut self, name: u32) {
        debug_assert!(self.open.is_none(), "the last section is still open");
        let row = Row {
            name,
            crc: 0,
            offset: self.position,
            length: 0,
        };
        self.open = Some((row, crc32fast::Hasher::new()));
    }

    pub fn write<T: bytemuck::NoUninit>(&mut self, values: &[T]) -> io::Result<()> {
        let bytes: &[u8] = cast_slice(values);
        if let Some((row, crc)) = &mut self.open {
            row.length += bytes.len() as u64;
            crc.update(bytes);
        }
        self.put(bytes)
    }

    pub fn end(&mut self) -> io::Result<()> {
        if let Some((mut row, crc)) = self.open.take() {
            row.crc = crc.finalize();
            self.rows.push(row);
        }
        let gap = self.position.next_multiple_of(8) - self.position;
        self.put(&[0; 8][..gap as usize])
    }

    /// Writes the footer; gives back what was written to, and the length of the file.
    pub fn finish(mut self) -> io::Result<(W, u64)> {
        let mut footer = Vec::with_capacity(self.rows.len() * ROW + TAIL);
        for row in &self.rows {
            footer.extend(row.name.to_le_bytes());
            footer.extend(row.crc.to_le_bytes());
            footer.extend(row.offset.to_le_bytes());
            footer.extend(row.length.to_le_bytes());
        }
        let crc = checksum(&[&head(self.kind), &footer]);
        let length = self.position + (footer.len() + TAIL) as u64;
        footer.extend((self.rows.len() as u32).to_le_bytes());
        footer.extend(crc.to_le_bytes());
        footer.extend(length.to_le_bytes());
        footer.extend(self.kind.magic);
        self.put(&footer)?;
        Ok((self.out, length))
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)?;
        self.position += bytes.len() as u64;
        Ok(())
    }
}

/// A mapped file of sections. Opening checks head and footer; `verify` reads everything.
#[derive(Debug)]
pub struct Sections {
    path: PathBuf,
    map: Map,
    rows: Vec<Row>,
}

impl Sections {
    /// Maps a file, and checks all but what is in the sections.
    ///
    /// # Errors
    ///
    /// `Error::Newer`, `Error::Damaged`, `Error::Io`.
    pub fn open(path: &Path, kind: Kind) -> Result<Self> {
        let map = Map::open(path)?;
        let damaged = |what: &str| Error::damaged(path, what);
        if map.len() < HEAD + TAIL || map[..8] != kind.magic {
            return Err(damaged("it does not begin as such a file does"));
        }
        let version = number(&map, 8, 4) as u32;
        if version > kind.version {
            return Err(Error::Newer {
                file: path.to_owned(),
                version,
                known: kind.version,
            });
        }
        let tail = map.len() - TAIL;
        if map[tail + 16..] != kind.magic || number(&map, tail + 8, 8) != map.len() as u64 {
            return Err(damaged("its end is missing"));
        }
        let rows = (number(&map, tail, 4) as usize)
            .checked_mul(ROW)
            .and_then(|length| tail.checked_sub(length))
            .map(|start| &map[start..tail])
            .filter(|rows| u64::from(checksum(&[&map[..HEAD], rows])) == number(&map, tail + 4, 4))
            .ok_or_else(|| damaged("its footer does not match its checksum"))?;
        let rows: Vec<Row> = rows.chunks_exact(ROW).map(row).collect();
        let fits = |row: &Row| {
            row.offset
                .checked_add(row.length)
                .is_some_and(|end| end <= tail as u64)
        };
        if !rows.iter().all(fits) {
            return Err(damaged("its footer names places beyond its end"));
        }
        Ok(Self {
            path: path.to_owned(),
            map,
            rows,
        })
    }

    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes of the file.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.map.len() as u64
    }

    /// Where a section lies, for `slice`; a section that is not there is empty.
    ///
    /// # Errors
    ///
    /// `Error::Damaged` if it is no whole number of `T`.
    pub fn range<T: AnyBitPattern>(&self, name: u32) -> Result<Range<usize>> {
        let Some(row) = self.rows.iter().find(|row| row.name == name) else {
            return Ok(0..0);
        };
        let range = row.offset as usize..(row.offset + row.length) as usize;
        match try_cast_slice::<u8, T>(&self.map[range.clone()]) {
            Ok(_) => Ok(range),
            Err(_) => Err(Error::damaged(
                &self.path,
                format!("section {name} has an odd length"),
            )),
        }
    }

    /// The values at a range that `range` gave for the same type.
    #[inline]
    #[must_use]
    pub fn slice<T: AnyBitPattern>(&self, range: &Range<usize>) -> &[T] {
        cast_slice(&self.map[range.clone()])
    }

    /// Reads every section against its checksum, through the file and not through the mapping, so
    /// that no memory is taken.
    ///
    /// # Errors
    ///
    /// `Error::Damaged` names the section that is not what was written; `Error::Io`.
    pub fn verify(&self) -> Result<()> {
        use std::os::unix::fs::FileExt;
        let file = std::fs::File::open(&self.path)
            .map_err(Error::io(format!("opening {}", self.path.display())))?;
        let mut buffer = vec![0; 1 << 18];
        for row in &self.rows {
            let mut crc = crc32fast::Hasher::new();
            let (mut offset, end) = (row.offset, row.offset + row.length);
            let mut is_whole = true;
            while offset < end.next_multiple_of(8) {
                let wanted = (end.next_multiple_of(8) - offset) as usize;
                let wanted = wanted.min(buffer.len());
                let read = file
                    .read_at(&mut buffer[..wanted], offset)
                    .map_err(Error::io(format!("reading {}", self.path.display())))?;
                if read == 0 {
                    return Err(Error::damaged(&self.path, "it became shorter"));
                }
                let (values, gap) = buffer[..read].split_at(read.min((end - offset) as usize));
                crc.update(values);
                is_whole &= gap.iter().all(|&byte| byte == 0);
                offset += read as u64;
            }
            if crc.finalize() != row.crc || !is_whole {
                let what = format!(
                    "section {} (bytes {} to {end}) does not match its checksum",
                    row.name, row.offset
                );
                return Err(Error::damaged(&self.path, what));
            }
        }
        Ok(())
    }
}

fn head(kind: Kind) -> [u8; HEAD] {
    let mut head = [0; HEAD];
    head[..8].copy_from_slice(&kind.magic);
    head[8..12].copy_from_slice(&kind.version.to_le_bytes());
    head
}

fn checksum(parts: &[&[u8]]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    for part in parts {
        crc.update(part);
    }
    crc.finalize()
}

fn row(bytes: &[u8]) -> Row {
    Row {
        name: number(bytes, 0, 4) as u32,
        crc: number(bytes, 4, 4) as u32,
        offset: number(bytes, 8, 8),
        length: number(bytes, 16, 8),
    }
}

fn number(bytes: &[u8], at: usize, length: usize) -> u64 {
    let mut number = [0; 8];
    number[..length].copy_from_slice(&bytes[at..at + length]);
    u64::from_le_bytes(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIND: Kind = Kind {
        magic: *b"CHFTEST\n",
        version: 2,
    };

    fn written() -> Vec<u8> {
        let mut writer = Writer::new(Vec::new(), KIND).unwrap();
        writer.section(1, &[1u32, 2, 3]).unwrap();
        writer.begin(7);
        writer.write(b"chaff").unwrap();
        writer.write(b"inch").unwrap();
        writer.end().unwrap();
        writer.section::<u64>(9, &[]).unwrap();
        let (bytes, length) = writer.finish().unwrap();
        assert_eq!(bytes.len() as u64, length);
        bytes
    }

    fn opened(bytes: &[u8]) -> (tempfile::TempDir, Result<Sections>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("000001.test");
        std::fs::write(&path, bytes).unwrap();
        let sections = Sections::open(&path, KIND);
        (folder, sections)
    }

    #[test]
    fn what_was_written_is_read() {
        let (_folder, sections) = opened(&written());
        let sections = sections.unwrap();
        assert_eq!(
            sections.slice::<u32>(&sections.range::<u32>(1).unwrap()),
            [1, 2, 3]
        );
        assert_eq!(
            sections.slice::<u8>(&sections.range::<u8>(7).unwrap()),
            b"chaffinch"
        );
        assert!(
            sections
                .slice::<u64>(&sections.range::<u64>(9).unwrap())
                .is_empty()
        );
        assert!(sections.range::<u64>(100).unwrap().is_empty());
        assert!(sections.range::<u64>(7).is_err());
        sections.verify().unwrap();
    }

    #[test]
    fn every_truncation_is_refused_and_names_the_file() {
        let bytes = written();
        for length in 0..bytes.len() {
            let (_folder, sections) = opened(&bytes[..length]);
            let said = sections.unwrap_err().to_string();
            assert!(said.contains("000001.test"), "{said}");
        }
    }

    #[test]
    fn every_flipped_bit_is_found() {
        let bytes = written();
        for place in 0..bytes.len() {
            for bit in 0..8 {
                let mut bytes = bytes.clone();
                bytes[place] ^= 1 << bit;
                let (_folder, sections) = opened(&bytes);
                let whole = sections.and_then(|sections| sections.verify());
                assert!(whole.is_err(), "byte {place}, bit {bit}");
            }
        }
    }

    #[test]
    fn an_older_version_is_read() {
        let older = Kind { version: 1, ..KIND };
        let mut writer = Writer::new(Vec::new(), older).unwrap();
        writer.section(1, &[7u32]).unwrap();
        let (_folder, sections) = opened(&writer.finish().unwrap().0);
        let sections = sections.unwrap();
        sections.verify().unwrap();
        assert_eq!(
            sections.slice::<u32>(&sections.range::<u32>(1).unwrap()),
            [7]
        );
    }

    #[test]
    fn a_newer_version_is_refused_in_one_sentence() {
        let mut bytes = written();
        bytes[8] = 3;
        let (_folder, sections) = opened(&bytes);
        let said = sections.unwrap_err().to_string();
        assert!(
            said.contains("version 3") && said.contains("up to 2"),
            "{said}"
        );
    }
}
