//! Whether a chain's files are what was written into them.

use std::io::ErrorKind;

use super::Chain;
use super::held::Held;
use super::replay::TRIES;
use crate::storage::{Manifest, Recovery};
use crate::{Error, Result};

/// What reading everything against its checksums came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Verified {
    pub files: u64,
    pub bytes: u64,
    /// One sentence for each fault.
    pub damage: Vec<String>,
}

impl Chain {
    /// Reads every file against its checksums. Faults are reported, not errors. A merge waits
    /// meanwhile.
    ///
    /// # Errors
    ///
    /// `Error::Io` if the logs cannot be read; `Error::Input` from within a training of this
    /// thread.
    pub fn verify(&self) -> Result<Verified> {
        let _merging = self.merging()?;
        let (segments, damage) = {
            let live = self.live();
            (
                live.segments.clone(),
                live.broken.iter().map(|(_, why)| why.clone()).collect(),
            )
        };
        let mut verified = Verified {
            damage,
            ..Verified::default()
        };
        for held in &segments {
            self.verify_segment(held, &mut verified);
        }
        self.verify_logs(&mut verified)?;
        Ok(verified)
    }

    fn verify_segment(&self, held: &Held, verified: &mut Verified) {
        verified.files += 2;
        verified.bytes += held.segment.file_bytes() + held.messages.bytes();
        let mut faults = vec![held.segment.verify(), held.messages.verify()];
        if faults.iter().all(Result::is_ok) {
            // Files that are whole in themselves may still be others than those which the manifest
            // names.
            faults.push(held.check(&self.directory));
        }
        let faults = faults
            .into_iter()
            .filter_map(Result::err)
            .filter(|error| !self.is_replaced(error));
        verified
            .damage
            .extend(faults.map(|error| error.to_string()));
    }

    /// Whether a file is gone because a writer in another process replaced it since this one read
    /// the manifest.
    fn is_replaced(&self, error: &Error) -> bool {
        let is_gone =
            matches!(error, Error::Io { source, .. } if source.kind() == ErrorKind::NotFound);
        is_gone && !self.is_writer()
    }

    /// A writer may be appending: what is torn at the end of the last log is not yet whole.
    fn verify_logs(&self, verified: &mut Verified) -> Result<()> {
        verified.files += 1;
        let mut read = self.named();
        for _ in 0..TRIES {
            let manifest = match read {
                Ok(manifest) => manifest,
                Err(error) => {
                    verified.damage.push(error.to_string());
                    return Ok(());
                }
            };
            let recovery = Recovery::read(
                &*self.disk,
                &self.directory,
                &manifest.logs,
                &mut |_| Ok(()),
            )?;
            let now = self.named();
            if recovery.damage().next().is_none() || now.as_ref().is_ok_and(|now| *now == manifest)
            {
                verified.files += manifest.logs.len() as u64;
                verified.bytes += recovery.logs.iter().map(|log| log.whole_bytes).sum::<u64>();
                verified.damage.extend(recovery.sentences());
                break;
            }
            read = now;
        }
        Ok(())
    }

    fn named(&self) -> Result<Manifest> {
        let missing = || {
            Error::damaged(
                &self.directory.join("manifest.json"),
                "it is missing: put it back from a copy",
            )
        };
        Manifest::read(&*self.disk, &self.directory)?.ok_or_else(missing)
    }
}
