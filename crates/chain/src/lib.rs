//! A Markov text engine on disk: it learns from messages, answers from memory-mapped files, and forgets exactly.
//!
//! A chain is one directory: immutable segments, a log of what came since, and a manifest that names both.

mod chain;
mod dead;
mod delta;
mod error;
mod generate;
mod guard;
mod map;
mod messages;
pub mod read;
mod record;
mod rng;
mod sections;
mod segment;
mod storage;
mod tokens;
mod walk;

pub use chain::{
    Added, Chain, Extent, Merged, Opening, Progress, Reference, Stats, Trained, Training, Verified,
    generate_mixed,
};
pub use error::{Error, Result};
pub use generate::{Ask, Said, Start};
pub use guard::{Guard, Kind, Replaced};
pub use record::{MAX_NAME_BYTES, Record};
pub use storage::{Forget, MessageId, Options, Support};
pub use tokens::{Cut, Mode};
