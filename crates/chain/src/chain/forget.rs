//! Forgetting one by one: durable when the call returns.

use super::Chain;
use super::merge::Extent;
use super::writer::Writer;
use crate::storage::{Batch, Forget, Operation};
use crate::{Error, Result};

impl Chain {
    /// Forgets every message that matches; how many there were. It is out of every answer when the
    /// call returns, and out of every file after the next merge. A guarded chain is merged at once,
    /// since what was forgotten may have been what a transition stood on.
    ///
    /// # Errors
    ///
    /// `Error::Io` when it could not be stored: then nothing is forgotten, unless the error is one
    /// of the merge. `Error::Damaged` when a segment cannot be read: what matches elsewhere is
    /// forgotten, and in that segment once it is put back.
    pub fn forget(&self, what: &Forget) -> Result<u64> {
        let writer = self.writer()?;
        let count = self.forget_now(writer, what)?;
        if count > 0 && self.options().guarded {
            self.merge(Extent::Due)?;
        }
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

    fn forget_now(&self, writer: &Writer, what: &Forget) -> Result<u64> {
        let mut state = self.state(writer)?;
        self.make_sure(&mut state)?;
        let up_to_sequence = state.next_sequence - 1;
        let (count, is_whole) = {
            let mut live = self.live_mut();
            let count = live.forget(what, up_to_sequence);
            (count, live.broken.is_empty())
        };
        let mut own = Vec::new();
        // What cannot be read now may be put back.
        if count > 0 || !is_whole {
            let mut batch = Batch::default();
            let operation = Operation::Forget {
                what: what.clone(),
                up_to_sequence,
            };
            let appended = batch
                .push(&operation)
                .and_then(|()| writer.append(&mut state, &batch));
            match appended {
                Ok(place) => own.push(place),
                Err(error) => {
                    self.recover_with(writer, &mut state, &error);
                    return Err(error);
                }
            }
            if let Some(building) = &mut state.building {
                building.forgotten.push((what.clone(), up_to_sequence));
            }
        }
        // That there is nothing more to forget may be because another thread is just doing it.
        let basis = state.basis(own, true);
        drop(state);
        self.sync(writer, &basis)?;
        Ok(count)
    }
}
