//! Request bodies and the peer's windows.

use super::super::MOST_UNSENT;
use super::super::frame::{code, setting};
use super::*;

/// The bytes of each `DATA` frame that was written, and whether it ends its stream.
fn parts(client: &mut Client) -> Vec<(u32, usize, bool)> {
    let frames = client.frames();
    let data = frames.iter().filter(|(frame, _)| frame.kind == kind::DATA);
    data.map(|(frame, payload)| (frame.stream, payload.len(), frame.has(LAST)))
        .collect()
}

#[test]
fn a_body_goes_with_its_head() {
    let mut client = Client::new(&[]);
    client.open_with(0, b"abc");
    let frames = client.frames();
    assert_eq!(
        (frames[0].0.kind, frames[0].0.flags),
        (kind::HEADERS, WHOLE)
    );
    assert_eq!(
        (frames[1].0.kind, frames[1].0.flags, &frames[1].1[..]),
        (kind::DATA, LAST, &b"abc"[..])
    );
    client
        .read(&said(kind::HEADERS, WHOLE | LAST, 1, OK))
        .unwrap();
    assert_eq!(client.events(), [Head(0, 200), Done(0, 0)]);
    assert_eq!(client.frames(), []);
}

#[test]
fn a_body_waits_for_both_windows() {
    let mut client = Client::new(&[]);
    client.open_with(0, &vec![7; 100_000]);
    let first = [
        (1, 16_384, false),
        (1, 16_384, false),
        (1, 16_384, false),
        (1, 16_383, false),
    ];
    assert_eq!(parts(&mut client), first);
    client.read(&said_window(1, 100_000)).unwrap();
    assert_eq!(parts(&mut client), []);
    client.read(&said_window(0, 1)).unwrap();
    assert_eq!(parts(&mut client), [(1, 1, false)]);
    client.read(&said_window(0, 100_000)).unwrap();
    let rest = 100_000 - 65_536 - 2 * 16_384;
    assert_eq!(
        parts(&mut client),
        [(1, 16_384, false), (1, 16_384, false), (1, rest, true)]
    );
    assert_eq!(client.connection.uploads.kept(), 0);
}

#[test]
fn a_change_of_the_first_window_holds_for_open_streams() {
    let mut client = Client::new(&[(setting::INITIAL_WINDOW_SIZE, 10)]);
    client.read(&said_window(0, 1_000_000)).unwrap();
    client.open_with(0, &[7; 100]);
    assert_eq!(parts(&mut client), [(1, 10, false)]);
    // The window is 5 - 10 now: 5 are owed before anything is sent again.
    client
        .read(&said_settings(&[(setting::INITIAL_WINDOW_SIZE, 5)]))
        .unwrap();
    client.read(&said_window(1, 5)).unwrap();
    assert_eq!(parts(&mut client), []);
    client.read(&said_window(1, 1)).unwrap();
    assert_eq!(parts(&mut client), [(1, 1, false)]);
    client
        .read(&said_settings(&[(setting::INITIAL_WINDOW_SIZE, 20)]))
        .unwrap();
    assert_eq!(parts(&mut client), [(1, 15, false)]);
    client.open_with(1, &[7; 20]);
    assert_eq!(parts(&mut client), [(3, 20, true)]);
    client
        .read(&said_settings(&[(
            setting::INITIAL_WINDOW_SIZE,
            0x7fff_ffff,
        )]))
        .unwrap();
    assert_eq!(parts(&mut client), [(1, 74, true)]);
}

#[test]
fn a_body_that_nobody_waits_for_is_forgotten() {
    let ends: [fn(&mut Client); 5] = [
        |client| {
            client
                .read(&said(kind::HEADERS, WHOLE | LAST, 1, OK))
                .unwrap();
        },
        |client| client.read(&said(kind::RST_STREAM, 0, 1, &[0; 4])).unwrap(),
        |client| client.read(&said_goaway(0, 0)).unwrap(),
        |client| assert!(client.connection.cancel(0, &mut client.out)),
        |client| client.connection.end(&mut client.told),
    ];
    for end in ends {
        let mut client = Client::new(&[]);
        client.open_with(0, &vec![7; 100_000]);
        client.out.clear();
        assert_eq!(client.connection.uploads.kept(), 100_000 - 65_535);
        end(&mut client);
        assert_eq!(client.connection.uploads.kept(), 0);
        client.frames();
        let _ = client.read(&said_window(0, 100_000));
        assert_eq!(parts(&mut client), []);
    }
}

#[test]
fn an_answer_before_the_body_was_sent_is_whole_and_ends_the_sending() {
    let mut client = Client::new(&[]);
    client.open_with(0, &vec![7; 100_000]);
    client.out.clear();
    client
        .read(&said(
            kind::HEADERS,
            WHOLE | LAST,
            1,
            &block(&[(":status", "413")]),
        ))
        .unwrap();
    assert_eq!(client.events(), [Head(0, 413), Done(0, 0)]);
    let (frame, payload) = client.frames().remove(0);
    assert_eq!(
        (frame.kind, &payload[..]),
        (kind::RST_STREAM, &code::CANCEL.to_be_bytes()[..])
    );
}

#[test]
fn windows_opened_byte_by_byte_by_a_peer_that_does_not_read_are_a_flood() {
    let mut client = Client::new(&[(setting::INITIAL_WINDOW_SIZE, 0)]);
    client.open_with(0, &vec![7; 100_000]);
    client.out.clear();
    let fault = (0..100_000).find_map(|_| client.read(&said_window(1, 1)).err());
    assert_eq!(fault, Some(Fault::Flood));
    assert!(client.out.len() < 2 * MOST_UNSENT);
}
