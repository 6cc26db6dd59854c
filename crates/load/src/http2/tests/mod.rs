//! A peer that a test writes byte by byte, and what the connection makes of it.

mod answers;
mod control;
mod fuzz;
mod opening;
mod peer;
mod real;
mod speed;
mod uploads;

use super::frame::{self, Frame, HEADER, kind};
use super::{Connection, Events, Fault, Reset};

#[derive(Clone, Debug, PartialEq, Eq)]
enum Event {
    Head(u32, u16),
    Header(u32, String, String),
    Body(u32, Vec<u8>),
    Done(u32, u64),
    Reset(u32, Reset),
}

use Event::{Body, Done, Head, Header};

/// What was told; the parts of a body are joined.
#[derive(Clone, Debug, Default)]
struct Told {
    wants: bool,
    events: Vec<Event>,
}

impl Events for Told {
    fn wants(&mut self, _: u32) -> bool {
        self.wants
    }
    fn head(&mut self, key: u32, status: u16) {
        self.events.push(Head(key, status));
    }
    fn header(&mut self, key: u32, name: &[u8], value: &[u8]) {
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        self.events.push(Header(key, text(name), text(value)));
    }
    fn body(&mut self, key: u32, bytes: &[u8]) {
        match self.events.last_mut() {
            Some(Body(last, joined)) if *last == key => joined.extend_from_slice(bytes),
            _ => self.events.push(Body(key, bytes.to_vec())),
        }
    }
    fn done(&mut self, key: u32, body_bytes: u64) {
        self.events.push(Done(key, body_bytes));
    }
    fn reset(&mut self, key: u32, why: Reset) {
        self.events.push(Event::Reset(key, why));
    }
}

/// `:method: GET`, `:scheme: http`, `:path: /`.
const GET: &[u8] = &[0x82, 0x86, 0x84];
const OK: &[u8] = &[0x88];

/// A client and what it has written and told.
struct Client {
    connection: Connection,
    out: Vec<u8>,
    told: Told,
}

impl Client {
    /// A client that has begun and has read the peer's settings.
    fn new(settings: &[(u16, u32)]) -> Self {
        let mut client = Self {
            connection: Connection::new(100),
            out: Vec::new(),
            told: Told::default(),
        };
        client.connection.opening(&mut client.out);
        client.read(&said_settings(settings)).unwrap();
        client.out.clear();
        client
    }

    /// A client with requests under way: key 0 on stream 1, key 1 on stream 3 and so on.
    fn with_requests(count: u32) -> Self {
        let mut client = Self::new(&[]);
        (0..count).for_each(|key| client.open(key));
        client.out.clear();
        client
    }

    fn open(&mut self, key: u32) {
        assert!(self.connection.open(GET, b"", false, key, &mut self.out));
    }

    fn open_with(&mut self, key: u32, body: &[u8]) {
        assert!(self.connection.open(GET, body, false, key, &mut self.out));
    }

    fn read(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.connection.read(bytes, &mut self.out, &mut self.told)
    }

    /// What it told since the last time.
    fn events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.told.events)
    }

    /// The frames that it wrote since the last time, the preface left out.
    fn frames(&mut self) -> Vec<(Frame, Vec<u8>)> {
        let out = std::mem::take(&mut self.out);
        let mut rest = out.strip_prefix(frame::PREFACE).unwrap_or(&out);
        let mut frames = Vec::new();
        while let Some(header) = rest.first_chunk::<HEADER>() {
            let frame = Frame::parse(header);
            let (payload, others) = rest[HEADER..].split_at(frame.length);
            frames.push((frame, payload.to_vec()));
            rest = others;
        }
        assert!(rest.is_empty());
        frames
    }
}

fn said(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = payload.len();
    let mut out = Vec::new();
    Frame {
        length,
        kind,
        flags,
        stream,
    }
    .put(&mut out);
    out.extend_from_slice(payload);
    out
}

fn said_settings(settings: &[(u16, u32)]) -> Vec<u8> {
    let mut out = Vec::new();
    frame::settings(settings, &mut out);
    out
}

fn said_window(stream: u32, increment: u32) -> Vec<u8> {
    said(kind::WINDOW_UPDATE, 0, stream, &increment.to_be_bytes())
}

fn said_goaway(last: u32, code: u32) -> Vec<u8> {
    let payload = [last.to_be_bytes(), code.to_be_bytes()].concat();
    said(kind::GOAWAY, 0, 0, &payload)
}

/// Flags of the frames that a test writes most.
const WHOLE: u8 = frame::flag::END_HEADERS;
const LAST: u8 = frame::flag::END_STREAM;

/// A block with fields whose names are literals.
fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in fields {
        super::hpack::put_field(name, value.as_bytes(), &mut out);
    }
    out
}
