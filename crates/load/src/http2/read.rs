//! What the peer sends, frame by frame; and the answers in it.

use super::MOST_BLOCK;
use super::connection::{Connection, Events, STREAM_WINDOW, WINDOW};
use super::fault::{Fault, Reset};
use super::frame::{self, Frame, HEADER, MOST_PAYLOAD, flag, kind};
use super::head::{self, Broken, Head, MALFORMED};
use super::streams::{Stream, UNTOLD};

/// Memory of buffers that is kept from one frame to the next.
const KEPT_BUFFER: usize = 1024;

/// A frame that is handed on as it comes: `DATA`, or one of a type that says nothing to us.
#[derive(Clone, Copy, Debug, Default)]
pub struct Passing {
    /// The stream whose body it is; 0 for none.
    stream: u32,
    bytes: usize,
    padding: usize,
    ends: bool,
}

/// A header block that goes over several frames.
#[derive(Debug, Default)]
pub struct Block {
    /// 0 when there is none.
    stream: u32,
    ends: bool,
    pub bytes: Vec<u8>,
    /// Its bytes, and those of its frames' headers.
    size: usize,
}

impl Connection {
    /// Reads what came, and writes what it asks for to `out`, where what is not sent yet may still stand. After a fault
    /// the connection is to be closed; `out` says why to the peer.
    ///
    /// # Errors
    /// A rule of the protocol that the peer broke.
    pub fn read(
        &mut self,
        bytes: &[u8],
        out: &mut Vec<u8>,
        events: &mut impl Events,
    ) -> Result<(), Fault> {
        if self.is_over {
            return Ok(());
        }
        // Answers to control frames that were sent neither are in `out` nor wait elsewhere.
        self.unsent = self.unsent.min(out.len() + self.waiting);
        let result = self.frames(bytes, out, events);
        if let Err(fault) = result {
            self.is_over = true;
            frame::goaway(fault.code(), out);
        }
        result
    }

    fn frames(
        &mut self,
        mut bytes: &[u8],
        out: &mut Vec<u8>,
        events: &mut impl Events,
    ) -> Result<(), Fault> {
        while !bytes.is_empty() {
            if self.passing.bytes > 0 || self.passing.padding > 0 {
                bytes = self.pass(bytes, out, events);
                continue;
            }
            if !self.partial.is_empty() {
                bytes = self.gather(bytes, out, events)?;
                continue;
            }
            let Some(header) = bytes.first_chunk() else {
                self.partial.extend_from_slice(bytes);
                return Ok(());
            };
            let frame = Frame::parse(header);
            let Some((whole, rest)) = bytes.split_at_checked(self.needed(frame)?) else {
                self.partial.extend_from_slice(bytes);
                return Ok(());
            };
            bytes = rest;
            self.frame(frame, &whole[HEADER..], out, events)?;
        }
        Ok(())
    }

    /// Adds to a frame that was not whole.
    fn gather<'a>(
        &mut self,
        bytes: &'a [u8],
        out: &mut Vec<u8>,
        events: &mut impl Events,
    ) -> Result<&'a [u8], Fault> {
        let needed = match self.partial.first_chunk() {
            Some(header) => self.needed(Frame::parse(header))?,
            None => HEADER,
        };
        let missing = needed - self.partial.len();
        let (now, rest) = bytes.split_at(missing.min(bytes.len()));
        self.partial.extend_from_slice(now);
        let Some(header) = self.partial.first_chunk() else {
            return Ok(rest);
        };
        let frame = Frame::parse(header);
        if self.partial.len() < self.needed(frame)? {
            return Ok(rest);
        }
        let mut partial = std::mem::take(&mut self.partial);
        self.frame(frame, &partial[HEADER..], out, events)?;
        partial.clear();
        if partial.capacity() <= KEPT_BUFFER {
            self.partial = partial;
        }
        Ok(rest)
    }

    /// Bytes that have to be there before a frame is looked into, its header included. What the header alone shows to
    /// be wrong is found here, so that nothing is gathered for it.
    fn needed(&self, frame: Frame) -> Result<usize, Fault> {
        if !self.has_settings && (frame.kind != kind::SETTINGS || frame.has(flag::ACK)) {
            return Err(Fault::NotHttp2);
        }
        if frame.length > MOST_PAYLOAD {
            return Err(Fault::FrameTooLong);
        }
        let is_next = frame.kind == kind::CONTINUATION && frame.stream == self.block.stream;
        if (self.block.stream != 0 || frame.kind == kind::CONTINUATION) && !is_next {
            return Err(Fault::Interleaved);
        }
        Ok(HEADER
            + match frame.kind {
                kind::DATA if frame.has(flag::PADDED) => frame.length.min(1),
                kind::DATA | kind::PRIORITY => 0,
                kind::PUSH_PROMISE => return Err(Fault::Push),
                ..=kind::CONTINUATION => frame.length,
                _ => 0,
            })
    }

    fn frame(
        &mut self,
        frame: Frame,
        payload: &[u8],
        out: &mut Vec<u8>,
        events: &mut impl Events,
    ) -> Result<(), Fault> {
        let is_streams = frame.stream != 0;
        let belongs = match frame.kind {
            kind::DATA | kind::HEADERS | kind::PRIORITY | kind::RST_STREAM | kind::CONTINUATION => {
                is_streams
            }
            kind::SETTINGS | kind::PING | kind::GOAWAY => !is_streams,
            _ => true,
        };
        if !belongs {
            return Err(Fault::WrongStream);
        }
        if frame.kind != kind::PRIORITY
            && frame.kind <= kind::CONTINUATION
            && is_streams
            && self.streams.is_idle(frame.stream)
        {
            return Err(Fault::Idle);
        }
        if matches!(frame.kind, kind::DATA | kind::HEADERS | kind::CONTINUATION)
            && let Some(stream) = self.streams.get(frame.stream)
        {
            events.received(stream.key, HEADER + payload.len());
        }
        match frame.kind {
            kind::DATA => self.data(frame, payload, out, events),
            kind::HEADERS => self.headers(frame, payload, out, events),
            kind::CONTINUATION => self.continuation(frame, payload, out, events),
            kind::RST_STREAM => self.rst_stream(frame, payload, events),
            kind::SETTINGS => self.settings(frame, payload, out),
            kind::PING => self.ping(frame, payload, out),
            kind::GOAWAY => self.going_away(payload, events),
            kind::WINDOW_UPDATE => self.window_update(frame, payload, out, events),
            kind::PRIORITY if frame.length != 5 => Err(Fault::WrongLength),
            _ => {
                self.passing = Passing {
                    bytes: frame.length,
                    ..Passing::default()
                };
                Ok(())
            }
        }
    }

    fn data(
        &mut self,
        frame: Frame,
        payload: &[u8],
        out: &mut Vec<u8>,
        events: &mut impl Events,
    ) -> Result<(), Fault> {
        let padding = usize::from(payload.first().copied().unwrap_or(0));
        let pad_field = usize::from(frame.has(flag::PADDED));
        let bytes = frame
            .length
            .checked_sub(pad_field + padding)
            .ok_or(Fault::Padding)?;
        let length = frame.length as u32;
        let ends = frame.has(flag::END_STREAM);
        // What is read is given back at once, so that nobody can come to the end of a window that he keeps to.
        self.taken += length;
        if self.taken >= WINDOW / 2 {
            frame::window_update(0, self.taken, out);
            self.taken = 0;
        }
        self.passing = Passing {
            stream: frame.stream,
            bytes,
            padding,
            ends,
        };
        let Some(stream) = self.streams.get(frame.stream) else {
            self.passing.stream = 0;
            return self.late(frame.stream);
        };
        stream.taken += length;
        if stream.taken >= STREAM_WINDOW / 2 && !ends {
            frame::window_update(frame.stream, stream.taken, out);
            stream.taken = 0;
        }
        stream.received += bytes as u64;
        if !stream.has_head || stream.received > stream.length {
            self.passing.stream = 0;
            self.break_off(frame.stream, Reset::Malformed, out, events);
        } else if bytes + padding == 0 && ends {
            self.finish(frame.stream, out, events);
        }
        Ok(())
    }

    /// Hands on what came of a body, and steps over padding.
    fn pass<'a>(
        &mut self,
        bytes: &'a [u8],
        out: &mut Vec<u8>,
        events: &mut impl Events,
    ) -> &'a [u8] {
        let Passing { stream, ends, .. } = self.passing;
        let (body, rest) = bytes.split_at(self.passing.bytes.min(bytes.len()));
        let (padding, rest) = rest.split_at(self.passing.padding.min(rest.len()));
        self.passing.bytes -= body.len();
        self.passing.padding -= padding.len();
        if stream != 0 {
            if let Some(stream) = self.streams.get(stream) {
                events.received(stream.key, body.len() + padding.len());
                if !body.is_empty() {
                    events.body(stream.key, body);
                }
            }
            if ends && self.passing.bytes + self.passing.padding == 0 {
                self.finish(stream, out, events);
            }
        }
        rest
    }

    fn headers(
        &mut self,
        frame: Frame,
        mut payload: &[u8],
        out: &mut Vec<u8>,
        events: &mut impl Events,
    ) -> Result<(), Fault> {
        if frame.has(flag::PADDED) {
            let (&padding, rest) = payload.split_first().ok_or(Fault::Padding)?;
            let end = rest
                .len()
                .checked_sub(usize::from(padding))
                .ok_or(Fault::Padding)?;
            payload = &rest[..end];
        }
        if frame.has(flag::PRIORITY) {
            payload = payload.get(5..).ok_or(Fault::WrongLength)?;
        }
        let ends = frame.has(flag::END_STREAM);
        if frame.has(flag::END_HEADERS) {
            return self.answer(frame.stream, ends, payload, out, events);
        }
        self.block.stream = frame.stream;
        self.block.ends = ends;
        self.block.size = HEADER + payload.len();
        self.block.bytes.extend_from_slice(payload);
        Ok(())
    }

    fn continuation(
        &mut self,
        frame: Frame,
        payload: &[u8],
        out: &mut Vec<u8>,
        events: &mut impl Events,
    ) -> Result<(), Fault> {
        self.block.size += HEADER + payload.len();
        if self.block.size > MOST_BLOCK {
            return Err(Fault::BlockTooLong);
        }
        self.block.bytes.extend_from_slice(payload);
        if !frame.has(flag::END_HEADERS) {
            return Ok(());
        }
        let block = std::mem::take(&mut self.block);
        self.answer(block.stream, block.ends, &block.bytes, out, events)
    }

    /// Takes a whole header block: the head of an answer or its trailers.
    fn answer(
        &mut self,
        id: u32,
        ends: bool,
        block: &[u8],
        out: &mut Vec<u8>,
        events: &mut impl Events,
    ) -> Result<(), Fault> {
        let Some(stream) = self.streams.get(id) else {
            self.late(id)?;
            return head::skip(block);
        };
        let result = if stream.has_head {
            let end = if ends { Ok(()) } else { Err(MALFORMED) };
            head::skip_trailers(block).and(end)
        } else {
            let head = head::read(block, stream.key, &mut self.scratch, events);
            self.scratch.clear();
            self.scratch.shrink_to(KEPT_BUFFER);
            head.and_then(|head| begin(stream, head, ends))
        };
        match result {
            Ok(()) if ends => self.finish(id, out, events),
            Ok(()) => {}
            Err(Broken::Stream(why)) => self.break_off(id, why, out, events),
            Err(Broken::Connection(fault)) => return Err(fault),
        }
        Ok(())
    }
}

/// Notes the head of an answer, and the length that its body has to have.
fn begin(stream: &mut Stream, head: Head, ends: bool) -> Result<(), Broken> {
    if head.is_informational() {
        return if ends { Err(MALFORMED) } else { Ok(()) };
    }
    stream.has_head = true;
    let is_bodiless = stream.is_head || matches!(head.status, 204 | 304);
    let said = head.length.unwrap_or(UNTOLD);
    stream.length = if is_bodiless { 0 } else { said };
    Ok(())
}
