//! One message as it comes from a reader or a caller, before anything is learned.

use crate::read::MAX_MESSAGE_BYTES;
use crate::storage::MessageId;
use crate::{Error, Result};

/// Longest message id, author or channel, in bytes.
pub const MAX_NAME_BYTES: usize = 255;

/// The addresses of what was attached to one message, together, each with one byte more. With its
/// tokens, they fit one frame of the log.
pub(crate) const MAX_ATTACHED_BYTES: usize = 1 << 20;

/// Buffers are reused: a reader clears and fills the same record again and again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// Empty: none was given, and the chain numbers the message itself.
    pub id: String,
    /// Empty: unknown.
    pub author: String,
    /// Empty: unknown.
    pub channel: String,
    /// Milliseconds since 1970 in UTC; none when unknown.
    pub time_ms: Option<i64>,
    pub text: String,
    /// Addresses of what was attached.
    pub attachments: Vec<String>,
}

impl Record {
    pub fn clear(&mut self) {
        self.id.clear();
        self.author.clear();
        self.channel.clear();
        self.time_ms = None;
        self.text.clear();
        self.attachments.clear();
    }

    /// # Errors
    ///
    /// `Error::Input` for an id, author, channel, text or attachments that no message may have.
    pub(crate) fn check(&self) -> Result<()> {
        if !self.id.is_empty() {
            MessageId::given(&self.id)?;
        }
        for (what, name) in [("author", &self.author), ("channel", &self.channel)] {
            check_name(what, name)?;
        }
        if self.text.len() > MAX_MESSAGE_BYTES {
            return Err(Error::input(format!(
                "the text of a message has {} bytes, at most {} MiB are read: shorten it",
                self.text.len(),
                MAX_MESSAGE_BYTES >> 20
            )));
        }
        check_attachments(&self.attachments)
    }

    /// A message of which only the text is known.
    #[must_use]
    pub fn of(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            ..Self::default()
        }
    }
}

/// # Errors
///
/// `Error::Input` for one that is too long, which `what` is.
pub(crate) fn check_name(what: &str, name: &str) -> Result<()> {
    if name.len() <= MAX_NAME_BYTES {
        return Ok(());
    }
    Err(Error::input(format!(
        "the {what} {name:.40?}... has {} bytes, the longest allowed has {MAX_NAME_BYTES}: \
         shorten it",
        name.len()
    )))
}

/// # Errors
///
/// `Error::Input` for more than `MAX_ATTACHED_BYTES`.
pub(crate) fn check_attachments(attachments: &[String]) -> Result<()> {
    let attached: usize = attachments.iter().map(|address| address.len() + 1).sum();
    if attached <= MAX_ATTACHED_BYTES {
        return Ok(());
    }
    Err(Error::input(format!(
        "the addresses of a message's attachments have {attached} bytes, at most \
         {MAX_ATTACHED_BYTES} are kept: leave some out"
    )))
}
