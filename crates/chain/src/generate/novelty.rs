//! Watching a message as it grows for what was said before.

use crate::segment::filter::Runs;
use crate::walk::Stepper;

/// The last tokens of a message, as each voice watches them.
pub(super) struct Novelty {
    /// By voice.
    runs: Vec<Runs>,
    /// Given tokens at the end of the message, next to each other.
    given: usize,
}

impl Novelty {
    /// Watches for runs of more than so many tokens, one number for each voice.
    pub fn new(max_copied_tokens: impl Iterator<Item = u32>) -> Self {
        Self {
            runs: max_copied_tokens.map(Runs::new).collect(),
            given: 0,
        }
    }

    /// No token was said yet.
    pub fn clear(&mut self) {
        self.given = 0;
        for runs in &mut self.runs {
            runs.clear();
        }
    }

    /// One more token of the message, by its hash: whether the run that it ends is a copy.
    #[inline]
    pub fn enter(&mut self, token: u64, given: bool, said: &Stepper<'_>) -> bool {
        self.given = if given { self.given + 1 } else { 0 };
        let mut copied = false;
        for (voice, runs) in self.runs.iter_mut().enumerate() {
            let key = runs.push(token);
            // A run within the given words is not ours to refuse.
            if self.given == 0 || self.given < runs.length() {
                copied |= key.is_some_and(|key| said.seen(voice, key));
            }
        }
        copied
    }

    /// Whether the message as it stands is one that was said before. Where it has a run that was
    /// watched, that told.
    pub fn whole_was_said(&self, said: &Stepper<'_>) -> bool {
        let mut keys = self.runs.iter().map(Runs::finish).enumerate();
        keys.any(|(voice, key)| key.is_some_and(|key| said.seen(voice, key)))
    }
}
