//! HTTP/2 as a client speaks it (RFC 9113, RFC 7541): bytes in, bytes and events out; no socket, no clock.
//!
//! Two decisions make it cheap. The peer's header encoder is told to keep no dynamic table, so that a header block
//! means the same whenever it is read, and what nobody asked for is stepped over without being decoded. A request's
//! block uses no dynamic table either, so that the bytes of a fixed request are made once and copied for each send.
//!
//! What a connection holds is bounded: a frame that is not whole (16 KiB), a header block over several frames
//! ([`MOST_BLOCK`]), a stream's state for each open stream, and the request bodies that wait for the peer's windows
//! (no stream is opened while more than [`MOST_KEPT`] wait). `DATA` is handed on as it comes and never gathered.

mod connection;
mod control;
mod encode;
mod fault;
mod frame;
mod head;
mod hpack;
mod huffman;
mod read;
mod streams;
#[cfg(test)]
mod tests;
mod uploads;

pub use connection::{Connection, Events};
pub use encode::encode;
pub use fault::{Fault, Reset};

/// Bytes of one header block, and of one answer's header list (RFC 9113 6.5.2 counts 32 for each field).
pub const MOST_BLOCK: usize = 64 << 10;
/// Bytes of answers to the peer's `PING`, `SETTINGS` and windows that may wait to be sent before it is called a flood.
pub const MOST_UNSENT: usize = 64 << 10;
/// Bytes of request bodies that may wait for windows before no further stream is opened.
pub const MOST_KEPT: usize = 1 << 20;
/// Streams that are opened before the peer has said how many it takes.
pub const STREAMS_UNTOLD: u32 = 100;
