//! Putting new segments in the place of old ones, in the manifest and in memory.

use std::collections::{BTreeSet, HashSet};

use super::Chain;
use super::counters::{self, Counts};
use super::held::Held;
use super::writer::{Building, Writer, WriterState};
use crate::storage::{
    Batch, FileKind, Manifest, Operation, Options, Recovery, SegmentEntry, SourceProgress,
    kept_logs, kept_path,
};
use crate::{Error, Result};

/// The counter of logs that were damaged when a merge put what could be read of them into segments.
const LOGS_DAMAGED: &str = "logs_damaged";

/// What changes with one manifest.
#[derive(Default)]
pub(super) struct Change<'c> {
    pub gone: &'c [u64],
    pub new: Vec<SegmentEntry>,
    /// After a merge, which has put everything from the older logs into segments: these logs go,
    /// and the options may be new.
    pub merged: Option<&'c Options>,
    /// How far a source was read; none is as if it never was.
    pub progress: Option<(&'c str, Option<SourceProgress>)>,
    pub counted: Counts,
    pub uncounted: Counts,
    /// Those of the new segments that are of a training which may be taken back.
    pub provisional: &'c [u64],
}

impl Change<'_> {
    fn apply(&self, state: &WriterState, building: &Building) -> Manifest {
        let mut manifest = state.manifest.clone();
        manifest
            .segments
            .retain(|entry| !self.gone.contains(&entry.number));
        manifest.segments.extend(self.new.iter().cloned());
        manifest.segments.sort_by_key(|entry| entry.first_sequence);
        manifest.next_sequence = state.next_sequence;
        match &self.progress {
            Some((key, Some(progress))) => drop(
                manifest
                    .progress
                    .insert((*key).to_owned(), progress.clone()),
            ),
            Some((key, None)) => drop(manifest.progress.remove(*key)),
            None => {}
        }
        if let Some(options) = self.merged {
            manifest.options = options.clone();
            let last = manifest.logs.pop();
            manifest.logs = last.into_iter().collect();
            manifest.counters.clone_from(&building.counters);
        }
        counters::add(&mut manifest.counters, &self.counted);
        counters::take_off(&mut manifest.counters, &self.uncounted);
        manifest
    }
}

impl Chain {
    /// Puts new segments in the place of old ones; how many there are then.
    /// `WriterState::begin_building` came before.
    ///
    /// # Errors
    ///
    /// `Error::Io`: the chain is as it was before, and the files of the new segments are gone.
    pub(super) fn publish(&self, writer: &Writer, change: &Change<'_>) -> Result<u64> {
        let done = self.publish_now(writer, change);
        if let (Err(_), Ok(mut state)) = (&done, self.state(writer)) {
            let numbers = change.new.iter().map(|entry| entry.number);
            let kinds = [FileKind::Segment, FileKind::Messages];
            let files = numbers.flat_map(|number| kinds.map(|kind| kind.name(number)));
            let named: BTreeSet<String> = state.manifest.file_names().collect();
            state
                .leftovers
                .extend(files.filter(|file| !named.contains(file)));
            if !state.unsure {
                let leftovers = std::mem::take(&mut state.leftovers);
                state.leftovers = self.remove(leftovers);
            }
        }
        done
    }

    fn publish_now(&self, writer: &Writer, change: &Change<'_>) -> Result<u64> {
        let options = change.merged.cloned().unwrap_or_else(|| self.options());
        let mut opened = Vec::with_capacity(change.new.len());
        for entry in &change.new {
            opened.push(Held::open(&self.directory, entry, &options)?);
        }
        let mut state = self.state(writer)?;
        let building = state.building.take().ok_or_else(read_anew)?;
        let was_replayed = building.replays != state.replays;
        if change.merged.is_some() && was_replayed {
            return Err(read_anew());
        }
        let mut manifest = change.apply(&state, &building);
        let old_logs = state
            .manifest
            .logs
            .iter()
            .filter(|number| !manifest.logs.contains(number));
        let old_logs: Vec<u64> = old_logs.copied().collect();
        self.carry_over(writer, &mut state, &old_logs)?;
        for (what, up_to_sequence) in &building.forgotten {
            for held in &mut opened {
                held.forget(what, *up_to_sequence)?;
            }
        }
        // Nobody adds to the deltas meanwhile. A merge has no doubles, but those that were learned
        // while it wrote segments of a training.
        let ids = self.live().ids();
        for held in &mut opened {
            if change.merged.is_none() || change.provisional.contains(&held.entry.number) {
                held.bury_known(&ids)?;
            }
        }
        let forgot = change.merged.is_some() && self.live().forgot;
        let damaged = self.keep_damaged(&old_logs, forgot)?;
        counters::add(&mut manifest.counters, &damaged);
        self.put_in_place(&mut state, manifest)?;
        counters::add(&mut state.counters, &damaged);
        counters::add(&mut state.counters, &change.counted);
        counters::take_off(&mut state.counters, &change.uncounted);
        let is_other = self.options() != options;
        let forgot_meanwhile = !building.forgotten.is_empty();
        self.show(change, opened, &options, forgot_meanwhile);
        if was_replayed || is_other {
            // What was forgotten meanwhile may not have been stored; the delta was made for other
            // options.
            self.recover_with(writer, &mut state, &Error::input("the chain is read anew"));
        }
        let count = self.live().segments.len() as u64;
        let leftovers = std::mem::take(&mut state.leftovers);
        drop(state);
        let stay = self.remove(leftovers);
        if !stay.is_empty() {
            self.state(writer)?.leftovers.extend(stay);
        }
        Ok(count)
    }

    /// Memory as the manifest is now.
    fn show(&self, change: &Change<'_>, opened: Vec<Held>, options: &Options, forgot: bool) {
        let mut live = self.live_mut();
        live.segments
            .retain(|held| !change.gone.contains(&held.entry.number));
        live.broken
            .retain(|(entry, _)| !change.gone.contains(&entry.number));
        live.provisional
            .retain(|number| !change.gone.contains(number));
        live.provisional.extend(change.provisional);
        live.segments.extend(opened);
        live.segments.sort_by_key(|held| held.entry.first_sequence);
        if change.merged.is_some() {
            live.frozen = None;
            live.log_damage.clear();
            live.damaged_logs.clear();
            live.forgot = forgot;
        }
        live.options = options.clone();
    }

    /// What old logs say was forgotten goes on being said where a segment cannot be read now: it
    /// may be put back.
    fn carry_over(&self, writer: &Writer, state: &mut WriterState, old_logs: &[u64]) -> Result<()> {
        if old_logs.is_empty() || self.live().broken.is_empty() {
            return Ok(());
        }
        let mut batches = vec![Batch::default()];
        // A merge that failed after it had carried them over leaves them in one log more.
        let mut carried = HashSet::new();
        Recovery::read(&*self.disk, &self.directory, old_logs, &mut |operation| {
            if let Operation::Forget {
                what,
                up_to_sequence,
            } = &operation
                && carried.insert((what.clone(), *up_to_sequence))
            {
                let full = batches
                    .last_mut()
                    .is_none_or(|batch| batch.push(&operation).is_err());
                if full {
                    let mut next = Batch::default();
                    next.push(&operation)?;
                    batches.push(next);
                }
            }
            Ok(())
        })?;
        for batch in batches.iter().filter(|batch| batch.operations() > 0) {
            writer.append(state, batch)?;
        }
        writer.settle(state)
    }

    /// A damaged log that goes is kept under another name: something may be got out of it yet. Not
    /// where anything was forgotten since the last merge: it may be what cannot be read of such a
    /// log, and of those kept before, so they go too. How many logs were damaged is counted.
    fn keep_damaged(&self, old_logs: &[u64], forgot: bool) -> Result<Counts> {
        let damaged: Vec<u64> = self
            .live()
            .damaged_logs
            .iter()
            .filter(|log| old_logs.contains(log))
            .copied()
            .collect();
        if forgot {
            for name in kept_logs(&*self.disk, &self.directory)? {
                self.disk.remove(&self.directory.join(name))?;
            }
        }
        for &number in damaged.iter().filter(|_| !forgot) {
            let path = FileKind::Log.path(&self.directory, number);
            if let Some(bytes) = self.disk.read(&path)? {
                let kept = kept_path(&self.directory, number);
                if self.disk.read(&kept)?.is_some() {
                    // An earlier merge was cut off after it.
                    self.disk.remove(&kept)?;
                }
                let mut file = self.disk.create(&kept)?;
                file.write_all(&bytes)?;
                file.sync()?;
            }
        }
        let count = (LOGS_DAMAGED.to_owned(), damaged.len() as u64);
        Ok(Counts::from_iter((count.1 > 0).then_some(count)))
    }

    /// Replaces the manifest. The files that only one of both names are leftovers then.
    ///
    /// # Errors
    ///
    /// `Error::Io`: the old one stays.
    pub(super) fn put_in_place(
        &self,
        state: &mut WriterState,
        mut manifest: Manifest,
    ) -> Result<()> {
        let published = manifest.publish(&*self.disk, &self.directory);
        state.manifest.generation = manifest.generation;
        let generation = manifest.generation;
        if published.is_ok() {
            std::mem::swap(&mut state.manifest, &mut manifest);
            state.unsure = false;
        }
        let named: BTreeSet<String> = state.manifest.file_names().collect();
        state
            .leftovers
            .extend(manifest.file_names().filter(|file| !named.contains(file)));
        if published.is_err() {
            // Where something failed after the rename, the new one is there, and may outlast a
            // power cut or not.
            let there = Manifest::read(&*self.disk, &self.directory);
            state.unsure |= !matches!(there, Ok(Some(found)) if found.generation < generation);
            // If this fails too, it is done before anything else.
            let _ = self.make_sure(state);
        }
        published
    }

    /// Puts the manifest in place again if the disk may have another one: nothing is acknowledged
    /// before, since what it rests on might be undone.
    ///
    /// # Errors
    ///
    /// `Error::Io`: it may still be another one.
    pub(super) fn make_sure(&self, state: &mut WriterState) -> Result<()> {
        if state.unsure {
            state.manifest.publish(&*self.disk, &self.directory)?;
            state.unsure = false;
        }
        Ok(())
    }

    /// Removes files that no manifest names any more; those that stay. They are tried again with
    /// the next manifest, and at the next open.
    fn remove(&self, mut names: BTreeSet<String>) -> BTreeSet<String> {
        let path = |name: &String| self.directory.join(name);
        names.retain(|name| self.disk.remove(&path(name)).is_err() && path(name).exists());
        names
    }
}

fn read_anew() -> Error {
    Error::Io {
        doing: "merging".to_owned(),
        source: std::io::Error::other(
            "a write failed meanwhile, and the chain was read anew: merge it again",
        ),
    }
}
