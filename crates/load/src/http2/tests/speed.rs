//! What a request costs: `cargo test --release -p chaffinch-load http2::tests::speed -- --ignored --nocapture`.

use std::time::{Duration, Instant};

use super::super::{Connection, Events, Reset, encode};
use super::{LAST, WHOLE, block, kind, said, said_settings};
use crate::Request;

/// Counts answers, as a run that wants nothing else does.
#[derive(Default)]
struct Counted {
    wants: bool,
    free: Vec<u32>,
    bytes: u64,
}

impl Events for Counted {
    fn wants(&mut self, _: u32) -> bool {
        self.wants
    }
    fn head(&mut self, _: u32, status: u16) {
        assert_eq!(status, 200);
    }
    fn header(&mut self, _: u32, name: &[u8], value: &[u8]) {
        self.bytes += (name.len() + value.len()) as u64;
    }
    fn done(&mut self, key: u32, body_bytes: u64) {
        self.bytes += body_bytes;
        self.free.push(key);
    }
    fn reset(&mut self, key: u32, why: Reset) {
        panic!("{key}: {why}");
    }
}

/// A peer's answer to each stream of a list.
fn answers(streams: &[u32], answer: &[Vec<u8>], bytes: &mut Vec<u8>) {
    bytes.clear();
    for id in streams {
        for frame in answer {
            let at = bytes.len();
            bytes.extend_from_slice(frame);
            bytes[at + 5..at + 9].copy_from_slice(&id.to_be_bytes());
        }
    }
}

/// Nanoseconds of a request: `streams` at once, answered `batch` at a time.
fn measured(streams: u32, batch: usize, wants: bool, answer: &[Vec<u8>]) -> f64 {
    let mut request = Request {
        method: "GET".into(),
        target: "/".into(),
        ..Request::default()
    };
    request
        .headers
        .push(("User-Agent".into(), "chaffinch/0.1".into()));
    let mut head = Vec::new();
    encode(&request, "http", "127.0.0.1:8080", &mut head);
    let mut connection = Connection::new(streams);
    let mut told = Counted {
        wants,
        free: (0..streams).collect(),
        bytes: 0,
    };
    let (mut out, mut bytes, mut open) =
        (Vec::new(), Vec::new(), std::collections::VecDeque::new());
    connection.opening(&mut out);
    connection
        .read(&said_settings(&[]), &mut out, &mut told)
        .unwrap();
    let (mut spent, mut requests) = (Duration::ZERO, 0);
    while requests < 3_000_000 {
        let begun = Instant::now();
        out.clear();
        for key in told.free.drain(..) {
            assert!(connection.open(&head, b"", false, key, &mut out));
        }
        spent += begun.elapsed();
        for at in memchr::memmem::find_iter(&out, &head[..]) {
            let id: [u8; 4] = out[at - 4..at].try_into().unwrap();
            // The first block has one byte before it, and its stream is 1.
            let id = u32::from_be_bytes(id);
            open.push_back(if requests + open.len() == 0 { 1 } else { id });
        }
        let now: Vec<u32> = open.drain(..batch.min(open.len())).collect();
        answers(&now, answer, &mut bytes);
        let begun = Instant::now();
        connection.read(&bytes, &mut out, &mut told).unwrap();
        spent += begun.elapsed();
        requests += now.len();
    }
    spent.as_nanos() as f64 / requests as f64
}

#[test]
#[ignore = "a measurement; in a release build"]
fn nanoseconds_of_a_request() {
    let fields = [
        ("server", "nginx/1.22.1"),
        ("date", "Sat, 21 Nov 2026 20:00:00 GMT"),
        ("content-type", "text/plain"),
        ("content-length", "2"),
    ];
    let head = [&[0x88][..], &block(&fields)].concat();
    let small = [
        said(kind::HEADERS, WHOLE, 1, &head),
        said(kind::DATA, LAST, 1, b"ok"),
    ];
    let empty = [said(kind::HEADERS, WHOLE | LAST, 1, &[0x88])];
    let large = [
        said(kind::HEADERS, WHOLE, 1, &[0x88]),
        said(kind::DATA, LAST, 1, &[7; 16_000]),
    ];
    for streams in [1, 10, 100] {
        for batch in [1, 10, 100] {
            if batch > streams as usize {
                continue;
            }
            let plain = measured(streams, batch, false, &small);
            let wanted = measured(streams, batch, true, &small);
            let empty = measured(streams, batch, false, &empty);
            println!(
                "{streams} streams, {batch} answers a read: {plain:.0} ns; with headers {wanted:.0}; empty {empty:.0}"
            );
        }
    }
    println!(
        "16,000 bytes of body: {:.0} ns",
        measured(10, 4, false, &large)
    );
}

#[test]
#[ignore = "a measurement; in a release build"]
fn nanoseconds_of_a_block() {
    let headers = [
        ("User-Agent", "chaffinch/0.1"),
        ("accept", "application/json"),
        ("Authorization", "Bearer 0123456789abcdef0123456789abcdef"),
        ("x-request-id", "0123456789abcdef"),
    ];
    let request = Request {
        method: "GET".into(),
        target: "/items/12345?page=2".into(),
        headers: headers
            .map(|(name, value)| (name.into(), value.into()))
            .to_vec(),
        body: Vec::new(),
    };
    let mut head = Vec::new();
    let begun = Instant::now();
    for _ in 0..1_000_000 {
        head.clear();
        encode(
            std::hint::black_box(&request),
            "https",
            "api.example.com",
            &mut head,
        );
    }
    println!(
        "a block of 8 fields: {} ns",
        begun.elapsed().as_nanos() / 1_000_000
    );
}
