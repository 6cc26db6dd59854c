//! Whole runs over HTTP/2, against servers that are known to the byte.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::asked::Asked;
use crate::peer::Peer;
use crate::two_peer::{
    DATA, HEADERS, MAX_CONCURRENT_STREAMS, PING, RST_STREAM, SETTINGS, Two, WINDOW_UPDATE,
};
use serde_json::json;

pub const REFUSED_STREAM: u32 = 7;
const CANCEL: u32 = 8;
const INTERNAL_ERROR: u32 = 2;

pub type Link = Two<TcpStream>;

/// A server of HTTP/2 without TLS. A client that breaks off is left to itself.
pub fn server(
    settings: &'static [(u16, u32)],
    serve: impl Fn(&mut Link, u64) -> io::Result<()> + Send + Sync + 'static,
) -> Peer {
    Peer::new(move |stream, number| {
        if let Ok(mut two) = Two::accept(stream, settings) {
            let _ = serve(&mut two, number);
        }
    })
}

pub fn asked(peer: &Peer, streams: u32) -> Asked {
    Asked::of(&format!("http://{}/", peer.address)).two(streams)
}

/// Answers for ever.
fn well(two: &mut Link, _: u64) -> io::Result<()> {
    loop {
        let stream = two.request()?;
        two.ok(stream)?;
    }
}

#[test]
fn users_share_connections_as_far_as_streams_go() {
    for (users, streams, connections) in [(1, 1, 1), (12, 12, 1), (12, 4, 3), (13, 4, 4), (5, 1, 5)]
    {
        let peer = server(&[], well);
        asked(&peer, streams).times(users, 200).run().all_well(200);
        assert_eq!(
            peer.accepted(),
            connections,
            "{users} users, {streams} streams"
        );
    }
}

#[test]
fn requests_go_out_together() {
    let most = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&most);
    // Answers when five requests are there, so that fewer would be waited for in vain.
    let peer = server(&[], move |two, _| {
        loop {
            let streams = [(); 5].map(|()| two.request());
            for stream in streams {
                two.ok(stream?)?;
            }
            seen.fetch_add(1, Ordering::SeqCst);
        }
    });
    asked(&peer, 5).times(5, 50).run().all_well(50);
    assert_eq!((most.load(Ordering::SeqCst), peer.accepted()), (10, 1));
}

#[test]
fn a_peer_that_takes_fewer_streams_gets_fewer() {
    let most = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&most);
    // The limit comes with the opening, and is known before the second answer.
    let peer = server(&[(MAX_CONCURRENT_STREAMS, 3)], move |two, _| {
        let mut open = Vec::new();
        let mut is_told = false;
        loop {
            let frame = two.frame()?;
            match frame.kind {
                SETTINGS if frame.flags == 1 => is_told = true,
                HEADERS => open.push(frame.stream),
                _ => {}
            }
            if is_told {
                seen.fetch_max(open.len(), Ordering::SeqCst);
            }
            // What comes before the client can know of the limit is refused.
            for stream in open.split_off(open.len().min(3)) {
                two.reset(stream, REFUSED_STREAM)?;
            }
            if frame.kind == HEADERS
                && let Some(stream) = open.pop()
            {
                std::thread::sleep(Duration::from_millis(2));
                two.ok(stream)?;
            }
        }
    });
    let told = asked(&peer, 10).with("connections", 1).times(10, 100).run();
    told.all_well(100);
    assert!(most.load(Ordering::SeqCst) <= 10);
    assert!(told.number("generator/again") <= 7, "{}", told.0);
}

#[test]
fn what_a_peer_refused_is_sent_again_once() {
    let count = Arc::new(AtomicU64::new(0));
    let peer = server(&[], move |two, _| {
        loop {
            let stream = two.request()?;
            if count.fetch_add(1, Ordering::SeqCst).is_multiple_of(2) {
                two.reset(stream, REFUSED_STREAM)?;
            } else {
                two.ok(stream)?;
            }
        }
    });
    let told = asked(&peer, 1).times(1, 10).run();
    told.all_well(10);
    assert_eq!(told.number("generator/again"), 10);

    let peer = server(&[], |two, _| {
        loop {
            let stream = two.request()?;
            two.reset(stream, REFUSED_STREAM)?;
        }
    });
    let told = asked(&peer, 2).times(2, 6).run();
    told.all_failed("reset", 6);
}

#[test]
fn a_peer_that_goes_away_is_left_and_nothing_is_lost() {
    // After 20 answers it goes, when more requests may be on their way.
    let peer = server(&[], |two, _| {
        let mut last = 0;
        for _ in 0..20 {
            last = two.request()?;
            two.ok(last)?;
        }
        two.go_away(last)?;
        while two.frame().is_ok() {}
        Ok(())
    });
    let told = asked(&peer, 4).times(8, 400).run();
    told.all_well(400);
    assert!(
        (20..=24).contains(&peer.accepted()),
        "{} connections",
        peer.accepted()
    );
}

#[test]
fn answers_that_a_leaving_peer_owes_are_waited_for() {
    let peer = server(&[], |two, _| {
        let streams = [two.request()?, two.request()?, two.request()?];
        two.go_away(streams[1])?;
        std::thread::sleep(Duration::from_millis(30));
        two.ok(streams[0])?;
        two.ok(streams[1])?;
        // The client closes then.
        while two.frame().is_ok() {}
        Ok(())
    });
    let told = asked(&peer, 3)
        .times(3, 3)
        .with("connections", 2)
        .with("timeout_ms", 900)
        .run();
    // The third one is alone on its next connection, and never answered.
    assert_eq!(
        (told.answers(200), told.number("errors/timeout")),
        (2, 1),
        "{}",
        told.0
    );
    assert_eq!(told.number("generator/again"), 1);
}

#[test]
fn a_timeout_ends_one_stream_alone() {
    let cancelled = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&cancelled);
    let peer = server(&[], move |two, _| {
        let never = two.request()?;
        loop {
            let frame = two.next()?;
            if frame.ends_request() {
                std::thread::sleep(Duration::from_millis(5));
                two.ok(frame.stream)?;
            } else if frame.kind == RST_STREAM {
                assert_eq!(
                    (frame.stream, frame.payload),
                    (never, CANCEL.to_be_bytes().to_vec())
                );
                seen.lock().unwrap().push(frame.stream);
            }
        }
    });
    let told = asked(&peer, 4).times(4, 100).with("timeout_ms", 100).run();
    assert_eq!(
        (told.answers(200), told.number("errors/timeout")),
        (99, 1),
        "{}",
        told.0
    );
    assert_eq!(peer.accepted(), 1);
    assert_eq!(cancelled.lock().unwrap().len(), 1);
}

#[test]
fn resets_of_the_peer_are_counted() {
    let peer = server(&[], |two, _| {
        loop {
            let (well, bad) = (two.request()?, two.request()?);
            two.reset(bad, INTERNAL_ERROR)?;
            two.ok(well)?;
        }
    });
    let told = asked(&peer, 2).times(2, 20).run();
    assert_eq!(
        (told.answers(200), told.number("errors/reset")),
        (10, 10),
        "{}",
        told.0
    );
    assert_eq!(peer.accepted(), 1);
}

#[test]
fn a_connection_that_is_lost_takes_its_requests_with_it() {
    let peer = server(&[], |two, number| {
        if number > 0 {
            return well(two, number);
        }
        for _ in 0..30 {
            two.request()?;
        }
        Ok(()) // closes
    });
    let told = asked(&peer, 30).times(30, 300).run();
    let (closed, reset) = (told.number("errors/closed"), told.number("errors/reset"));
    assert_eq!((closed + reset, told.answers(200)), (30, 270), "{}", told.0);
    assert_eq!(told.number("unanswered"), 0);
    assert_eq!(peer.accepted(), 2);
}

#[test]
fn who_joined_a_connection_that_is_never_made_fails_with_it() {
    let port = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    let plan = Asked::of(&format!("http://127.0.0.1:{port}/")).two(8);
    plan.times(8, 24).run().all_failed("connect", 24);
}

#[test]
fn a_kept_connection_that_is_lost_costs_no_request() {
    let peer = server(&[], |two, _| {
        for _ in 0..10 {
            let stream = two.request()?;
            two.ok(stream)?;
        }
        two.request()?;
        Ok(())
    });
    let told = asked(&peer, 1).times(1, 60).run();
    told.all_well(60);
    assert_eq!((peer.accepted(), told.number("generator/again")), (6, 5));
}

#[test]
fn bodies_of_requests_keep_to_windows() {
    const SIZE: usize = 1 << 20;
    let all = Arc::new(AtomicU64::new(0));
    let sum = Arc::clone(&all);
    let peer = server(&[], move |two, _| {
        let (mut stream_room, mut room) = (std::collections::HashMap::new(), 65_535_i64);
        loop {
            let frame = two.next()?;
            if frame.kind == HEADERS {
                stream_room.insert(frame.stream, 65_535_i64);
                continue;
            }
            assert_eq!(frame.kind, DATA);
            let bytes = i64::try_from(frame.payload.len()).unwrap();
            let own = stream_room.get_mut(&frame.stream).unwrap();
            room -= bytes;
            *own -= bytes;
            assert!(room >= 0 && *own >= 0 && frame.payload.len() <= 16_384);
            sum.fetch_add(frame.payload.len() as u64, Ordering::SeqCst);
            if frame.ends_request() {
                two.ok(frame.stream)?;
            } else if *own < 20_000 {
                *own += 40_000;
                two.send(WINDOW_UPDATE, 0, frame.stream, &40_000_u32.to_be_bytes())?;
            }
            if room < 20_000 {
                room += 40_000;
                two.send(WINDOW_UPDATE, 0, 0, &40_000_u32.to_be_bytes())?;
            }
        }
    });
    let plan = asked(&peer, 3)
        .step("method", "POST")
        .step("body_size", SIZE);
    plan.times(3, 9).run().all_well(9);
    assert_eq!(all.load(Ordering::SeqCst), 9 * SIZE as u64);
}

#[test]
fn an_answer_may_come_before_the_request_is_whole() {
    const NO_ERROR: u32 = 0;
    let peer = server(&[], |two, _| {
        loop {
            let frame = two.next()?;
            if frame.kind == HEADERS {
                two.ok(frame.stream)?;
                two.reset(frame.stream, NO_ERROR)?;
            }
        }
    });
    let plan = asked(&peer, 2)
        .step("method", "POST")
        .step("body_size", 300_000);
    plan.times(2, 20).run().all_well(20);
    assert_eq!(peer.accepted(), 1);
}

#[test]
fn an_answer_may_come_byte_by_byte() {
    let peer = server(&[], |two, _| {
        let stream = two.request()?;
        let mut bytes = vec![0, 0, 1, HEADERS, 4, 0, 0, 0, stream as u8, 0x88];
        bytes.extend_from_slice(&[0, 0, 5, DATA, 1, 0, 0, 0, stream as u8]);
        bytes.extend_from_slice(b"whole");
        for byte in bytes {
            two.stream.write_all(&[byte])?;
            std::thread::sleep(Duration::from_millis(1));
        }
        while two.frame().is_ok() {}
        Ok(())
    });
    let contains = json!([{"what": "body", "contains": "whole"}]);
    let told = asked(&peer, 1).step("assert", contains).run();
    told.all_well(1);
    assert_eq!(told.number("assertions_held"), 1);
}

#[test]
fn a_peer_that_opens_no_window_is_waited_for_until_the_timeout() {
    let peer = server(&[], |two, _| {
        while two.frame().is_ok() {}
        Ok(())
    });
    let plan = asked(&peer, 2)
        .step("method", "POST")
        .step("body_size", 2_000_000);
    let told = plan.with("timeout_ms", 200).times(2, 4).run();
    told.all_failed("timeout", 4);
}

#[test]
fn answers_are_looked_into() {
    let peer = server(&[], |two, _| {
        for number in 0_u64.. {
            let stream = two.request()?;
            let mut body = format!("{{\"token\": \"t{number}\", \"fill\": \"").into_bytes();
            body.resize(50_000, b'x');
            body.extend_from_slice(b"\"}");
            two.answer(stream, ("x-place", "there"), &body)?;
        }
        Ok(())
    });
    let extract = json!([
        {"name": "token", "from": "json", "path": "$.token", "default": null},
        {"name": "place", "from": "header", "header": "X-Place", "default": null},
    ]);
    let plan = asked(&peer, 4)
        .step("extract", extract)
        .step("assert", json!([{"what": "body", "contains": "fill"}]))
        .and_step(&json!({"name": "next", "path": "/${token}/${place}", "extract": []}));
    let told = plan.times(4, 40).run();
    told.all_well(40);
    assert_eq!(told.number("assertions_held"), 40);
}

#[test]
fn who_speaks_no_http2_is_told_so_and_not_hammered() {
    type Serve = fn(TcpStream, u64);
    let others: [(&str, Serve); 4] = [
        // HTTP/1.1 that answers and closes.
        ("protocol", |mut stream, _| {
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
            while matches!(stream.read(&mut [0; 4096]), Ok(1..)) {}
        }),
        ("protocol", |mut stream, _| {
            let _ = stream.write_all(&[0; 100]);
            while matches!(stream.read(&mut [0; 4096]), Ok(1..)) {}
        }),
        ("closed", |mut stream, _| {
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.shutdown(std::net::Shutdown::Write);
            while matches!(stream.read(&mut [0; 4096]), Ok(1..)) {}
        }),
        ("timeout", |mut stream, _| {
            while matches!(stream.read(&mut [0; 4096]), Ok(1..)) {}
        }),
    ];
    for (class, serve) in others {
        let peer = Peer::new(serve);
        // Long where something else is to come before it, on a busy machine too.
        let timeout = if class == "timeout" { 300 } else { 5000 };
        let told = asked(&peer, 4)
            .with("timeout_ms", timeout)
            .times(4, 8)
            .run();
        told.all_failed(class, 8);
        assert!(
            peer.accepted() <= 8,
            "{class}: {} connections",
            peer.accepted()
        );
    }
}

/// A peer that asks for answers to its own frames and never reads them cannot make us hold them for ever.
#[test]
fn a_flood_of_control_frames_ends_the_connection() {
    let peer = server(&[], |two, _| {
        two.request()?;
        let mut pings = Vec::new();
        for _ in 0..1000 {
            pings.extend_from_slice(&[0, 0, 8, PING, 0, 0, 0, 0, 0]);
            pings.extend_from_slice(b"01234567");
        }
        loop {
            two.stream.write_all(&pings)?;
        }
    });
    let told = asked(&peer, 1).times(1, 1).with("timeout_ms", 15_000).run();
    assert_eq!(told.number("failed"), 1);
    assert!(told.0["elapsed_s"].as_f64().unwrap() < 10.0, "{}", told.0);
}
