//! Writing a table and its corpus to a file.

use std::io::{self, Write};

use super::stored::write_column;
use super::texts::{write_names, write_texts};
use super::tokens::write_tokens;
use super::{
    ADDRESSES, ATTACHED, AUTHOR_NAMES, AUTHORS, CHANNEL_NAMES, CHANNELS, HEADER, HEADER_WORDS,
    ID_NAMES, IDS, KIND, ORDER, SEQUENCES, TIMES, Table,
};
use crate::sections::Writer;

/// Writes `NNNNNN.messages`; gives back what was written to, and the length of the file in bytes.
///
/// `text` holds token numbers, with `BOUNDARY` before, between and after messages: message `i` of
/// the table is its `i`-th run.
///
/// # Errors
///
/// What writing gives; `InvalidInput` if the table and the text do not have equally many messages,
/// or their tokens take more than 4 GiB.
pub fn write<W: Write>(out: W, table: &Table, text: &[u32]) -> io::Result<(W, u64)> {
    let count = table.len();
    let id = |index| table.ids.get(index);
    let author = |index| table.authors.get(index).into();
    let channel = |index| table.channels.get(index).into();

    let mut writer = Writer::new(out, KIND)?;
    let columns = [
        write_column(&mut writer, SEQUENCES, count, |index| {
            table.sequences.get(index)
        })?,
        write_column(&mut writer, IDS, count, id)?,
        write_column(&mut writer, AUTHORS, count, author)?,
        write_column(&mut writer, CHANNELS, count, channel)?,
        write_column(&mut writer, TIMES, count, |index| table.times.get(index))?,
    ];
    let mut header = [count as u64; HEADER_WORDS];
    header[1..].copy_from_slice(columns.as_flattened());
    writer.section(HEADER, &header)?;
    write_order(&mut writer, count, id)?;
    write_names(&mut writer, ID_NAMES, &table.id_names)?;
    write_names(&mut writer, AUTHOR_NAMES, &table.author_names)?;
    write_names(&mut writer, CHANNEL_NAMES, &table.channel_names)?;
    write_attachments(&mut writer, table)?;
    write_tokens(&mut writer, count, text)?;
    writer.finish()
}

/// The messages in the order of their ids, unless that is the order they have.
fn write_order<W: Write>(
    writer: &mut Writer<W>,
    count: usize,
    id: impl Fn(usize) -> u64,
) -> io::Result<()> {
    if (1..count).all(|index| id(index - 1) <= id(index)) {
        return Ok(());
    }
    let mut keyed: Vec<(u64, u32)> = (0..count).map(|index| (id(index), index as u32)).collect();
    keyed.sort_unstable();
    let order: Vec<u32> = keyed.into_iter().map(|(_, index)| index).collect();
    writer.section(ORDER, &order)
}

/// One row an address: its message and its text.
fn write_attachments<W: Write>(writer: &mut Writer<W>, table: &Table) -> io::Result<()> {
    let rows = || {
        table
            .attachments
            .iter()
            .flat_map(|(message, of)| of.iter().map(move |one| (*message, one)))
    };
    let messages: Vec<u32> = rows().map(|(message, _)| message).collect();
    if messages.is_empty() {
        return Ok(());
    }
    writer.section(ATTACHED, &messages)?;
    write_texts(
        writer,
        ADDRESSES,
        rows().map(|(_, address)| address.as_str()),
    )
}
