//! Secrets and personal data leave a text before a guarded chain learns it.
//!
//! What a decoy shows is generated from such chains, so a miss is a leak and a false find costs a
//! word: in doubt the guard replaces. The text is folded, rules find spans in the folded copy, and
//! placeholders take the place of what the spans stand for, until a pass finds nothing.

mod context;
mod fold;
mod hosts;
mod kind;
mod numbers;
mod opaque;
mod patterns;
mod rules;
mod spans;
mod traits;
mod words;

#[cfg(test)]
mod tests;

use std::borrow::Cow;

pub use kind::{Kind, Replaced};

use crate::error::Result;
use fold::Folded;
use rules::Rules;
use spans::{Span, Spans};
use words::Words;

/// Passes over one text. Each takes letters away, so there is an end; a text that has not come to
/// it by then is made to have secrets everywhere, and nothing of it is kept.
const MAX_PASSES: usize = 8;

/// Replaces secrets and personal data by placeholders. Cheap to share, immutable.
pub struct Guard {
    words: Words,
    rules: &'static Rules,
}

impl Guard {
    /// `names`: people, projects, customers, hosts. They are found as whole words in any case, with
    /// an s or 's, joined (`jane.doe`, `JaneDoe`), reversed (`Doe, Jane`), and as `jdoe`.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Input`] for a name with fewer than two letters or digits, one longer than
    /// [`words::MAX_NAME_BYTES`], and for more than [`words::MAX_NAMES`].
    pub fn new(names: &[String]) -> Result<Self> {
        Ok(Self {
            words: Words::new(names)?,
            rules: Rules::get(),
        })
    }

    /// The text with everything replaced, counted in `replaced`; borrowed when there was nothing.
    /// What comes out, given again, comes out unchanged.
    pub fn redact<'t>(&self, text: &'t str, replaced: &mut Replaced) -> Cow<'t, str> {
        let mut current = Cow::Borrowed(text);
        for _ in 0..MAX_PASSES {
            match self.pass(&current, replaced) {
                None => return current,
                Some(next) => current = Cow::Owned(next),
            }
        }
        replaced.add(Kind::Key);
        Cow::Borrowed(Kind::Key.placeholder())
    }

    /// None: there was nothing to replace.
    fn pass(&self, text: &str, replaced: &mut Replaced) -> Option<String> {
        let mut found = traits::of_bytes(text.as_bytes());
        let plain = traits::is_plain(text, found);
        let folded = Folded::of(text, plain);
        let bytes = &folded.bytes[..];
        if !plain {
            found = traits::of_bytes(bytes);
        }
        let mut spans = Spans::default();
        found |= self.words.walk(bytes, &mut spans);
        self.rules.find(bytes, found, &mut spans);
        let settled = spans.settle(bytes);
        if settled.is_empty() {
            return None;
        }
        Some(rewritten(text, &folded, &settled, replaced))
    }
}

/// The text with a placeholder for each span, apart from the letters beside it.
fn rewritten(text: &str, folded: &Folded, settled: &[Span], replaced: &mut Replaced) -> String {
    let glued = |c: char| c.is_alphanumeric() || matches!(c, '<' | '>' | '_');
    let mut out = String::with_capacity(text.len() + 16);
    let mut copied = 0;
    for span in settled {
        let (start, end) = folded.origin(span.start, span.end);
        // Two spans can meet in one character that folds to several.
        let start = start.max(copied);
        push_apart(&mut out, &text[copied..start], glued);
        push_apart(&mut out, span.kind.placeholder(), glued);
        replaced.add(span.kind);
        copied = end.max(copied);
    }
    push_apart(&mut out, &text[copied..], glued);
    out
}

fn push_apart(out: &mut String, piece: &str, glued: impl Fn(char) -> bool) {
    let (Some(last), Some(first)) = (out.chars().next_back(), piece.chars().next()) else {
        out.push_str(piece);
        return;
    };
    if (glued(last) && glued(first)) || last == '>' && first == '<' {
        out.push(' ');
    }
    out.push_str(piece);
}
