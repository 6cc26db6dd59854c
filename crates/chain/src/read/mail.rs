//! One mail: who, when, and the paragraphs that its author wrote.

use mail_parser::{
    HeaderName, HeaderValue, Message, MessageParser, MessagePart, MimeHeaders, PartType,
};

use crate::storage::MessageId;
use crate::{MAX_NAME_BYTES, Record};

/// The paragraphs of a mail, one a line in one text: a million short ones cost no more than a long one.
#[derive(Default)]
pub(super) struct Paragraphs {
    joined: String,
    count: usize,
    given: usize,
}

impl Paragraphs {
    fn push(&mut self, paragraph: &str) {
        self.joined.push_str(paragraph);
        self.joined.push('\n');
        self.count += 1;
    }

    pub fn next(&mut self) -> Option<&str> {
        let (_, rest) = self.joined.split_at(self.given);
        let (paragraph, _) = rest.split_once('\n')?;
        self.given += paragraph.len() + 1;
        Some(paragraph)
    }
}

/// What the paragraphs of a mail have in common.
#[derive(Default)]
pub(super) struct Head {
    id: String,
    author: String,
    channel: String,
    time_ms: Option<i64>,
}

impl Head {
    /// Fills all but the text for paragraph `number`, from 1.
    pub fn fill(&self, number: u64, record: &mut Record) {
        if !self.id.is_empty() {
            record.id = format!("{}#{number}", self.id);
        }
        record.author.push_str(&self.author);
        record.channel.push_str(&self.channel);
        record.time_ms = self.time_ms;
    }
}

/// Reads a mail without the line that begins it; `cut` when its end is missing.
///
/// # Errors
/// Why it cannot be used, in a sentence.
pub(super) fn read(mail: &[u8], cut: bool) -> Result<(Head, Paragraphs), String> {
    let Some(message) = MessageParser::default().parse(mail) else {
        return Err("the mail has no headers".to_owned());
    };
    let outcome = written(&message, mail.len(), cut);
    dismantle(message);
    outcome
}

/// Mails forwarded within mails, without end: dropped one inside the other they would need a stack
/// as deep.
fn dismantle(message: Message<'_>) {
    let mut pending = vec![message];
    while let Some(message) = pending.pop() {
        for part in message.parts {
            if let PartType::Message(inner) = part.body {
                pending.push(inner);
            }
        }
    }
}

fn written(message: &Message<'_>, length: usize, cut: bool) -> Result<(Head, Paragraphs), String> {
    let head = head(message)?;
    let mut paragraphs = Paragraphs::default();
    // The last line end of a part that is cut off does not count as its own.
    let end = length.saturating_sub(2);
    let mut lost = false;
    for part in message.text_bodies() {
        if let PartType::Text(text) = &part.body
            && is_plain(part)
        {
            lost |= cut && part.offset_end as usize >= end;
            split(text, &mut paragraphs);
        }
    }
    if lost || (cut && paragraphs.count == 0) {
        return Err(super::too_long());
    }
    // The number of each paragraph is at the end of its id.
    let digits = paragraphs.count.checked_ilog10().unwrap_or(0) as usize + 1;
    if !head.id.is_empty() && head.id.len() + 1 + digits > MAX_NAME_BYTES {
        return Err(too_long_name("Message-ID", head.id.len()));
    }
    if !head.id.is_empty() {
        MessageId::given(&head.id).map_err(|error| error.to_string())?;
    }
    Ok((head, paragraphs))
}

fn head(message: &Message<'_>) -> Result<Head, String> {
    let author = message.from().and_then(|from| from.first());
    let author = author.and_then(|from| from.address().or(from.name()));
    let head = Head {
        id: message.message_id().unwrap_or_default().to_owned(),
        author: author.unwrap_or_default().to_owned(),
        channel: list(message),
        time_ms: message
            .date()
            .filter(|date| date.is_valid())
            .map(|date| date.to_timestamp().saturating_mul(1000)),
    };
    for (name, value) in [("From", &head.author), ("List-Id", &head.channel)] {
        if value.len() > MAX_NAME_BYTES {
            return Err(too_long_name(name, value.len()));
        }
    }
    Ok(head)
}

fn is_plain(part: &MessagePart<'_>) -> bool {
    part.content_type().is_none_or(|is| {
        is.subtype()
            .is_none_or(|sub| sub.eq_ignore_ascii_case("plain"))
    })
}

/// The list's identifier: what stands in the angle brackets of List-Id.
fn list(message: &Message<'_>) -> String {
    let id = match message.header(HeaderName::ListId) {
        Some(HeaderValue::Address(address)) => address
            .first()
            .and_then(|first| first.address().or(first.name())),
        Some(HeaderValue::Text(text)) => Some(&**text),
        _ => None,
    };
    id.unwrap_or_default().to_owned()
}

fn too_long_name(header: &str, bytes: usize) -> String {
    format!("the mail's {header} has {bytes} bytes, at most {MAX_NAME_BYTES} are kept")
}

/// The paragraphs of a text, without what it quotes and without the signature.
fn split(text: &str, paragraphs: &mut Paragraphs) {
    let mut current = String::new();
    for line in text.lines() {
        if line == "-- " || line == "--" {
            break;
        }
        let quoted = line.starts_with('>');
        if quoted || line.trim().is_empty() {
            end(&mut current, paragraphs);
            continue;
        }
        for word in line.split_whitespace() {
            if !current.is_empty() {
                current.push(' ');
            }
            current.push_str(word);
        }
    }
    end(&mut current, paragraphs);
}

fn end(current: &mut String, paragraphs: &mut Paragraphs) {
    let attribution = current.starts_with("On ") && current.ends_with(" wrote:");
    if !current.is_empty() && !attribution {
        paragraphs.push(current);
    }
    current.clear();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_without_quotes_and_signature() {
        let text = "Hello all,\n\nthe printer on floor 3\nis back.\n\nOn Fri, May 17, 2024 at 9:30,\n\
                    the office wrote:\n> it is broken\n>\n> again\nIt was the fuse.\n-- \nThe desk\n";
        let mut paragraphs = Paragraphs::default();
        split(text, &mut paragraphs);
        for expected in [
            "Hello all,",
            "the printer on floor 3 is back.",
            "It was the fuse.",
        ] {
            assert_eq!(paragraphs.next(), Some(expected));
        }
        assert_eq!(paragraphs.next(), None);
    }
}
