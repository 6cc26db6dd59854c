//! `DiscordChatExporter`'s JSON: one object with the channel and its messages, read as it comes.

use super::json::message;
use super::message::{Shape, parse};
use super::walk::{Element, TRUNCATED, Value, Walk, unexpected};
use super::window::Window;
use super::{Found, too_long};
use crate::{Record, Result};

/// The longest key of the document, and the longest description of the channel, in bytes.
const MAX_HEAD_BYTES: usize = 1024 * 1024;

enum State {
    Start,
    /// Before a member of the document's object.
    Member,
    Messages,
    After,
    Done,
}

pub(super) struct Reader {
    walk: Walk,
    state: State,
    first: bool,
    messages: bool,
    channel: String,
}

impl Reader {
    pub fn new() -> Self {
        Self {
            walk: Walk::new(),
            state: State::Start,
            first: true,
            messages: false,
            channel: String::new(),
        }
    }

    pub fn next(&mut self, window: &mut Window, record: &mut Record) -> Result<Found> {
        loop {
            match self.state {
                State::Start => match self.walk.peek(window)? {
                    Some(b'{') => {
                        self.walk.take(window, 1);
                        self.state = State::Member;
                    }
                    None => self.state = State::Done,
                    found => return Ok(self.stop(unexpected(found, "the { of an object"))),
                },
                State::Member => {
                    if let Some(reason) = self.member(window)? {
                        return Ok(self.stop(reason));
                    }
                }
                State::Messages => {
                    if let Some(found) = self.message(window, record)? {
                        return Ok(found);
                    }
                }
                State::After => match self.walk.peek(window)? {
                    None if self.messages => self.state = State::Done,
                    None => return Ok(self.stop("the document has no \"messages\"".to_owned())),
                    found => return Ok(self.stop(unexpected(found, "the end of the file"))),
                },
                State::Done => return Ok(Found::End),
            }
        }
    }

    fn message(&mut self, window: &mut Window, record: &mut Record) -> Result<Option<Found>> {
        let (line, element) = self.walk.element(window)?;
        let found = match element {
            Element::Whole(length) => {
                let found = message(&window.held()[..length], line, Shape::Discord, record);
                self.walk.take(window, length);
                record.channel.clear();
                record.channel.push_str(&self.channel);
                found
            }
            Element::TooLong => Found::Bad(line, too_long()),
            Element::Broken(reason) => self.stop(reason),
            Element::Closed => {
                self.state = State::Member;
                return Ok(None);
            }
        };
        Ok(Some(found))
    }

    /// Passes one member, up to the first message where it is the messages. Returns why the
    /// document cannot be read on.
    fn member(&mut self, window: &mut Window) -> Result<Option<String>> {
        let mut next = self.walk.peek(window)?;
        if next == Some(b'}') {
            self.walk.take(window, 1);
            self.state = State::After;
            return Ok(None);
        }
        if !std::mem::take(&mut self.first) {
            if next != Some(b',') {
                return Ok(Some(unexpected(next, "a comma or }")));
            }
            self.walk.take(window, 1);
            next = self.walk.peek(window)?;
        }
        if next != Some(b'"') {
            return Ok(Some(unexpected(next, "a name in quotes")));
        }
        let length = match self.walk.value(window, MAX_HEAD_BYTES)? {
            Value::Whole(length) => length,
            Value::TooLong => {
                let reason = "a name longer than 1 MiB stands here: nothing after it was read";
                return Ok(Some(reason.to_owned()));
            }
            Value::Truncated => return Ok(Some(TRUNCATED.to_owned())),
        };
        let key = serde_json::from_slice::<String>(&window.held()[..length]).unwrap_or_default();
        self.walk.take(window, length);
        let next = self.walk.peek(window)?;
        if next != Some(b':') {
            return Ok(Some(unexpected(next, "a colon")));
        }
        self.walk.take(window, 1);
        self.member_value(&key, window)
    }

    fn member_value(&mut self, key: &str, window: &mut Window) -> Result<Option<String>> {
        let next = self.walk.peek(window)?;
        if key == "messages" {
            if next != Some(b'[') {
                return Ok(Some(unexpected(next, "the [ of the messages")));
            }
            self.walk.open(window);
            self.messages = true;
            self.state = State::Messages;
            return Ok(None);
        }
        let limit = if key == "channel" { MAX_HEAD_BYTES } else { 0 };
        match self.walk.value(window, limit)? {
            Value::Whole(0) => Ok(Some(unexpected(next, "a value"))),
            Value::Whole(length) => {
                let reason = self.read_channel(&window.held()[..length]);
                self.walk.take(window, length);
                Ok(reason)
            }
            Value::TooLong => Ok(None),
            Value::Truncated => Ok(Some(TRUNCATED.to_owned())),
        }
    }

    /// The channel's id, read as a message's channel would be.
    fn read_channel(&mut self, json: &[u8]) -> Option<String> {
        let mut record = Record::default();
        let text = String::from_utf8_lossy(json);
        let whole = format!("{{\"text\":\"\",\"channel\":{text}}}");
        match parse(&whole, Shape::Plain, &mut record) {
            Ok(_) => {
                self.channel = record.channel;
                None
            }
            Err(error) => Some(format!(
                "the channel cannot be read ({error}): nothing after it was read"
            )),
        }
    }

    fn stop(&mut self, reason: String) -> Found {
        self.state = State::Done;
        Found::Bad(self.walk.line, reason)
    }
}
