//! A peer that takes no streams for a while, or never; and the bytes of what it sends.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::asked::Asked;
use crate::peer::Peer;
use crate::two::{REFUSED_STREAM, asked, server};
use crate::two_peer::{HEADERS, MAX_CONCURRENT_STREAMS, SETTINGS, Two};

#[test]
fn who_gets_no_stream_waits_until_the_timeout() {
    let peer = server(&[(MAX_CONCURRENT_STREAMS, 0)], |two, _| {
        while two.frame().is_ok() {}
        Ok(())
    });
    let plan = asked(&peer, 4)
        .with("connections", 2)
        .with("timeout_ms", 200);
    let told = plan.times(3, 12).run();
    told.all_failed("timeout", 12);
    assert!(told.0["elapsed_s"].as_f64().unwrap() < 4.0, "{}", told.0);
    assert!(peer.accepted() <= 2, "{} connections", peer.accepted());
}

/// Refuses everything for a while, in which it allows no streams.
fn refusing_at_first() -> Peer {
    Peer::new(move |stream, _| {
        let mut writer = stream.try_clone().unwrap();
        let Ok(mut two) = Two::accept(stream, &[(MAX_CONCURRENT_STREAMS, 0)]) else {
            return;
        };
        let is_open = Arc::new(AtomicBool::new(false));
        let opened = Arc::clone(&is_open);
        thread::spawn(move || {
            thread::sleep(Duration::from_millis(500));
            opened.store(true, Ordering::SeqCst);
            let allowed = [0, 0, 6, SETTINGS, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 100];
            let _ = std::io::Write::write_all(&mut writer, &allowed);
        });
        let mut serve = || -> std::io::Result<()> {
            loop {
                let stream = two.request()?;
                if is_open.load(Ordering::SeqCst) {
                    two.ok(stream)?;
                } else {
                    two.reset(stream, REFUSED_STREAM)?;
                }
            }
        };
        let _ = serve();
    })
}

#[test]
fn users_go_on_when_streams_are_allowed_again() {
    let peer = refusing_at_first();
    let plan = asked(&peer, 4)
        .with("connections", 1)
        .with("timeout_ms", 200);
    let told = plan.times(4, 100).run();
    let late = told.number("errors/timeout");
    assert!((4..=16).contains(&late), "{}", told.0);
    assert_eq!(told.answers(200) + late, 100, "{}", told.0);
    assert_eq!(peer.accepted(), 1);
}

/// A header and its block, a body in two frames of which one is padded, and an empty one at the end.
#[test]
fn all_bytes_of_an_answer_count_with_the_headers_of_its_frames() {
    const DATA: u8 = 0;
    const PADDED: u8 = 8;
    const END_HEADERS: u8 = 4;
    let peer = server(&[], |two, _| {
        loop {
            let stream = two.request()?;
            two.send(HEADERS, END_HEADERS, stream, &[0x88])?;
            two.send(DATA, 0, stream, b"0123456789")?;
            two.send(DATA, PADDED, stream, b"\x03more\0\0\0")?;
            two.send(DATA, 1, stream, b"")?;
        }
    });
    let told = asked(&peer, 2).times(2, 10).run();
    told.all_well(10);
    let each = (9 + 1) + (9 + 10) + (9 + 8) + 9;
    assert_eq!(told.number("bytes_in"), 10 * each, "{}", told.0);
}

#[test]
fn bytes_of_an_answer_that_is_never_whole_count_too() {
    let peer = server(&[], |two, _| {
        let stream = two.request()?;
        two.send(HEADERS, 4, stream, &[0x88])?;
        two.send(0, 0, stream, &[b'x'; 1000])?;
        while two.frame().is_ok() {}
        Ok(())
    });
    let plan = Asked::of(&format!("http://{}/", peer.address)).two(1);
    let told = plan.with("timeout_ms", 200).run();
    told.all_failed("timeout", 1);
    assert_eq!(told.number("bytes_in"), 10 + 1009, "{}", told.0);
}
