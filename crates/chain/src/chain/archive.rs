//! The archive: a chain as one portable file, its messages as they were learned.
//!
//! It is gzip over lines of JSON: a head with version, options and counters, one line a message
//! with its tokens, and an end with their number. It says nothing of segments, so that any version
//! of the files can be made from it, and nothing of the files that the chain was trained from: they
//! are of another machine.

use std::fmt;
use std::io::{BufRead, Read};
use std::marker::PhantomData;

use serde::de::{DeserializeOwned, Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::counters::Counts;
use crate::record::MAX_ATTACHED_BYTES;
use crate::storage::Options;
use crate::{Error, Result};

pub(super) const VERSION: u32 = 1;

/// The head has some hundred bytes.
const MAX_HEAD_BYTES: u64 = 64 << 10;
const MAX_COUNTER_BYTES: usize = 64;

/// Characters of what is wrong with a line that are shown.
const MAX_SHOWN: usize = 300;

/// What is beside the tokens of a message: `MAX_ATTACHED_BYTES` and three names, each byte six in
/// JSON at worst.
const MAX_FIELD_BYTES: u64 = 6 * MAX_ATTACHED_BYTES as u64 + (64 << 10);

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Head {
    pub chaffinch_chain: u32,
    pub options: Options,
    #[serde(default)]
    pub counters: Counts,
    /// How many names the guard was given. Which, would tell whoever reads the archive what the
    /// guard is there to hide.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub names: u64,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Head {
    fn validate(&mut self) -> Result<()> {
        self.options = std::mem::take(&mut self.options).meant();
        self.options.validate()?;
        let is_name = |name: &&String| {
            let known = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_');
            (1..=MAX_COUNTER_BYTES).contains(&name.len()) && name.bytes().all(known)
        };
        match self.counters.keys().find(|name| !is_name(name)) {
            None => Ok(()),
            Some(name) => Err(Error::input(format!("{name:.40?} is no name of a counter"))),
        }
    }
}

#[derive(Serialize)]
pub(super) struct Line {
    pub id: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub author: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub channel: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_ms: Option<i64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<String>,
    pub tokens: Vec<String>,
}

#[derive(Serialize)]
pub(super) struct End {
    pub messages: u64,
}

pub(super) enum Entry {
    Message(Line),
    End(End),
}

/// Either of both, as it is read: in one pass, so that a line takes no more memory than it says.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Either {
    id: Option<String>,
    #[serde(default)]
    author: String,
    #[serde(default)]
    channel: String,
    time_ms: Option<i64>,
    #[serde(default)]
    attachments: AtMost<String, MAX_ATTACHED_BYTES>,
    tokens: Option<AtMost<String, MAX_TOKENS>>,
    messages: Option<u64>,
}

/// The greatest `max_tokens` that a chain may have.
const MAX_TOKENS: usize = 10_000;

/// The lines of an archive, numbered for what is wrong with them.
pub(super) struct Lines<R> {
    input: R,
    line: u64,
    text: Vec<u8>,
    max_bytes: u64,
}

impl<R: BufRead> Lines<R> {
    pub fn new(input: R) -> Self {
        Self {
            input,
            line: 0,
            text: Vec::new(),
            max_bytes: MAX_HEAD_BYTES,
        }
    }

    /// The head, whose version is known and whose options are allowed.
    ///
    /// # Errors
    ///
    /// `Error::Input` for a later version, and for what is no head.
    pub fn head(&mut self) -> Result<Head> {
        let head: serde_json::Value = self.parsed()?;
        let version = head
            .get("chaffinch_chain")
            .and_then(serde_json::Value::as_u64);
        let mut head: Head = match version {
            None => return Err(self.wrong("it names no version")),
            Some(version) if version > u64::from(VERSION) => {
                return Err(Error::input(format!(
                    "the archive has version {version}, this chaffinch reads up to {VERSION}: \
                     upgrade it"
                )));
            }
            Some(_) => {
                serde_json::from_value(head).map_err(|error| self.wrong(&error.to_string()))?
            }
        };
        head.validate()
            .map_err(|error| self.wrong(&error.to_string()))?;
        let options = &head.options;
        // Each byte of a token is at most two in JSON; it has quotes and a comma.
        let token = 2 * u64::from(options.max_token_bytes) + 3;
        self.max_bytes = u64::from(options.max_tokens) * token + MAX_FIELD_BYTES;
        Ok(head)
    }

    /// The next message, or the end.
    ///
    /// # Errors
    ///
    /// `Error::Input` for what is neither.
    pub fn next(&mut self) -> Result<Entry> {
        match self.parsed()? {
            Either {
                id: Some(id),
                author,
                channel,
                time_ms,
                attachments,
                tokens: Some(tokens),
                messages: None,
            } => Ok(Entry::Message(Line {
                id,
                author,
                channel,
                time_ms,
                attachments: attachments.0,
                tokens: tokens.0,
            })),
            Either {
                id: None,
                tokens: None,
                messages: Some(messages),
                ..
            } => Ok(Entry::End(End { messages })),
            _ => Err(self.wrong("it is neither a message with id and tokens nor the end")),
        }
    }

    fn parsed<T: DeserializeOwned>(&mut self) -> Result<T> {
        self.line += 1;
        self.text.clear();
        // A large message is no reason to hold as much for all that follow.
        self.text.shrink_to(MAX_HEAD_BYTES as usize);
        let mut input = (&mut self.input).take(self.max_bytes);
        match input.read_until(b'\n', &mut self.text) {
            Ok(_) if self.text.ends_with(b"\n") => {}
            Ok(read) if read as u64 == self.max_bytes => {
                let most = self.max_bytes;
                return Err(self.wrong(&format!(
                    "it has more than the {most} bytes that it may have"
                )));
            }
            Ok(_) => return Err(self.wrong("it ends too early")),
            Err(error) => return Err(self.wrong(&format!("it cannot be decompressed: {error}"))),
        }
        serde_json::from_slice(&self.text).map_err(|error| self.wrong(&error.to_string()))
    }

    /// Reads to the end of the file, where the compression's own checksum is.
    ///
    /// # Errors
    ///
    /// `Error::Input` when something follows, or the checksum is wrong.
    pub fn finish(&mut self) -> Result<()> {
        self.line += 1;
        match self.input.fill_buf() {
            Ok([]) => Ok(()),
            Ok(_) => Err(self.wrong("it goes on after its end")),
            Err(error) => Err(self.wrong(&format!("it cannot be decompressed: {error}"))),
        }
    }

    pub fn wrong(&self, what: &str) -> Error {
        Error::input(format!(
            "the archive is not a chain's, line {}: {}; nothing was imported",
            self.line,
            shown(what)
        ))
    }
}

/// A sentence that may quote the archive: in one line, and without what drives a terminal.
fn shown(what: &str) -> String {
    let mut shown = String::new();
    for character in what.chars().take(MAX_SHOWN) {
        if character.is_control() {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// A list that ends the reading when it is longer: four bytes of an archive are else a hundred in
/// memory.
struct AtMost<T, const MOST: usize>(Vec<T>);

impl<T, const MOST: usize> Default for AtMost<T, MOST> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>, const MOST: usize> Deserialize<'de> for AtMost<T, MOST> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct List<T, const MOST: usize>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>, const MOST: usize> Visitor<'de> for List<T, MOST> {
            type Value = AtMost<T, MOST>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a list of at most {MOST}")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Self::Value, A::Error> {
                let mut list = Vec::new();
                while let Some(one) = from.next_element()? {
                    if list.len() == MOST {
                        return Err(A::Error::invalid_length(MOST + 1, &self));
                    }
                    list.push(one);
                }
                Ok(AtMost(list))
            }
        }
        from.deserialize_seq(List(PhantomData))
    }
}
