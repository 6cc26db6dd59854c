//! What a header block means: the head of an answer, or its trailers (RFC 9113 8.1 to 8.3).
//!
//! Of fields that nobody asked for, the status and the length alone are read. The rest is stepped over: its lengths are
//! checked, its text is not.

use super::MOST_BLOCK;
use super::connection::Events;
use super::fault::{Fault, Reset};
use super::hpack::{CONTENT_LENGTH, Field, Fields, LAST_PSEUDO, STATIC, STATUS, Text};

/// `content-length` as a literal name, Huffman-coded.
const LENGTH_CODED: [u8; 10] = [0x21, 0xea, 0x49, 0x6a, 0x4a, 0xd2, 0x19, 0x15, 0x9d, 0x06];
const LENGTH_PLAIN: &[u8] = b"content-length";
/// The 7 bits of a colon, with which a pseudo-header's name begins.
const COLON_CODED: u8 = 0x5c;
/// What a header list counts for each field besides its text.
const FIELD_SIZE: usize = 32;

/// What ends more than reading on.
#[derive(Debug, PartialEq, Eq)]
pub enum Broken {
    Connection(Fault),
    Stream(Reset),
}

impl From<Fault> for Broken {
    fn from(fault: Fault) -> Self {
        Self::Connection(fault)
    }
}

pub const MALFORMED: Broken = Broken::Stream(Reset::Malformed);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    pub status: u16,
    pub length: Option<u64>,
}

impl Head {
    pub fn is_informational(self) -> bool {
        self.status < 200
    }
}

/// Reads the head of an answer, tells its status and, to those who want them, its headers. An informational one is not
/// told.
#[inline]
pub fn read(
    block: &[u8],
    key: u32,
    scratch: &mut Vec<u8>,
    events: &mut impl Events,
) -> Result<Head, Broken> {
    let mut fields = Fields::new(block);
    let status = match fields.next()? {
        Some(Field::Indexed(at)) if STATUS.contains(&at) => {
            [200, 204, 206, 304, 400, 404, 500][at - 8]
        }
        Some(field) => said_status(field, scratch)?,
        None => return Err(MALFORMED),
    };
    let mut head = Head {
        status,
        length: None,
    };
    let mut is_wanted = false;
    if !head.is_informational() {
        events.head(key, status);
        is_wanted = events.wants(key);
    }
    let mut size = FIELD_SIZE;
    while let Some(field) = fields.next()? {
        size += FIELD_SIZE;
        match field {
            Field::Indexed(at) | Field::Named(at, _) if at <= LAST_PSEUDO => return Err(MALFORMED),
            Field::Indexed(_) => {}
            Field::Named(at, value) => {
                size += value.bytes.len();
                if at == CONTENT_LENGTH {
                    add_length(&mut head, value, scratch)?;
                }
            }
            Field::Literal(name, value) => {
                size += name.bytes.len() + value.bytes.len();
                if is_pseudo(name) {
                    return Err(MALFORMED);
                }
                let length = if name.is_huffman {
                    &LENGTH_CODED[..]
                } else {
                    LENGTH_PLAIN
                };
                if name.bytes == length {
                    add_length(&mut head, value, scratch)?;
                }
            }
        }
        if size > MOST_BLOCK {
            return Err(Broken::Stream(Reset::TooLarge));
        }
        if is_wanted {
            tell(field, key, scratch, events)?;
        }
    }
    Ok(head)
}

/// Reads trailers: they may have no pseudo-headers, and are not told.
pub fn skip_trailers(block: &[u8]) -> Result<(), Broken> {
    let mut fields = Fields::new(block);
    while let Some(field) = fields.next()? {
        let is_wrong = match field {
            Field::Indexed(at) | Field::Named(at, _) => at <= LAST_PSEUDO,
            Field::Literal(name, _) => is_pseudo(name),
        };
        if is_wrong {
            return Err(MALFORMED);
        }
    }
    Ok(())
}

/// Reads a block of a stream that nobody waits for: it can still break the connection.
pub fn skip(block: &[u8]) -> Result<(), Fault> {
    let mut fields = Fields::new(block);
    while fields.next()?.is_some() {}
    Ok(())
}

fn is_pseudo(name: Text) -> bool {
    match name.bytes.first() {
        Some(&first) if name.is_huffman => first >> 1 == COLON_CODED,
        first => first == Some(&b':'),
    }
}

/// A status that the static table does not have. The first field has to be one.
fn said_status(field: Field, scratch: &mut Vec<u8>) -> Result<u16, Broken> {
    scratch.clear();
    let value = match field {
        Field::Named(at, value) if STATUS.contains(&at) => value,
        Field::Literal(name, value) => {
            name.decode(scratch)?;
            if scratch != b":status" {
                return Err(MALFORMED);
            }
            scratch.clear();
            value
        }
        _ => return Err(MALFORMED),
    };
    value.decode(scratch)?;
    match scratch[..] {
        [a @ b'1'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9'] => {
            let [a, b, c] = [a, b, c].map(|digit| u16::from(digit - b'0'));
            let status = 100 * a + 10 * b + c;
            // HTTP/2 has no switching of protocols (RFC 9113 8.6).
            if status == 101 {
                Err(MALFORMED)
            } else {
                Ok(status)
            }
        }
        _ => Err(MALFORMED),
    }
}

/// A length that is told twice has to be the same twice.
fn add_length(head: &mut Head, value: Text, scratch: &mut Vec<u8>) -> Result<(), Broken> {
    let digits = if value.is_huffman {
        scratch.clear();
        value.decode(scratch)?;
        &scratch[..]
    } else {
        value.bytes
    };
    if digits.is_empty() || digits.len() > 19 {
        return Err(MALFORMED);
    }
    let mut length = 0u64;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return Err(MALFORMED);
        }
        length = 10 * length + u64::from(digit - b'0');
    }
    if head.length.is_some_and(|known| known != length) {
        return Err(MALFORMED);
    }
    head.length = Some(length);
    Ok(())
}

/// Decodes a field and tells it. What HTTP does not allow in one makes the answer malformed (RFC 9113 8.2.1).
fn tell(
    field: Field,
    key: u32,
    scratch: &mut Vec<u8>,
    events: &mut impl Events,
) -> Result<(), Broken> {
    scratch.clear();
    match field {
        Field::Indexed(at) => {
            let (name, value) = STATIC[at - 1];
            events.header(key, name.as_bytes(), value.as_bytes());
        }
        Field::Named(at, value) => {
            value.decode(scratch)?;
            check_value(scratch)?;
            events.header(key, STATIC[at - 1].0.as_bytes(), scratch);
        }
        Field::Literal(name, value) => {
            name.decode(scratch)?;
            let middle = scratch.len();
            value.decode(scratch)?;
            let (name, value) = scratch.split_at(middle);
            let is_name = |&byte: &u8| {
                byte > b' ' && byte < 0x7f && !byte.is_ascii_uppercase() && byte != b':'
            };
            if name.is_empty() || !name.iter().all(is_name) {
                return Err(MALFORMED);
            }
            check_value(value)?;
            events.header(key, name, value);
        }
    }
    Ok(())
}

fn check_value(value: &[u8]) -> Result<(), Broken> {
    if value.iter().any(|byte| matches!(byte, 0 | b'\r' | b'\n')) {
        return Err(MALFORMED);
    }
    Ok(())
}
