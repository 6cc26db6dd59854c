//! Peers that never come to an end: what they send is bounded, and takes no memory while it lasts.

use std::time::{Duration, Instant};

use super::*;

/// Sends `start`, then `more` for as long as it is taken, at most `bytes` of it.
fn endless(start: &str, more: &[u8], bytes: usize) -> (Result<(), Fault>, usize) {
    let mut reader = Reader::new();
    let mut answer = Answer::default();
    reader.expect(Kind::Other);
    let mut sent = 0;
    let mut next = start.as_bytes();
    while sent < bytes {
        match reader.read(next, Some(&mut answer)) {
            Err(fault) => return (Err(fault), sent),
            Ok(progress) => assert_eq!(progress.used, next.len()),
        }
        assert!(reader.held() <= MOST_HEAD);
        sent += next.len();
        next = more;
    }
    assert!(answer.body.len() <= 1 << 20);
    (Ok(()), sent)
}

#[test]
fn an_idle_reader_is_small() {
    assert!(
        size_of::<Reader>() <= size_of::<Vec<u8>>() + 64,
        "{}",
        size_of::<Reader>()
    );
    assert_eq!(Reader::new().held(), 0);
}

#[test]
fn endless_heads_end_at_their_bound() {
    let piece = [b'a'; 1000];
    for start in [
        "HTTP/1.1 200 ",
        "HTTP/1.1 200 OK\r\nA",
        "HTTP/1.1 200 OK\r\nA: ",
    ] {
        let (result, sent) = endless(start, &piece, 1 << 20);
        assert_eq!(result, Err(Fault::HeadTooLong), "{start}");
        assert!(sent <= MOST_HEAD);
    }
    let (result, _) = endless("HTTP/1.1 200 OK\r\n", b"A: b\r\n", 1 << 20);
    assert_eq!(result, Err(Fault::TooManyHeaders));
    let interim = b"HTTP/1.1 100 Continue\r\n\r\n";
    let (result, sent) = endless("", interim, 1 << 20);
    assert_eq!(
        (result, sent),
        (Err(Fault::TooManyInterim), 100 * interim.len())
    );
}

#[test]
fn a_head_byte_by_byte_takes_no_longer_for_each() {
    let header = format!("Header: {}\r\n", "value ".repeat(100));
    let answer = format!("HTTP/1.1 204 No Content\r\n{}\r\n", header.repeat(99));
    let begun = Instant::now();
    let outcome = read(Kind::Other, answer.as_bytes().chunks(1));
    assert_eq!(outcome.result, done(204, true, 0));
    // Parsing from the start at each byte takes a thousand times as long (13 s in debug).
    let limit = Duration::from_secs(1);
    assert!(begun.elapsed() < limit, "{:?}", begun.elapsed());
}

#[test]
fn endless_bodies_are_read_without_keeping_them() {
    let piece = vec![b'a'; 65_536];
    for start in [
        "HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 9000000000000000000\r\n\r\n",
    ] {
        assert_eq!(endless(start, &piece, 16 << 20).0, Ok(()), "{start}");
    }
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_eq!(
        endless(&format!("{chunked}7fffffffffffffff\r\n"), &piece, 16 << 20).0,
        Ok(())
    );
    assert_eq!(endless(chunked, b"1\r\na\r\n", 1 << 20).0, Ok(()));
}

#[test]
fn what_frames_chunks_is_bounded() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (start, more, fault) in [
        ("1;", "a", Fault::BadChunk),
        ("", "0", Fault::BadChunk),
        ("1", " ", Fault::BadChunk),
        ("0\r\n", "A: b\r\n", Fault::TrailersTooLong),
        ("0\r\nA: ", "b", Fault::TrailersTooLong),
        ("0\r\n", "a", Fault::TrailersTooLong),
    ] {
        let (result, sent) = endless(&format!("{chunked}{start}"), more.as_bytes(), 1 << 20);
        assert_eq!(result, Err(fault), "{start:?} {more:?}");
        assert!(sent <= usize::from(MOST_LINE) + 100, "{sent}");
    }
}

#[test]
fn trailers_hold_16_kib_and_no_more() {
    for (bytes, expected) in [
        (MOST_TRAILERS, done(200, true, 0)),
        (MOST_TRAILERS + 1, Err(Fault::TrailersTooLong)),
    ] {
        let long = "b".repeat(usize::from(bytes) - "A: \r\n\r\n".len());
        let answer =
            format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: {long}\r\n\r\n");
        assert_eq!(whole(Kind::Other, answer.as_bytes()).result, expected);
    }
}

#[test]
fn the_sentences_of_faults_differ_and_begin_in_the_middle_of_a_line() {
    let all = [
        Fault::NotHttp,
        Fault::HeadTooLong,
        Fault::TooManyHeaders,
        Fault::BadHead,
        Fault::BadLength,
        Fault::BadChunk,
        Fault::TrailersTooLong,
        Fault::Truncated,
        Fault::Closed,
        Fault::Upgrade,
        Fault::TooManyInterim,
    ];
    let sentences: std::collections::BTreeSet<String> =
        all.iter().map(ToString::to_string).collect();
    assert_eq!(sentences.len(), all.len());
    assert!(
        sentences
            .iter()
            .all(|one| one.starts_with("the ") && !one.ends_with('.'))
    );
}
