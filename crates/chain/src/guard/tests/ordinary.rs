//! Sentences without anything to hide. A data table: each stays as it is.

use std::borrow::Cow;

use super::planted::NAMES;
use crate::guard::{Guard, Kind, Replaced};

const ORDINARY: &[&str] = &[
    "good morning",
    "haha nice",
    "see you at 10:30",
    "the meeting is from 10:30 to 11:45",
    "python 3.11 is out",
    "python3 is fine",
    "we moved to version 2.4.1 last week",
    "it costs 12.50 or so",
    "I have 2 cats and 3 dogs",
    "1,200 people came",
    "in 1984 it was different",
    "from 1914-1918 there was a war",
    "the password is required",
    "the password is not set",
    "your password was wrong again",
    "I forgot my password",
    "he passed the exam",
    "pass me the salt",
    "the user is allowed to do that",
    "the key is under the mat",
    "the secret is love",
    "the token is expired",
    "a basic understanding of it",
    "the bearer of bad news",
    "mp3 files are old",
    "utf-8 is everywhere",
    "covid-19 was a mess",
    "ISO-8859-1 is older",
    "it's a catch-22 really",
    "win10 is old",
    "web2 and web3 are words",
    "state-of-the-art stuff",
    "internationalization is a long word",
    "Donaudampfschifffahrtsgesellschaft is longer",
    "call getElementByIdAndName here",
    "os.path.join is handy",
    "read the README.md first",
    "run setup.py again",
    "e.g. this one",
    "i.e. that one",
    "and/or both",
    "what?! really... wow",
    "lol :) xD :3",
    "C++ and C# are languages",
    "std::vector is fast",
    "the Perl module Fcntl:: is old",
    "look in /etc/passwd",
    "it is in /usr/bin/perl",
    "5 miles down the road",
    "2 people on the way",
    "two blocks down the street",
    "he lives around the corner",
    "@everyone wake up",
    "@here wake up",
    "1920x1080 is enough",
    "a 64-bit machine",
    "the 80s were fun",
    "we may win",
    "march on",
    "50% off",
    "half past 7",
    "game over 3-2",
    "a 3/4 majority",
    "2+2=4",
    "x = y",
    "if a < b then c > d",
    "<3 you all",
    "that is so 2019",
    "top10 of the year",
    "meet me at noon",
    "the dot is at the end",
    "connect the dots",
    "hello :wave: friend",
    "Ich wohne in einer Straße mit Bäumen",
    "unterwegs nach Hause",
    "le chat est sur la table",
    "¿qué tal?",
    "привет как дела",
    "今日はいい天気ですね",
    "😀 👍🏽 👨‍👩‍👧",
    "naïve café",
    "well\u{200d}known",
    "a code review takes time",
    "the login page is broken",
    "login failed again",
    "order more pizza",
    "in any case 2 is enough",
    "bug fixes only",
    "she said \"no\" twice",
    "*bold* _italic_ `code`",
    "the project starts tomorrow",
    "brambles and thistles",
    "1st 2nd 3rd",
    "in the mid-1990s we had none",
    "source code: lib/asyncio",
    "the call stack at the point where it fails",
    "routed via trace2 here",
    "a web-server and a db-api",
    "nginx -t && reload",
    "ls -la",
    "ssh -p 22 works",
    "tar -xzf it",
];

#[test]
fn ordinary_sentences_stay() {
    assert!(ORDINARY.len() >= 80, "{}", ORDINARY.len());
    let names: Vec<String> = NAMES.iter().map(ToString::to_string).collect();
    let guard = Guard::new(&names).unwrap();
    let mut replaced = Replaced::default();
    let mut changed = Vec::new();
    for line in ORDINARY {
        match guard.redact(line, &mut replaced) {
            Cow::Borrowed(same) => assert_eq!(same, *line),
            Cow::Owned(out) => changed.push(format!("{line:?} -> {out:?}")),
        }
    }
    assert!(
        changed.is_empty(),
        "{} changed:\n{}",
        changed.len(),
        changed.join("\n")
    );
    assert_eq!(replaced.total(), 0);
}

#[test]
fn placeholders_typed_by_a_user_stay() {
    let guard = Guard::new(&[]).unwrap();
    let mut replaced = Replaced::default();
    for kind in Kind::ALL {
        for text in [
            kind.placeholder().to_owned(),
            format!("password: {} x", kind.placeholder()),
        ] {
            assert_eq!(guard.redact(&text, &mut replaced), text);
        }
    }
    assert_eq!(replaced.total(), 0);
}

#[test]
fn names_that_cannot_be_used_are_refused() {
    for bad in ["", " ", "x", "--", &"n".repeat(201)] {
        assert!(Guard::new(&[bad.to_owned()]).is_err(), "{bad:?}");
    }
    let many: Vec<String> = (0..100_001).map(|at| format!("name{at}")).collect();
    assert!(Guard::new(&many).is_err());
}
