//! What holds for any text.

use proptest::prelude::*;

use super::planted::NAMES;
use crate::guard::{Guard, Replaced};

fn guard() -> Guard {
    let names: Vec<String> = NAMES.iter().map(ToString::to_string).collect();
    Guard::new(&names).unwrap()
}

fn filler() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "so", "then", "haha", "the", "server", "is", "ok.", "(see", "well,", "und", "für", "да",
        "3", "10:30",
    ]);
    prop::collection::vec(word, 0..6).prop_map(|words| words.join(" "))
}

/// What matters of a secret, and how it is written.
fn secret() -> impl Strategy<Value = (String, String)> {
    let plain = |text: String| (text.clone(), text);
    prop_oneof![
        "[A-Za-z0-9]{20,60}".prop_map(plain),
        "[0-9a-f]{16,64}".prop_map(plain),
        "[0-9]{5,30}".prop_map(plain),
        "[2-9][0-9]{2}[-. ][0-9]{3}[-. ][0-9]{4}".prop_map(plain),
        "[a-z]{3,9}[.][a-z]{3,9}@[a-z]{4,12}[.](com|test|internal)".prop_map(plain),
        "https?://[a-z]{4,9}[.][a-z]{3,9}/[a-zA-Z0-9/?=]{1,20}".prop_map(plain),
        "(25[0-5]|1[0-9]{2})([.](25[0-5]|1[0-9]{2})){3}".prop_map(plain),
        "([0-9a-f]{2}:){5}[0-9a-f]{2}".prop_map(plain),
        "[a-z]{6,12}".prop_map(|value| (value.clone(), format!("password={value}"))),
        "[1-9][0-9]{2} [A-Z][a-z]{5,9} (Street|Road|Avenue)".prop_map(plain),
        name().prop_map(plain),
    ]
}

fn name() -> impl Strategy<Value = String> {
    let listed = prop::sample::select(vec![
        "Quillon Brambleforth",
        "Odalys Vexmoor",
        "Zorblatt Industries",
    ]);
    let gap = prop::sample::select(vec![" ", ".", "_", "-", "", "  "]);
    (listed, gap, prop::collection::vec(any::<bool>(), 24)).prop_map(|(name, gap, upper)| {
        let cased = name.chars().zip(upper).map(|(c, upper)| {
            if upper {
                c.to_ascii_uppercase()
            } else {
                c.to_ascii_lowercase()
            }
        });
        cased.collect::<String>().replace(' ', gap)
    })
}

fn wrapped() -> impl Strategy<Value = (&'static str, &'static str)> {
    prop::sample::select(vec![
        ("", ""),
        ("\"", "\""),
        ("(", ")"),
        ("'", "'s"),
        ("**", "**"),
        ("[", "],"),
        ("`", "`"),
        ("", "!"),
        ("", "?!"),
        ("„", "“"),
        ("\n", "\n"),
        ("", "…"),
    ])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn any_text_settles(text in any::<String>()) {
        let guard = guard();
        let once = guard.redact(&text, &mut Replaced::default()).into_owned();
        let mut again = Replaced::default();
        prop_assert_eq!(&guard.redact(&once, &mut again), &once);
        prop_assert_eq!(again.total(), 0);
    }

    #[test]
    fn any_text_of_signs_settles(text in "[a-c0-3@.:/=<>_ \\\\#+\\-\"'()éд。１pasword|mil]{0,60}") {
        let guard = guard();
        let once = guard.redact(&text, &mut Replaced::default()).into_owned();
        prop_assert_eq!(&guard.redact(&once, &mut Replaced::default()), &once);
    }

    #[test]
    fn a_planted_secret_is_gone(
        before in filler(), (secret, written) in secret(), (open, close) in wrapped(), after in filler(),
    ) {
        let text = format!("{before} {open}{written}{close} {after}");
        let out = guard().redact(&text, &mut Replaced::default()).into_owned();
        let chars: Vec<char> = secret.chars().collect();
        for part in chars.windows(5) {
            let part: String = part.iter().collect();
            let ordinary = part.trim_end_matches(' ').ends_with(['e', 'E']) && part.contains(' ');
            prop_assert!(ordinary || !out.contains(&part), "{:?} -> {:?} has {:?}", text, out, part);
        }
        prop_assert_eq!(&guard().redact(&out, &mut Replaced::default()), &out);
    }
}

#[test]
fn a_long_message_takes_no_time() {
    let guard = guard();
    for piece in [
        "1@1",
        "a.b-",
        "password:",
        "-----BEGIN ",
        "1 ",
        "::",
        "Ab1",
        "x ",
        "<key>",
        "\u{200b}1",
    ] {
        let text = piece.repeat(20_000 / piece.len());
        let started = std::time::Instant::now();
        let out = guard.redact(&text, &mut Replaced::default()).into_owned();
        assert!(
            started.elapsed().as_secs() < 5,
            "{piece}: {:?}",
            started.elapsed()
        );
        assert_eq!(guard.redact(&out, &mut Replaced::default()), out);
    }
}
