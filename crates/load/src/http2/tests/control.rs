//! Frames about the connection, and each rule whose breach ends it.

use super::super::MOST_UNSENT;
use super::super::frame::{code, flag, setting};
use super::*;

#[test]
#[allow(clippy::too_many_lines, reason = "a table")]
fn every_fault() {
    let head = |flags, stream, block: &[u8]| said(kind::HEADERS, flags, stream, block);
    let twice = |bytes: Vec<u8>| [bytes.clone(), bytes].concat();
    let cases: Vec<(&str, Vec<u8>, Fault)> = vec![
        (
            "a frame of 16,385 bytes",
            said(kind::DATA, 0, 1, &[0; 16_385]),
            Fault::FrameTooLong,
        ),
        (
            "an unknown frame of 2^24 - 1 bytes",
            b"\xff\xff\xff\x77\0\0\0\0\0".to_vec(),
            Fault::FrameTooLong,
        ),
        (
            "a push",
            said(kind::PUSH_PROMISE, WHOLE, 1, &[0, 0, 0, 2, 0x82]),
            Fault::Push,
        ),
        (
            "data on no stream",
            said(kind::DATA, 0, 0, b"x"),
            Fault::WrongStream,
        ),
        (
            "a head on no stream",
            head(WHOLE, 0, OK),
            Fault::WrongStream,
        ),
        (
            "a priority on no stream",
            said(kind::PRIORITY, 0, 0, &[0; 5]),
            Fault::WrongStream,
        ),
        (
            "a reset on no stream",
            said(kind::RST_STREAM, 0, 0, &[0; 4]),
            Fault::WrongStream,
        ),
        (
            "settings on a stream",
            said(kind::SETTINGS, 0, 1, &[]),
            Fault::WrongStream,
        ),
        (
            "a ping on a stream",
            said(kind::PING, 0, 1, &[0; 8]),
            Fault::WrongStream,
        ),
        (
            "a goaway on a stream",
            said(kind::GOAWAY, 0, 1, &[0; 8]),
            Fault::WrongStream,
        ),
        (
            "data on an idle stream",
            said(kind::DATA, 0, 9, b"x"),
            Fault::Idle,
        ),
        ("a head on an idle stream", head(WHOLE, 9, OK), Fault::Idle),
        (
            "a reset of an idle stream",
            said(kind::RST_STREAM, 0, 9, &[0; 4]),
            Fault::Idle,
        ),
        ("a window of an idle stream", said_window(9, 1), Fault::Idle),
        (
            "a head on a stream of the server",
            head(WHOLE, 2, OK),
            Fault::Idle,
        ),
        (
            "a head after the end",
            twice(head(WHOLE | LAST, 1, OK)),
            Fault::StreamClosed,
        ),
        (
            "a reset, then a head",
            [said(kind::RST_STREAM, 0, 1, &[0; 4]), head(WHOLE, 1, OK)].concat(),
            Fault::StreamClosed,
        ),
        (
            "data after the end",
            [head(WHOLE | LAST, 1, OK), said(kind::DATA, 0, 1, b"")].concat(),
            Fault::StreamClosed,
        ),
        (
            "data that is all padding and more",
            said(kind::DATA, flag::PADDED, 1, &[1]),
            Fault::Padding,
        ),
        (
            "padded data without a length",
            said(kind::DATA, flag::PADDED, 1, &[]),
            Fault::Padding,
        ),
        (
            "a head that is all padding and more",
            head(WHOLE | flag::PADDED, 1, &[2, 0x88]),
            Fault::Padding,
        ),
        (
            "a padded head without a length",
            head(WHOLE | flag::PADDED, 1, &[]),
            Fault::Padding,
        ),
        (
            "a priority that is cut",
            head(WHOLE | flag::PRIORITY, 1, &[0; 4]),
            Fault::WrongLength,
        ),
        (
            "a priority of 4 bytes",
            said(kind::PRIORITY, 0, 1, &[0; 4]),
            Fault::WrongLength,
        ),
        (
            "a reset of 5 bytes",
            said(kind::RST_STREAM, 0, 1, &[0; 5]),
            Fault::WrongLength,
        ),
        (
            "settings of 5 bytes",
            said(kind::SETTINGS, 0, 0, &[0; 5]),
            Fault::WrongLength,
        ),
        (
            "an acknowledgement with settings",
            said(kind::SETTINGS, flag::ACK, 0, &[0; 6]),
            Fault::WrongLength,
        ),
        (
            "a ping of 7 bytes",
            said(kind::PING, 0, 0, &[0; 7]),
            Fault::WrongLength,
        ),
        (
            "a goaway of 7 bytes",
            said(kind::GOAWAY, 0, 0, &[0; 7]),
            Fault::WrongLength,
        ),
        (
            "a window update of 3 bytes",
            said(kind::WINDOW_UPDATE, 0, 0, &[0; 3]),
            Fault::WrongLength,
        ),
        (
            "a continuation of nothing",
            said(kind::CONTINUATION, WHOLE, 1, OK),
            Fault::Interleaved,
        ),
        (
            "data within a block",
            [head(0, 1, OK), said(kind::DATA, 0, 1, b"x")].concat(),
            Fault::Interleaved,
        ),
        (
            "a ping within a block",
            [head(0, 1, OK), said(kind::PING, 0, 0, &[0; 8])].concat(),
            Fault::Interleaved,
        ),
        (
            "an unknown frame within a block",
            [head(0, 1, OK), said(77, 0, 1, b"")].concat(),
            Fault::Interleaved,
        ),
        (
            "another stream's continuation",
            [head(0, 1, OK), said(kind::CONTINUATION, 0, 3, OK)].concat(),
            Fault::Interleaved,
        ),
        (
            "a field of the dynamic table",
            head(WHOLE, 1, &[0x88, 0xbe]),
            Fault::Compression,
        ),
        (
            "pushing switched on",
            said_settings(&[(setting::ENABLE_PUSH, 1)]),
            Fault::Setting,
        ),
        (
            "short frames",
            said_settings(&[(setting::MAX_FRAME_SIZE, 16_383)]),
            Fault::Setting,
        ),
        (
            "long frames",
            said_settings(&[(setting::MAX_FRAME_SIZE, 1 << 24)]),
            Fault::Setting,
        ),
        (
            "a first window of 2^31",
            said_settings(&[(setting::INITIAL_WINDOW_SIZE, 1 << 31)]),
            Fault::SettingWindow,
        ),
        (
            "a setting that makes a window too large",
            [
                said_window(1, 0x7fff_ffff - 65_535),
                said_settings(&[(setting::INITIAL_WINDOW_SIZE, 65_536)]),
            ]
            .concat(),
            Fault::SettingWindow,
        ),
        (
            "a connection's window update of 0",
            said_window(0, 0),
            Fault::NoIncrement,
        ),
        (
            "a connection's window above 2^31 - 1",
            said_window(0, 0x7fff_ffff),
            Fault::WindowOverflow,
        ),
    ];
    for (what, bytes, expected) in cases {
        let mut client = Client::with_requests(2);
        assert_eq!(client.read(&bytes), Err(expected), "{what}");
        let (frame, payload) = client.frames().pop().unwrap();
        assert_eq!(
            (frame.kind, &payload[..4]),
            (kind::GOAWAY, &[0; 4][..]),
            "{what}"
        );
        assert_eq!(payload[4..], expected.code().to_be_bytes(), "{what}");
        assert!(!expected.to_string().is_empty());
        assert_eq!(client.connection.room(), 0);
    }
}

#[test]
fn a_compression_fault_counts_on_a_cancelled_stream_too() {
    let mut client = Client::with_requests(1);
    client.connection.cancel(0, &mut client.out);
    assert_eq!(
        client.read(&said(kind::HEADERS, WHOLE, 1, &[0xbe])),
        Err(Fault::Compression)
    );
}

#[test]
fn a_server_that_speaks_something_else() {
    let first = [
        b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(),
        said(kind::PING, 0, 0, &[0; 8]),
        said(kind::SETTINGS, flag::ACK, 0, &[]),
    ];
    for bytes in first {
        let mut connection = Connection::new(1);
        let result = connection.read(&bytes, &mut Vec::new(), &mut Told::default());
        assert_eq!(result, Err(Fault::NotHttp2));
    }
}

#[test]
fn what_is_allowed_and_changes_nothing() {
    let cases = [
        (
            "a priority of an open stream",
            said(kind::PRIORITY, 0, 1, &[0; 5]),
        ),
        (
            "a priority of an idle stream",
            said(kind::PRIORITY, 0, 99, &[0; 5]),
        ),
        ("an unknown frame", said(77, 0xff, 99, &[1; 16_384])),
        ("an empty unknown frame", said(77, 0xff, 0, &[])),
        (
            "an acknowledgement of settings",
            said(kind::SETTINGS, flag::ACK, 0, &[]),
        ),
        (
            "an answer to a ping",
            said(kind::PING, flag::ACK, 0, &[0; 8]),
        ),
        (
            "a reset after the end",
            said(kind::RST_STREAM, 0, 5, &[0; 4]),
        ),
        ("a window after the end", said_window(5, 1)),
    ];
    for (what, bytes) in cases {
        let mut client = Client::with_requests(3);
        client
            .read(&said(kind::HEADERS, WHOLE | LAST, 5, OK))
            .unwrap();
        client.events();
        client
            .read(
                &[
                    bytes.clone(),
                    bytes,
                    said(kind::HEADERS, WHOLE | LAST, 1, OK),
                ]
                .concat(),
            )
            .expect(what);
        assert_eq!(client.events(), [Head(0, 200), Done(0, 0)], "{what}");
        assert_eq!(client.frames(), [], "{what}");
    }
}

#[test]
fn settings_and_pings_are_answered_in_order() {
    let mut client = Client::with_requests(1);
    let ping = said(kind::PING, 0, 0, b"12345678");
    client
        .read(&[ping, said_settings(&[(99, 1)])].concat())
        .unwrap();
    let expected = [
        said(kind::PING, flag::ACK, 0, b"12345678"),
        said(kind::SETTINGS, flag::ACK, 0, &[]),
    ];
    assert_eq!(client.out, expected.concat());
}

#[test]
fn resets_say_why() {
    let mut client = Client::with_requests(3);
    for (stream, code) in [(1, code::REFUSED_STREAM), (3, code::CANCEL), (5, 99)] {
        client
            .read(&said(kind::RST_STREAM, 0, stream, &code.to_be_bytes()))
            .unwrap();
    }
    let events = client.events();
    let expected = [
        (0, Reset::Refused),
        (1, Reset::Peer(8)),
        (2, Reset::Peer(99)),
    ];
    assert_eq!(events, expected.map(|(key, why)| Event::Reset(key, why)));
    assert_eq!(
        Reset::Peer(8).to_string(),
        "the server reset the stream (CANCEL)"
    );
    assert_eq!(
        Reset::Peer(99).to_string(),
        "the server reset the stream (code 99)"
    );
    assert_eq!(client.connection.open_streams(), 0);
}

#[test]
fn a_peer_that_goes_away_has_not_processed_what_is_above() {
    let mut client = Client::with_requests(4);
    client
        .read(&said_goaway(0x7fff_ffff, code::NO_ERROR))
        .unwrap();
    assert_eq!(client.events(), []);
    client
        .read(&said_goaway(3, code::ENHANCE_YOUR_CALM))
        .unwrap();
    let mut events = client.events();
    events.sort_by_key(|event| format!("{event:?}"));
    assert_eq!(events, [2, 3].map(|key| Event::Reset(key, Reset::Refused)));
    assert_eq!(client.connection.goaway(), Some(code::ENHANCE_YOUR_CALM));
    assert_eq!(
        (client.connection.room(), client.connection.is_closing()),
        (0, true)
    );
    // The others are still answered, and what comes late for the refused ones is ignored.
    client
        .read(&said(kind::HEADERS, WHOLE | LAST, 7, OK))
        .unwrap();
    client
        .read(&said(kind::HEADERS, WHOLE | LAST, 1, OK))
        .unwrap();
    assert_eq!(client.events(), [Head(0, 200), Done(0, 0)]);
    assert_eq!(client.connection.open_streams(), 1);
}

/// Frames that are answered, sent by a peer that never reads.
#[test]
fn answers_that_nobody_reads_have_a_bound() {
    for bytes in [said(kind::PING, 0, 0, &[0; 8]), said_settings(&[])] {
        let mut client = Client::with_requests(1);
        let flood = bytes.repeat(1000);
        let fault = (0..1000).find_map(|_| client.read(&flood).err());
        assert_eq!(fault, Some(Fault::Flood));
        assert!(client.out.len() <= MOST_UNSENT + 100);

        // One that reads is answered for ever.
        let mut client = Client::with_requests(1);
        for _ in 0..1000 {
            client.read(&flood).unwrap();
            client.out.clear();
        }

        // It makes no difference where what is not sent waits.
        let mut client = Client::with_requests(1);
        let mut written = 0;
        let fault = (0..1000).find_map(|_| {
            client.connection.waits(written as u64, written);
            let fault = client.read(&flood[..flood.len() / 100]).err();
            written += client.out.len();
            client.out.clear();
            fault
        });
        assert_eq!(fault, Some(Fault::Flood));
        assert!(written <= MOST_UNSENT + 100);
    }
}

/// A long body waits all the time, and answers in front of it and behind it go with it.
#[test]
fn answers_to_a_peer_that_reads_slowly_are_no_flood() {
    const WAITING: usize = 1 << 20;
    let mut client = Client::with_requests(1);
    let pings = said(kind::PING, 0, 0, &[0; 8]).repeat(100);
    let mut written = 2 * WAITING as u64;
    for _ in 0..10_000 {
        client.connection.waits(written, WAITING);
        client.read(&pings).unwrap();
        client.out.clear();
        written += WAITING as u64;
    }
}
