//! The server's side of HTTP/2, as a test has it do right and wrong: frames in, frames out.

use std::io::{self, Read, Write};

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;

pub const END_STREAM: u8 = 1;
pub const ACK: u8 = 1;
const END_HEADERS: u8 = 4;

pub const MAX_CONCURRENT_STREAMS: u16 = 3;

#[derive(Clone, Debug)]
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

impl Frame {
    /// Whether nothing of this request follows.
    pub fn ends_request(&self) -> bool {
        matches!(self.kind, DATA | HEADERS) && self.flags & END_STREAM != 0
    }
}

/// One connection that a client has opened.
pub struct Two<S> {
    pub stream: S,
    /// What was received of a frame that is not whole.
    got: Vec<u8>,
}

impl<S: Read + Write> Two<S> {
    /// Reads what a client begins with, and says our own settings.
    pub fn accept(stream: S, settings: &[(u16, u32)]) -> io::Result<Self> {
        let mut two = Self {
            stream,
            got: Vec::new(),
        };
        let mut payload = Vec::new();
        for (name, value) in settings {
            payload.extend_from_slice(&name.to_be_bytes());
            payload.extend_from_slice(&value.to_be_bytes());
        }
        two.send(SETTINGS, 0, 0, &payload)?;
        let preface = two.take(24)?;
        assert_eq!(preface, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        Ok(two)
    }

    fn take(&mut self, bytes: usize) -> io::Result<Vec<u8>> {
        let mut some = vec![0; 1 << 16];
        while self.got.len() < bytes {
            match self.stream.read(&mut some)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                read => self.got.extend_from_slice(&some[..read]),
            }
        }
        let rest = self.got.split_off(bytes);
        Ok(std::mem::replace(&mut self.got, rest))
    }

    /// The next frame, whatever it is.
    pub fn frame(&mut self) -> io::Result<Frame> {
        let head = self.take(9)?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        let payload = self.take(length)?;
        Ok(Frame {
            kind: head[3],
            flags: head[4],
            stream,
            payload,
        })
    }

    /// The next frame of a stream; what is about the connection is taken note of.
    pub fn next(&mut self) -> io::Result<Frame> {
        loop {
            let frame = self.frame()?;
            match frame.kind {
                SETTINGS if frame.flags & ACK == 0 => self.send(SETTINGS, ACK, 0, &[])?,
                SETTINGS | PING | GOAWAY => {}
                WINDOW_UPDATE if frame.stream == 0 => {}
                _ => return Ok(frame),
            }
        }
    }

    /// The stream of the next request, once it is whole.
    pub fn request(&mut self) -> io::Result<u32> {
        loop {
            let frame = self.next()?;
            if frame.ends_request() {
                return Ok(frame.stream);
            }
        }
    }

    pub fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> io::Result<()> {
        let mut bytes = (payload.len() as u32).to_be_bytes()[1..].to_vec();
        bytes.extend_from_slice(&[kind, flags]);
        bytes.extend_from_slice(&stream.to_be_bytes());
        bytes.extend_from_slice(payload);
        self.stream.write_all(&bytes)?;
        self.stream.flush()
    }

    /// Status 200 and nothing else.
    pub fn ok(&mut self, stream: u32) -> io::Result<()> {
        self.send(HEADERS, END_HEADERS | END_STREAM, stream, &[0x88])
    }

    /// Status 200, one header and a body.
    pub fn answer(&mut self, stream: u32, header: (&str, &str), body: &[u8]) -> io::Result<()> {
        let mut block = vec![0x88, 0]; // a literal that is not indexed
        for text in [header.0, header.1] {
            block.push(text.len() as u8);
            block.extend_from_slice(text.as_bytes());
        }
        self.send(HEADERS, END_HEADERS, stream, &block)?;
        let last = body.len().div_ceil(16_000).max(1) - 1;
        for (number, part) in body.chunks(16_000).enumerate() {
            let flags = if number == last { END_STREAM } else { 0 };
            self.send(DATA, flags, stream, part)?;
        }
        Ok(())
    }

    pub fn reset(&mut self, stream: u32, code: u32) -> io::Result<()> {
        self.send(RST_STREAM, 0, stream, &code.to_be_bytes())
    }

    /// Streams above `last` will not be answered.
    pub fn go_away(&mut self, last: u32) -> io::Result<()> {
        let payload = [last.to_be_bytes(), 0_u32.to_be_bytes()].concat();
        self.send(GOAWAY, 0, 0, &payload)
    }
}
