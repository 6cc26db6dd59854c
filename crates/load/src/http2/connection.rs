//! One connection: streams are opened, what the peer sends is read, events come out.

use super::fault::Reset;
use super::frame::{self, code, setting};
use super::hpack::NO_TABLE;
use super::read::{Block, Passing};
use super::streams::Streams;
use super::uploads::Uploads;
use super::{MOST_BLOCK, MOST_KEPT, STREAMS_UNTOLD};

/// What the peer may send on one stream, and on all, before we raise the window again; we do so at half of it.
pub(super) const STREAM_WINDOW: u32 = 1 << 24;
pub(super) const WINDOW: u32 = 1 << 30;
/// The connection's window before it is raised.
const FIRST_WINDOW: u32 = 65_535;

/// What happens to requests, told while bytes are read. `key` is what the caller gave to `open`. After `done` or
/// `reset` nothing more is told of a key.
pub trait Events {
    /// Whether the headers of this answer are to be told. Asked once, after `head`.
    fn wants(&mut self, key: u32) -> bool {
        let _ = key;
        false
    }
    /// Bytes of an answer have come: frames of its head, body and trailers with their headers, padding included.
    fn received(&mut self, key: u32, bytes: usize) {
        let _ = (key, bytes);
    }
    /// The head of the answer has come; of informational ones (1xx) nothing is told.
    fn head(&mut self, key: u32, status: u16);
    /// A header of the answer, in lower case, in order. Trailers are not told.
    fn header(&mut self, key: u32, name: &[u8], value: &[u8]) {
        let _ = (key, name, value);
    }
    /// A part of the body.
    fn body(&mut self, key: u32, bytes: &[u8]) {
        let _ = (key, bytes);
    }
    /// The answer is whole.
    fn done(&mut self, key: u32, body_bytes: u64);
    /// There will be no whole answer, though a part of it may have been told.
    fn reset(&mut self, key: u32, why: Reset);
}

/// The client's side of one connection.
#[derive(Debug)]
pub struct Connection {
    pub(super) streams: Streams,
    pub(super) uploads: Uploads,
    /// Streams that we open at once, 0 when it is retired; and those that the peer takes.
    pub(super) most: u32,
    pub(super) peer_most: u32,
    pub(super) has_settings: bool,
    /// Our first header block was written.
    pub(super) has_block: bool,
    pub(super) goaway: Option<u32>,
    pub(super) is_over: bool,
    /// A frame that is not whole.
    pub(super) partial: Vec<u8>,
    pub(super) passing: Passing,
    pub(super) block: Block,
    pub(super) scratch: Vec<u8>,
    /// Bytes that came since the connection's window was last raised.
    pub(super) taken: u32,
    /// Up to this stream, frames may still come that were sent before the peer knew of our reset.
    pub(super) late: u32,
    /// Bytes of answers to control frames that are not sent for certain; of them, those written since a mark, which
    /// is counted in all bytes that were written.
    pub(super) unsent: usize,
    pub(super) since_mark: usize,
    mark: u64,
    /// Bytes of any kind that were taken out of `out` and are not sent.
    pub(super) waiting: usize,
}

impl Connection {
    /// A connection that opens up to `streams` streams at once.
    #[must_use]
    pub fn new(streams: u32) -> Self {
        Self {
            streams: Streams::new(),
            uploads: Uploads::new(),
            most: streams,
            peer_most: STREAMS_UNTOLD,
            has_settings: false,
            has_block: false,
            goaway: None,
            is_over: false,
            partial: Vec::new(),
            passing: Passing::default(),
            block: Block::default(),
            scratch: Vec::new(),
            taken: 0,
            late: 0,
            unsent: 0,
            since_mark: 0,
            mark: 0,
            waiting: 0,
        }
    }

    /// Writes what a connection begins with; requests may follow at once.
    pub fn opening(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(frame::PREFACE);
        let settings = [
            (setting::HEADER_TABLE_SIZE, 0),
            (setting::ENABLE_PUSH, 0),
            (setting::INITIAL_WINDOW_SIZE, STREAM_WINDOW),
            (setting::MAX_HEADER_LIST_SIZE, MOST_BLOCK as u32),
        ];
        frame::settings(&settings, out);
        frame::window_update(0, WINDOW - FIRST_WINDOW, out);
    }

    /// Of all bytes that this connection ever wrote, and that were taken out of `out`, so many wait to be sent. To be
    /// told before each read, else they count as sent.
    pub fn waits(&mut self, written: u64, waiting: usize) {
        // Bodies may wait for long, and answers among them are sent with them: so they are followed from mark to mark.
        if written - waiting as u64 >= self.mark {
            self.mark = written;
            self.unsent = std::mem::take(&mut self.since_mark);
        }
        self.waiting = waiting;
    }

    /// Streams that may be opened now.
    #[must_use]
    pub fn room(&self) -> usize {
        if self.is_closing() || self.uploads.kept() > MOST_KEPT {
            return 0;
        }
        let most = self.most.min(self.peer_most) as usize;
        most.saturating_sub(self.streams.open())
            .min(self.streams.left())
    }

    /// Whether no stream will ever be opened again: the peer is going away, the connection is retired or over, or all
    /// stream identifiers are used up. Once `open_streams` is 0 it can be closed.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.is_over || self.most == 0 || self.goaway.is_some() || self.streams.left() == 0
    }

    /// The error code with which the peer goes away.
    #[must_use]
    pub fn goaway(&self) -> Option<u32> {
        self.goaway
    }

    #[must_use]
    pub fn open_streams(&self) -> usize {
        self.streams.open()
    }

    /// Opens a stream for a request whose header block (see `encode`) and body are given. `key` comes back with the
    /// events, and no other open stream of this connection may have it. What of the body the peer's windows do not
    /// allow yet is kept. False, and nothing is written, when there is no room.
    #[must_use]
    pub fn open(
        &mut self,
        block: &[u8],
        body: &[u8],
        is_head: bool,
        key: u32,
        out: &mut Vec<u8>,
    ) -> bool {
        if self.room() == 0 {
            return false;
        }
        let id = self.streams.begin(key, is_head, self.uploads.initial);
        let most = self.uploads.most_frame;
        if self.has_block {
            frame::headers(id, block, body.is_empty(), most, out);
        } else {
            // The first block says that our encoder has no table, whatever size the peer allows, now or later.
            self.has_block = true;
            let block = [&[NO_TABLE], block].concat();
            frame::headers(id, &block, body.is_empty(), most, out);
        }
        if !body.is_empty() {
            self.uploads.begin(id, body, &mut self.streams, out);
        }
        true
    }

    /// Ends the stream of a request that nobody waits for any longer; nothing more is told of it. False when there is
    /// none with this key.
    pub fn cancel(&mut self, key: u32, out: &mut Vec<u8>) -> bool {
        let Some(id) = self.streams.with_key(key) else {
            return false;
        };
        self.abandon(id, code::CANCEL, out);
        true
    }

    /// Opens no more streams; those that are open go on.
    pub fn retire(&mut self) {
        self.most = 0;
    }

    /// Tells the requests that have no whole answer, when the connection has ended.
    pub fn end(&mut self, events: &mut impl Events) {
        self.is_over = true;
        self.uploads.clear();
        for stream in self.streams.end_above(0) {
            events.reset(stream.key, Reset::Closed);
        }
    }

    /// Writes that we leave, before the connection is closed.
    pub fn close(&mut self, out: &mut Vec<u8>) {
        self.is_over = true;
        frame::goaway(code::NO_ERROR, out);
    }
}

#[cfg(test)]
impl Connection {
    /// Bytes of memory that it holds.
    pub(super) fn held(&self) -> usize {
        let buffers =
            self.partial.capacity() + self.block.bytes.capacity() + self.scratch.capacity();
        size_of::<Self>() + buffers + self.uploads.kept() + self.streams.held()
    }
}
