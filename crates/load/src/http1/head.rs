//! The head of an answer: its end, and what of it decides how the rest is read.

use std::mem::MaybeUninit;

use httparse::{Error, Header, ParserConfig, Response, Status};

use super::length::{Length, Lengths, trim};
use super::{Fault, Kind};
use crate::Answer;

/// Bytes of a head, the empty line that ends it included.
pub const MOST_HEAD: usize = 64 * 1024;

pub const MOST_HEADERS: usize = 100;

/// What a head says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub status: u16,
    pub keeps_alive: bool,
    pub length: Length,
}

impl Head {
    /// Another head follows, of the same answer.
    pub(super) const fn is_interim(self) -> bool {
        self.status < 200
    }
}

/// Folded lines are read as spaces, as RFC 9112 section 5.2 wants of a client; all other leniency
/// is off.
fn rules() -> ParserConfig {
    let mut rules = ParserConfig::default();
    rules.allow_obsolete_multiline_headers_in_responses(true);
    rules
}

/// The head at the start of `bytes` and how long it is, or None when its end is not there. `keep`
/// is filled from a final head only.
///
/// # Errors
/// Whatever is wrong up to where `bytes` ends.
pub(super) fn parse(
    bytes: &[u8],
    kind: Kind,
    keep: Option<&mut Answer>,
) -> Result<Option<(usize, Head)>, Fault> {
    // An empty line before the status line is what the parser would pass over, and the search for
    // the end would not.
    if bytes.first().is_some_and(|&first| first != b'H') {
        return Err(Fault::NotHttp);
    }
    let mut room = [const { MaybeUninit::uninit() }; MOST_HEADERS];
    let mut response = Response::new(&mut []);
    let parsed = rules().parse_response_with_uninit_headers(&mut response, bytes, &mut room);
    let used = match parsed {
        Ok(Status::Complete(used)) => used,
        Ok(Status::Partial) => return Ok(None),
        Err(Error::Version) => return Err(Fault::NotHttp),
        Err(Error::TooManyHeaders) => return Err(Fault::TooManyHeaders),
        Err(_) => return Err(Fault::BadHead),
    };
    let status = response.code.unwrap_or_default();
    let head = match status {
        0..100 => return Err(Fault::BadHead),
        101 => return Err(Fault::Upgrade),
        102..200 | 100 => Head {
            status,
            keeps_alive: true,
            length: Length::Bytes(0),
        },
        _ => examine(status, response.version == Some(1), response.headers, kind)?,
    };
    if let Some(answer) = keep
        && !head.is_interim()
    {
        fill(answer, status, response.headers);
    }
    Ok(Some((used, head)))
}

/// Looks at the three headers that decide what follows; all others are told apart by their length
/// alone.
fn examine(status: u16, is_1_1: bool, headers: &[Header], kind: Kind) -> Result<Head, Fault> {
    let has_body = !(kind == Kind::Head || status == 204 || status == 304);
    let mut lengths = Lengths::default();
    let mut keeps = is_1_1;
    let mut closes = false;
    for Header { name, value } in headers {
        match name.len() {
            10 if name.eq_ignore_ascii_case("connection") => {
                for token in value.split(|&byte| byte == b',').map(trim) {
                    closes |= token.eq_ignore_ascii_case(b"close");
                    keeps |= token.eq_ignore_ascii_case(b"keep-alive");
                }
            }
            14 if has_body && name.eq_ignore_ascii_case("content-length") => {
                lengths.content(value)?;
            }
            17 if has_body && name.eq_ignore_ascii_case("transfer-encoding") => {
                lengths.coding(value)?;
            }
            _ => {}
        }
    }
    let length = if has_body {
        lengths.decide()?
    } else {
        Length::Bytes(0)
    };
    // HTTP/1.0 has no transfer codings: what frames such an answer is suspect (RFC 9112 section
    // 6.1).
    let is_sound = length != Length::Closing && (is_1_1 || !lengths.has_coding());
    Ok(Head {
        status,
        keeps_alive: keeps && !closes && is_sound,
        length,
    })
}

fn fill(answer: &mut Answer, status: u16, headers: &[Header]) {
    answer.clear();
    answer.status = status;
    for Header { name, value } in headers {
        if memchr::memchr(b'\n', value).is_none() {
            answer.push_header(name.as_bytes(), value);
        } else {
            answer.push_header(name.as_bytes(), &unfold(value));
        }
    }
}

/// The value on one line.
fn unfold(value: &[u8]) -> Vec<u8> {
    let is_break = |byte: &u8| matches!(byte, b'\r' | b'\n');
    value
        .iter()
        .map(|byte| if is_break(byte) { b' ' } else { *byte })
        .collect()
}

/// Looks for the empty line that ends a head, which may come in any number of pieces.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Ending {
    #[default]
    InLine,
    LineBegins,
    /// A return at the beginning of a line.
    Return,
}

impl Ending {
    /// How many of `bytes` belong to the head, when its end is among them. Each byte is looked at
    /// once.
    pub(super) fn find(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut at = 0;
        while at < bytes.len() {
            *self = match (*self, bytes[at]) {
                (Self::LineBegins | Self::Return, b'\n') => return Some(at + 1),
                (Self::LineBegins, b'\r') => Self::Return,
                _ => {
                    let Some(line) = memchr::memchr(b'\n', &bytes[at..]) else {
                        *self = Self::InLine;
                        return None;
                    };
                    at += line;
                    Self::LineBegins
                }
            };
            at += 1;
        }
        None
    }
}
