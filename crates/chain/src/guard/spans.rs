//! Where something was found, and how far what is replaced reaches beyond it.

use super::fold::MASK;
use super::kind::Kind;

/// How far a find reaches beyond what was matched, so that no residue of it stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// What was matched.
    Exact,
    /// The letters and digits it is part of.
    Word,
    /// To the right up to a space, a quote, a bracket or a comma.
    Right,
    /// Both ways; to the left also up to `=` and `:`.
    Chunk,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub start: usize,
    pub end: usize,
    pub kind: Kind,
    pub reach: Reach,
    /// Bytes matched before the reach: the longest of overlapping finds names them all.
    matched: usize,
}

/// The finds of one pass over a folded text.
#[derive(Default)]
pub(super) struct Spans {
    found: Vec<Span>,
}

impl Spans {
    pub(super) fn add(&mut self, start: usize, end: usize, kind: Kind, reach: Reach) {
        if start < end {
            self.found.push(Span {
                start,
                end,
                kind,
                reach,
                matched: end - start,
            });
        }
    }

    /// Disjoint, in order, each with at least one letter or digit that is not in a placeholder.
    pub(super) fn settle(mut self, bytes: &[u8]) -> Vec<Span> {
        if self.found.is_empty() {
            return self.found;
        }
        self.found
            .sort_unstable_by_key(|span| (span.start, span.end));
        // A chunk of a megabyte with a thousand finds in it is walked once.
        let (mut words, mut chunks) = (0, 0);
        for span in &mut self.found {
            let whole = matches!(span.reach, Reach::Right | Reach::Chunk);
            let walked = if whole { &mut chunks } else { &mut words };
            if span.end > *walked {
                widen(span, bytes, *walked);
                *walked = span.end;
            }
        }
        self.found
            .sort_unstable_by_key(|span| (span.start, span.end));
        let mut settled: Vec<Span> = Vec::with_capacity(self.found.len());
        for span in self.found {
            match settled.last_mut() {
                Some(last) if span.start < last.end => {
                    last.end = last.end.max(span.end);
                    let (ours, theirs) = (last.matched, span.matched);
                    if theirs > ours || theirs == ours && span.kind < last.kind {
                        (last.kind, last.matched) = (span.kind, theirs);
                    }
                }
                _ => settled.push(span),
            }
        }
        settled.retain(|span| {
            bytes[span.start..span.end]
                .iter()
                .any(|&byte| in_word(byte))
        });
        settled
    }
}

pub(super) fn in_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte >= 0x80
}

fn in_chunk(byte: u8) -> bool {
    !byte.is_ascii_whitespace() && !b"\"'`<>(){}[],;|".contains(&byte) && byte != MASK
}

fn widen(span: &mut Span, bytes: &[u8], floor: usize) {
    let word = |byte: u8| in_word(byte) || byte == b'_';
    match span.reach {
        Reach::Exact => {}
        Reach::Word => {
            span.start = left(bytes, span.start, floor, word);
            span.end = right(bytes, span.end, word);
        }
        Reach::Right | Reach::Chunk => {
            if span.reach == Reach::Chunk {
                let chunk = |byte: u8| in_chunk(byte) && byte != b'=' && byte != b':';
                span.start = left(bytes, span.start, floor, chunk);
            } else {
                span.start = left(bytes, span.start, floor, word);
            }
            let matched = span.end;
            span.end = trimmed(bytes, matched, right(bytes, matched, in_chunk));
        }
    }
}

fn left(bytes: &[u8], mut start: usize, floor: usize, joins: impl Fn(u8) -> bool) -> usize {
    while start > floor && joins(bytes[start - 1]) {
        start -= 1;
    }
    start
}

fn right(bytes: &[u8], mut end: usize, joins: impl Fn(u8) -> bool) -> usize {
    while end < bytes.len() && joins(bytes[end]) {
        end += 1;
    }
    end
}

/// Without the punctuation of the sentence around it.
pub(super) fn trimmed(bytes: &[u8], floor: usize, mut end: usize) -> usize {
    while end > floor && b".,;:!?)]}'\"`*".contains(&bytes[end - 1]) {
        end -= 1;
    }
    end
}
