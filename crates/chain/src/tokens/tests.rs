//! What holds for every text, mode and cap.

use proptest::prelude::*;
use unicode_normalization::is_nfc;
use unicode_segmentation::UnicodeSegmentation;

use super::*;

const MODES: [Mode; 3] = [Mode::Words, Mode::Segments, Mode::Graphemes];
const BIDI: char = '\u{202e}';
const FAMILY: &str = "\u{1f469}\u{200d}\u{1f469}\u{200d}\u{1f467}";

fn cut_into(mode: Mode, limits: Limits, text: &str) -> (Vec<String>, Cut) {
    let (mut tokens, mut cut) = (Tokens::new(), Cut::default());
    Tokenizer::new(mode, limits).tokenize(text, &mut tokens, &mut cut);
    (tokens.iter().map(str::to_owned).collect(), cut)
}

fn tokens(mode: Mode, text: &str) -> Vec<String> {
    cut_into(mode, Limits::default(), text).0
}

fn joined(mode: Mode, tokens: &[String]) -> String {
    let mut text = String::new();
    join(mode, tokens.iter().map(String::as_str), &mut text);
    text
}

#[test]
fn words_are_kept_as_written() {
    assert_eq!(
        tokens(
            Mode::Words,
            "  Hey,\t<@123> LOOK:\r\nhttps://a.b/c?d=e. \u{1f600}!! "
        ),
        [
            "Hey,",
            "<@123>",
            "LOOK:",
            "https://a.b/c?d=e.",
            "\u{1f600}!!"
        ]
    );
    assert_eq!(
        tokens(Mode::Words, "a\u{a0}b\u{3000}c\u{2028}d\u{b}e\u{c}f").len(),
        6
    );
    assert_eq!(
        tokens(Mode::Words, "caf\u{65}\u{301} \u{feff}"),
        ["caf\u{e9}"]
    );
    assert_eq!(
        tokens(Mode::Words, "a b\0c \u{1b}[0m \u{7f} d"),
        ["a", "bc", "[0m", "d"]
    );
    assert_eq!(tokens(Mode::Words, " \t\u{2003}\0"), [""; 0]);
}

#[test]
fn plain_words_of_all_lengths_are_found_at_all_places() {
    for before in 0..20 {
        for length in 1..20 {
            let word = "x".repeat(length);
            let text = format!("{}{word}\t\ta {word}", " ".repeat(before));
            assert_eq!(tokens(Mode::Words, &text), [word.as_str(), "a", &word]);
        }
    }
}

#[test]
fn segments_carry_the_space_before_them() {
    assert_eq!(
        tokens(Mode::Segments, "  Hello,\n\n can't stop. "),
        ["Hello", ",", " can't", " stop", "."]
    );
    assert_eq!(
        tokens(
            Mode::Segments,
            "\u{4f60}\u{597d}\u{ff0c}\u{30ab}\u{30bf} 3.5kg"
        ),
        [
            "\u{4f60}",
            "\u{597d}",
            "\u{ff0c}",
            "\u{30ab}\u{30bf}",
            " 3.5kg"
        ]
    );
    let thai = "\u{e01}\u{e33}\u{e44}";
    assert_eq!(tokens(Mode::Segments, thai), ["\u{e01}\u{e33}", "\u{e44}"]);
}

#[test]
fn what_is_one_thing_stays_one_token() {
    let things = [
        FAMILY,
        "\u{1f1e9}\u{1f1ea}",
        "\u{1f44d}\u{1f3fd}",
        "1\u{fe0f}\u{20e3}",
        "\u{1f3f4}\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}",
        "<@123>",
        "<a:wave:123>",
        "@some_one",
        "#tag",
        "https://a.b/c?d=(e)",
        "me.too@mail.example.org",
    ];
    for thing in things {
        for mode in [Mode::Segments, Mode::Graphemes] {
            let found = tokens(mode, &format!("({thing}), so {thing} {thing}"));
            let count = found
                .iter()
                .filter(|token| token.trim_start() == thing)
                .count();
            assert_eq!(count, 3, "{thing:?} in {found:?}");
        }
        let found = tokens(Mode::Segments, &format!("x {thing}"));
        assert_eq!(found, ["x".to_owned(), format!(" {thing}")]);
    }
}

#[test]
fn graphemes_have_single_spaces_between_words() {
    assert_eq!(
        tokens(Mode::Graphemes, " e\u{323}\u{308}\u{ac00} \t<@1> "),
        ["\u{1eb9}\u{308}", "\u{ac00}", " ", "<@1>"]
    );
}

#[test]
fn tokens_over_the_cap_are_counted() {
    let limits = Limits {
        max_tokens: 3,
        max_token_bytes: 8,
    };
    let (found, cut) = cut_into(Mode::Words, limits, "a bbbbbbbbbb c d e\u{e9}");
    assert_eq!(found, ["a", "bbbbbbbb", "c"]);
    assert_eq!(
        (cut.tokens_dropped, cut.tokens_shortened, cut.messages_cut),
        (2, 1, 1)
    );
    let (found, cut) = cut_into(Mode::Segments, limits, "a bbbbbbbbbb");
    assert_eq!(found, ["a", " bbbbbbb"]);
    assert_eq!((cut.tokens_shortened, cut.messages_cut), (1, 0));
    let (found, cut) = cut_into(Mode::Graphemes, limits, "ab cd");
    assert_eq!(found, ["a", "b"]);
    assert_eq!((cut.tokens_dropped, cut.messages_cut), (3, 1));
}

#[test]
fn a_message_without_an_end_is_one_short_token() {
    for letter in ["a", "\u{e9}", FAMILY] {
        let (found, cut) = cut_into(Mode::Words, Limits::default(), &letter.repeat(100_000));
        assert_eq!(found.len(), 1);
        assert!((230..=255).contains(&found[0].len()));
        assert_eq!((cut.tokens_shortened, cut.messages_cut), (1, 0));
    }
}

/// Fragments that meet in awkward ways.
fn soup() -> impl Strategy<Value = String> {
    const PARTS: [&str; 64] = [
        " ",
        " ",
        " ",
        "\t",
        "\r\n",
        "\u{a0}",
        "\u{3000}",
        "\u{200b}",
        "a",
        "B",
        "word",
        "z_",
        "1",
        "2.5",
        ".",
        ",",
        ":",
        ";",
        "!",
        "?",
        "'",
        "\"",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        "<",
        ">",
        "@",
        "#",
        "/",
        "//",
        "://",
        "-",
        "&",
        "*",
        "<@1>",
        "<:a:1>",
        "<t:1:R>",
        "http://x.y/",
        "m@n.org",
        "\u{301}",
        "\u{327}",
        "\u{200d}",
        "\u{200c}",
        "\u{fe0f}",
        "\u{20e3}",
        "\u{1f469}",
        "\u{1f3fd}",
        "\u{1f1e9}",
        "\u{4f60}",
        "\u{30ab}",
        "\u{3042}",
        "\u{e01}",
        "\u{e33}",
        "\u{ac00}",
        "\u{1100}",
        "\u{11a8}",
        "\u{915}\u{94d}",
        "\u{600}",
        "\0",
        "\u{202e}",
    ];
    let part = prop_oneof![
        12 => prop::sample::select(PARTS.as_slice()).prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
        1 => (0x20_u8..0x7f).prop_map(|byte| char::from(byte).to_string()),
    ];
    prop::collection::vec(part, 0..40).prop_map(|parts| parts.concat())
}

fn texts() -> impl Strategy<Value = String> {
    prop_oneof![3 => soup(), 1 => any::<String>(), 1 => "[ -~\t\n]{0,60}"]
}

fn limits() -> impl Strategy<Value = Limits> {
    (0_u32..30, prop_oneof![8_u32..20, Just(255)]).prop_map(|(max_tokens, max_token_bytes)| {
        Limits {
            max_tokens,
            max_token_bytes,
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn tokens_of_joined_tokens_are_the_same(text in texts(), limits in limits()) {
        for mode in MODES {
            for limits in [Limits::default(), limits] {
                let (first, cut) = cut_into(mode, limits, &text);
                if mode == Mode::Words || cut.tokens_shortened == 0 {
                    let (again, cut) = cut_into(mode, limits, &joined(mode, &first));
                    prop_assert_eq!(&again, &first, "{}", mode);
                    prop_assert_eq!(cut, Cut::default());
                }
            }
        }
    }

    #[test]
    fn tokens_hold_the_caps_and_are_clean(text in texts(), limits in limits()) {
        for mode in MODES {
            let (found, cut) = cut_into(mode, limits, &text);
            let all = cut_into(mode, Limits { max_tokens: 65_535, ..limits }, &text).0;
            prop_assert_eq!(found.len() as u64 + cut.tokens_dropped, all.len() as u64);
            prop_assert!(found.len() <= limits.max_tokens as usize);
            prop_assert_eq!(cut.messages_cut, u64::from(cut.tokens_dropped > 0));
            for token in &found {
                prop_assert!(!token.is_empty() && token.len() <= limits.max_token_bytes as usize);
                prop_assert!(!token.chars().any(|c| c.is_control() || c == BIDI));
                prop_assert!(is_nfc(token));
                let inner = if mode == Mode::Segments { token.trim_start() } else { token };
                prop_assert!(token == " " || !inner.contains(char::is_whitespace));
            }
        }
    }

    #[test]
    fn nothing_but_whitespace_is_lost_or_changed(text in texts()) {
        let words = tokens(Mode::Words, &text).concat();
        for mode in [Mode::Segments, Mode::Graphemes] {
            let pieces = joined(mode, &tokens(mode, &text));
            prop_assert_eq!(pieces.split_whitespace().collect::<String>(), &*words);
        }
        let clean: String = clean::cleaned(&text).split_whitespace().collect();
        prop_assert_eq!(words, clean);
    }

    #[test]
    fn plain_text_is_split_as_the_standard_library_does(text in "[ -~\t-\r]{0,200}") {
        let expected: Vec<_> = text.split_whitespace().collect();
        prop_assert_eq!(tokens(Mode::Words, &text), expected);
    }

    #[test]
    fn segments_are_those_of_uax_29(text in "[ a-zA-Z0-9.,'!éüäя你好カ]{0,40}") {
        let found = tokens(Mode::Segments, &text);
        let expected: Vec<_> = text.split_word_bounds().filter(|s| !s.trim().is_empty()).collect();
        let found: Vec<_> = found.iter().map(|token| token.trim_start()).collect();
        prop_assert_eq!(found, expected);
    }
}

#[test]
fn a_flood_of_marks_is_one_token() {
    let text = format!("x{}", "\u{301}".repeat(100_000));
    for mode in MODES {
        let (found, cut) = cut_into(mode, Limits::default(), &text);
        assert_eq!((found.len(), cut.tokens_shortened), (1, 1));
        assert!(found[0].len() <= 255);
    }
}
