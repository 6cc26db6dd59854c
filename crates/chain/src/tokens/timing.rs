//! The time that tokens take, measured on demand: nothing here runs with the other tests.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use super::*;

const MODES: [Mode; 3] = [Mode::Words, Mode::Segments, Mode::Graphemes];

/// Texts made to be slow: one megabyte of each.
fn floods() -> Vec<String> {
    let parts = [
        "\u{301}",
        "\u{327}\u{301}",
        "a\u{301}",
        "\u{200d}",
        "\u{1f1e9}",
        "\u{1f469}\u{200d}\u{1f467}",
        "<",
        "<@",
        "@",
        "a@",
        "a@b.",
        "#",
        "#\u{301}",
        "://",
        "a://",
        "a://.",
        "http://a",
        "(",
        ")",
        "http://)",
        "a.",
        "a.\u{301}",
        "'",
        "1,",
        "\u{20e3}",
        "\u{fe0f}",
        "\u{915}\u{94d}",
        "\u{1100}",
        "\u{11a8}",
        "\u{600}",
        "\u{e33}",
        "\u{3042}",
        "\0",
        " ",
        "a ",
        "\u{3000}\u{301}",
        "\u{1f469}\u{301}\u{200d}",
        "-",
        "@a-",
        "</a:",
    ];
    let starts = ["", "x", "http://x/", "@x", "\u{1f469}"];
    let flood = |start: &str, part: &str| {
        let mut text = start.to_owned();
        while text.len() < 1_000_000 {
            text.push_str(part);
        }
        text
    };
    let mut texts = Vec::new();
    for part in parts {
        texts.extend(starts.iter().map(|start| flood(start, part)));
    }
    texts
}

#[test]
#[ignore = "takes a minute without optimisation: cargo test --release -- --ignored floods"]
fn floods_take_linear_time() {
    for text in floods() {
        for mode in MODES {
            let (mut tokens, mut cut) = (Tokens::new(), Cut::default());
            let tokenizer = Tokenizer::new(mode, Limits::default());
            let start = Instant::now();
            tokenizer.tokenize(&text, &mut tokens, &mut cut);
            let taken = start.elapsed();
            let head: String = text.chars().take(12).collect();
            assert!(
                taken < Duration::from_secs(1),
                "{head:?} in {mode}: {taken:?}"
            );
            assert!(tokens.len() <= 1000 && tokens.iter().all(|token| token.len() <= 255));
            assert_eq!(cut.messages_cut, u64::from(cut.tokens_dropped > 0));
        }
    }
}

/// Reads messages, one a line, from the file named by `CHAFFINCH_MESSAGES`; without it makes
/// 1,000,000 of 44 bytes.
#[test]
#[ignore = "a measurement: cargo test --release -- --ignored --nocapture time_of_a_million"]
fn time_of_a_million_messages() {
    let text = match std::env::var_os("CHAFFINCH_MESSAGES") {
        Some(path) => std::fs::read_to_string(path).expect("the file of messages is read"),
        None => "going to need a better name for that, right?\n".repeat(1_000_000),
    };
    let messages: Vec<&str> = text.lines().collect();
    let mut report = String::new();
    for mode in MODES {
        let tokenizer = Tokenizer::new(mode, Limits::default());
        let (mut tokens, mut cut, mut count) = (Tokens::new(), Cut::default(), 0);
        let start = Instant::now();
        for message in &messages {
            tokenizer.tokenize(message, &mut tokens, &mut cut);
            count += tokens.len();
        }
        let taken = start.elapsed();
        let _ = writeln!(
            report,
            "{mode}: {} messages, {count} tokens, {taken:?}, {cut:?}",
            messages.len()
        );
    }
    println!("{report}");
}
