//! Frames as bytes (RFC 9113 4 and 6): their header, and the frames that a client writes.

use super::fault::Fault;

/// Bytes of a frame's header.
pub const HEADER: usize = 9;
/// The longest payload that we take: the protocol's default, which we leave as it is.
pub const MOST_PAYLOAD: usize = 16_384;
/// The highest stream identifier, and the largest window.
pub const MAX: u32 = 0x7fff_ffff;

pub mod kind {
    pub const DATA: u8 = 0;
    pub const HEADERS: u8 = 1;
    pub const PRIORITY: u8 = 2;
    pub const RST_STREAM: u8 = 3;
    pub const SETTINGS: u8 = 4;
    pub const PUSH_PROMISE: u8 = 5;
    pub const PING: u8 = 6;
    pub const GOAWAY: u8 = 7;
    pub const WINDOW_UPDATE: u8 = 8;
    pub const CONTINUATION: u8 = 9;
}

pub mod flag {
    pub const ACK: u8 = 1;
    pub const END_STREAM: u8 = 1;
    pub const END_HEADERS: u8 = 4;
    pub const PADDED: u8 = 8;
    pub const PRIORITY: u8 = 32;
}

pub mod setting {
    pub const HEADER_TABLE_SIZE: u16 = 1;
    pub const ENABLE_PUSH: u16 = 2;
    pub const MAX_CONCURRENT_STREAMS: u16 = 3;
    pub const INITIAL_WINDOW_SIZE: u16 = 4;
    pub const MAX_FRAME_SIZE: u16 = 5;
    pub const MAX_HEADER_LIST_SIZE: u16 = 6;
}

pub mod code {
    pub const NO_ERROR: u32 = 0;
    pub const PROTOCOL_ERROR: u32 = 1;
    pub const FLOW_CONTROL_ERROR: u32 = 3;
    pub const STREAM_CLOSED: u32 = 5;
    pub const FRAME_SIZE_ERROR: u32 = 6;
    pub const REFUSED_STREAM: u32 = 7;
    pub const CANCEL: u32 = 8;
    pub const COMPRESSION_ERROR: u32 = 9;
    pub const ENHANCE_YOUR_CALM: u32 = 11;
    /// By code, for people.
    pub const NAMES: [&str; 14] = [
        "NO_ERROR",
        "PROTOCOL_ERROR",
        "INTERNAL_ERROR",
        "FLOW_CONTROL_ERROR",
        "SETTINGS_TIMEOUT",
        "STREAM_CLOSED",
        "FRAME_SIZE_ERROR",
        "REFUSED_STREAM",
        "CANCEL",
        "COMPRESSION_ERROR",
        "CONNECT_ERROR",
        "ENHANCE_YOUR_CALM",
        "INADEQUATE_SECURITY",
        "HTTP_1_1_REQUIRED",
    ];
}

/// What a connection begins with (RFC 9113 3.4).
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The header of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    pub length: usize,
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
}

impl Frame {
    pub fn parse(bytes: &[u8; HEADER]) -> Self {
        let [a, b, c, kind, flags, stream @ ..] = *bytes;
        Self {
            length: u32::from_be_bytes([0, a, b, c]) as usize,
            kind,
            flags,
            stream: u32::from_be_bytes(stream) & MAX,
        }
    }

    pub fn has(self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// The header, to be followed by `length` bytes.
    pub fn put(self, out: &mut Vec<u8>) {
        let mut bytes = [0; HEADER + 1];
        bytes[..4].copy_from_slice(&(self.length as u32).to_be_bytes());
        bytes[4] = self.kind;
        bytes[5] = self.flags;
        bytes[6..].copy_from_slice(&self.stream.to_be_bytes());
        out.extend_from_slice(&bytes[1..]);
    }
}

fn put(kind: u8, flags: u8, stream: u32, payload: &[u8], out: &mut Vec<u8>) {
    let length = payload.len();
    Frame {
        length,
        kind,
        flags,
        stream,
    }
    .put(out);
    out.extend_from_slice(payload);
}

/// `HEADERS` with a whole block, and `CONTINUATION` for what one frame cannot hold.
pub fn headers(stream: u32, block: &[u8], ends: bool, most: usize, out: &mut Vec<u8>) {
    let end_stream = if ends { flag::END_STREAM } else { 0 };
    if block.len() <= most {
        return put(
            kind::HEADERS,
            end_stream | flag::END_HEADERS,
            stream,
            block,
            out,
        );
    }
    let (first, mut rest) = block.split_at(most);
    put(kind::HEADERS, end_stream, stream, first, out);
    while rest.len() > most {
        let (part, others) = rest.split_at(most);
        put(kind::CONTINUATION, 0, stream, part, out);
        rest = others;
    }
    put(kind::CONTINUATION, flag::END_HEADERS, stream, rest, out);
}

pub fn data(stream: u32, bytes: &[u8], ends: bool, out: &mut Vec<u8>) {
    let flags = if ends { flag::END_STREAM } else { 0 };
    put(kind::DATA, flags, stream, bytes, out);
}

pub fn rst_stream(stream: u32, code: u32, out: &mut Vec<u8>) {
    put(kind::RST_STREAM, 0, stream, &code.to_be_bytes(), out);
}

pub fn window_update(stream: u32, increment: u32, out: &mut Vec<u8>) {
    put(
        kind::WINDOW_UPDATE,
        0,
        stream,
        &increment.to_be_bytes(),
        out,
    );
}

pub fn settings(values: &[(u16, u32)], out: &mut Vec<u8>) {
    let length = values.len() * 6;
    Frame {
        length,
        kind: kind::SETTINGS,
        flags: 0,
        stream: 0,
    }
    .put(out);
    for (name, value) in values {
        out.extend_from_slice(&name.to_be_bytes());
        out.extend_from_slice(&value.to_be_bytes());
    }
}

pub fn settings_ack(out: &mut Vec<u8>) {
    put(kind::SETTINGS, flag::ACK, 0, &[], out);
}

pub fn pong(payload: &[u8], out: &mut Vec<u8>) {
    put(kind::PING, flag::ACK, 0, payload, out);
}

/// A client's `GOAWAY`: it took no stream from the server.
pub fn goaway(code: u32, out: &mut Vec<u8>) {
    let mut payload = [0; 8];
    payload[4..].copy_from_slice(&code.to_be_bytes());
    put(kind::GOAWAY, 0, 0, &payload, out);
}

/// A payload that has to be one number.
pub fn number(payload: &[u8]) -> Result<u32, Fault> {
    payload
        .try_into()
        .map(u32::from_be_bytes)
        .map_err(|_| Fault::WrongLength)
}
