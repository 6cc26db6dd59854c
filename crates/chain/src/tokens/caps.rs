//! The caps on a message, and the count of what they took.

use std::ops::AddAssign;

use unicode_segmentation::GraphemeCursor;

use super::Tokens;

/// Shortest `max_token_bytes`: a space and any one character fit.
pub const MIN_TOKEN_BYTES: u32 = 8;
/// Largest value of either limit: one message then stays under 4 GiB of tokens.
const MAX_LIMIT: u32 = 65_535;

/// What one message may bring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Tokens a message, up to 65,535: the rest of the message is dropped.
    pub max_tokens: u32,
    /// UTF-8 bytes a token, 8 to 65,535: a longer one is shortened.
    pub max_token_bytes: u32,
}

impl Limits {
    pub(super) fn clamped(self) -> Self {
        Self {
            max_tokens: self.max_tokens.min(MAX_LIMIT),
            max_token_bytes: self.max_token_bytes.clamp(MIN_TOKEN_BYTES, MAX_LIMIT),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_tokens: 1000,
            max_token_bytes: 255,
        }
    }
}

/// What the caps took from the messages so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Cut {
    /// Tokens after the last one that a message may have.
    pub tokens_dropped: u64,
    /// Tokens kept without their end.
    pub tokens_shortened: u64,
    /// Messages that lost tokens.
    pub messages_cut: u64,
}

impl AddAssign for Cut {
    fn add_assign(&mut self, other: Self) {
        self.tokens_dropped += other.tokens_dropped;
        self.tokens_shortened += other.tokens_shortened;
        self.messages_cut += other.messages_cut;
    }
}

/// Takes the tokens of one message and holds them to the caps.
pub(super) struct Sink<'a> {
    max_tokens: usize,
    max_token_bytes: usize,
    into: &'a mut Tokens,
    dropped: u64,
    shortened: u64,
}

impl<'a> Sink<'a> {
    pub(super) fn new(limits: Limits, into: &'a mut Tokens) -> Self {
        Self {
            max_tokens: limits.max_tokens as usize,
            max_token_bytes: limits.max_token_bytes as usize,
            into,
            dropped: 0,
            shortened: 0,
        }
    }

    /// One token: `gap`, empty or a space, and `piece`, never empty.
    #[inline]
    pub(super) fn push(&mut self, gap: &str, piece: &str) {
        if self.into.len() >= self.max_tokens {
            self.dropped += 1;
        } else if gap.len() + piece.len() > self.max_token_bytes {
            self.shortened += 1;
            self.into
                .push(gap, shorten(piece, self.max_token_bytes - gap.len()));
        } else {
            self.into.push(gap, piece);
        }
    }

    /// Takes a text whose tokens follow as [`push_span`](Self::push_span).
    #[inline]
    pub(super) fn begin(&mut self, text: &str) {
        self.into.begin(text);
    }

    /// One token that stands in the text already, never empty.
    #[inline]
    pub(super) fn push_span(&mut self, start: usize, end: usize) {
        if self.into.len() >= self.max_tokens {
            self.dropped += 1;
        } else if end - start > self.max_token_bytes {
            self.shortened += 1;
            let kept = shorten(self.into.text_of(start, end), self.max_token_bytes).len();
            self.into.push_span(start, start + kept);
        } else {
            self.into.push_span(start, end);
        }
    }

    /// Starts the message again: what was pushed is taken back.
    pub(super) fn restart(&mut self) {
        self.into.clear();
        self.dropped = 0;
        self.shortened = 0;
    }

    /// Drops a space whose word the cap took, as [`super::join`] would leave it at the end.
    pub(super) fn drop_last_space(&mut self) {
        if self.dropped > 0 && self.into.iter().next_back() == Some(" ") {
            self.into.pop();
            self.dropped += 1;
        }
    }

    pub(super) fn finish(self, cut: &mut Cut) {
        *cut += Cut {
            tokens_dropped: self.dropped,
            tokens_shortened: self.shortened,
            messages_cut: u64::from(self.dropped > 0),
        };
    }
}

/// The start of `piece` in at most `max_bytes`, up to a grapheme boundary; up to a character
/// boundary where the first grapheme is longer. The end of a long piece is not looked at.
#[cold]
fn shorten(piece: &str, max_bytes: usize) -> &str {
    let end = (0..=max_bytes.min(piece.len()))
        .rev()
        .find(|&at| piece.is_char_boundary(at))
        .unwrap_or(0);
    let mut cursor = GraphemeCursor::new(end, piece.len(), true);
    if cursor.is_boundary(piece, 0) == Ok(true) {
        return &piece[..end];
    }
    match cursor.prev_boundary(piece, 0) {
        Ok(Some(boundary)) if boundary > 0 => &piece[..boundary],
        _ => &piece[..end],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_is_shortened_between_graphemes() {
        assert_eq!(shorten("abcdef", 4), "abcd");
        assert_eq!(shorten("abc\u{e9}", 4), "abc");
        assert_eq!(shorten("abx\u{302}c", 4), "ab");
        let family = "\u{1f469}\u{200d}\u{1f469}\u{200d}\u{1f467}";
        assert_eq!(shorten(&format!("ab{family}"), 10), "ab");
        assert_eq!(
            shorten("\u{1f1e9}\u{1f1ea}\u{1f1eb}\u{1f1f7}", 14),
            "\u{1f1e9}\u{1f1ea}"
        );
    }

    #[test]
    fn a_grapheme_longer_than_the_cap_is_shortened_between_characters() {
        assert_eq!(shorten("x\u{302}\u{302}\u{302}", 4), "x\u{302}");
    }

    #[test]
    fn limits_are_moved_to_what_is_allowed() {
        let limits = Limits {
            max_tokens: u32::MAX,
            max_token_bytes: 0,
        };
        assert_eq!(
            limits.clamped(),
            Limits {
                max_tokens: 65_535,
                max_token_bytes: 8
            }
        );
        assert_eq!(Limits::default().clamped(), Limits::default());
    }

    #[test]
    fn counts_add_up() {
        let mut sum = Cut::default();
        let one = Cut {
            tokens_dropped: 3,
            tokens_shortened: 2,
            messages_cut: 1,
        };
        sum += one;
        sum += one;
        assert_eq!((sum.tokens_dropped, sum.tokens_shortened), (6, 4));
        assert_eq!(sum.messages_cut, 2);
    }
}
