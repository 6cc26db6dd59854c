//! Forgetting one by one: durable when the call returns.

use super::Chain;
use super::held::Held;
use super::live::Live;
use super::writer::Writer;
use crate::dead::Dead;
use crate::storage::{Batch, Forget, Operation, kept_logs};
use crate::{Error, Result};

/// Messages that are taken off while nobody can generate, which takes about a millisecond. More are
/// taken off in a copy, which takes the place of what was before.
const AT_ONCE: usize = 64;

impl Chain {
    /// Forgets every message that matches; how many there were. It is out of every answer when the
    /// call returns, and out of every file after the next merge. A chain that says only what enough
    /// people had is merged at once, since what was forgotten may have been what a transition stood
    /// on, and so is a segment of which very much was forgotten; such segments are silent until
    /// then. While a training goes on, the training merges them, and nobody waits for it.
    ///
    /// # Errors
    ///
    /// `Error::Io` when it could not be stored: then nothing is forgotten, unless the error is one
    /// of the merge. `Error::Damaged` when a segment cannot be read: what matches elsewhere is
    /// forgotten, and in that segment once it is put back.
    pub fn forget(&self, what: &Forget) -> Result<u64> {
        self.forget_all(std::slice::from_ref(what))
    }

    /// Forgets what matches any of these, in one step: all of it or nothing.
    ///
    /// # Errors
    ///
    /// As `forget`; `Error::Input` for more than a batch of the log holds, which is 16 MiB.
    pub fn forget_all(&self, what: &[Forget]) -> Result<u64> {
        let writer = self.writer()?;
        if what.is_empty() {
            return Ok(0);
        }
        let count = self.forget_now(writer, what)?;
        self.merge_forgotten(count)?;
        match self.live().broken.first() {
            None => Ok(count),
            Some((_, why)) => Err(Error::damaged(
                &self.directory,
                format!(
                    "{why}; {count} messages were forgotten elsewhere, those in it are when it is put back"
                ),
            )),
        }
    }

    pub(super) fn forget_now(&self, writer: &Writer, what: &[Forget]) -> Result<u64> {
        let mut state = self.state(writer)?;
        self.make_sure(&mut state)?;
        let up_to_sequence = state.next_sequence - 1;
        let batch = batch(what, up_to_sequence)?;
        let is_kept = !kept_logs(&*self.disk, &self.directory)?.is_empty();
        let count = self.forget_in_memory(what, up_to_sequence);
        let is_whole = {
            let live = self.live();
            live.broken.is_empty() && live.damaged_logs.is_empty()
        };
        let mut own = Vec::new();
        // What cannot be read now may be put back; of a log with damage that is kept nobody knows
        // what is in it, and it goes with the next merge.
        if count > 0 || !is_whole || is_kept {
            match writer.append(&mut state, &batch) {
                Ok(place) => own.push(place),
                Err(error) => {
                    self.recover_with(writer, &mut state, &error);
                    return Err(error);
                }
            }
            if let Some(building) = &mut state.building {
                let forgotten = what.iter().map(|what| (what.clone(), up_to_sequence));
                building.forgotten.extend(forgotten);
            }
        }
        // That there is nothing more to forget may be because another thread is just doing it.
        let basis = state.basis(own, true);
        drop(state);
        self.sync(writer, &basis)?;
        Ok(count)
    }

    /// With the writer's state held, so that nobody else learns or forgets: messages are generated
    /// meanwhile, unless there are few to be taken off.
    fn forget_in_memory(&self, what: &[Forget], up_to_sequence: u64) -> u64 {
        let live = self.live();
        let mut found = live.find(what);
        if found.count() <= AT_ONCE && !live.shares(&found) {
            drop(live);
            return self.live_mut().take_off(&mut found, up_to_sequence);
        }
        let mut graves = live.graves(&found);
        let count = live.bury(&mut found, up_to_sequence, &mut graves);
        drop(live);
        self.live_mut().put(&mut graves, &found);
        count
    }
}

fn batch(what: &[Forget], up_to_sequence: u64) -> Result<Batch> {
    let mut batch = Batch::default();
    for what in what {
        batch.push(&Operation::Forget {
            what: what.clone(),
            up_to_sequence,
        })?;
    }
    Ok(batch)
}

/// Messages that match, part by part.
#[derive(Default)]
struct Found {
    /// By the number of the segment; none without any.
    segments: Vec<(u64, Vec<u32>)>,
    frozen: Vec<u32>,
    fresh: Vec<u32>,
    /// Segments that cannot be read, and why.
    failed: Vec<(u64, String)>,
}

impl Found {
    fn count(&self) -> usize {
        let segments = self.segments.iter().map(|(_, found)| found.len());
        segments.sum::<usize>() + self.frozen.len() + self.fresh.len()
    }
}

/// What was forgotten of the parts in which something matches: as the chain has it, or what is to
/// take its place.
struct Graves {
    segments: Vec<Dead>,
    frozen: Dead,
    fresh: Dead,
}

impl Live {
    /// Forgets what matches and came no later than a sequence number; how many messages that were.
    /// A segment in which that cannot be done serves no longer.
    pub fn forget(&mut self, what: &Forget, up_to_sequence: u64) -> u64 {
        let mut found = self.find(std::slice::from_ref(what));
        self.take_off(&mut found, up_to_sequence)
    }

    fn find(&self, what: &[Forget]) -> Found {
        let mut found = Found::default();
        for what in what {
            found.fresh.extend(self.fresh.find(what));
            if let Some(frozen) = &self.frozen {
                found.frozen.extend(frozen.fresh.find(what));
            }
        }
        for held in &self.segments {
            let number = held.entry.number;
            let messages: Result<Vec<Vec<u32>>> = what.iter().map(|what| held.find(what)).collect();
            match messages.map(|messages| messages.concat()) {
                Ok(messages) if messages.is_empty() => {}
                Ok(messages) => found.segments.push((number, messages)),
                Err(error) => found.failed.push((number, error.to_string())),
            }
        }
        found
    }

    /// None for a segment that was set aside meanwhile.
    fn held(&self, number: u64) -> Option<&Held> {
        let mut segments = self.segments.iter();
        segments.find(|held| held.entry.number == number)
    }

    /// Whether what was forgotten of a part in which something matches has to be copied before it
    /// can be changed: a merge is under way that reads it.
    fn shares(&self, found: &Found) -> bool {
        let frozen = self.frozen.as_ref().filter(|_| !found.frozen.is_empty());
        let mut segments = found.segments.iter();
        let is_shared = |held: &Held| held.dead.is_shared();
        segments.any(|(number, _)| self.held(*number).is_some_and(is_shared))
            || frozen.is_some_and(|frozen| frozen.dead.is_shared())
            || !found.fresh.is_empty() && self.fresh_dead.is_shared()
    }

    fn graves(&self, found: &Found) -> Graves {
        let frozen = self.frozen.as_ref();
        let dead = |number| {
            self.held(number)
                .map_or_else(Dead::default, |held| held.dead.clone())
        };
        Graves {
            segments: found
                .segments
                .iter()
                .map(|(number, _)| dead(*number))
                .collect(),
            frozen: frozen.map_or_else(Dead::default, |frozen| frozen.dead.clone()),
            fresh: self.fresh_dead.clone(),
        }
    }

    /// Takes off what was found; how many messages that were.
    fn take_off(&mut self, found: &mut Found, up_to_sequence: u64) -> u64 {
        let mut graves = Graves {
            segments: vec![Dead::default(); found.segments.len()],
            frozen: Dead::default(),
            fresh: Dead::default(),
        };
        self.swap(&mut graves, found);
        let count = self.bury(found, up_to_sequence, &mut graves);
        self.put(&mut graves, found);
        count
    }

    /// The same, in these graves only.
    fn bury(&self, found: &mut Found, up_to_sequence: u64, graves: &mut Graves) -> u64 {
        let mut count = self
            .fresh
            .bury(&found.fresh, up_to_sequence, &mut graves.fresh);
        if let Some(frozen) = &self.frozen {
            let fresh = &frozen.fresh;
            count += fresh.bury(&found.frozen, up_to_sequence, &mut graves.frozen);
        }
        let mut failed = Vec::new();
        for ((number, messages), dead) in found.segments.iter().zip(&mut graves.segments) {
            let Some(held) = self.held(*number) else {
                continue;
            };
            match held.bury(messages, up_to_sequence, dead) {
                Ok(some) => count += some,
                Err(error) => failed.push((*number, error.to_string())),
            }
        }
        found.failed.extend(failed);
        count
    }

    /// Puts graves in place, and sets aside what failed. What was there before is in the graves
    /// then.
    fn put(&mut self, graves: &mut Graves, found: &Found) {
        self.forgot = true;
        self.swap(graves, found);
        for (number, why) in &found.failed {
            self.set_aside(*number, why.clone());
        }
    }

    fn swap(&mut self, graves: &mut Graves, found: &Found) {
        for ((number, _), dead) in found.segments.iter().zip(&mut graves.segments) {
            let mut segments = self.segments.iter_mut();
            if let Some(held) = segments.find(|held| held.entry.number == *number) {
                std::mem::swap(&mut held.dead, dead);
            }
        }
        if let Some(frozen) = &mut self.frozen {
            std::mem::swap(&mut frozen.dead, &mut graves.frozen);
        }
        std::mem::swap(&mut self.fresh_dead, &mut graves.fresh);
    }
}
