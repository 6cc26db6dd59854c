//! All rules, compiled once for the process.

use std::sync::OnceLock;

use regex::bytes::{Regex, RegexBuilder};

use super::context::Context;
use super::kind::Kind;
use super::patterns::{PATTERNS, Pattern};
use super::spans::{Spans, in_word, trimmed};
use super::traits::{DIGIT, Traits};
use super::{numbers, opaque};

/// The bound of one lazy automaton, in bytes; beyond it the search is slower, never wrong.
const AUTOMATON_BYTES: usize = 256 << 10;

pub(super) struct Rules {
    patterns: Vec<(&'static Pattern, OnceLock<Regex>)>,
    context: Context,
}

/// The expressions are constants, and a test compiles each.
pub(super) fn compiled(pattern: &str) -> Regex {
    RegexBuilder::new(pattern)
        .unicode(false)
        .case_insensitive(true)
        .dfa_size_limit(AUTOMATON_BYTES)
        .build()
        .unwrap_or_else(|error| unreachable!("{pattern}: {error}"))
}

impl Rules {
    pub(super) fn get() -> &'static Self {
        static RULES: OnceLock<Rules> = OnceLock::new();
        RULES.get_or_init(|| Self {
            patterns: PATTERNS
                .iter()
                .map(|pattern| (pattern, OnceLock::new()))
                .collect(),
            context: Context::new(),
        })
    }

    pub(super) fn find(&self, bytes: &[u8], traits: Traits, spans: &mut Spans) {
        for (pattern, regex) in &self.patterns {
            let possible = pattern.any == 0 || pattern.any & traits != 0;
            if possible && pattern.all & traits == pattern.all {
                let regex = regex.get_or_init(|| compiled(pattern.regex));
                run(pattern, regex, bytes, spans);
            }
        }
        if traits & DIGIT != 0 {
            numbers::find(bytes, spans);
        }
        opaque::find(bytes, traits, spans);
        self.context.find(bytes, traits, spans);
    }
}

fn run(pattern: &Pattern, regex: &Regex, bytes: &[u8], spans: &mut Spans) {
    let mut at = 0;
    while let Some(found) = regex.find_at(bytes, at) {
        let (start, mut end) = (found.start(), found.end());
        at = end.max(at + 1);
        if pattern.check.is_some_and(|check| !check(bytes, start, end)) {
            // "3 is 100 Mill Street": the address begins within what was matched.
            if pattern.kind == Kind::Address {
                let word = bytes[start..end].iter().take_while(|byte| in_word(**byte));
                at = start + word.count().max(1);
            }
        } else {
            if pattern.trims {
                end = trimmed(bytes, start, end);
            }
            spans.add(start, end, pattern.kind, pattern.reach);
        }
        if at > bytes.len() {
            break;
        }
    }
}
