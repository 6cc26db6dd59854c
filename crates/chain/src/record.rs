//! One message as it comes from a reader or a caller, before anything is learned.

/// Longest message id, author or channel, in bytes.
pub const MAX_NAME_BYTES: usize = 255;

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

    /// A message of which only the text is known.
    #[must_use]
    pub fn of(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            ..Self::default()
        }
    }
}
