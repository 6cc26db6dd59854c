//! How long users wait for a connection, and who needs none.

mod servers;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::thread;
use std::time::Duration;

use serde_json::json;
use servers::{Server, plan, run, scenario, step, text};
use socket2::{Domain, Socket, Type};

/// An address that takes no connection and refuses none, as long as this is kept.
struct Hole {
    address: SocketAddr,
    _held: Vec<Socket>,
}

fn hole() -> Hole {
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
    listener.bind(&any.into()).unwrap();
    listener.listen(0).unwrap();
    let address = listener.local_addr().unwrap().as_socket().unwrap();
    let mut held = vec![listener];
    // Fills the queue of those that wait to be accepted.
    for _ in 0..4 {
        let one = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        one.set_nonblocking(true).unwrap();
        let _ = one.connect(&address.into());
        held.push(one);
    }
    thread::sleep(Duration::from_millis(50));
    Hole {
        address,
        _held: held,
    }
}

#[test]
fn who_waits_for_a_connection_waits_no_longer_than_for_an_answer() {
    let server = Server::slow(Duration::from_millis(400));
    let limits = json!({"requests": 4, "users": 4, "connections": 1, "timeout_ms": 600});
    let view = run(&plan(&server.url(), &limits));
    // The second one is sent after 400 ms, and has 200 ms left.
    assert_eq!(
        (view.passed, view.errors.get("timeout")),
        (1, Some(&3)),
        "{}",
        text(&view)
    );
    assert!(view.elapsed_s < 1.1, "{}", text(&view));
    let waited = view.latency_ms.uncorrected.unwrap();
    assert!(waited.max >= 400.0, "{}", waited.max);
}

#[test]
fn a_step_gives_up_before_its_connection_stands() {
    let nobody = hole();
    let limits =
        json!({"requests": 6, "users": 3, "timeout_ms": 200, "connect_timeout_ms": 10_000});
    let view = run(&plan(&format!("http://{}", nobody.address), &limits));
    assert_eq!(view.errors.get("timeout"), Some(&6), "{}", text(&view));
    assert!((0.4..2.0).contains(&view.elapsed_s), "{}", text(&view));
}

#[test]
fn an_address_that_takes_no_connection_costs_one_wait_and_not_one_each_turn() {
    let (nobody, server) = (hole(), Server::plain());
    let entry = |port: u16| json!({"host": "shop.test", "port": null, "address": "127.0.0.1", "to_port": port});
    let entries = [entry(nobody.address.port()), entry(server.address.port())];
    let limits = json!({
        "requests": 40, "users": 1, "keep_alive": false, "resolve": entries, "connect_timeout_ms": 300,
    });
    let view = run(&plan("http://shop.test", &limits));
    assert_eq!((view.passed, view.failed), (40, 0), "{}", text(&view));
    assert!(view.elapsed_s < 1.5, "{}", text(&view));
}

#[test]
fn a_step_that_is_answered_from_what_is_kept_takes_no_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        drop(listener); // nobody is there from now on
        let mut room = [0; 4096];
        assert!(stream.read(&mut room).unwrap() > 0);
        let answer = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok";
        stream.write_all(answer).unwrap();
    });
    let cached = json!({
        "duration_ms": 300,
        "scenarios": [scenario(&[step("get", "/", &json!({"cache_ttl_ms": 3_600_000}))])],
    });
    let view = run(&plan(&url, &cached));
    assert_eq!((view.passed, view.failed), (1, 0), "{}", text(&view));
    assert!(view.cached > 10, "{}", text(&view));
}
