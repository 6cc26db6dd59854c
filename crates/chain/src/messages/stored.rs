//! A column in the file: a description of two words, and a section where the numbers differ.
//!
//! | first word | second word | section |
//! | --- | --- | --- |
//! | 0: same | the number of all messages | none |
//! | 1: run | the first number; each message has one more than the last | none |
//! | 8, 16, 32 or 64: bits | the least number | for each message its number less the least |

use std::io::{self, Write};
use std::ops::Range;

use bytemuck::{AnyBitPattern, NoUninit};

use crate::Result;
use crate::sections::{Sections, Writer};

const SAME: u64 = 0;
const RUN: u64 = 1;

/// Numbers that are put out at once.
const CHUNK: usize = 8192;

/// Writes the numbers of `count` messages; gives back the two words that describe the column.
pub(super) fn write_column<W: Write>(
    writer: &mut Writer<W>,
    section: u32,
    count: usize,
    get: impl Fn(usize) -> u64,
) -> io::Result<[u64; 2]> {
    if count == 0 {
        return Ok([SAME, 0]);
    }
    let first = get(0);
    let (mut least, mut most, mut run) = (first, first, true);
    for index in 0..count {
        let value = get(index);
        least = least.min(value);
        most = most.max(value);
        run &= first.checked_add(index as u64) == Some(value);
    }
    if least == most {
        return Ok([SAME, first]);
    }
    if run {
        return Ok([RUN, first]);
    }
    let difference = |index| get(index) - least;
    let widest = most - least;
    let bits = if u8::try_from(widest).is_ok() {
        write_differences(writer, section, count, |at| difference(at) as u8)?
    } else if u16::try_from(widest).is_ok() {
        write_differences(writer, section, count, |at| difference(at) as u16)?
    } else if u32::try_from(widest).is_ok() {
        write_differences(writer, section, count, |at| difference(at) as u32)?
    } else {
        write_differences(writer, section, count, difference)?
    };
    Ok([bits, least])
}

fn write_differences<W: Write, T: NoUninit>(
    writer: &mut Writer<W>,
    section: u32,
    count: usize,
    get: impl Fn(usize) -> T,
) -> io::Result<u64> {
    writer.begin(section);
    let mut chunk = Vec::with_capacity(CHUNK.min(count));
    for start in (0..count).step_by(CHUNK) {
        chunk.clear();
        chunk.extend((start..count.min(start + CHUNK)).map(&get));
        writer.write(&chunk)?;
    }
    writer.end()?;
    Ok(8 * size_of::<T>() as u64)
}

#[derive(Clone, Copy, Debug)]
enum Form {
    Same,
    Run,
    Bits8,
    Bits16,
    Bits32,
    Bits64,
}

/// A column of a mapped file.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    form: Form,
    base: u64,
    count: usize,
    range: Range<usize>,
}

impl Stored {
    /// None if the words describe no column, or its section has another length than `count`
    /// numbers.
    pub(super) fn open(
        sections: &Sections,
        section: u32,
        words: [u64; 2],
        count: usize,
    ) -> Result<Option<Self>> {
        let (form, range, numbers) = match words[0] {
            SAME => (Form::Same, 0..0, count),
            RUN => (Form::Run, 0..0, count),
            8 => {
                let range = sections.range::<u8>(section)?;
                (Form::Bits8, range.clone(), range.len())
            }
            16 => {
                let range = sections.range::<u16>(section)?;
                (Form::Bits16, range.clone(), range.len() / 2)
            }
            32 => {
                let range = sections.range::<u32>(section)?;
                (Form::Bits32, range.clone(), range.len() / 4)
            }
            64 => {
                let range = sections.range::<u64>(section)?;
                (Form::Bits64, range.clone(), range.len() / 8)
            }
            _ => return Ok(None),
        };
        Ok((numbers == count).then_some(Self {
            form,
            base: words[1],
            count,
            range,
        }))
    }

    /// The number of a message that there is.
    #[inline]
    pub(super) fn get(&self, sections: &Sections, index: usize) -> Option<u64> {
        let difference = match self.form {
            _ if index >= self.count => return None,
            Form::Same => 0,
            Form::Run => index as u64,
            Form::Bits8 => sections.slice::<u8>(&self.range)[index].into(),
            Form::Bits16 => sections.slice::<u16>(&self.range)[index].into(),
            Form::Bits32 => sections.slice::<u32>(&self.range)[index].into(),
            Form::Bits64 => sections.slice::<u64>(&self.range)[index],
        };
        // A damaged file may hold differences that lead too far.
        Some(self.base.wrapping_add(difference))
    }

    /// The messages whose number passes.
    pub(super) fn which(&self, sections: &Sections, test: impl Fn(u64) -> bool) -> Vec<u32> {
        match self.form {
            Form::Same if test(self.base) => (0..self.count as u32).collect(),
            Form::Same => Vec::new(),
            Form::Run => (0..self.count as u32)
                .filter(|&index| test(self.base.wrapping_add(index.into())))
                .collect(),
            Form::Bits8 => self.scan(sections.slice::<u8>(&self.range), test),
            Form::Bits16 => self.scan(sections.slice::<u16>(&self.range), test),
            Form::Bits32 => self.scan(sections.slice::<u32>(&self.range), test),
            Form::Bits64 => self.scan(sections.slice::<u64>(&self.range), test),
        }
    }

    fn scan<T: AnyBitPattern + Into<u64>>(
        &self,
        differences: &[T],
        test: impl Fn(u64) -> bool,
    ) -> Vec<u32> {
        (0..)
            .zip(differences)
            .filter(|&(_, &difference)| test(self.base.wrapping_add(difference.into())))
            .map(|(index, _)| index)
            .collect()
    }
}
