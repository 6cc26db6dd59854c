//! The tokens of one message, and a message made of tokens.

use super::Mode;

/// The tokens of one message, in order: a buffer to be used again for the next message.
///
/// No token is empty. In `Segments` a token that followed whitespace begins with one space; in
/// `Graphemes` the space is a token.
#[derive(Clone, Debug, Default)]
pub struct Tokens {
    text: String,
    /// Where each token begins and ends in `text`, in bytes.
    spans: Vec<(u32, u32)>,
}

impl Tokens {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Every token in order; also from the end.
    #[must_use]
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &str> + ExactSizeIterator + Clone {
        (0..self.spans.len()).map(|index| self.slice(index))
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// The token at `index`, counted from 0.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&str> {
        (index < self.spans.len()).then(|| self.slice(index))
    }

    /// Forgets the tokens and keeps the memory.
    pub fn clear(&mut self) {
        self.text.clear();
        self.spans.clear();
    }

    /// Takes a text whose tokens follow as [`push_span`](Self::push_span), in place of all else.
    #[inline]
    pub(super) fn begin(&mut self, text: &str) {
        self.clear();
        self.text.push_str(text);
    }

    /// Adds one token that stands in the text already. The caps keep the text under 4 GiB.
    #[inline]
    pub(super) fn push_span(&mut self, start: usize, end: usize) {
        self.spans.push((start as u32, end as u32));
    }

    /// Adds one token, `gap` and `piece` in one.
    #[inline]
    pub(super) fn push(&mut self, gap: &str, piece: &str) {
        let start = self.text.len();
        self.text.push_str(gap);
        self.text.push_str(piece);
        self.push_span(start, self.text.len());
    }

    pub(super) fn pop(&mut self) {
        self.spans.pop();
    }

    pub(super) fn text_of(&self, start: usize, end: usize) -> &str {
        &self.text[start..end]
    }

    #[inline]
    fn slice(&self, index: usize) -> &str {
        let (start, end) = self.spans[index];
        &self.text[start as usize..end as usize]
    }
}

impl PartialEq for Tokens {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Tokens {}

/// Puts tokens together again, in place of what `into` held: with a space between them in
/// `Words`; in the other modes as they are, without whitespace at the start.
pub fn join<'a>(mode: Mode, tokens: impl Iterator<Item = &'a str>, into: &mut String) {
    into.clear();
    for token in tokens {
        if into.is_empty() {
            into.push_str(token.trim_start());
        } else {
            into.push_str(mode.separator());
            into.push_str(token);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(mode: Mode, tokens: &[&str]) -> String {
        let mut text = "what stood there before".to_owned();
        join(mode, tokens.iter().copied(), &mut text);
        text
    }

    #[test]
    fn words_are_joined_by_spaces_and_pieces_by_nothing() {
        assert_eq!(joined(Mode::Words, &["a", "b,", "c"]), "a b, c");
        assert_eq!(joined(Mode::Segments, &["a", " b", ",", " c"]), "a b, c");
        assert_eq!(joined(Mode::Graphemes, &["a", " ", "b"]), "a b");
        assert_eq!(joined(Mode::Words, &[]), "");
    }

    #[test]
    fn a_message_never_starts_with_a_space() {
        assert_eq!(joined(Mode::Segments, &[" hello", " you"]), "hello you");
        assert_eq!(joined(Mode::Graphemes, &[" ", "b"]), "b");
    }

    #[test]
    fn tokens_are_read_from_both_ends_and_by_number() {
        let mut tokens = Tokens::new();
        assert!(tokens.is_empty());
        tokens.push("", "one");
        tokens.push(" ", "two");
        assert_eq!(tokens.iter().rev().collect::<Vec<_>>(), [" two", "one"]);
        assert_eq!(tokens.get(1), Some(" two"));
        assert_eq!(tokens.get(2), None);
        tokens.pop();
        assert_eq!(tokens.iter().collect::<Vec<_>>(), ["one"]);
        tokens.clear();
        assert_eq!(tokens.len(), 0);
    }
}
