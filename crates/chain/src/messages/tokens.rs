//! Tokens of messages as bytes: each a LEB128 number, seven bits a byte, low ones first; a zero
//! byte ends a message.
//!
//! Numbers come by descending frequency, so that most take one byte; none is 0, so that a zero byte
//! is nothing else but an end, and whoever skips messages only looks for zeros. One offset for
//! every `STRIDE` messages is enough.

use std::io::{self, Write};

use super::{OFFSETS, TOKENS};
use crate::sections::Writer;
use crate::segment::states::BOUNDARY;

/// Messages for which there is one offset.
pub(super) const STRIDE: usize = 16;

/// Bytes that are put out at once.
const CHUNK: usize = 1 << 16;

/// Writes both sections; an error if `text` holds another number of messages, or more bytes than 32
/// bits count.
pub(super) fn write_tokens<W: Write>(
    writer: &mut Writer<W>,
    messages: usize,
    text: &[u32],
) -> io::Result<()> {
    let mut offsets = Vec::with_capacity(messages.div_ceil(STRIDE));
    let mut bytes = Vec::with_capacity(CHUNK + 64);
    let (mut written, mut count) = (0usize, 0);
    writer.begin(TOKENS);
    let mut within = false;
    for &token in text {
        if token != BOUNDARY && !within && count % STRIDE == 0 {
            offsets.push((written + bytes.len()) as u32);
        }
        if token != BOUNDARY {
            append(token, &mut bytes);
        } else if within {
            bytes.push(0);
            count += 1;
            if bytes.len() >= CHUNK {
                writer.write(&bytes)?;
                written += bytes.len();
                bytes.clear();
            }
        }
        within = token != BOUNDARY;
    }
    if within {
        bytes.push(0);
        count += 1;
    }
    writer.write(&bytes)?;
    writer.end()?;
    if count != messages {
        let what = format!("the table has {messages} messages and the text {count}");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
    }
    if u32::try_from(written + bytes.len()).is_err() {
        let what = "the tokens of one segment take more than 4 GiB";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
    }
    writer.section(OFFSETS, &offsets)
}

#[inline]
fn append(mut token: u32, bytes: &mut Vec<u8>) {
    while token >= 0x80 {
        bytes.push(token as u8 | 0x80);
        token >>= 7;
    }
    bytes.push(token as u8);
}

/// The bytes are no token, or end within one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// Takes a message off the bytes and appends its tokens.
#[inline]
pub(super) fn take_message(bytes: &mut &[u8], into: &mut Vec<u32>) -> Result<(), Malformed> {
    loop {
        match take(bytes)? {
            BOUNDARY => return Ok(()),
            token => into.push(token),
        }
    }
}

/// Takes one number off the bytes; `BOUNDARY` at the end of a message.
#[inline]
fn take(bytes: &mut &[u8]) -> Result<u32, Malformed> {
    // Whether a token takes one byte or two is anybody's guess: a branch for it would be taken
    // wrongly half of the time.
    let word = match bytes.first_chunk::<8>() {
        Some(&word) => u64::from_le_bytes(word),
        None => padded(bytes),
    };
    let bits = (!word & LAST).trailing_zeros() + 1;
    let length = bits as usize / 8;
    if length > 5 {
        return Err(Malformed);
    }
    let word = word & (u64::MAX >> (64 - bits));
    let token = word & 0x7f
        | word >> 1 & 0x7f << 7
        | word >> 2 & 0x7f << 14
        | word >> 3 & 0x7f << 21
        | word >> 4 & 0x7f << 28;
    // A last byte of zero is the end of a message to whoever skips, so it cannot be that of a
    // token.
    if word >> (bits - 8) == 0 && length > 1 {
        return Err(Malformed);
    }
    *bytes = bytes.get(length..).ok_or(Malformed)?;
    u32::try_from(token).map_err(|_| Malformed)
}

/// The bit of each byte that the last byte of a number has not.
const LAST: u64 = 0x8080_8080_8080_8080;

/// Less than eight bytes, as if bytes of a longer number followed.
fn padded(bytes: &[u8]) -> u64 {
    let mut word = [0xff; 8];
    word[..bytes.len()].copy_from_slice(bytes);
    u64::from_le_bytes(word)
}

/// The bytes behind a number of messages.
pub(super) fn skip(mut bytes: &[u8], messages: usize) -> Result<&[u8], Malformed> {
    for _ in 0..messages {
        let end = bytes.iter().position(|&byte| byte == 0).ok_or(Malformed)?;
        bytes = &bytes[end + 1..];
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_width_survives() {
        for token in [
            1,
            127,
            128,
            16383,
            16384,
            1 << 21,
            (1 << 28) - 1,
            1 << 28,
            u32::MAX,
        ] {
            let mut bytes = Vec::new();
            append(token, &mut bytes);
            assert!(!bytes.contains(&0), "{token} as {bytes:?}");
            bytes.push(0);
            let mut rest = &bytes[..];
            assert_eq!(take(&mut rest), Ok(token));
            assert_eq!(take(&mut rest), Ok(BOUNDARY));
            assert_eq!(take(&mut rest), Err(Malformed));
            assert_eq!(skip(&bytes, 1), Ok(&[][..]));
        }
    }

    #[test]
    fn what_is_no_token_is_refused() {
        let wrong: [&[u8]; 5] = [
            &[],
            &[0x80],
            &[0x80, 0],
            &[0xff, 0xff, 0xff, 0xff, 0x10],
            &[0x80, 0x80, 0x80, 0x80, 0x80, 1],
        ];
        for bytes in wrong {
            assert_eq!(take(&mut &bytes[..]), Err(Malformed), "{bytes:?}");
        }
    }
}
