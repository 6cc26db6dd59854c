//! What sends and measures: one event loop a thread, each with users, connections and a share of the arrivals of its
//! own. Threads meet once a tick, when they hand over what they recorded.
//!
//! `worker.rs` is the loop; `sending.rs` leads from an iteration that begins to bytes on a connection, `receiving.rs`
//! from bytes to an answer, `failing.rs` from anything that goes wrong to what its user does next.

mod amid;
mod arrivals;
mod belief;
mod books;
mod clock;
mod connecting;
mod connection;
mod courses;
mod failing;
mod flight;
mod poll;
mod receiving;
mod receiving_two;
mod resolve;
mod run;
mod sending;
mod shared;
mod site;
mod start;
mod tls;
mod transport;
mod turns;
mod verdict;
mod version;
mod worker;

pub use flight::Effort;
pub use run::{Relief, Run};
pub use shared::State;
pub(crate) use verdict::share as busy_share;
