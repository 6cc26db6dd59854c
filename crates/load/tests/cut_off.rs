//! Answers whose connection ends before they do, or with them, or before their request was sent whole.

mod servers;

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use chaffinch_load::View;
use serde_json::json;
use servers::{Peer, Server, plan, run, scenario, step, text};

/// Answers a first request of each connection, and sends of the answer to the second what is given.
fn second_cut(to: &'static [u8]) -> Server {
    Server::new(move |peer| {
        if peer.request().is_some() && peer.ok() && peer.request().is_some() {
            peer.send(to);
        }
    })
}

#[test]
fn an_answer_that_is_cut_off_on_a_kept_connection_is_a_failure_and_its_request_not_sent_again() {
    for cut in [
        &b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"[..],
        b"HTTP/1.1 200 OK\r\nContent-",
        b"H",
    ] {
        let server = second_cut(cut);
        let post = step("post", "/", &json!({"method": "POST", "body": "once"}));
        let asked = json!({"requests": 10, "scenarios": [scenario(&[post])]});
        let view = run(&plan(&server.url(), &asked));
        let failed = view.errors.get("closed").copied();
        assert_eq!((view.failed, failed), (5, Some(5)), "{}", text(&view));
        assert_eq!(view.generator.again, 0);
        assert_eq!(server.seen.asked(), 10, "{}", text(&view));
    }
}

#[test]
fn bytes_of_a_request_that_is_sent_again_went_twice() {
    let sent = Arc::new(AtomicU64::new(0));
    let seen = Arc::clone(&sent);
    let server = Server::new(move |peer| {
        let mut take = || {
            let head = peer.request()?;
            seen.fetch_add(head.len() as u64, Ordering::SeqCst);
            peer.ok().then_some(())
        };
        if take().is_some()
            && let Some(head) = peer.request()
        {
            seen.fetch_add(head.len() as u64, Ordering::SeqCst);
        }
    });
    let view = run(&plan(&server.url(), &json!({"requests": 10})));
    assert_eq!(
        (view.passed, view.generator.again),
        (10, 9),
        "{}",
        text(&view)
    );
    assert_eq!(view.bytes_out, sent.load(Ordering::SeqCst));
}

const MANY: usize = 32;

/// Sends this head and a body of `MANY` MiB, and closes.
fn long(head: &'static [u8]) -> Server {
    Server::new(move |peer: &mut Peer| {
        let part = vec![b'x'; 1 << 20];
        if peer.request().is_some() && peer.send(head) {
            let _ = (0..MANY).all(|_| peer.send(&part));
        }
    })
}

/// Several users at once, so that what a peer sends waits for its turn, and its end with it.
fn of_several(server: &Server) -> View {
    let several = json!({"users": 4, "requests": 16, "timeout_ms": 15_000});
    run(&plan(&server.url(), &several))
}

#[test]
fn the_end_of_a_long_body_is_seen_when_it_comes() {
    let server = long(b"HTTP/1.0 200 OK\r\n\r\n");
    let view = of_several(&server);
    assert_eq!((view.passed, view.failed), (16, 0), "{}", text(&view));
    let least = 16 * MANY as u64 * (1 << 20);
    assert!(view.bytes_in > least, "{}", text(&view));
}

#[test]
fn a_long_body_that_breaks_off_fails_when_it_does() {
    let server = long(b"HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n");
    let view = of_several(&server);
    let failed = view.errors.get("closed").copied();
    assert_eq!((view.failed, failed), (16, Some(16)), "{}", text(&view));
}

/// Refuses each request before it came whole, and reads what is left of it slowly.
fn refusing(body: usize) -> Server {
    Server::new(move |peer| {
        let mut room = vec![0; 1 << 16];
        let head = b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n";
        if peer.request().is_none() || !peer.send(head) {
            return;
        }
        let mut left = body;
        while left > 0 {
            match peer.stream.read(&mut room) {
                Ok(0) | Err(_) => return,
                Ok(came) => left = left.saturating_sub(came),
            }
            thread::sleep(Duration::from_millis(2));
        }
        while peer.request().is_some() && peer.send(head) {}
    })
}

#[test]
fn an_answer_before_the_request_was_sent_whole_costs_the_next_request_nothing() {
    const BODY: usize = 20_000_000; // more than the system takes at once
    let server = refusing(BODY);
    let fields = json!({"method": "POST", "body_size": BODY});
    let post = scenario(&[step("post", "/", &fields)]);
    let asked = json!({"requests": 8, "scenarios": [post]});
    let view = run(&plan(&server.url(), &asked));
    let refused = view.statuses.get("413").copied();
    assert_eq!(refused, Some(8), "{}", text(&view));
    assert_eq!(server.seen.accepted(), 8);
}
