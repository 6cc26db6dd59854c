//! The values of a message's fields, each written into its place; true when one was given, not null.

use std::fmt;

use serde::Deserializer;
use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::instant;
use crate::MAX_NAME_BYTES;

/// A seed whose visitor is itself, and that takes null for absent.
macro_rules! seed {
    ($name:ident) => {
        impl<'de> DeserializeSeed<'de> for $name<'_> {
            type Value = bool;

            fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<bool, D::Error> {
                from.deserialize_any(self)
            }
        }
    };
}

pub(super) struct Text<'a>(pub &'static str, pub &'a mut String);

seed!(Text);

impl Visitor<'_> for Text<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a string as {:?}", self.0)
    }

    fn visit_str<E>(self, text: &str) -> Result<bool, E> {
        self.1.clear();
        self.1.push_str(text);
        Ok(true)
    }

    fn visit_unit<E>(self) -> Result<bool, E> {
        Ok(false)
    }
}

/// An id or a name: a string, a whole number, or an object that has one of both.
pub(super) struct Name<'a> {
    key: &'static str,
    into: &'a mut String,
    object: bool,
    bot: Option<&'a mut bool>,
}

impl<'a> Name<'a> {
    pub fn of(key: &'static str, into: &'a mut String) -> Self {
        Self {
            key,
            into,
            object: true,
            bot: None,
        }
    }

    pub fn plain(key: &'static str, into: &'a mut String) -> Self {
        Self {
            object: false,
            ..Self::of(key, into)
        }
    }

    /// Tells as well whether the object says that it is a bot.
    pub fn noting(self, bot: &'a mut bool) -> Self {
        Self {
            bot: Some(bot),
            ..self
        }
    }
}

seed!(Name);

impl<'de> Visitor<'de> for Name<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a string or a whole number as {:?}", self.key)
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<bool, E> {
        if name.len() > MAX_NAME_BYTES {
            return Err(E::custom(format_args!(
                "{:?} has {} bytes, at most {MAX_NAME_BYTES} are kept",
                self.key,
                name.len()
            )));
        }
        self.into.clear();
        self.into.push_str(name);
        Ok(!name.is_empty())
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<bool, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<bool, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_unit<E>(self) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<bool, A::Error> {
        if !self.object {
            return Err(A::Error::invalid_type(serde::de::Unexpected::Map, &self));
        }
        let mut by_id = false;
        let mut by_name = false;
        while let Some(key) = map.next_key::<std::borrow::Cow<'de, str>>()? {
            match &*key {
                "id" => by_id = map.next_value_seed(Name::plain("id", self.into))?,
                "name" if !by_id => {
                    by_name = map.next_value_seed(Name::plain("name", self.into))?;
                }
                "isBot" | "bot" if self.bot.is_some() => {
                    let is = map.next_value::<Option<bool>>()?.unwrap_or(false);
                    if let Some(bot) = &mut self.bot {
                        **bot |= is;
                    }
                }
                _ => _ = map.next_value::<IgnoredAny>()?,
            }
        }
        Ok(by_id || by_name)
    }
}

/// RFC 3339, seconds or milliseconds.
pub(super) struct Time<'a>(pub &'static str, pub &'a mut Option<i64>);

seed!(Time);

impl Visitor<'_> for Time<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "a time such as \"2024-05-17T09:30:00Z\" or 1715938200 as {:?}",
            self.0
        )
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<bool, E> {
        let Some(time) = instant::of_text(text) else {
            let cut: String = text.chars().take(40).collect();
            return Err(E::invalid_value(serde::de::Unexpected::Str(&cut), &self));
        };
        *self.1 = Some(time);
        Ok(true)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<bool, E> {
        self.visit_f64(number as f64)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<bool, E> {
        self.visit_f64(number as f64)
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<bool, E> {
        let Some(time) = instant::of_number(number) else {
            return Err(E::invalid_value(
                serde::de::Unexpected::Float(number),
                &self,
            ));
        };
        *self.1 = Some(time);
        Ok(true)
    }

    fn visit_unit<E>(self) -> Result<bool, E> {
        Ok(false)
    }
}

pub(super) struct Attachments<'a>(pub &'a mut Vec<String>);

seed!(Attachments);

impl<'de> Visitor<'de> for Attachments<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array as \"attachments\"")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<bool, A::Error> {
        loop {
            let mut address = String::new();
            match items.next_element_seed(Attachment(&mut address))? {
                Some(true) => self.0.push(address),
                Some(false) => {}
                None => return Ok(true),
            }
        }
    }

    fn visit_unit<E>(self) -> Result<bool, E> {
        Ok(false)
    }
}

struct Attachment<'a>(&'a mut String);

seed!(Attachment);

impl<'de> Visitor<'de> for Attachment<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an address, or an object with \"url\", in \"attachments\"")
    }

    fn visit_str<E: Error>(self, address: &str) -> Result<bool, E> {
        Text("url", self.0).visit_str(address)
    }

    fn visit_unit<E>(self) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
        let mut given = false;
        while let Some(key) = map.next_key::<std::borrow::Cow<'de, str>>()? {
            if key == "url" {
                given = map.next_value_seed(Text("url", self.0))?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        if given {
            return Ok(true);
        }
        Err(A::Error::custom("an attachment has no \"url\""))
    }
}

/// A Discord message's type: true for what people write. The numbers are those of Discord's API.
pub(super) struct Kind;

impl<'de> DeserializeSeed<'de> for Kind {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<bool, D::Error> {
        from.deserialize_any(self)
    }
}

impl Visitor<'_> for Kind {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string as \"type\"")
    }

    fn visit_str<E>(self, kind: &str) -> Result<bool, E> {
        Ok(matches!(kind, "Default" | "Reply" | "0" | "19"))
    }

    fn visit_u64<E>(self, kind: u64) -> Result<bool, E> {
        Ok(matches!(kind, 0 | 19))
    }

    fn visit_unit<E>(self) -> Result<bool, E> {
        Ok(true)
    }
}
