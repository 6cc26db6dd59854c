//! What the peer says about the connection and its streams, besides answers; and how streams end.

use super::MOST_UNSENT;
use super::connection::{Connection, Events};
use super::fault::{Fault, Reset};
use super::frame::{self, Frame, HEADER, MAX, MOST_PAYLOAD, code, flag, setting};
use super::streams::UNTOLD;
use super::uploads::raised;

impl Connection {
    pub(super) fn settings(
        &mut self,
        frame: Frame,
        payload: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), Fault> {
        if frame.has(flag::ACK) {
            return if payload.is_empty() {
                Ok(())
            } else {
                Err(Fault::WrongLength)
            };
        }
        if !payload.len().is_multiple_of(6) {
            return Err(Fault::WrongLength);
        }
        if !self.has_settings {
            self.has_settings = true;
            // Until it says otherwise the peer takes any number.
            self.peer_most = u32::MAX;
        }
        for &[high, low, ref value @ ..] in payload.as_chunks::<6>().0 {
            self.set(u16::from_be_bytes([high, low]), u32::from_be_bytes(*value))?;
        }
        self.owe(HEADER)?;
        frame::settings_ack(out);
        self.go_on(out)
    }

    fn set(&mut self, name: u16, value: u32) -> Result<(), Fault> {
        match name {
            setting::ENABLE_PUSH if value != 0 => return Err(Fault::Setting),
            setting::MAX_CONCURRENT_STREAMS => self.peer_most = value,
            setting::INITIAL_WINDOW_SIZE => self.uploads.set_initial(value, &mut self.streams)?,
            setting::MAX_FRAME_SIZE => {
                let value = value as usize;
                if !(MOST_PAYLOAD..1 << 24).contains(&value) {
                    return Err(Fault::Setting);
                }
                self.uploads.most_frame = value;
            }
            // Our blocks use no table, and how long a header list the peer takes is advice.
            _ => {}
        }
        Ok(())
    }

    pub(super) fn ping(
        &mut self,
        frame: Frame,
        payload: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), Fault> {
        if payload.len() != 8 {
            return Err(Fault::WrongLength);
        }
        if !frame.has(flag::ACK) {
            self.owe(HEADER + payload.len())?;
            frame::pong(payload, out);
        }
        Ok(())
    }

    pub(super) fn going_away(
        &mut self,
        payload: &[u8],
        events: &mut impl Events,
    ) -> Result<(), Fault> {
        let ([last, code, ..], _) = payload.as_chunks() else {
            return Err(Fault::WrongLength);
        };
        let last = u32::from_be_bytes(*last) & MAX;
        self.goaway = Some(u32::from_be_bytes(*code));
        for stream in self.streams.end_above(last) {
            self.late = self.late.max(stream.id);
            if stream.is_sending {
                self.uploads.end(stream.id);
            }
            events.reset(stream.key, Reset::Refused);
        }
        Ok(())
    }

    pub(super) fn rst_stream(
        &mut self,
        frame: Frame,
        payload: &[u8],
        events: &mut impl Events,
    ) -> Result<(), Fault> {
        let code = frame::number(payload)?;
        let Some(stream) = self.streams.end(frame.stream) else {
            return Ok(());
        };
        if stream.is_sending {
            self.uploads.end(stream.id);
        }
        let why = match code {
            code::REFUSED_STREAM => Reset::Refused,
            code => Reset::Peer(code),
        };
        events.reset(stream.key, why);
        Ok(())
    }

    pub(super) fn window_update(
        &mut self,
        frame: Frame,
        payload: &[u8],
        out: &mut Vec<u8>,
        events: &mut impl Events,
    ) -> Result<(), Fault> {
        let increment = frame::number(payload)? & MAX;
        if frame.stream == 0 {
            if increment == 0 {
                return Err(Fault::NoIncrement);
            }
            self.uploads.raise(increment)?;
        } else {
            let Some(stream) = self.streams.get(frame.stream) else {
                return Ok(());
            };
            match raised(stream.window, increment) {
                Some(window) if increment != 0 => stream.window = window,
                _ => {
                    self.break_off(frame.stream, Reset::Malformed, out, events);
                    return Ok(());
                }
            }
        }
        self.go_on(out)
    }

    /// Goes on with the bodies that wait. A peer that opens its windows byte by byte and does not read is a flood.
    fn go_on(&mut self, out: &mut Vec<u8>) -> Result<(), Fault> {
        let before = out.len();
        let frames = self.uploads.go_on(&mut self.streams, out);
        // Long frames cost next to nothing beside the body that has to be sent anyway.
        let carried = (out.len() - before) / MOST_PAYLOAD;
        self.owe(frames.saturating_sub(carried) * HEADER)
    }

    /// Counts bytes that the peer made us write.
    fn owe(&mut self, bytes: usize) -> Result<(), Fault> {
        self.unsent += bytes;
        self.since_mark += bytes;
        if self.unsent > MOST_UNSENT {
            Err(Fault::Flood)
        } else {
            Ok(())
        }
    }

    /// A frame on a stream that is not open: allowed while the peer cannot know that we reset it.
    pub(super) fn late(&self, id: u32) -> Result<(), Fault> {
        if id <= self.late {
            Ok(())
        } else {
            Err(Fault::StreamClosed)
        }
    }

    /// An answer is whole.
    #[inline]
    pub(super) fn finish(&mut self, id: u32, out: &mut Vec<u8>, events: &mut impl Events) {
        let Some(stream) = self.streams.end(id) else {
            return;
        };
        let is_whole = stream.length == UNTOLD || stream.received == stream.length;
        if stream.is_sending || !is_whole {
            self.late = self.late.max(id);
            self.uploads.end(id);
            let why = if is_whole {
                code::CANCEL
            } else {
                Reset::Malformed.code()
            };
            frame::rst_stream(id, why, out);
        }
        if is_whole {
            events.done(stream.key, stream.received);
        } else {
            events.reset(stream.key, Reset::Malformed);
        }
    }

    /// Ends a stream whose answer is of no use.
    pub(super) fn break_off(
        &mut self,
        id: u32,
        why: Reset,
        out: &mut Vec<u8>,
        events: &mut impl Events,
    ) {
        if let Some(key) = self.abandon(id, why.code(), out) {
            events.reset(key, why);
        }
    }

    /// Ends a stream from our side. Returns its key.
    pub(super) fn abandon(&mut self, id: u32, code: u32, out: &mut Vec<u8>) -> Option<u32> {
        let stream = self.streams.end(id)?;
        if stream.is_sending {
            self.uploads.end(id);
        }
        self.late = self.late.max(id);
        frame::rst_stream(id, code, out);
        Some(stream.key)
    }
}
