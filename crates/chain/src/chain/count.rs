//! How many messages somebody has, or a channel.

use super::Chain;
use super::live::Live;
use crate::storage::Forget;
use crate::{Error, Result};

impl Chain {
    /// How many messages `forget` would forget.
    ///
    /// # Errors
    ///
    /// `Error::Damaged` when a segment cannot be read.
    pub fn count(&self, what: &Forget) -> Result<u64> {
        let live = self.live();
        match live.broken.first() {
            None => live.count(what),
            Some((_, why)) => Err(Error::damaged(&self.directory, why.clone())),
        }
    }
}

impl Live {
    fn count(&self, what: &Forget) -> Result<u64> {
        let mut count = 0;
        for (fresh, dead) in self.deltas() {
            let found = fresh.find(what).into_iter();
            count += found.filter(|&message| !dead.contains(message)).count();
        }
        for held in &self.segments {
            let found = held.find(what)?.into_iter();
            count += found
                .filter(|&message| !held.dead.contains(message))
                .count();
        }
        Ok(count as u64)
    }
}
