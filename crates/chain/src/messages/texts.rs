//! Texts of a file by number: where each ends, all of them end to end, and an index by hash. Number
//! 0 is the empty text.
//!
//! They have the numbers that the table gave them. Three sections, left out when there is no text
//! but the empty one; texts that nobody looks for have no index.

use std::io::{self, Write};
use std::ops::Range;

use crate::Result;
use crate::sections::{Sections, Writer};
use crate::segment::index;
use crate::segment::vocabulary::Interner;

/// Writes names with an index.
pub(super) fn write_names<W: Write>(
    writer: &mut Writer<W>,
    section: u32,
    names: &Interner,
) -> io::Result<()> {
    if names.is_empty() {
        return Ok(());
    }
    let texts = (1..names.len() as u32).map(|number| names.get(number));
    write_texts(writer, section, texts.clone())?;
    writer.section(section + 2, &index::build(texts))
}

/// Writes texts, from number 1 on, without an index.
pub(super) fn write_texts<'t, W: Write>(
    writer: &mut Writer<W>,
    section: u32,
    texts: impl Iterator<Item = &'t str> + Clone,
) -> io::Result<()> {
    let mut ends = vec![0u32];
    let mut end = 0;
    ends.extend(texts.clone().map(|text| {
        end += text.len() as u32;
        end
    }));
    writer.section(section, &ends)?;
    writer.begin(section + 1);
    for text in texts {
        writer.write(text.as_bytes())?;
    }
    writer.end()
}

/// Texts of a mapped file.
#[derive(Clone, Debug)]
pub(super) struct Texts {
    ends: Range<usize>,
    bytes: Range<usize>,
    index: Range<usize>,
}

impl Texts {
    /// None if the index has a length that no index has.
    pub(super) fn open(sections: &Sections, section: u32, indexed: bool) -> Result<Option<Self>> {
        let texts = Self {
            ends: sections.range::<u32>(section)?,
            bytes: sections.range::<u8>(section + 1)?,
            index: if indexed {
                sections.range::<u32>(section + 2)?
            } else {
                0..0
            },
        };
        let words = texts.index.len() / size_of::<u32>();
        Ok((words == 0 || index::has_length(words)).then_some(texts))
    }

    /// How many numbers there are, 0 among them.
    pub(super) fn count(&self) -> usize {
        (self.ends.len() / size_of::<u32>()).max(1)
    }

    /// Bytes of all texts together.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// The text of a number; none if there is none, or it lies nowhere.
    #[inline]
    pub(super) fn get<'s>(&self, sections: &'s Sections, number: u64) -> Option<&'s str> {
        let Some(last) = number.checked_sub(1) else {
            return Some("");
        };
        let ends = sections.slice::<u32>(&self.ends);
        let bounds = ends
            .get(usize::try_from(last).ok()?..)?
            .first_chunk::<2>()?;
        let bytes = sections.slice::<u8>(&self.bytes);
        std::str::from_utf8(bytes.get(bounds[0] as usize..bounds[1] as usize)?).ok()
    }

    /// The number of a name.
    pub(super) fn find(&self, sections: &Sections, text: &str) -> Option<u32> {
        if text.is_empty() {
            return Some(0);
        }
        let index = sections.slice::<u32>(&self.index);
        let is = |number: u32| self.get(sections, number.into()) == Some(text);
        index::find(index, text.as_bytes(), is)
    }

    /// Whether the texts fill their section and each is UTF-8, and is found by the index if there
    /// is to be one.
    pub(super) fn whole(&self, sections: &Sections, indexed: bool) -> bool {
        let ends = sections.slice::<u32>(&self.ends);
        let end = ends.last().copied().unwrap_or(0) as usize;
        let whole = |number: u32| match self.get(sections, number.into()) {
            Some(text) => !indexed || self.find(sections, text) == Some(number),
            None => false,
        };
        end == self.bytes.len()
            && ends.first().is_none_or(|&first| first == 0)
            && (1..self.count() as u32).all(whole)
    }
}
