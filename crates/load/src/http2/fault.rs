//! What can go wrong: with a connection ([`Fault`]), and with one stream of it ([`Reset`]).

use std::fmt;

use super::frame::code;

/// The peer broke a rule, and the connection is over. What it had not answered is told by `Connection::end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    NotHttp2,
    FrameTooLong,
    WrongLength,
    WrongStream,
    Idle,
    StreamClosed,
    Push,
    Padding,
    Interleaved,
    BlockTooLong,
    Compression,
    Setting,
    SettingWindow,
    NoIncrement,
    WindowOverflow,
    Flood,
}

impl Fault {
    /// The error code for `GOAWAY` (RFC 9113 7).
    #[must_use]
    pub fn code(self) -> u32 {
        match self {
            Self::FrameTooLong | Self::WrongLength => code::FRAME_SIZE_ERROR,
            Self::StreamClosed => code::STREAM_CLOSED,
            Self::BlockTooLong | Self::Flood => code::ENHANCE_YOUR_CALM,
            Self::Compression => code::COMPRESSION_ERROR,
            Self::SettingWindow | Self::WindowOverflow => code::FLOW_CONTROL_ERROR,
            Self::NotHttp2
            | Self::WrongStream
            | Self::Idle
            | Self::Push
            | Self::Padding
            | Self::Interleaved
            | Self::Setting
            | Self::NoIncrement => code::PROTOCOL_ERROR,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotHttp2 => {
                "the server's first bytes are no HTTP/2 SETTINGS frame: it may speak HTTP/1.1 only"
            }
            Self::FrameTooLong => {
                "the server sent a frame longer than the 16,384 bytes it was allowed"
            }
            Self::WrongLength => "the server sent a frame whose length does not fit its type",
            Self::WrongStream => {
                "the server sent a frame on a stream (or on none) where its type does not belong"
            }
            Self::Idle => "the server sent a frame on a stream that was never opened",
            Self::StreamClosed => "the server went on with a stream that it had ended",
            Self::Push => "the server pushed a stream though pushing was switched off",
            Self::Padding => "the server sent a frame whose padding is longer than the frame",
            Self::Interleaved => {
                "the server put a frame where a header block begins or has to go on"
            }
            Self::BlockTooLong => "the server sent a header block longer than 64 KiB",
            Self::Compression => "the server sent a header block that HPACK cannot read",
            Self::Setting => "the server sent a setting with a value that is not allowed",
            Self::SettingWindow => {
                "the server's settings make a stream's window larger than 2^31 - 1"
            }
            Self::NoIncrement => "the server sent a window update of 0",
            Self::WindowOverflow => "the server raised the connection's window above 2^31 - 1",
            Self::Flood => "the server sends control frames and does not read their answers",
        })
    }
}

impl std::error::Error for Fault {}

/// Why a request ended without a whole answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reset {
    /// The server says that it did not process the request: it can be sent again.
    Refused,
    /// The server ended the stream with this error code (RFC 9113 7).
    Peer(u32),
    /// The answer breaks the rules; the stream was ended by us.
    Malformed,
    /// The answer's headers are larger than 64 KiB; the stream was ended by us.
    TooLarge,
    /// The connection ended before the answer did.
    Closed,
}

impl Reset {
    /// The error code for our `RST_STREAM`.
    pub(super) fn code(self) -> u32 {
        match self {
            Self::Malformed => code::PROTOCOL_ERROR,
            _ => code::CANCEL,
        }
    }
}

impl fmt::Display for Reset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Refused => f.write_str("the server refused the stream before processing it"),
            Self::Peer(code) => match code::NAMES.get(code as usize) {
                Some(name) => write!(f, "the server reset the stream ({name})"),
                None => write!(f, "the server reset the stream (code {code})"),
            },
            Self::Malformed => f.write_str("the server's answer breaks the rules of HTTP/2"),
            Self::TooLarge => f.write_str("the answer's headers are larger than 64 KiB"),
            Self::Closed => f.write_str("the connection ended before the answer"),
        }
    }
}
