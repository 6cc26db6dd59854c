//! What makes a chain durable: its directory, the manifest that names what is live, the logs of
//! what came since, the lock.
//!
//! Every write goes through a `Disk`; what is acknowledged was synced, with its name.
//! `docs/chain-format.md` has each field.

mod directory;
mod disk;
mod encoding;
#[cfg(test)]
pub(crate) mod faulty_disk;
mod frame;
mod lock;
mod log;
mod manifest;
mod message_id;
mod migration;
mod operation;
mod options;
mod recover;
mod strings;

#[cfg(test)]
mod crash_tests;
#[cfg(test)]
mod log_tests;
#[cfg(test)]
mod recover_tests;

pub use directory::{FileKind, is_unused, kept_logs, kept_path, remove_unnamed};
pub use disk::{Disk, DiskFile, RealDisk};
pub use frame::{Batch, HEADER_BYTES as LOG_HEADER_BYTES};
pub use lock::WriterLock;
pub use log::{LogWriter, NewLog, Ticket};
pub use manifest::{MANIFEST_NAME, Manifest, SegmentEntry, SourceProgress};
pub use message_id::MessageId;
pub use operation::{Forget, Learn, Operation};
pub use options::{Options, Support};
pub use recover::{LogEnd, Recovery};
pub use strings::StringsBuffer;
