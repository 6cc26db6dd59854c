//! What a chain is told once, when it is made, and keeps.

use serde::{Deserialize, Serialize};

use crate::tokens::{MIN_TOKEN_BYTES, Mode};
use crate::{Error, Result};

/// What earlier versions allowed.
const OLD_MIN_TOKEN_BYTES: u32 = 4;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// How many tokens the next one depends on, 1 to 4.
    pub order: u8,
    /// What a token is.
    pub mode: Mode,
    /// Tokens of a message that are learned.
    pub max_tokens: u32,
    /// Bytes of a token, 8 to 1,024: a longer one is shortened.
    pub max_token_bytes: u32,
    /// Different tokens that a file or what is added since the last merge may bring: each segment
    /// and the delta keep to it on their own, and a merge drops no token.
    pub max_vocabulary: u32,
    /// The longest run of tokens that may be said as one source message has it.
    pub max_copied_tokens: u32,
    /// Whether messages can be made from their end too.
    pub backward: bool,
    /// Whether secrets and personal data are replaced before anything is learned.
    pub guarded: bool,
    /// How many different authors (or messages) must have had a transition before it is used. An
    /// author that is not known may be one of the others, and counts for nobody.
    pub min_authors: u32,
    /// What `min_authors` counts.
    pub support: Support,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Support {
    #[default]
    Authors,
    Messages,
}

impl Support {
    /// Who counts, as a word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Authors => "authors",
            Self::Messages => "messages",
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            order: 2,
            mode: Mode::Words,
            max_tokens: 1000,
            max_token_bytes: 255,
            max_vocabulary: 1 << 24,
            max_copied_tokens: 6,
            backward: false,
            guarded: false,
            min_authors: 1,
            support: Support::Authors,
        }
    }
}

impl Options {
    /// What a chain for lures is made with: replaced secrets, and transitions that three authors
    /// had.
    #[must_use]
    pub fn guarded() -> Self {
        Self {
            guarded: true,
            min_authors: 3,
            ..Self::default()
        }
    }

    /// Options that an earlier version stored, as it took them: a `max_token_bytes` of 4 to 7 was
    /// allowed, and shown, but meant 8.
    #[must_use]
    pub(crate) fn meant(mut self) -> Self {
        if self.max_token_bytes >= OLD_MIN_TOKEN_BYTES {
            self.max_token_bytes = self.max_token_bytes.max(MIN_TOKEN_BYTES);
        }
        self
    }

    /// # Errors
    ///
    /// `Error::Input` names the first option that is out of its bounds, and the bounds.
    pub fn validate(&self) -> Result<()> {
        // A message of the longest tokens has to fit a batch of the log: 10,000 of 1,024 bytes are
        // 10 MiB.
        for (name, value, least, greatest) in [
            ("order", u32::from(self.order), 1, 4),
            ("max_tokens", self.max_tokens, 1, 10_000),
            (
                "max_token_bytes",
                self.max_token_bytes,
                MIN_TOKEN_BYTES,
                1_024,
            ),
            ("max_vocabulary", self.max_vocabulary, 1, 1 << 24),
            ("max_copied_tokens", self.max_copied_tokens, 1, 10_000),
            ("min_authors", self.min_authors, 1, 1_000_000),
        ] {
            if !(least..=greatest).contains(&value) {
                return Err(Error::input(format!(
                    "the option {name} is {value}: give a number from {least} to {greatest}"
                )));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid() {
        Options::default().validate().unwrap();
        Options::guarded().validate().unwrap();
    }

    #[test]
    fn an_option_out_of_bounds_is_named_with_its_bounds() {
        let options = Options {
            order: 5,
            ..Options::default()
        };
        assert_eq!(
            options.validate().unwrap_err().to_string(),
            "the option order is 5: give a number from 1 to 4"
        );
        let none = Options {
            max_tokens: 0,
            ..Options::default()
        };
        assert!(
            none.validate()
                .unwrap_err()
                .to_string()
                .contains("max_tokens is 0")
        );
    }

    #[test]
    fn the_shortest_cap_is_one_that_holds() {
        let capped = |max_token_bytes| Options {
            max_token_bytes,
            ..Options::default()
        };
        let sentence = capped(7).validate().unwrap_err().to_string();
        assert!(
            sentence.contains("give a number from 8 to 1024"),
            "{sentence}"
        );
        capped(8).validate().unwrap();
        for (stored, meant) in [(3, 3), (4, 8), (7, 8), (8, 8), (1024, 1024)] {
            assert_eq!(capped(stored).meant().max_token_bytes, meant);
        }
    }

    #[test]
    fn options_are_words_in_json_and_unknown_ones_are_refused() {
        let json = serde_json::to_string(&Options::guarded()).unwrap();
        assert!(json.contains(r#""mode":"words""#) && json.contains(r#""support":"authors""#));
        assert_eq!(
            serde_json::from_str::<Options>(&json).unwrap(),
            Options::guarded()
        );
        for json in [r#"{"ordr": 2}"#, r#"{"mode": "letters"}"#] {
            assert!(serde_json::from_str::<Options>(json).is_err());
        }
        for mode in [Mode::Segments, Mode::Graphemes] {
            let json = format!(r#"{{"mode": "{mode}"}}"#);
            assert_eq!(serde_json::from_str::<Options>(&json).unwrap().mode, mode);
        }
    }
}
