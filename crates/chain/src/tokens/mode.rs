//! The three ways to cut a text.

use std::fmt;
use std::str::FromStr;

use crate::Error;

use super::scripts::is_spaceless;

/// So many letters are enough to tell what the texts are written in.
const LETTERS_LOOKED_AT: u64 = 200_000;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// What stands between whitespace, exactly as written.
    Words,
    /// Words as in UAX #29, with the space before them; one character where a script shows no
    /// words (Han, Hiragana, Thai). A grapheme, mention, tag, address or emoji is never cut.
    Segments,
    /// Extended grapheme clusters and single spaces; mentions, tags and addresses whole.
    Graphemes,
}

impl Mode {
    /// What stands between tokens that are put together again.
    #[must_use]
    pub fn separator(self) -> &'static str {
        match self {
            Self::Words => " ",
            Self::Segments | Self::Graphemes => "",
        }
    }

    /// The mode that suits these texts: `Segments` where at least three in ten letters, of the
    /// first 200,000, belong to scripts written without spaces; `Words` otherwise.
    #[must_use]
    pub fn suggest<'a>(texts: impl Iterator<Item = &'a str>) -> Self {
        let (mut letters, mut spaceless) = (0_u64, 0_u64);
        let characters = texts.flat_map(str::chars).filter(|c| c.is_alphabetic());
        for character in characters.take(LETTERS_LOOKED_AT as usize) {
            letters += 1;
            spaceless += u64::from(is_spaceless(character));
        }
        if letters > 0 && spaceless * 10 >= letters * 3 {
            Self::Segments
        } else {
            Self::Words
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Words => "words",
            Self::Segments => "segments",
            Self::Graphemes => "graphemes",
        })
    }
}

impl FromStr for Mode {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        [Self::Words, Self::Segments, Self::Graphemes]
            .into_iter()
            .find(|mode| mode.to_string() == name)
            .ok_or_else(|| {
                Error::input(format!(
                    "token mode {name:?} is unknown: choose words, segments or graphemes"
                ))
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mode_is_read_as_it_is_written() {
        for mode in [Mode::Words, Mode::Segments, Mode::Graphemes] {
            assert_eq!(mode.to_string().parse::<Mode>().ok(), Some(mode));
        }
        let error = "letters".parse::<Mode>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "token mode \"letters\" is unknown: choose words, segments or graphemes"
        );
    }

    #[test]
    fn scripts_without_spaces_suggest_segments() {
        let suggest = |texts: &[&str]| Mode::suggest(texts.iter().copied());
        assert_eq!(suggest(&["今日はいい天気ですね", "ok lol"]), Mode::Segments);
        assert_eq!(suggest(&["你好，世界"]), Mode::Segments);
        assert_eq!(suggest(&["สวัสดีครับ"]), Mode::Segments);
        assert_eq!(suggest(&["សួស្តី", "မင်္ဂလာပါ"]), Mode::Segments);
        assert_eq!(suggest(&["안녕하세요 여러분"]), Mode::Words);
        assert_eq!(suggest(&["hello there, this is 日本"]), Mode::Words);
        assert_eq!(suggest(&["", "123 !?"]), Mode::Words);
        assert_eq!(suggest(&[]), Mode::Words);
    }

    #[test]
    fn an_endless_stream_of_texts_is_not_read_to_its_end() {
        assert_eq!(Mode::suggest(std::iter::repeat("abc")), Mode::Words);
    }
}
