//! Merging: the delta, and the segments that it pays to touch, become new segments; what was
//! forgotten is not among them.

use std::time::Instant;

use super::gather::Gathering;
use super::output::{remove_segment, write_segment};
use super::plan::{Bounds, Input, plan};
use super::publish::Change;
use super::writer::{Writer, WriterState};
use super::{Chain, counts_support, tokenizer};
use crate::storage::{LOG_HEADER_BYTES, NewLog, Options, SegmentEntry};
use crate::{Error, Result};

/// How much a merge touches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Extent {
    /// The delta, what holds something forgotten, and segments that are small beside what is
    /// younger.
    #[default]
    Due,
    /// Everything, into as few segments as their bound allows.
    Whole,
    /// Everything, with other options from now on. Order, mode, caps and guard stay: what was
    /// learned was learned with them.
    Changed(Options),
}

/// What a merge did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Merged {
    /// Messages that were written anew.
    pub messages: u64,
    pub segments_before: u64,
    pub segments: u64,
    /// Forgotten messages that are physically gone now.
    pub dropped: u64,
}

impl Chain {
    /// Merges; messages may be learned, forgotten and made meanwhile. A segment whose files are
    /// damaged is left as it is.
    ///
    /// # Errors
    ///
    /// `Error::Input` for options that cannot be changed. `Error::Io`: the chain is as it was
    /// before, and nothing is lost.
    #[allow(
        clippy::needless_pass_by_value,
        reason = "an extent is written where the call is"
    )]
    pub fn merge(&self, extent: Extent) -> Result<Merged> {
        let _merging = self.merging()?;
        self.merge_now(&extent)
    }

    /// With `merging` held. While a training goes on, its segments may be taken back, and stay
    /// apart: those of which something was forgotten are written anew each for itself, since the
    /// logs that say so go.
    pub(super) fn merge_now(&self, extent: &Extent) -> Result<Merged> {
        let writer = self.writer()?;
        let mut options = self.options();
        if let Extent::Changed(changed) = extent {
            check_change(&options, changed)?;
            options.clone_from(changed);
        }
        let done = self
            .freeze(writer)
            .and_then(|inputs| self.rewrite(writer, inputs, extent, &options));
        if let Err(error) = &done {
            self.thaw(writer, error);
        }
        self.merging.ended(done.is_ok(), Instant::now());
        done
    }

    /// Starts a new log and a new delta. What is to be merged: every segment and the old delta, as
    /// they are now.
    fn freeze(&self, writer: &Writer) -> Result<Vec<Input>> {
        let mut state = self.state(writer)?;
        self.make_sure(&mut state)?;
        if let Err(error) = writer.settle(&mut state) {
            self.recover_with(writer, &mut state, &error);
            return Err(error);
        }
        state.begin_building();
        // After a merge that failed, the log that it began may still be empty: then it serves.
        let is_written = writer.log.bytes() > LOG_HEADER_BYTES as u64;
        if is_written {
            self.begin_log(writer, &mut state)?;
        }
        let mut live = self.live_mut();
        let segments = live.segments.iter();
        let mut inputs: Vec<Input> = segments
            .map(|held| Input::Held(Box::new(held.clone())))
            .collect();
        if is_written || !live.fresh.table.is_empty() {
            let frozen = live.freeze();
            if !frozen.fresh.table.is_empty() {
                inputs.push(Input::Frozen(frozen));
            }
        }
        inputs.sort_by_key(Input::first_sequence);
        Ok(inputs)
    }

    fn begin_log(&self, writer: &Writer, state: &mut WriterState) -> Result<()> {
        let number = state.manifest.take_file_number();
        let log = NewLog::create(&*self.disk, &self.directory, number)?;
        let mut manifest = state.manifest.clone();
        manifest.logs.push(number);
        self.put_in_place(state, manifest)?;
        writer.log.begin_next(log)
    }

    fn rewrite(
        &self,
        writer: &Writer,
        inputs: Vec<Input>,
        extent: &Extent,
        options: &Options,
    ) -> Result<Merged> {
        let mut merged = Merged {
            segments_before: self.live().segments.len() as u64,
            ..Merged::default()
        };
        let inputs = self.intact(inputs);
        if let (Extent::Changed(_), Some((_, why))) = (extent, self.live().broken.first()) {
            return Err(Error::damaged(
                &self.directory,
                format!("options cannot be changed without all of it: {why}"),
            ));
        }
        let bounds = Bounds {
            places: self.segment_places,
            bytes: self.gathered_bytes as u64,
        };
        let provisional = self.live().provisional.clone();
        let (apart, inputs): (Vec<Input>, Vec<Input>) = inputs.into_iter().partition(|input| {
            input
                .number()
                .is_some_and(|number| provisional.contains(&number))
        });
        let mut groups = plan(inputs, extent, counts_support(options), bounds);
        let mut new = self.build_all(writer, &groups, options)?;
        let apart = apart.into_iter().filter(|input| !input.dead().is_empty());
        let apart: Vec<Vec<Input>> = apart.map(|input| vec![input]).collect();
        let renewed = match self.build_all(writer, &apart, options) {
            Ok(renewed) => renewed,
            Err(error) => {
                self.remove_all(&new);
                return Err(error);
            }
        };
        let provisional: Vec<u64> = renewed.iter().map(|entry| entry.number).collect();
        new.extend(renewed);
        groups.extend(apart);
        let gone: Vec<u64> = groups.iter().flatten().filter_map(Input::number).collect();
        merged.messages = new.iter().map(|entry| entry.messages).sum();
        merged.dropped = groups
            .iter()
            .flatten()
            .map(|input| u64::from(input.dead().len()))
            .sum();
        merged.segments = self.publish(
            writer,
            &Change {
                gone: &gone,
                new,
                merged: Some(options),
                provisional: &provisional,
                ..Change::default()
            },
        )?;
        Ok(merged)
    }

    /// Damage that is not noticed while a segment is read would be written into the next: every
    /// file is read against its checksum first. What is damaged serves no longer, and stays as it
    /// is.
    fn intact(&self, mut inputs: Vec<Input>) -> Vec<Input> {
        inputs.retain(|input| {
            let Input::Held(held) = input else {
                return true;
            };
            let Err(error) = held.check(&self.directory) else {
                return true;
            };
            self.live_mut()
                .set_aside(held.entry.number, error.to_string());
            false
        });
        inputs
    }

    fn build_all(
        &self,
        writer: &Writer,
        groups: &[Vec<Input>],
        options: &Options,
    ) -> Result<Vec<SegmentEntry>> {
        let mut new: Vec<SegmentEntry> = Vec::with_capacity(groups.len());
        for group in groups {
            if let Err(error) = self.build(writer, group, options, &mut new) {
                self.remove_all(&new);
                return Err(error);
            }
        }
        Ok(new)
    }

    fn remove_all(&self, entries: &[SegmentEntry]) {
        for entry in entries {
            remove_segment(&*self.disk, &self.directory, entry.number);
        }
    }

    /// Writes a group: none if nothing of it is alive, several segments where one of it was made
    /// under a larger bound.
    fn build(
        &self,
        writer: &Writer,
        group: &[Input],
        options: &Options,
        new: &mut Vec<SegmentEntry>,
    ) -> Result<()> {
        let mut gathering = Gathering::of(group, self.segment_places);
        while let Some((mut corpus, table)) = gathering.next()? {
            let number = self.state(writer)?.manifest.take_file_number();
            new.push(write_segment(
                &*self.disk,
                &self.directory,
                number,
                &mut corpus,
                &table,
                options,
            )?);
        }
        Ok(())
    }

    /// After a merge that failed: the logs still hold everything, so memory is made from them
    /// again.
    fn thaw(&self, writer: &Writer, error: &Error) {
        let Ok(mut state) = self.state(writer) else {
            return;
        };
        state.building = None;
        let is_frozen = self.live().frozen.is_some();
        if is_frozen {
            self.recover_with(writer, &mut state, error);
        }
    }
}

fn check_change(old: &Options, new: &Options) -> Result<()> {
    new.validate()?;
    let kept = Options {
        order: old.order,
        mode: old.mode,
        max_tokens: old.max_tokens,
        max_token_bytes: old.max_token_bytes,
        guarded: old.guarded,
        ..new.clone()
    };
    if kept == *new && tokenizer(old) == tokenizer(new) {
        return Ok(());
    }
    Err(Error::input(
        "order, mode, max_tokens, max_token_bytes and guarded cannot be changed: train a new chain with them",
    ))
}
