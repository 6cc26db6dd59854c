//! Conversations that are cut, changed and mixed: nothing panics, every request ends once, memory stays bounded.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{RngCore, SeedableRng};

use super::super::frame::{flag, setting};
use super::super::{MOST_BLOCK, MOST_KEPT};
use super::*;

/// A conversation in which a peer does everything that it may; the client has 12 requests under way, the last two with
/// bodies that wait for windows.
fn everything() -> Vec<u8> {
    let fields = block(&[
        ("server", "nginx"),
        ("x-a", "\u{1}b"),
        ("content-length", "5"),
    ]);
    let frames = [
        said_settings(&[
            (setting::MAX_CONCURRENT_STREAMS, 50),
            (setting::INITIAL_WINDOW_SIZE, 70_000),
        ]),
        said(kind::SETTINGS, flag::ACK, 0, &[]),
        said(kind::HEADERS, WHOLE, 1, &[OK, &fields].concat()),
        said(kind::PING, 0, 0, b"12345678"),
        said(kind::DATA, 0, 1, b"ab"),
        said(
            kind::HEADERS,
            WHOLE,
            3,
            &block(&[(":status", "103"), ("link", "</a>")]),
        ),
        said(kind::DATA, flag::PADDED | LAST, 1, b"\x02cde\0\0"),
        said(
            kind::HEADERS,
            flag::PADDED | flag::PRIORITY,
            3,
            b"\x01\0\0\0\0\x07\x8d\0",
        ),
        said(kind::CONTINUATION, 0, 3, b""),
        said(kind::CONTINUATION, WHOLE, 3, &fields),
        said(kind::DATA, LAST, 3, b"12345"),
        said(kind::RST_STREAM, 0, 5, &[0, 0, 0, 7]),
        said(kind::PRIORITY, 0, 7, &[0; 5]),
        said(77, 0xff, 7, &[0; 30]),
        said(kind::HEADERS, WHOLE | LAST, 7, &[0x20, 0x89]),
        said_window(0, 100_000),
        said_window(21, 100_000),
        said(kind::HEADERS, WHOLE, 9, OK),
        said(kind::DATA, flag::PADDED, 9, b"\0"),
        said(kind::HEADERS, WHOLE | LAST, 9, &block(&[("trailer", "t")])),
        said(kind::HEADERS, WHOLE, 11, &[OK, &fields].concat()),
        said(kind::DATA, LAST, 11, b"short"),
        said(kind::DATA, 0, 13, b"before the head"),
        said_goaway(21, 0),
        said(kind::HEADERS, WHOLE, 23, OK),
        said(kind::HEADERS, WHOLE | LAST, 21, OK),
        said(kind::DATA, 0, 15, b""),
    ];
    frames.concat()
}

fn client(wants: bool) -> Client {
    let mut client = Client {
        connection: Connection::new(40),
        out: Vec::new(),
        told: Told {
            wants,
            ..Told::default()
        },
    };
    client.connection.opening(&mut client.out);
    (0..10).for_each(|key| client.open(key));
    (10..12).for_each(|key| client.open_with(key, &vec![5; 60_000]));
    client
}

/// What comes of bytes in parts of these sizes, repeated.
fn outcome(wants: bool, bytes: &[u8], sizes: &[usize]) -> (Vec<Event>, Vec<u8>, Result<(), Fault>) {
    let mut client = client(wants);
    let mut sizes = sizes.iter().cycle();
    let mut rest = bytes;
    let mut result = Ok(());
    while !rest.is_empty() && result.is_ok() {
        let (part, others) = rest.split_at((*sizes.next().unwrap()).clamp(1, rest.len()));
        result = client.read(part);
        rest = others;
    }
    (client.events(), client.out, result)
}

#[test]
fn wherever_it_is_cut_it_means_the_same() {
    let bytes = everything();
    for wants in [false, true] {
        let whole = outcome(wants, &bytes, &[usize::MAX]);
        assert_eq!(whole.2, Ok(()));
        assert_eq!(
            whole
                .0
                .iter()
                .filter(|event| matches!(event, Done(..)))
                .count(),
            6
        );
        assert_eq!(outcome(wants, &bytes, &[1]), whole);
        for at in 1..bytes.len() {
            assert_eq!(
                outcome(wants, &bytes, &[at, usize::MAX]),
                whole,
                "cut at {at}"
            );
        }
    }
}

/// A caller that opens, cancels and reads, and holds the connection to its promises.
struct Caller {
    connection: Connection,
    out: Vec<u8>,
    told: Told,
    open: HashSet<u32>,
    next: u32,
}

impl Caller {
    fn new(wants: bool) -> Self {
        let client = client(wants);
        Self {
            connection: client.connection,
            out: client.out,
            told: client.told,
            open: (0..12).collect(),
            next: 12,
        }
    }

    fn check(&mut self) {
        for event in self.told.events.drain(..) {
            match event {
                Head(key, _) | Header(key, ..) | Body(key, _) => assert!(self.open.contains(&key)),
                Done(key, _) | Event::Reset(key, _) => assert!(self.open.remove(&key)),
            }
        }
        assert_eq!(self.connection.open_streams(), self.open.len());
        let most = 4 * MOST_BLOCK + MOST_KEPT + 60_000 + 128 * 48;
        assert!(self.connection.held() < most, "{}", self.connection.held());
    }

    fn act(&mut self, random: u64) {
        match random % 16 {
            0 => {
                if let Some(&key) = self.open.iter().min() {
                    assert!(self.connection.cancel(key, &mut self.out));
                    self.open.remove(&key);
                }
            }
            1..=3 => {
                let body = vec![1; [0, 0, 1, 100_000][(random >> 8) as usize % 4]];
                let has_room = self.connection.room() > 0;
                let key = self.next;
                let opened = self
                    .connection
                    .open(GET, &body, random & 32 != 0, key, &mut self.out);
                assert_eq!(opened, has_room);
                if opened {
                    self.open.insert(key);
                    self.next += 1;
                }
            }
            4..8 => self.out.clear(),
            _ => {}
        }
    }

    fn finish(mut self) {
        self.connection.end(&mut self.told);
        self.check();
        assert!(self.open.is_empty());
    }
}

/// Changes a conversation in a few places.
fn mutate(bytes: &mut Vec<u8>, random: &mut Xoshiro256PlusPlus) {
    for _ in 0..random.next_u64() % 6 {
        let at = random.next_u64() as usize % bytes.len();
        let length = random.next_u64() as usize % 40;
        let end = (at + length).min(bytes.len());
        match random.next_u64() % 7 {
            0 => bytes[at] = random.next_u64() as u8,
            1 => bytes[at] ^= 1 << (random.next_u64() % 8),
            2 => drop(bytes.drain(at..end.min(bytes.len() - 1))),
            3 => bytes.extend_from_within(at..end),
            4 => {
                let part = bytes[at..end].to_vec();
                let to = random.next_u64() as usize % bytes.len();
                bytes.splice(to..to, part);
            }
            5 => bytes[at..end].fill(0xff),
            _ => {
                // Another stream, flag or type, where a frame is likely to begin.
                let frames = [
                    OK,
                    b"\0\0\x01\x01\x05",
                    b"\0\0\0\0\x01\0\0\0",
                    b"\0\0\x04\x08\0\0\0\0",
                ];
                let part = frames[random.next_u64() as usize % frames.len()];
                bytes.splice(at..at, part.iter().copied());
            }
        }
    }
}

#[test]
fn changed_conversations_end_every_request_once() {
    let end = Instant::now() + crate::long::lasts().unwrap_or(Duration::from_secs(2));
    let (mut seed, mut faults) = (0, HashSet::new());
    while Instant::now() < end {
        seed += 1;
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
        let mut bytes = everything().repeat(1 + random.next_u64() as usize % 3);
        mutate(&mut bytes, &mut random);
        let mut caller = Caller::new(random.next_u64().is_multiple_of(2));
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let size = 1 + random.next_u64() as usize % 300;
            let (part, others) = rest.split_at(size.min(rest.len()));
            rest = others;
            let result = caller
                .connection
                .read(part, &mut caller.out, &mut caller.told);
            caller.check();
            if let Err(fault) = result {
                faults.insert(fault.to_string());
                break;
            }
            caller.act(random.next_u64());
        }
        caller.finish();
        let sizes: Vec<usize> = (0..9)
            .map(|_| 1 + random.next_u64() as usize % 50)
            .collect();
        assert_eq!(
            outcome(true, &bytes, &sizes),
            outcome(true, &bytes, &[usize::MAX]),
            "seed {seed}"
        );
    }
    println!("{seed} conversations, faults: {faults:#?}");
}

/// Frames of any type whose other parts are arbitrary too.
fn frames() -> impl Strategy<Value = Vec<u8>> {
    let payload = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..20),
        prop::collection::vec(
            prop::sample::select(vec![0x88, 0x0f, 0x0d, 0x01, b'3', 0x20, 0, 0xff]),
            0..30
        ),
    ];
    let stream = prop_oneof![Just(0u32), Just(1), Just(3), 0..30u32, any::<u32>()];
    let frame = (0..11u8, any::<u8>(), stream, payload);
    prop::collection::vec(frame, 0..30).prop_map(|frames| {
        let mut bytes = said_settings(&[]);
        for (kind, flags, stream, payload) in frames {
            bytes.extend(said(kind, flags, stream, &payload));
        }
        bytes
    })
}

proptest! {
    #![proptest_config(crate::long::cases(400))]

    #[test]
    fn arbitrary_frames_never_panic(bytes in frames(), size in 1..50usize, wants: bool) {
        let mut caller = Caller::new(wants);
        for part in bytes.chunks(size) {
            if caller.connection.read(part, &mut caller.out, &mut caller.told).is_err() {
                break;
            }
            caller.check();
        }
        caller.finish();
        prop_assert_eq!(outcome(wants, &bytes, &[size]), outcome(wants, &bytes, &[usize::MAX]));
    }

    #[test]
    fn arbitrary_bytes_never_panic(mut bytes: Vec<u8>, has_settings: bool) {
        if has_settings {
            bytes.splice(0..0, said_settings(&[]));
        }
        let mut caller = Caller::new(true);
        let _ = caller.connection.read(&bytes, &mut caller.out, &mut caller.told);
        caller.check();
        caller.finish();
    }
}
