//! Request bodies on their way out: what the peer's windows allow is sent, the rest is kept until they are raised.

use super::fault::Fault;
use super::frame::{self, MAX};
use super::streams::Streams;

/// A stream's and a connection's first window, and the longest frame that every peer takes (RFC 9113 6.5.2).
const FIRST_WINDOW: i32 = 65_535;
const FIRST_FRAME: usize = 16_384;

#[derive(Debug)]
struct Upload {
    stream: u32,
    body: Vec<u8>,
    sent: usize,
}

#[derive(Debug)]
pub struct Uploads {
    /// Bytes that the peer takes from us on all streams together.
    window: i32,
    /// The window of a stream that begins.
    pub initial: i32,
    pub most_frame: usize,
    waiting: Vec<Upload>,
    kept: usize,
}

impl Uploads {
    pub fn new() -> Self {
        Self {
            window: FIRST_WINDOW,
            initial: FIRST_WINDOW,
            most_frame: FIRST_FRAME,
            waiting: Vec::new(),
            kept: 0,
        }
    }

    /// Bytes of memory in bodies that wait.
    pub fn kept(&self) -> usize {
        self.kept
    }

    /// Sends the body of a stream that just began, and keeps what does not fit.
    pub fn begin(&mut self, id: u32, body: &[u8], streams: &mut Streams, out: &mut Vec<u8>) {
        let Some(stream) = streams.get(id) else {
            return;
        };
        let sent = send(
            id,
            body,
            &mut self.window,
            &mut stream.window,
            self.most_frame,
            out,
        );
        if sent < body.len() {
            stream.is_sending = true;
            let body = body[sent..].to_vec();
            self.kept += body.len();
            self.waiting.push(Upload {
                stream: id,
                body,
                sent: 0,
            });
        }
    }

    /// Sends what windows that were raised allow. Returns the frames that it wrote.
    pub fn go_on(&mut self, streams: &mut Streams, out: &mut Vec<u8>) -> usize {
        let before = out.len();
        let (mut bytes, mut kept) = (0, self.kept);
        let Self {
            window,
            most_frame,
            waiting,
            ..
        } = self;
        waiting.retain_mut(|upload| {
            let Some(stream) = streams.get(upload.stream) else {
                kept -= upload.body.len();
                return false;
            };
            let rest = &upload.body[upload.sent..];
            let sent = send(
                stream.id,
                rest,
                window,
                &mut stream.window,
                *most_frame,
                out,
            );
            bytes += sent;
            upload.sent += sent;
            stream.is_sending = upload.sent < upload.body.len();
            if !stream.is_sending {
                kept -= upload.body.len();
            }
            stream.is_sending
        });
        self.kept = kept;
        (out.len() - before - bytes) / frame::HEADER
    }

    /// Forgets what waits of a stream that ended.
    pub fn end(&mut self, id: u32) {
        if let Some(at) = self.waiting.iter().position(|upload| upload.stream == id) {
            self.kept -= self.waiting.swap_remove(at).body.len();
        }
    }

    pub fn clear(&mut self) {
        self.waiting = Vec::new();
        self.kept = 0;
    }

    /// Raises the window of the connection.
    pub fn raise(&mut self, increment: u32) -> Result<(), Fault> {
        self.window = raised(self.window, increment).ok_or(Fault::WindowOverflow)?;
        Ok(())
    }

    /// Changes the window of streams that begin, and by as much that of the open ones.
    pub fn set_initial(&mut self, initial: u32, streams: &mut Streams) -> Result<(), Fault> {
        let initial = i32::try_from(initial).map_err(|_| Fault::SettingWindow)?;
        let change = i64::from(initial) - i64::from(self.initial);
        for stream in streams.iter_mut() {
            let window = i64::from(stream.window) + change;
            // A window cannot go below -(2^31 - 1): what was sent is no more than what was allowed.
            stream.window = i32::try_from(window).map_err(|_| Fault::SettingWindow)?;
        }
        self.initial = initial;
        Ok(())
    }
}

/// A window with an increment; none above 2^31 - 1.
pub fn raised(window: i32, increment: u32) -> Option<i32> {
    let sum = i64::from(window) + i64::from(increment);
    (sum <= i64::from(MAX)).then_some(sum as i32)
}

/// Writes as much of the rest of a body as both windows allow. Returns its bytes.
fn send(
    id: u32,
    rest: &[u8],
    all: &mut i32,
    one: &mut i32,
    most: usize,
    out: &mut Vec<u8>,
) -> usize {
    let room = (*all).min(*one).max(0);
    let now = i32::try_from(rest.len()).map_or(room, |length| length.min(room));
    *all -= now;
    *one -= now;
    let now = now as usize;
    let mut sent = 0;
    while sent < now {
        let end = now.min(sent + most);
        frame::data(id, &rest[sent..end], end == rest.len(), out);
        sent = end;
    }
    now
}
