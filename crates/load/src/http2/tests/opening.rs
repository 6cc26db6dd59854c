//! How a connection begins, how many streams it opens, and how it ends.

use super::super::frame::{MAX, code, flag, setting};
use super::super::{MOST_KEPT, STREAMS_UNTOLD};
use super::*;

#[test]
fn the_first_bytes() {
    let mut client = Client {
        connection: Connection::new(1),
        out: Vec::new(),
        told: Told::default(),
    };
    client.connection.opening(&mut client.out);
    assert!(client.out.starts_with(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
    let frames = client.frames();
    let settings: &[u8] = &[
        0, 1, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0, 6, 0, 1, 0, 0,
    ];
    assert_eq!(
        (frames[0].0.kind, &frames[0].1[..]),
        (kind::SETTINGS, settings)
    );
    let increment = ((1u32 << 30) - 65_535).to_be_bytes();
    assert_eq!(
        (frames[1].0.kind, frames[1].0.stream, &frames[1].1[..]),
        (kind::WINDOW_UPDATE, 0, &increment[..])
    );
}

#[test]
fn the_first_block_gives_up_the_table_and_the_others_are_as_given() {
    let mut client = Client::new(&[(setting::HEADER_TABLE_SIZE, 0)]);
    client.open(7);
    client.open(8);
    assert_eq!(
        client.out[..13],
        [0, 0, 4, 1, 5, 0, 0, 0, 1, 0x20, 0x82, 0x86, 0x84]
    );
    assert_eq!(
        client.out[13..],
        [0, 0, 3, 1, 5, 0, 0, 0, 3, 0x82, 0x86, 0x84]
    );
}

#[test]
fn a_long_block_goes_over_several_frames() {
    let mut client = Client::new(&[]);
    client.open(0);
    client.out.clear();
    let block = vec![0x82; 40_000];
    assert!(
        client
            .connection
            .open(&block, b"", false, 1, &mut client.out)
    );
    let frames = client.frames();
    let shape: Vec<_> = frames
        .iter()
        .map(|(frame, _)| (frame.kind, frame.flags, frame.length))
        .collect();
    let expected = [
        (kind::HEADERS, flag::END_STREAM, 16_384),
        (kind::CONTINUATION, 0, 16_384),
        (kind::CONTINUATION, flag::END_HEADERS, 40_000 - 2 * 16_384),
    ];
    assert_eq!(shape, expected);
    client
        .read(&said_settings(&[(setting::MAX_FRAME_SIZE, 40_000)]))
        .unwrap();
    client.out.clear();
    assert!(
        client
            .connection
            .open(&block, b"", false, 2, &mut client.out)
    );
    assert_eq!(client.frames().len(), 1);
}

#[test]
fn room_is_what_both_sides_allow() {
    let mut connection = Connection::new(1000);
    assert_eq!(connection.room(), STREAMS_UNTOLD as usize);
    let mut read = |bytes: &[u8]| {
        connection
            .read(bytes, &mut Vec::new(), &mut Told::default())
            .unwrap();
        connection.room()
    };
    assert_eq!(read(&said_settings(&[])), 1000);
    assert_eq!(
        read(&said_settings(&[(setting::MAX_CONCURRENT_STREAMS, 3)])),
        3
    );
    assert_eq!(
        read(&said_settings(&[(setting::MAX_CONCURRENT_STREAMS, 2000)])),
        1000
    );

    let mut client = Client::with_requests(5);
    assert_eq!(client.connection.room(), 95);
    client
        .read(&said_settings(&[(setting::MAX_CONCURRENT_STREAMS, 2)]))
        .unwrap();
    assert_eq!(client.connection.room(), 0);
    client.out.clear();
    assert!(!client.connection.open(GET, b"", false, 9, &mut client.out));
    assert!(client.out.is_empty());
    for stream in [1, 3, 5, 7] {
        client
            .read(&said(kind::HEADERS, WHOLE | LAST, stream, OK))
            .unwrap();
    }
    assert_eq!(client.connection.room(), 1);
}

#[test]
fn identifiers_come_to_an_end() {
    let mut client = Client::new(&[]);
    client.connection.streams.skip_to(MAX - 200);
    let mut opened = 0;
    while client.connection.room() > 0 {
        client.open(opened);
        client.connection.cancel(opened, &mut client.out);
        opened += 1;
    }
    assert!((50..=100).contains(&opened), "{opened}");
    assert!(client.connection.is_closing());
    assert_eq!(client.connection.open_streams(), 0);
}

#[test]
fn bodies_that_wait_hold_back_streams() {
    let mut client = Client::new(&[]);
    client.open_with(0, &vec![0; MOST_KEPT]);
    assert!(client.connection.room() > 0);
    client.open_with(1, &vec![0; 65_536]);
    assert_eq!(client.connection.room(), 0);
    client.connection.cancel(0, &mut client.out);
    assert!(client.connection.room() > 0);
}

#[test]
fn what_has_no_answer_is_told_at_the_end() {
    let mut client = Client::with_requests(3);
    client
        .read(&said(kind::HEADERS, WHOLE | LAST, 3, OK))
        .unwrap();
    client.read(&said(kind::HEADERS, WHOLE, 5, OK)).unwrap();
    client.events();
    client.connection.end(&mut client.told);
    let closed = |key| Event::Reset(key, Reset::Closed);
    let mut events = client.events();
    events.sort_by_key(|event| format!("{event:?}"));
    assert_eq!(events, [closed(0), closed(2)]);
    assert_eq!(
        (client.connection.room(), client.connection.open_streams()),
        (0, 0)
    );
    client
        .read(&said(kind::HEADERS, WHOLE | LAST, 1, OK))
        .unwrap();
    assert_eq!(client.events(), []);
}

#[test]
fn closing_and_faults_say_so_to_the_peer() {
    let mut client = Client::with_requests(1);
    client.connection.close(&mut client.out);
    assert_eq!(client.frames()[0].1, [0; 8]);
    assert_eq!(client.connection.room(), 0);

    let mut client = Client::with_requests(1);
    assert_eq!(
        client.read(&said(kind::HEADERS, WHOLE, 1, &[0xff])),
        Err(Fault::Compression)
    );
    assert_eq!(
        client.frames()[0].1,
        [0, 0, 0, 0, 0, 0, 0, code::COMPRESSION_ERROR as u8]
    );
    assert!(client.connection.is_closing());
}
