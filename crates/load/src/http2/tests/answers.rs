//! Answers: heads, bodies, trailers, and what makes them malformed.

use super::super::MOST_BLOCK;
use super::super::frame::{code, flag};
use super::*;

fn malformed(key: u32) -> Event {
    Event::Reset(key, Reset::Malformed)
}

/// The head of a 200 with these fields.
fn ok(fields: &[(&str, &str)]) -> Vec<u8> {
    [OK, &block(fields)].concat()
}

/// What one request is told when the peer says this.
fn told(is_head: bool, bytes: &[u8]) -> (Vec<Event>, Vec<(Frame, Vec<u8>)>) {
    let mut client = Client::new(&[]);
    assert!(
        client
            .connection
            .open(GET, b"", is_head, 0, &mut client.out)
    );
    client.out.clear();
    client.read(bytes).unwrap();
    (client.events(), client.frames())
}

#[test]
#[allow(clippy::too_many_lines, reason = "a table")]
fn answers_that_are_whole() {
    let part = |bytes: &[u8]| Body(0, bytes.to_vec());
    let length = |value| ok(&[("content-length", value)]);
    let coded = [
        OK,
        &[
            0x00, 0x8a, 0x21, 0xea, 0x49, 0x6a, 0x4a, 0xd2, 0x19, 0x15, 0x9d, 0x06, 0x01, b'2',
        ],
    ]
    .concat();
    let cases: Vec<(&str, Vec<u8>, Vec<Event>)> = vec![
        (
            "no body",
            said(kind::HEADERS, WHOLE | LAST, 1, OK),
            vec![Head(0, 200), Done(0, 0)],
        ),
        (
            "a size update of 0 before the status",
            said(kind::HEADERS, WHOLE | LAST, 1, &[0x20, 0x8d]),
            vec![Head(0, 404), Done(0, 0)],
        ),
        (
            "a status that is spelled, Huffman-coded",
            said(
                kind::HEADERS,
                WHOLE | LAST,
                1,
                &block(&[(":status", "302")]),
            ),
            vec![Head(0, 302), Done(0, 0)],
        ),
        (
            "a status whose name is spelled",
            said(kind::HEADERS, WHOLE | LAST, 1, b"\x00\x07:status\x03599"),
            vec![Head(0, 599), Done(0, 0)],
        ),
        (
            "a body in two frames, one of them padded",
            [
                said(kind::HEADERS, WHOLE, 1, &length("5")),
                said(kind::DATA, flag::PADDED, 1, b"\x02abc\x00\x00"),
                said(kind::DATA, LAST, 1, b"de"),
            ]
            .concat(),
            vec![Head(0, 200), part(b"abcde"), Done(0, 5)],
        ),
        (
            "padding alone at the end",
            [
                said(kind::HEADERS, WHOLE, 1, OK),
                said(kind::DATA, 0, 1, b"x"),
                said(kind::DATA, flag::PADDED | LAST, 1, b"\x01\x00"),
            ]
            .concat(),
            vec![Head(0, 200), part(b"x"), Done(0, 1)],
        ),
        (
            "an empty frame at the end",
            [
                said(kind::HEADERS, WHOLE, 1, &coded),
                said(kind::DATA, 0, 1, b"xy"),
                said(kind::DATA, flag::PADDED | LAST, 1, b"\x00"),
            ]
            .concat(),
            vec![Head(0, 200), part(b"xy"), Done(0, 2)],
        ),
        (
            "trailers",
            [
                said(kind::HEADERS, WHOLE, 1, OK),
                said(kind::DATA, 0, 1, b"xy"),
                said(
                    kind::HEADERS,
                    WHOLE | LAST,
                    1,
                    &block(&[("grpc-status", "0")]),
                ),
            ]
            .concat(),
            vec![Head(0, 200), part(b"xy"), Done(0, 2)],
        ),
        (
            "informational heads first",
            [
                said(kind::HEADERS, WHOLE, 1, &block(&[(":status", "100")])),
                said(
                    kind::HEADERS,
                    WHOLE,
                    1,
                    &block(&[(":status", "103"), ("link", "</a>")]),
                ),
                said(kind::HEADERS, WHOLE | LAST, 1, OK),
            ]
            .concat(),
            vec![Head(0, 200), Done(0, 0)],
        ),
        (
            "padding and priority of the head, which goes on in another frame",
            [
                said(
                    kind::HEADERS,
                    flag::PADDED | flag::PRIORITY | LAST,
                    1,
                    b"\x02\0\0\0\0\x07\x8d\0\0",
                ),
                said(kind::CONTINUATION, 0, 1, b""),
                said(kind::CONTINUATION, WHOLE, 1, &block(&[("server", "x")])),
            ]
            .concat(),
            vec![Head(0, 404), Done(0, 0)],
        ),
        (
            "a 304 with the length of what it does not carry",
            said(
                kind::HEADERS,
                WHOLE | LAST,
                1,
                &block(&[(":status", "304"), ("content-length", "10")]),
            ),
            vec![Head(0, 304), Done(0, 0)],
        ),
        (
            "the same length twice",
            said(
                kind::HEADERS,
                WHOLE | LAST,
                1,
                &ok(&[("content-length", "0"), ("content-length", "0")]),
            ),
            vec![Head(0, 200), Done(0, 0)],
        ),
    ];
    for (what, bytes, expected) in cases {
        let (events, frames) = told(false, &bytes);
        assert_eq!(events, expected, "{what}");
        assert_eq!(frames, [], "{what}");
    }
    let (events, _) = told(true, &said(kind::HEADERS, WHOLE | LAST, 1, &length("10")));
    assert_eq!(events, [Head(0, 200), Done(0, 0)]);
}

#[test]
fn answers_that_are_malformed() {
    let head = |block: &[u8]| said(kind::HEADERS, WHOLE, 1, block);
    let last = |block: &[u8]| said(kind::HEADERS, WHOLE | LAST, 1, block);
    let length = |value| head(&ok(&[("content-length", value)]));
    let body = |bytes: &[u8]| said(kind::DATA, 0, 1, bytes);
    let upper = [OK, b"\x00\x07:status\x03200"].concat();
    let coded = [OK, &[0x00, 0x82, 0xb8, 0x3f, 0x00]].concat();
    let length_coded = [
        OK,
        &[
            0x00, 0x8a, 0x21, 0xea, 0x49, 0x6a, 0x4a, 0xd2, 0x19, 0x15, 0x9d, 0x06, 0x01, b'2',
        ],
    ];
    let cases: Vec<(&str, Vec<u8>)> = vec![
        (
            "no body and a length whose name is Huffman-coded",
            last(&length_coded.concat()),
        ),
        (
            "no body and a length whose name is spelled",
            last(&[OK, b"\x00\x0econtent-length\x012"].concat()),
        ),
        ("an empty head", last(b"")),
        ("no status", last(&block(&[("server", "x")]))),
        (
            "the status after a field",
            last(&[&block(&[("server", "x")]), OK].concat()),
        ),
        ("two statuses", last(&[OK, OK].concat())),
        ("a spelled second status", last(&upper)),
        ("a Huffman-coded pseudo-header", last(&coded)),
        ("a request's pseudo-header", last(&[OK, &[0x82]].concat())),
        ("a status of two digits", last(&block(&[(":status", "20")]))),
        (
            "a status that is no number",
            last(&block(&[(":status", "2x0")])),
        ),
        ("a status below 100", last(&block(&[(":status", "099")]))),
        ("switching protocols", head(&block(&[(":status", "101")]))),
        ("an informational end", last(&block(&[(":status", "103")]))),
        ("a body before the head", body(b"x")),
        ("a second head", [head(OK), head(OK)].concat()),
        ("trailers with a status", [head(OK), last(OK)].concat()),
        ("a length that is no number", length("1x")),
        (
            "a length of no digits",
            head(&[OK, &[0x0f, 0x0d, 0x00]].concat()),
        ),
        ("a length of 20 digits", length("10000000000000000000")),
        (
            "two lengths",
            head(&ok(&[("content-length", "1"), ("content-length", "2")])),
        ),
        (
            "a body longer than its length",
            [length("2"), body(b"abc")].concat(),
        ),
        (
            "a body shorter than its length",
            [length("2"), said(kind::DATA, LAST, 1, b"a")].concat(),
        ),
        (
            "no body and a length",
            last(&ok(&[("content-length", "2")])),
        ),
        (
            "trailers before the body is whole",
            [length("2"), last(&block(&[("x", "y")]))].concat(),
        ),
        ("a 204 with a body", [head(&[0x89]), body(b"x")].concat()),
        ("a window update of 0", said_window(1, 0)),
        ("a window above 2^31 - 1", said_window(1, 0x7fff_ffff)),
    ];
    for (what, bytes) in cases {
        // What comes after it is ignored.
        let bytes = [bytes, said(kind::DATA, 0, 1, b"late"), head(OK)].concat();
        let (events, frames) = told(false, &bytes);
        let told_bodies = events
            .iter()
            .filter(|event| matches!(event, Done(..)))
            .count();
        assert_eq!(
            (events.last(), told_bodies),
            (Some(&malformed(0)), 0),
            "{what}"
        );
        assert_eq!(frames.len(), 1, "{what}");
        let (frame, payload) = &frames[0];
        assert_eq!((frame.kind, frame.stream), (kind::RST_STREAM, 1), "{what}");
        assert_eq!(payload[..], code::PROTOCOL_ERROR.to_be_bytes(), "{what}");
    }
    let (events, _) = told(true, &[head(OK), body(b"x")].concat());
    assert_eq!(events, [Head(0, 200), malformed(0)]);
}

#[test]
fn headers_are_told_to_those_who_want_them() {
    let fields = [
        ("server", "nginx"),
        ("x-id", "a b"),
        ("content-length", "0"),
    ];
    let bytes = [
        said(
            kind::HEADERS,
            WHOLE,
            1,
            &block(&[(":status", "103"), ("link", "</a>")]),
        ),
        said(
            kind::HEADERS,
            WHOLE | LAST,
            1,
            &[&[0x88, 0x90][..], &block(&fields)].concat(),
        ),
    ];
    let mut client = Client::with_requests(1);
    client.told.wants = true;
    client.read(&bytes.concat()).unwrap();
    let header = |name: &str, value: &str| Header(0, name.into(), value.into());
    let expected = [
        Head(0, 200),
        header("accept-encoding", "gzip, deflate"),
        header("server", "nginx"),
        header("x-id", "a b"),
        header("content-length", "0"),
        Done(0, 0),
    ];
    assert_eq!(client.events(), expected);
}

#[test]
fn wanted_headers_are_checked() {
    let wrong: [&[u8]; 8] = [
        b"\x00\x01A\x00",
        b"\x00\x00\x00",
        b"\x00\x02a \x00",
        b"\x00\x02a:\x00",
        b"\x00\x01a\x02b\r",
        b"\x00\x01a\x02b\n",
        b"\x00\x01\x7f\x00",
        b"\x0f\x27\x01\0",
    ];
    for field in wrong {
        let bytes = said(kind::HEADERS, WHOLE | LAST, 1, &[OK, field].concat());
        let mut client = Client::with_requests(1);
        client.told.wants = true;
        client.read(&bytes).unwrap();
        assert_eq!(client.events(), [Head(0, 200), malformed(0)], "{field:?}");
        assert_eq!(
            told(false, &bytes).0,
            [Head(0, 200), Done(0, 0)],
            "{field:?}"
        );
    }
    // A code that cannot be read.
    let bytes = said(
        kind::HEADERS,
        WHOLE | LAST,
        1,
        &[OK, b"\x00\x01a\x81\xff"].concat(),
    );
    let mut client = Client::with_requests(1);
    client.told.wants = true;
    assert_eq!(client.read(&bytes), Err(Fault::Compression));
}

#[test]
fn a_header_list_has_a_bound() {
    let list = |fields: usize| [OK, &vec![0x90; fields][..]].concat();
    let most = MOST_BLOCK / 32 - 1;
    assert_eq!(
        told(false, &said(kind::HEADERS, WHOLE | LAST, 1, &list(most))).0,
        [Head(0, 200), Done(0, 0)]
    );
    let (events, frames) = told(
        false,
        &said(kind::HEADERS, WHOLE | LAST, 1, &list(most + 1)),
    );
    assert_eq!(events, [Head(0, 200), Event::Reset(0, Reset::TooLarge)]);
    assert_eq!(frames[0].1[..], code::CANCEL.to_be_bytes());
}

#[test]
fn a_header_block_without_an_end_is_a_fault() {
    for part in [0, 1, 1000, 16_384] {
        let mut client = Client::with_requests(1);
        client.read(&said(kind::HEADERS, 0, 1, OK)).unwrap();
        let more = said(kind::CONTINUATION, 0, 1, &vec![0x90; part]);
        let read = (0..MOST_BLOCK).map(|_| client.read(&more));
        let reads: Vec<_> = read.take_while(Result::is_ok).collect();
        assert!(reads.len() * (part + 9) <= MOST_BLOCK);
        assert!(client.connection.is_closing());
        assert!(client.connection.held() < 3 * MOST_BLOCK);
    }
}

#[test]
fn windows_are_given_back_in_large_steps() {
    let mut client = Client::with_requests(1);
    client.read(&said(kind::HEADERS, WHOLE, 1, OK)).unwrap();
    let data = said(kind::DATA, 0, 1, &[0; 16_384]);
    let mut updates = Vec::new();
    for _ in 0..(1 << 30) / 16_384 {
        client.read(&data).unwrap();
        client.told.events.clear();
        let told = client.frames();
        updates.extend(
            told.iter()
                .map(|(frame, payload)| (frame.kind, frame.stream, payload.clone())),
        );
    }
    let of = |stream| updates.iter().filter(|update| update.1 == stream).count();
    assert_eq!((of(1), of(0)), (128, 2));
    assert!(updates.contains(&(kind::WINDOW_UPDATE, 1, (1u32 << 23).to_be_bytes().to_vec())));
    assert!(updates.contains(&(kind::WINDOW_UPDATE, 0, (1u32 << 29).to_be_bytes().to_vec())));
}

#[test]
fn late_frames_of_a_cancelled_request_are_ignored_and_counted() {
    let mut client = Client::with_requests(2);
    assert!(client.connection.cancel(0, &mut client.out));
    assert!(!client.connection.cancel(0, &mut client.out));
    let cancelled = client.frames();
    assert_eq!(
        (cancelled[0].0.stream, &cancelled[0].1[..]),
        (1, &code::CANCEL.to_be_bytes()[..])
    );
    client.read(&said(kind::HEADERS, WHOLE, 1, OK)).unwrap();
    let data = said(kind::DATA, 0, 1, &[0; 16_384]);
    let mut updates = 0;
    for _ in 0..(1 << 29) / 16_384 {
        client.read(&data).unwrap();
        updates += client.frames().len();
    }
    assert_eq!(updates, 1);
    client.read(&said(kind::RST_STREAM, 0, 1, &[0; 4])).unwrap();
    assert_eq!(client.events(), []);
    // In the middle of a frame.
    client.read(&said(kind::HEADERS, WHOLE, 3, OK)).unwrap();
    let data = said(kind::DATA, LAST, 3, b"abcd");
    client.read(&data[..11]).unwrap();
    client.connection.cancel(1, &mut client.out);
    client.read(&data[11..]).unwrap();
    assert_eq!(client.events(), [Head(1, 200), Body(1, b"ab".to_vec())]);
}
