//! Writing a segment: tokens are numbered by frequency, the corpus becomes states, and runs of
//! tokens go into the filter.

use std::cmp::Reverse;
use std::io::{self, Write};
use std::panic::resume_unwind;
use std::thread;

use super::states::BOUNDARY;
use super::trie::{Counts, Trie};
use super::vocabulary::Interner;
use super::{FILE, filter, index, section};
use crate::sections::Writer;

/// How a segment is built.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Tokens of a full context, 1 to 4.
    pub order: usize,
    /// Whether to write the states of the reversed messages as well.
    pub backward: bool,
    /// Longest run that may be copied; 0 watches for whole messages only.
    pub max_copied_tokens: u32,
    /// Who must have used a transition; none lets all pass.
    pub support: Option<Support>,
}

/// A transition is kept when at least `least` different speakers had it.
#[derive(Clone, Debug)]
pub struct Support {
    pub least: u32,
    /// By message: a number for who counts, its author or itself. 0 counts for nobody: it may be
    /// any of the others.
    pub speakers: Vec<u32>,
}

/// What was written.
#[derive(Clone, Copy, Debug, Default)]
pub struct Written {
    pub bytes: u64,
    pub forward: Counts,
    pub backward: Counts,
}

/// Messages to be made into a segment: `text` has `BOUNDARY` before, between and after messages.
#[derive(Debug)]
pub struct Corpus {
    pub vocabulary: Interner,
    pub text: Vec<u32>,
}

impl Default for Corpus {
    fn default() -> Self {
        Self {
            vocabulary: Interner::default(),
            text: vec![BOUNDARY],
        }
    }
}

impl Corpus {
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.vocabulary.memory_bytes() + self.text.capacity() * size_of::<u32>()
    }

    /// Gives the more frequent token the lower number, in the text too, and drops tokens that do
    /// not occur.
    fn renumber(&mut self) {
        let mut uses = vec![0u32; self.vocabulary.len()];
        for &token in &self.text {
            uses[token as usize] += 1;
        }
        let mut order: Vec<u32> = (1..uses.len() as u32)
            .filter(|&token| uses[token as usize] > 0)
            .collect();
        order.sort_unstable_by_key(|&token| (Reverse(uses[token as usize]), token));
        let mut numbers = uses;
        let mut renumbered = Interner::with_capacity(order.len(), self.vocabulary.text_bytes());
        for (place, &token) in order.iter().enumerate() {
            numbers[token as usize] = place as u32 + 1;
            renumbered.append(&self.vocabulary, token);
        }
        numbers[0] = BOUNDARY;
        for token in &mut self.text {
            *token = numbers[*token as usize];
        }
        self.vocabulary = renumbered;
    }

    /// Writes the segment. The text keeps its messages but gets the segment's token numbers.
    ///
    /// # Errors
    ///
    /// Those of `out`, and one for states beyond 16 GiB.
    pub fn write<W: Write + Send>(&mut self, plan: &Plan, out: W) -> io::Result<(W, Written)> {
        self.renumber();
        let mut writer = Writer::new(out, FILE)?;
        let mut written = Written::default();
        // Two threads write the states; one alone does what comes before, so the other fills the
        // filter then.
        let (forward, filter) = thread::scope(|scope| {
            let filter = scope.spawn(|| self.filter(plan.max_copied_tokens));
            let forward = self
                .write_vocabulary(&mut writer)
                .and_then(|()| self.write_states(plan, false, &mut writer));
            (forward, filter.join())
        });
        written.forward = forward?;
        let filter = filter.unwrap_or_else(|panic| resume_unwind(panic));
        writer.section(section::FILTER, &filter)?;
        if plan.backward {
            self.text.reverse();
            let backward = self.write_states(plan, true, &mut writer);
            self.text.reverse();
            written.backward = backward?;
        }
        let (forward, backward) = (&written.forward, &written.backward);
        writer.section(
            section::ABOUT,
            &[
                plan.order as u64,
                u64::from(plan.backward),
                u64::from(plan.max_copied_tokens),
                forward.states,
                forward.transitions,
                forward.full_transitions,
                forward.unsupported,
                backward.states,
                backward.transitions,
                backward.full_transitions,
                backward.unsupported,
            ],
        )?;
        let (out, bytes) = writer.finish()?;
        written.bytes = bytes;
        Ok((out, written))
    }

    fn write_vocabulary<W: Write>(&self, writer: &mut Writer<W>) -> io::Result<()> {
        writer.section(section::TOKEN_BYTES, self.vocabulary.bytes())?;
        writer.section(section::TOKEN_ENDS, self.vocabulary.ends())?;
        writer.section(section::TOKEN_INDEX, &index::build(self.vocabulary.texts()))
    }

    fn filter(&self, max_copied_tokens: u32) -> Vec<u64> {
        let longest = max_copied_tokens as usize;
        let keys: usize = self.text[1..]
            .split(|&token| token == BOUNDARY)
            .map(|message| message.len().saturating_sub(longest).max(1))
            .sum();
        let mut filter = vec![0; filter::words(keys as u64)];
        let mut runs = filter::Runs::new(max_copied_tokens);
        for &token in &self.text[1..] {
            let key = if token == BOUNDARY {
                let key = runs.finish();
                runs.clear();
                key
            } else {
                runs.push(self.vocabulary.hash_of(token))
            };
            if let Some(key) = key {
                filter::insert(&mut filter, key);
            }
        }
        filter
    }

    fn write_states<W: Write + Send>(
        &self,
        plan: &Plan,
        reversed: bool,
        writer: &mut Writer<W>,
    ) -> io::Result<Counts> {
        let starts = plan.support.as_ref().map(|_| self.starts());
        let last = plan
            .support
            .as_ref()
            .map_or(0, |support| support.speakers.len().saturating_sub(1));
        let supported = |places: &mut dyn Iterator<Item = u32>| {
            let (Some(support), Some(starts)) = (&plan.support, &starts) else {
                return true;
            };
            let mut speakers: Vec<u32> = Vec::with_capacity(support.least as usize);
            for place in places {
                let message = starts.partition_point(|&start| start <= place) - 1;
                let message = if reversed { last - message } else { message };
                let speaker = support.speakers[message];
                if speaker != 0 && !speakers.contains(&speaker) {
                    speakers.push(speaker);
                }
                if speakers.len() >= support.least as usize {
                    return true;
                }
            }
            false
        };
        let supported = plan
            .support
            .as_ref()
            .map(|_| &supported as &super::trie::Supported<'_>);
        let trie = Trie::sort(&self.text, self.vocabulary.len(), plan.order, supported);
        if u32::try_from(trie.words()).is_err() {
            return Err(io::Error::other("a segment of more than 16 GiB"));
        }
        let (states, roots) = section::states(reversed);
        writer.begin(states);
        trie.write(&mut |words: &[u32]| writer.write(words))?;
        writer.end()?;
        writer.section(roots, &trie.roots().collect::<Vec<_>>())?;
        Ok(trie.counts)
    }

    /// Where each message begins: its boundary.
    fn starts(&self) -> Vec<u32> {
        (0..self.text.len() as u32 - 1)
            .filter(|&place| self.text[place as usize] == BOUNDARY)
            .collect()
    }
}
