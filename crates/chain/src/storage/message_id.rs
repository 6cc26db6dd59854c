//! How a message is named: by its sender's number or text, or by the chain's own number where none
//! was given.

use std::fmt;
use std::str::FromStr;

use crate::{Error, MAX_NAME_BYTES, Result};

/// What the chain's own numbers begin with, so that they cannot be taken for an id that was given.
const OWN: char = '~';

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MessageId {
    /// A decimal number as `u64` prints it: no sign, no leading zeros.
    Number(u64),
    /// Any other id: 1 to `MAX_NAME_BYTES` bytes that do not begin with `~`.
    Text(String),
    /// The chain's own number of a message that came without an id; printed as `~17`.
    Own(u64),
}

impl MessageId {
    /// The id that a message came with.
    ///
    /// # Errors
    ///
    /// `Error::Input` for an empty or too long one, and for what begins with `~`: only the chain
    /// gives such ids.
    pub fn given(text: &str) -> Result<Self> {
        if text.is_empty() {
            return Err(Error::input(
                "a message id is empty: leave it out or give one",
            ));
        }
        if text.starts_with(OWN) {
            return Err(Error::input(format!(
                "the message id {text:.40?} begins with ~, which marks the chain's own numbers: choose another"
            )));
        }
        if text.len() > MAX_NAME_BYTES {
            return Err(Error::input(format!(
                "the message id {text:.40?}... has {} bytes, the longest allowed has {MAX_NAME_BYTES}: shorten it",
                text.len()
            )));
        }
        Ok(canonical(text).map_or_else(|| Self::Text(text.to_owned()), Self::Number))
    }
}

/// What an operator names a message by: a given id, or one that the chain gave (`~17`).
impl FromStr for MessageId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.strip_prefix(OWN).and_then(canonical) {
            Some(number) => Ok(Self::Own(number)),
            None => Self::given(text),
        }
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => f.write_str(text),
            Self::Own(number) => write!(f, "{OWN}{number}"),
        }
    }
}

fn canonical(text: &str) -> Option<u64> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let leading_zero = text.len() > 1 && text.starts_with('0');
    (digits && !leading_zero).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_canonical_numbers_are_numbers() {
        let number = |text: &str| MessageId::given(text).unwrap();
        assert_eq!(number("0"), MessageId::Number(0));
        assert_eq!(number("18446744073709551615"), MessageId::Number(u64::MAX));
        for text in ["18446744073709551616", "007", "+1", "-1", "1.0", " 1", "00"] {
            assert_eq!(number(text), MessageId::Text(text.to_owned()));
        }
    }

    #[test]
    fn own_numbers_are_read_but_never_taken_from_a_message() {
        assert_eq!("~17".parse::<MessageId>().unwrap(), MessageId::Own(17));
        for text in ["~17", "~", "~x", "~017"] {
            assert!(
                MessageId::given(text)
                    .unwrap_err()
                    .to_string()
                    .contains("begins with ~")
            );
        }
        assert!("~x".parse::<MessageId>().is_err());
        assert!("~017".parse::<MessageId>().is_err());
        assert!(MessageId::given("").is_err());
        assert!(
            MessageId::given(&"é".repeat(128))
                .unwrap_err()
                .to_string()
                .contains("256 bytes")
        );
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_again(text in "\\PC{1,40}") {
            if let Ok(id) = text.parse::<MessageId>() {
                prop_assert_eq!(id.to_string(), text);
            }
        }
    }
}
