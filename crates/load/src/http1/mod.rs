//! HTTP/1.1 as a client speaks it (RFC 9110, RFC 9112), without any I/O: requests become bytes,
//! bytes become answers.
//!
//! `request.rs` writes, `reader.rs` reads one connection's answers with `head.rs`, `length.rs` and
//! `chunks.rs`, and `fault.rs` says what a peer can do wrong. A connection holds at most
//! [`MOST_HEAD`] bytes of an answer, and those only while a head is split across reads.

mod chunks;
mod fault;
mod head;
mod length;
mod reader;
mod request;
#[cfg(test)]
mod tests;
mod token;

pub use chunks::{MOST_LINE, MOST_TRAILERS};
pub use fault::Fault;
pub use head::{MOST_HEAD, MOST_HEADERS};
pub use reader::{Done, Kind, MOST_INTERIM, Progress, Reader};
pub use request::{check, encode};
