//! The message log of a segment: who wrote what when, and its tokens.
//!
//! It is what makes forgetting, merging and references exact. A `Table` grows in memory beside the
//! corpus; `write` puts both into `NNNNNN.messages`, which `Messages` maps and reads.

mod about;
mod column;
mod file;
mod id;
mod stored;
mod table;
mod texts;
mod tokens;
mod verify;
mod write;

#[cfg(test)]
mod tests;

pub use about::{About, OwnedAbout};
pub use file::Messages;
pub use table::Table;
pub use write::write;

use crate::sections::Kind;

/// Which of so many ascending values is the wanted one.
fn find_ascending(length: usize, wanted: u64, value: impl Fn(usize) -> u64) -> Option<u32> {
    let (mut low, mut high) = (0, length);
    while low < high {
        let middle = low.midpoint(high);
        if value(middle) < wanted {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    (low < length && value(low) == wanted).then_some(low as u32)
}

const KIND: Kind = Kind {
    magic: *b"CHFMSGS\n",
    version: 1,
};

// Names of sections. Names take three: where each ends, the texts end to end, the index; addresses
// have no index.
const HEADER: u32 = 1;
const SEQUENCES: u32 = 2;
const IDS: u32 = 3;
const AUTHORS: u32 = 4;
const CHANNELS: u32 = 5;
const TIMES: u32 = 6;
const ORDER: u32 = 7;
const ID_NAMES: u32 = 8;
const AUTHOR_NAMES: u32 = 11;
const CHANNEL_NAMES: u32 = 14;
const ATTACHED: u32 = 17;
const ADDRESSES: u32 = 18;
const TOKENS: u32 = 20;
const OFFSETS: u32 = 21;

/// Words of the header: the number of messages, and two words for each of the five columns.
const HEADER_WORDS: usize = 11;
