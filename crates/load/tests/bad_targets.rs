//! Targets that are down, slow, broken or hostile: each is classed and counted, and the run ends as it should.

mod servers;

use std::net::{Shutdown, TcpListener};
use std::thread;
use std::time::Duration;

use chaffinch_load::View;
use serde_json::{Value, json};
use servers::{Server, assert_all_asked, constant, plan, run, scenario, step, text};
use socket2::{Domain, Socket, Type};

/// A processor is not kept busy by a target that gives nothing.
fn assert_calm(view: &View) {
    let share = view.generator.cpu_s / view.elapsed_s.max(0.1);
    assert!(share < 0.5, "{share} of a processor: {}", text(view));
}

/// So many requests, all of them of one class.
fn assert_all(url: &str, class: &str, other: &Value) -> View {
    let mut limits =
        json!({"requests": 12, "users": 3, "timeout_ms": 300, "connect_timeout_ms": 300});
    for (name, value) in other.as_object().unwrap() {
        limits[name] = value.clone();
    }
    let requests = limits["requests"].as_u64().unwrap();
    let view = run(&plan(url, &limits));
    assert_eq!(
        (view.requests, view.failed),
        (requests, requests),
        "{class}: {}",
        text(&view)
    );
    assert_eq!(
        view.errors.get(class),
        Some(&requests),
        "{class}: {}",
        text(&view)
    );
    assert_calm(&view);
    view
}

/// An address where nobody listens.
fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

#[test]
fn a_target_that_is_down_refuses_and_is_not_hammered() {
    let view = assert_all(&nobody(), "connect", &json!({}));
    assert!(view.latency_ms.corrected.is_none());
    assert_eq!((view.bytes_in, view.bytes_out), (0, 0));
    let view = run(&plan(&nobody(), &json!({"duration_ms": 500, "users": 5})));
    assert!((5..=300).contains(&view.requests), "{}", text(&view));
    assert_calm(&view);
    let open = json!({"duration_ms": 500, "users": 5, "model": constant(400.0)});
    let view = run(&plan(&nobody(), &open));
    assert_eq!(
        (view.requests, view.errors["connect"]),
        (200, 200),
        "{}",
        text(&view)
    );
    assert_all_asked(&view);
}

#[test]
fn a_name_that_nobody_knows_is_told_as_such() {
    assert_all("http://nowhere.invalid:81", "dns", &json!({}));
}

#[test]
fn a_target_that_never_accepts_times_out() {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket
        .bind(
            &"127.0.0.1:0"
                .parse::<std::net::SocketAddr>()
                .unwrap()
                .into(),
        )
        .unwrap();
    socket.listen(0).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    // Fills the queue of those that wait to be accepted.
    let waiting: Vec<_> = (0..4)
        .map(|_| {
            let one = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
            one.set_nonblocking(true).unwrap();
            let _ = one.connect(&address.into());
            one
        })
        .collect();
    thread::sleep(Duration::from_millis(50));
    let view = assert_all(
        &format!("http://{address}"),
        "timeout",
        &json!({"requests": 6}),
    );
    assert!(view.elapsed_s >= 0.6);
    drop(waiting);
}

#[test]
fn a_target_that_never_answers_times_out() {
    let server = Server::new(servers::Peer::wait);
    let view = assert_all(&server.url(), "timeout", &json!({}));
    let latency = view.latency_ms.uncorrected.unwrap();
    assert!(latency.p50 >= 300.0 && latency.max < 2000.0);
    // The step's own limit comes first.
    let quick = scenario(&[step("get", "/", &json!({"timeout_ms": 50}))]);
    let view = assert_all(&server.url(), "timeout", &json!({"scenarios": [quick]}));
    assert!(view.latency_ms.uncorrected.unwrap().p50 < 290.0);
}

#[test]
fn a_target_that_resets_is_told_as_such() {
    let at_once = Server::new(servers::Peer::reset);
    let view = run(&plan(&at_once.url(), &json!({"requests": 30, "users": 3})));
    assert_eq!(view.failed, 30);
    let told = |class| view.errors.get(class).copied().unwrap_or(0);
    assert_eq!(told("reset") + told("connect"), 30, "{}", text(&view));
    let before = Server::new(|peer| {
        peer.request();
        peer.reset();
    });
    assert_all(&before.url(), "reset", &json!({}));
    let within = Server::new(|peer| {
        peer.request();
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
        thread::sleep(Duration::from_millis(5));
        peer.reset();
    });
    assert_all(&within.url(), "reset", &json!({}));
}

#[test]
fn a_target_that_resets_between_answers_costs_nothing() {
    let server = Server::new(|peer| {
        peer.request();
        peer.ok();
        thread::sleep(Duration::from_millis(2));
        peer.reset();
    });
    let thinks = scenario(&[step("get", "/", &json!({"think_ms": [5, 5]}))]);
    let view = run(&plan(
        &server.url(),
        &json!({"requests": 60, "users": 3, "scenarios": [thinks]}),
    ));
    assert_eq!((view.passed, view.failed), (60, 0), "{}", text(&view));
}

#[test]
fn a_target_that_takes_connections_and_nothing_else_is_not_hammered() {
    let closes = Server::new(|peer| {
        peer.request();
    });
    let view = run(&plan(
        &closes.url(),
        &json!({"duration_ms": 400, "users": 4}),
    ));
    assert_eq!(
        view.errors.get("closed"),
        Some(&view.requests),
        "{}",
        text(&view)
    );
    assert!((4..400).contains(&view.requests), "{}", view.requests);
}

#[test]
fn what_is_not_http_is_told_as_such() {
    for garbage in [
        &b"SSH-2.0-OpenSSH_9.2\r\n"[..],
        b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/2.0 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno header\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nxx\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
    ] {
        let server = Server::bytes(garbage);
        assert_all(&server.url(), "protocol", &json!({}));
    }
}

#[test]
fn a_banner_before_the_request_is_not_waited_on() {
    let server = Server::new(|peer| {
        peer.send(b"220 mail.example.test ESMTP\r\n");
        peer.wait();
    });
    let view = assert_all(&server.url(), "protocol", &json!({"timeout_ms": 5000}));
    assert!(view.elapsed_s < 4.0);
}

#[test]
fn a_head_without_end_is_cut() {
    let endless = Server::new(|peer| {
        peer.request();
        peer.send(b"HTTP/1.1 200 OK\r\n");
        while peer.send(&[b"X-More: and more\r\n".as_slice(); 500].concat()) {}
    });
    assert_all(&endless.url(), "too_long", &json!({"timeout_ms": 5000}));
    let line = Server::new(|peer| {
        peer.request();
        peer.send(b"HTTP/1.1 200 OK\r\nX: ");
        while peer.send(&[b'x'; 10_000]) {}
    });
    assert_all(&line.url(), "too_long", &json!({"timeout_ms": 5000}));
    let interim = Server::new(|peer| {
        peer.request();
        while peer.send(&[b"HTTP/1.1 100 Continue\r\n\r\n".as_slice(); 50].concat()) {}
    });
    assert_all(&interim.url(), "too_long", &json!({"timeout_ms": 5000}));
    let slow = Server::new(|peer| {
        peer.request();
        while peer.send(b"HTTP/1.1 102 Processing\r\n\r\n") {
            thread::sleep(Duration::from_millis(20));
        }
    });
    assert_all(&slow.url(), "timeout", &json!({"timeout_ms": 200}));
}

#[test]
fn a_body_without_end_ends_with_the_timeout_and_holds_up_nobody() {
    for head in [
        &b"HTTP/1.1 200 OK\r\n\r\n"[..],
        b"HTTP/1.1 200 OK\r\nContent-Length: 9000000000000000000\r\n\r\n",
    ] {
        let server = Server::new(move |peer| {
            peer.request();
            peer.send(head);
            let block = vec![b'x'; 1 << 20];
            while peer.send(&block) {}
        });
        let limits = json!({"requests": 2, "users": 2, "timeout_ms": 400});
        let view = run(&plan(&server.url(), &limits));
        assert_eq!(view.errors.get("timeout"), Some(&2), "{}", text(&view));
        assert!(view.elapsed_s < 4.0, "{}", view.elapsed_s);
        assert!(view.bytes_in > 1 << 20);
        // The end of the run does not wait for it either.
        let limits = json!({"duration_ms": 200, "drain_ms": 200, "users": 2});
        let view = run(&plan(&server.url(), &limits));
        assert_eq!((view.requests, view.unanswered), (0, 2), "{}", text(&view));
        assert!(view.elapsed_s < 4.0, "{}", view.elapsed_s);
    }
}

#[test]
fn an_answer_that_is_cut_off_is_no_answer() {
    for cut in [
        &b"HTTP/1.1 200 OK\r\nContent-Le"[..],
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nwhole\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nwhole\r\n0\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
    ] {
        let server = Server::new(move |peer| {
            peer.request();
            peer.send(cut);
        });
        assert_all(&server.url(), "closed", &json!({"timeout_ms": 5000}));
        // A peer that closes its side alone, and would still read.
        let half = Server::new(move |peer| {
            peer.request();
            peer.send(cut);
            peer.stream.shutdown(Shutdown::Write).unwrap();
            peer.wait();
        });
        assert_all(&half.url(), "closed", &json!({"timeout_ms": 5000}));
    }
}

#[test]
fn a_peer_that_closes_its_side_before_the_request_is_noticed() {
    let server = Server::new(|peer| {
        peer.stream.shutdown(Shutdown::Write).unwrap();
        peer.wait();
    });
    let view = assert_all(&server.url(), "closed", &json!({"timeout_ms": 5000}));
    assert!(view.elapsed_s < 4.0);
}

#[test]
fn bytes_after_an_answer_end_its_connection_and_no_other_request() {
    let together = Server::bytes(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokay, and more");
    let view = run(&plan(&together.url(), &json!({"requests": 60, "users": 3})));
    assert_eq!(
        (
            view.passed,
            together.seen.accepted(),
            view.generator.unasked
        ),
        (60, 60, 60),
        "{}",
        text(&view)
    );
    // And what comes when nobody waits for anything.
    let later = Server::new(|peer| {
        peer.request();
        peer.ok();
        thread::sleep(Duration::from_millis(5));
        peer.send(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n");
        peer.wait();
    });
    let thinks = scenario(&[step("get", "/", &json!({"think_ms": [100, 100]}))]);
    let limits = json!({"requests": 6, "users": 1, "scenarios": [thinks]});
    let view = run(&plan(&later.url(), &limits));
    // Nobody looks at the last one.
    let unasked = view.generator.unasked;
    assert!(
        view.passed == 6 && (5..=6).contains(&unasked),
        "{}",
        text(&view)
    );
    let answered_twice = Server::new(
        |peer| {
            while peer.request().is_some() && peer.ok() && peer.ok() {}
        },
    );
    let view = run(&plan(
        &answered_twice.url(),
        &json!({"requests": 60, "users": 3}),
    ));
    assert_eq!(view.requests, 60, "{}", text(&view));
}

#[test]
fn an_answer_comes_in_any_pieces() {
    let server = Server::new(|peer| {
        while peer.request().is_some() {
            for byte in b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
            {
                if !peer.send(&[*byte]) {
                    return;
                }
            }
        }
    });
    let view = run(&plan(&server.url(), &json!({"requests": 20, "users": 2})));
    assert_eq!(
        (view.passed, server.seen.accepted()),
        (20, 2),
        "{}",
        text(&view)
    );
}

#[test]
fn connections_that_drop_under_load_are_counted_and_the_run_goes_on() {
    let server = Server::new(|peer| {
        for asked in 0.. {
            if peer.request().is_none() {
                return;
            }
            match (peer.number + asked) % 17 {
                5 => {
                    peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf");
                    return;
                }
                11 => return peer.reset(),
                _ => {
                    peer.ok();
                }
            }
        }
    });
    let view = run(&plan(
        &server.url(),
        &json!({"requests": 2000, "users": 10}),
    ));
    assert_eq!(view.requests, 2000, "{}", text(&view));
    let told = |class| view.errors.get(class).copied().unwrap_or(0);
    assert_eq!(
        view.failed,
        told("closed") + told("reset"),
        "{}",
        text(&view)
    );
    assert!(told("closed") > 10 && view.passed > 1500, "{}", text(&view));
}

#[test]
fn a_target_that_goes_down_and_comes_back_is_found_again() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let limits = json!({"duration_ms": 1500, "users": 2, "model": constant(200.0)});
    let run = servers::started(&plan(&format!("http://{address}"), &limits));
    thread::sleep(Duration::from_millis(500));
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_reuse_address(true).unwrap();
    socket.bind(&address.into()).unwrap();
    socket.listen(16).unwrap();
    let listener: TcpListener = socket.into();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            thread::spawn(move || {
                use std::io::{Read, Write};
                let mut room = [0; 4096];
                while matches!(stream.read(&mut room), Ok(1..)) {
                    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
                }
            });
        }
    });
    let view = servers::ended(&run);
    assert_eq!(view.requests, 300, "{}", text(&view));
    assert!(
        view.errors["connect"] > 20 && view.passed > 100,
        "{}",
        text(&view)
    );
    assert_all_asked(&view);
}

#[test]
fn a_request_that_cannot_be_made_is_a_failed_one() {
    let server = Server::plain();
    let mut data = scenario(&[step("get", "/", &json!({"headers": [["X", "${id}"]]}))]);
    data["data"] = json!({"columns": ["id"], "rows": [["good"], ["b\nad"]], "strategy": "cycle"});
    let view = run(&plan(
        &server.url(),
        &json!({"requests": 20, "scenarios": [data]}),
    ));
    assert_eq!((view.requests, view.passed), (20, 10), "{}", text(&view));
    assert_eq!((view.errors["template"], server.seen.asked()), (10, 10));
}
