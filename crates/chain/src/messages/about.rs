//! What is known about a message beside its text.

use crate::storage::MessageId;

/// Of a message that is pushed, or read from memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About<'a> {
    /// The chain's own number of the message: ascending within a chain, never given twice.
    pub sequence: u64,
    pub id: MessageId,
    /// Empty: unknown.
    pub author: &'a str,
    /// Empty: unknown.
    pub channel: &'a str,
    /// Milliseconds since 1970 in UTC; none when unknown.
    pub time_ms: Option<i64>,
    /// Addresses of what was attached.
    pub attachments: &'a [String],
}

/// The same, kept beyond what it was read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnedAbout {
    pub sequence: u64,
    pub id: MessageId,
    pub author: String,
    pub channel: String,
    pub time_ms: Option<i64>,
    pub attachments: Vec<String>,
}

impl About<'_> {
    #[must_use]
    pub fn into_owned(self) -> OwnedAbout {
        OwnedAbout {
            sequence: self.sequence,
            id: self.id,
            author: self.author.to_owned(),
            channel: self.channel.to_owned(),
            time_ms: self.time_ms,
            attachments: self.attachments.to_vec(),
        }
    }
}

#[cfg(test)]
impl OwnedAbout {
    pub fn as_about(&self) -> About<'_> {
        About {
            sequence: self.sequence,
            id: self.id.clone(),
            author: &self.author,
            channel: &self.channel,
            time_ms: self.time_ms,
            attachments: &self.attachments,
        }
    }
}

/// A column holds times so that they sort as numbers; 0 is unknown.
const SIGN: u64 = 1 << 63;

/// The least time that there is counts as unknown.
pub(super) fn time_code(time_ms: Option<i64>) -> u64 {
    time_ms.map_or(0, |time| time.cast_unsigned() ^ SIGN)
}

pub(super) fn time_of(code: u64) -> Option<i64> {
    (code != 0).then(|| (code ^ SIGN).cast_signed())
}
