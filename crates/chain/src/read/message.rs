//! One message from one JSON value: its fields under the names that exports give them.

use std::fmt;

use serde::Deserializer as _;
use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, Visitor};

use super::field::{Attachments, Kind, Name, Text, Time};
use crate::Record;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Shape {
    /// An object or a bare string of any origin.
    Plain,
    /// An element of `DiscordChatExporter`'s messages.
    Discord,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Outcome {
    Taken,
    /// Written by a bot or by Discord itself, or without text and attachments.
    LeftOut,
}

#[derive(Clone, Copy)]
enum Slot {
    Id,
    Author,
    Channel,
    Time,
    Text,
    Attachments,
    Kind,
}

/// Each field's names, the one that is taken first when several are given. A data table.
const NAMES: [(&str, Slot); 14] = [
    ("text", Slot::Text),
    ("message", Slot::Text),
    ("content", Slot::Text),
    ("id", Slot::Id),
    ("author_id", Slot::Author),
    ("author", Slot::Author),
    ("user", Slot::Author),
    ("channel_id", Slot::Channel),
    ("channel", Slot::Channel),
    ("time", Slot::Time),
    ("timestamp", Slot::Time),
    ("date", Slot::Time),
    ("attachments", Slot::Attachments),
    ("type", Slot::Kind),
];
const SLOTS: usize = 7;

/// Reads one JSON value into a cleared record.
///
/// # Errors
/// The value is not JSON, not a message, or a field is not what it should be.
pub(super) fn parse(
    json: &str,
    shape: Shape,
    record: &mut Record,
) -> Result<Outcome, serde_json::Error> {
    let mut from = serde_json::Deserializer::from_str(json);
    let outcome = from.deserialize_any(Message { shape, record })?;
    from.end()?;
    Ok(outcome)
}

struct Message<'a> {
    shape: Shape,
    record: &'a mut Record,
}

impl<'de> Visitor<'de> for Message<'_> {
    type Value = Outcome;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.shape {
            Shape::Plain => "an object or a string",
            Shape::Discord => "an object",
        })
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Outcome, E> {
        if self.shape == Shape::Discord {
            return Err(E::invalid_type(serde::de::Unexpected::Str(text), &self));
        }
        self.record.text.push_str(text);
        Ok(Outcome::Taken)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Outcome, A::Error> {
        let mut fields = Fields {
            shape: self.shape,
            record: self.record,
            seen: 0,
            best: [usize::MAX; SLOTS],
            left_out: false,
        };
        while let Some(key) = map.next_key_seed(Key)? {
            fields.take(key, &mut map)?;
        }
        fields.finish()
    }
}

struct Fields<'a> {
    shape: Shape,
    record: &'a mut Record,
    /// A bit for each name that was met.
    seen: u32,
    /// For each slot, the place in [`NAMES`] of the name that filled it.
    best: [usize; SLOTS],
    left_out: bool,
}

impl Fields<'_> {
    fn take<'de, A: MapAccess<'de>>(
        &mut self,
        key: Option<usize>,
        map: &mut A,
    ) -> Result<(), A::Error> {
        let Some(at) = key else {
            return map.next_value::<IgnoredAny>().map(|_| ());
        };
        let (name, slot) = NAMES[at];
        if self.seen & (1 << at) != 0 {
            return Err(A::Error::custom(format_args!("{name:?} is given twice")));
        }
        self.seen |= 1 << at;
        let unused = matches!(slot, Slot::Kind) && self.shape == Shape::Plain;
        if unused || self.best[slot as usize] < at {
            return map.next_value::<IgnoredAny>().map(|_| ());
        }
        let given = match slot {
            Slot::Id => map.next_value_seed(Name::plain(name, &mut self.record.id))?,
            Slot::Channel => map.next_value_seed(Name::of(name, &mut self.record.channel))?,
            Slot::Author => {
                let mut bot = false;
                let into = Name::of(name, &mut self.record.author).noting(&mut bot);
                let given = map.next_value_seed(into)?;
                self.left_out |= bot && self.shape == Shape::Discord;
                given
            }
            Slot::Text => map.next_value_seed(Text(name, &mut self.record.text))?,
            Slot::Time => map.next_value_seed(Time(name, &mut self.record.time_ms))?,
            Slot::Attachments => map.next_value_seed(Attachments(&mut self.record.attachments))?,
            Slot::Kind => {
                self.left_out |= !map.next_value_seed(Kind)?;
                true
            }
        };
        if given {
            self.best[slot as usize] = at;
        }
        Ok(())
    }

    fn finish<E: serde::de::Error>(self) -> Result<Outcome, E> {
        let nothing = self.record.text.is_empty() && self.record.attachments.is_empty();
        let no_text = self.best[Slot::Text as usize] == usize::MAX;
        if nothing && no_text && !self.left_out {
            return Err(E::custom(
                "no text: a \"text\", \"message\" or \"content\" is needed",
            ));
        }
        if self.left_out || (nothing && self.shape == Shape::Discord) {
            return Ok(Outcome::LeftOut);
        }
        Ok(Outcome::Taken)
    }
}

/// The place of a key in [`NAMES`]; none for one that is ignored.
struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Option<usize>;

    fn deserialize<D: serde::Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_str(self)
    }
}

impl Visitor<'_> for Key {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(NAMES.iter().position(|(name, _)| *name == key))
    }
}
