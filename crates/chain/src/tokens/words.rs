//! Words kept as written: whatever stands between whitespace.

use super::caps::Sink;
use super::clean;

const BLOCK: usize = 64;
/// A longer text is cut word by word: the buffer then holds no more than the caps allow.
const MAX_FAST_BYTES: usize = 16 * 1024;

const HIGH_BITS: u64 = 0x8080_8080_8080_8080;
const ONES: u64 = 0x0101_0101_0101_0101;

pub(super) fn split(text: &str, sink: &mut Sink<'_>) {
    if text.len() <= MAX_FAST_BYTES && split_ordinary(text, sink) {
        return;
    }
    sink.restart();
    for word in clean::cleaned(text).split_whitespace() {
        sink.push("", word);
    }
}

/// Splits text that is clean and has no whitespace but that of ASCII, 64 bytes at a time; false,
/// with anything pushed, when it is not such text.
fn split_ordinary(text: &str, sink: &mut Sink<'_>) -> bool {
    sink.begin(text);
    let (blocks, rest) = text.as_bytes().as_chunks::<BLOCK>();
    let mut last = [b' '; BLOCK];
    last[..rest.len()].copy_from_slice(rest);
    let (mut start, mut ascii) = (0, true);
    for (index, block) in blocks.iter().chain([&last]).enumerate() {
        let offset = index * BLOCK;
        let found = Marks::of(block);
        ascii &= found.ascii;
        // In the last block only the first space after the text counts: it ends the last word.
        let unread = BLOCK - 1 - (text.len() - offset).min(BLOCK - 1);
        let mut gaps = found.gaps & (u64::MAX >> unread);
        while gaps != 0 {
            let at = gaps.trailing_zeros() as usize;
            gaps &= gaps - 1;
            if !matches!(block[at], b' ' | b'\t'..=b'\r') {
                return false;
            }
            let end = offset + at;
            if end > start {
                sink.push_span(start, end);
            }
            start = end + 1;
        }
        if found.deletes {
            return false;
        }
    }
    ascii || clean::is_ordinary(text)
}

/// What 64 bytes are.
struct Marks {
    /// A bit for each byte up to 0x20, the first byte's lowest.
    gaps: u64,
    /// A byte is DEL, the control character at the other end of ASCII.
    deletes: bool,
    ascii: bool,
}

impl Marks {
    #[inline]
    fn of(block: &[u8; BLOCK]) -> Self {
        let (mut gaps, mut deletes, mut all) = (0, 0, 0);
        let (words, _) = block.as_chunks::<8>();
        for (index, &word) in words.iter().enumerate() {
            let bytes = u64::from_le_bytes(word);
            // Without its high bit no byte carries into the next: 0x7f + 1 reaches the high bit,
            // and so does all from 0x21 on with 0x5f more.
            let low = bytes & !HIGH_BITS;
            let gap = !((low + ONES * 0x5f) | bytes) & HIGH_BITS;
            // The product gathers the high bits of eight bytes in the highest byte.
            let gathered = (gap >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56;
            gaps |= gathered << (index * 8);
            deletes |= (low + ONES) & !bytes & HIGH_BITS;
            all |= bytes;
        }
        Self {
            gaps,
            deletes: deletes != 0,
            ascii: all & HIGH_BITS == 0,
        }
    }
}
