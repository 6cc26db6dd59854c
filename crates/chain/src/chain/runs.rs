//! Which of a segment's messages that have attachments have a run of tokens.
//!
//! It is made in memory when it is first asked for, and never stored. Runs are known by a hash, and
//! lie in buckets of which a few share one: what is found is looked at before it is used.

use crate::Result;
use crate::messages::Messages;

/// Runs that it holds at most; of more only those are in it whose hash ends in so many zero bits
/// that they are fewer. A message that shares several runs with a text is still found by one.
const MOST_RUNS: usize = if cfg!(test) { 1 << 10 } else { 1 << 20 };

/// Messages for each run of a segment's messages that have attachments.
#[derive(Debug)]
pub(super) struct Runs {
    /// Messages, bucket after bucket: one for each run that it has.
    messages: Box<[u32]>,
    /// Where each bucket ends.
    ends: Box<[u32]>,
    /// A hash has these bits 0 to be in here.
    sampled: u32,
}

impl Runs {
    /// Of runs of `length` tokens; a message with fewer is one run.
    ///
    /// # Errors
    ///
    /// `Error::Damaged` for a message file that cannot be read.
    pub fn of(messages: &Messages, length: usize) -> Result<Self> {
        let (mut found, mut sampled) = (Vec::new(), 0);
        let (mut last, mut tokens) = (None, Vec::new());
        for &message in messages.attached() {
            if last.replace(message) == Some(message) {
                continue;
            }
            messages.tokens(message as usize, &mut tokens)?;
            let hashes = runs(&tokens, length).map(hash);
            found.extend(
                hashes
                    .filter(|hash| hash & sampled == 0)
                    .map(|hash| (hash, message)),
            );
            while found.len() > MOST_RUNS {
                sampled = sampled << 1 | 1;
                found.retain(|(hash, _)| hash & sampled == 0);
            }
        }
        Ok(Self::in_buckets(&found, sampled))
    }

    fn in_buckets(found: &[(u32, u32)], sampled: u32) -> Self {
        let buckets = found.len().next_power_of_two() / 2;
        let mut ends = vec![0_u32; buckets.max(1)].into_boxed_slice();
        let mut messages = vec![0; found.len()].into_boxed_slice();
        for (hash, _) in found {
            ends[bucket(*hash, ends.len())] += 1;
        }
        let mut end = 0;
        for count in &mut ends {
            // Where the bucket begins, until it is filled.
            end += std::mem::replace(count, end);
        }
        for (hash, message) in found {
            let end = &mut ends[bucket(*hash, ends.len())];
            messages[*end as usize] = *message;
            *end += 1;
        }
        Self {
            messages,
            ends,
            sampled,
        }
    }

    /// The messages that may have a run, once for each time that they have it.
    pub fn having(&self, run: &[u32]) -> &[u32] {
        let hash = hash(run);
        if hash & self.sampled != 0 {
            return &[];
        }
        let bucket = bucket(hash, self.ends.len());
        let start = bucket.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.messages[start as usize..self.ends[bucket] as usize]
    }

    pub fn memory_bytes(&self) -> usize {
        (self.messages.len() + self.ends.len()) * size_of::<u32>()
    }
}

/// The runs of a message; all of it is one if it has fewer tokens.
pub(super) fn runs(tokens: &[u32], length: usize) -> impl Iterator<Item = &[u32]> {
    tokens.windows(length.min(tokens.len()).max(1))
}

/// All of its bits depend on all tokens.
pub(super) fn hash(run: &[u32]) -> u32 {
    let mut hash = run.len() as u64;
    for &token in run {
        hash = (hash.rotate_left(23) ^ u64::from(token)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
    (hash >> 32) as u32 ^ hash as u32
}

/// By the bits that do not say whether it is sampled.
fn bucket(hash: u32, buckets: usize) -> usize {
    ((u64::from(hash) * buckets as u64) >> 32) as usize
}
