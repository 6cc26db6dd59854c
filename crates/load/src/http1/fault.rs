//! What a peer can do wrong in an answer.

use std::fmt;

/// Why an answer is not whole. After any of them the connection says nothing that could be trusted:
/// it is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    NotHttp,
    HeadTooLong,
    TooManyHeaders,
    BadHead,
    BadLength,
    BadChunk,
    TrailersTooLong,
    /// Closed within an answer.
    Truncated,
    /// Closed before an answer: nothing of it came. On a kept connection that is the race that
    /// every server may lose, and the request can be sent again on another one.
    Closed,
    Upgrade,
    TooManyInterim,
}

impl Fault {
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::NotHttp => {
                "the answer does not begin with HTTP/1.0 or HTTP/1.1: \
                 check that the port speaks HTTP, and whether it wants TLS"
            }
            Self::HeadTooLong => {
                "the head of the answer is longer than 64 KiB: send less in its headers"
            }
            Self::TooManyHeaders => "the answer has more than 100 headers: send fewer",
            Self::BadHead => {
                "the head of the answer has a status line or a header that is not HTTP/1.1"
            }
            Self::BadLength => {
                "the answer contradicts itself about the length of its body: \
                 see its Content-Length and Transfer-Encoding"
            }
            Self::BadChunk => "the chunks of the answer's body are not as HTTP/1.1 wants them",
            Self::TrailersTooLong => {
                "the trailers of the answer are longer than 16 KiB: send less in them"
            }
            Self::Truncated => "the peer closed the connection in the middle of an answer",
            Self::Closed => "the peer closed the connection before anything of an answer came",
            Self::Upgrade => {
                "the peer switched to another protocol (101), which the request did not ask for"
            }
            Self::TooManyInterim => {
                "the peer sent more than 100 interim answers (1xx) and no final one"
            }
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.sentence())
    }
}

impl std::error::Error for Fault {}
