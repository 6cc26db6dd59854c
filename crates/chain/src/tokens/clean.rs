//! What a text loses before it is cut, and its normal form.
//!
//! Dropped are the control characters (C0, DEL and C1; NUL among them) that are not whitespace,
//! the byte order mark U+FEFF, and the twelve characters with the Unicode property
//! `Bidi_Control`: what a chain says must neither drive a terminal nor turn the text around it.
//! They are not counted. Kept are the joiners U+200C and U+200D, variation selectors and tags,
//! which emoji and several scripts need. The rest becomes NFC.

use std::borrow::Cow;

use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

/// `text` without what is dropped, in NFC; itself where that changes nothing.
pub(super) fn cleaned(text: &str) -> Cow<'_, str> {
    if is_plain_ascii(text) || is_ordinary(text) {
        return Cow::Borrowed(text);
    }
    let drops = text.contains(is_dropped);
    // Dropping comes first: what it brings together may compose.
    let kept = if drops {
        Cow::Owned(text.chars().filter(|&c| !is_dropped(c)).collect())
    } else {
        Cow::Borrowed(text)
    };
    if is_nfc_quick(kept.chars()) == IsNormalized::Yes {
        kept
    } else {
        Cow::Owned(kept.nfc().collect())
    }
}

/// Printable ASCII and whitespace only.
fn is_plain_ascii(text: &str) -> bool {
    let others = text
        .bytes()
        .filter(|&byte| !(b' '..=b'~').contains(&byte) && !(b'\t'..=b'\r').contains(&byte));
    // Counting to the end is faster than stopping early: it is done many bytes at a time.
    others.count() == 0
}

fn is_dropped(character: char) -> bool {
    match character {
        '\u{61c}'
        | '\u{200e}'
        | '\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}'
        | '\u{feff}' => true,
        _ => character.is_control() && !character.is_whitespace(),
    }
}

/// Whether the text has only characters that are neither dropped, nor whitespace outside ASCII,
/// nor changed, moved or composed by any normalisation. Only the usual ones count: a cheap
/// answer before the exact one.
pub(super) fn is_ordinary(text: &str) -> bool {
    text.chars().all(is_ordinary_character)
}

fn is_ordinary_character(character: char) -> bool {
    matches!(
        character,
        '\t'..='\r' | ' '..='~'
            | '\u{a1}'..='\u{2ff}'    // Latin
            | '\u{400}'..='\u{482}'   // Cyrillic
            | '\u{2010}'..='\u{2027}' // dashes, quotation marks
            | '\u{3041}'..='\u{3096}' // Hiragana
            | '\u{30a1}'..='\u{30fa}' // Katakana
            | '\u{4e00}'..='\u{9fff}' // Han
            | '\u{ac00}'..='\u{d7a3}' // Hangul
            | '\u{fe0f}'              // the emoji form of what stands before
            | '\u{1f300}'..='\u{1faff}' // emoji
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_is_clean_is_not_copied() {
        for text in [
            "plain",
            "tab\tand\r\nlines",
            "na\u{ef}ve \u{2019}",
            "\u{4f60}\u{597d}",
        ] {
            assert!(matches!(cleaned(text), Cow::Borrowed(same) if same == text));
        }
    }

    #[test]
    fn control_characters_go_and_whitespace_stays() {
        assert_eq!(
            cleaned("a\0b\u{1b}[31mc\u{7f}\u{9b}d\te\u{85}"),
            "ab[31mcd\te\u{85}"
        );
        assert_eq!(
            cleaned("\u{feff}a\u{202e}b\u{2066}c\u{2069}\u{200f}"),
            "abc"
        );
    }

    #[test]
    fn joiners_and_variation_selectors_stay() {
        let text = "\u{1f469}\u{200d}\u{2764}\u{fe0f}\u{200d}\u{1f469} \u{645}\u{200c}\u{6cc}";
        assert_eq!(cleaned(text), text);
    }

    #[test]
    fn what_dropping_brings_together_is_composed() {
        assert_eq!(cleaned("e\u{0}\u{301}"), "\u{e9}");
        assert_eq!(cleaned("e\u{301}"), "\u{e9}");
        assert_eq!(cleaned("\u{212b}"), "\u{c5}");
    }

    /// The exact answer is that of the normaliser, for every character and after a letter that
    /// composes with much.
    #[test]
    fn the_cheap_answer_is_never_wrong() {
        let mut seen = 0;
        for character in ('\0'..=char::MAX).filter(|&c| is_ordinary_character(c)) {
            seen += 1;
            assert!(!is_dropped(character), "{character:?}");
            assert!(
                character.is_ascii() || !character.is_whitespace(),
                "{character:?}"
            );
            for before in ["", "a", "\u{1100}", "\u{ac00}"] {
                let text = format!("{before}{character}");
                assert_eq!(is_nfc_quick(text.chars()), IsNormalized::Yes, "{text:?}");
            }
        }
        assert!(seen > 30_000);
    }
}
