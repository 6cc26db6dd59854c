//! What a run may not go beyond: connections, those that are kept, descriptors.

mod servers;

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::json;
use servers::{
    Server, assert_all_asked, constant, ended, plan, run, scenario, started, step, text, until,
};

#[test]
fn fewer_connections_than_users_serve_them_all() {
    let server = Server::slow(Duration::from_millis(1));
    let limits = json!({"requests": 600, "users": 20, "connections": 3});
    let view = run(&plan(&server.url(), &limits));
    assert_eq!(
        (view.passed, server.seen.accepted()),
        (600, 3),
        "{}",
        text(&view)
    );
    assert!(view.generator.bound > 100);
    assert!(
        view.generator
            .why
            .iter()
            .any(|why| why.contains("3 connections were all in use"))
    );
    // Nobody waited much longer than the others: 20 users over 3 connections.
    let latency = view.latency_ms.corrected.unwrap();
    assert!(latency.max < latency.p50 * 20.0 + 100.0, "{latency:?}");
}

#[test]
fn two_origins_share_the_bound_and_neither_starves() {
    for keep_alive in [true, false] {
        for connections in [1, 2, 3] {
            let (one, two) = (Server::plain(), Server::plain());
            let to_two = format!("{}/2", two.url());
            let steps = [
                step("one", "/1", &json!({})),
                step("two", &to_two, &json!({})),
            ];
            let limits = json!({
                "requests": 200, "users": 10, "connections": connections, "keep_alive": keep_alive,
                "scenarios": [scenario(&steps)],
            });
            let view = run(&plan(&one.url(), &limits));
            assert_eq!((view.passed, view.failed), (200, 0), "{}", text(&view));
            let (first, second) = (one.seen.asked(), two.seen.asked());
            assert!(first.abs_diff(second) <= 10, "{first} and {second}");
        }
    }
}

#[test]
fn two_scenarios_of_two_origins_share_one_connection() {
    let (one, two) = (Server::plain(), Server::plain());
    let mut other = scenario(&[step("two", &format!("{}/2", two.url()), &json!({}))]);
    other["name"] = json!("other");
    let both = json!([scenario(&[step("one", "/1", &json!({}))]), other]);
    let limits = json!({"requests": 300, "users": 6, "connections": 1, "scenarios": both});
    let view = run(&plan(&one.url(), &limits));
    assert_eq!(view.passed, 300, "{}", text(&view));
    assert!(one.seen.asked() > 60 && two.seen.asked() > 60);
}

#[test]
fn one_connection_that_breaks_again_and_again_serves_everybody() {
    let server = Server::new(|peer| {
        peer.request();
        peer.ok();
        peer.request();
        if peer.number.is_multiple_of(3) {
            peer.reset();
        }
    });
    let limits = json!({"requests": 200, "users": 8, "connections": 1});
    let view = run(&plan(&server.url(), &limits));
    assert_eq!((view.passed, view.failed), (200, 0), "{}", text(&view));
}

#[test]
fn a_hung_connection_gives_its_place_to_who_waits() {
    let server = Server::new(|peer| {
        if peer.number == 0 {
            peer.wait();
        }
        while peer.request().is_some() && peer.ok() {}
    });
    // The second one comes when the first one has waited for half of its time.
    let limits = json!({
        "requests": 50, "users": 4, "connections": 1, "timeout_ms": 600,
        "model": {"kind": "steps", "steps": [{"rate": 3.0, "for_ms": 1000}, {"rate": 100.0, "for_ms": 1}]},
    });
    let view = run(&plan(&server.url(), &limits));
    assert_eq!(
        (view.passed, view.errors["timeout"]),
        (49, 1),
        "{}",
        text(&view)
    );
}

#[test]
fn the_end_does_not_wait_for_who_waits_for_a_connection() {
    let server = Server::slow(Duration::from_millis(400));
    let limits = json!({
        "duration_ms": 200, "users": 6, "connections": 1, "model": constant(100.0), "drain_ms": 3000,
    });
    let view = run(&plan(&server.url(), &limits));
    assert_eq!(
        (view.requests, view.asked, view.unsent),
        (1, Some(20), 19),
        "{}",
        text(&view)
    );
    assert_all_asked(&view);
}

#[test]
fn connections_that_nobody_uses_are_closed_after_a_while() {
    let server = Server::slow(Duration::from_millis(50));
    let model = json!({"kind": "steps", "steps": [
        {"rate": 200, "for_ms": 100}, {"rate": 10, "for_ms": 1000},
    ]});
    let limits = json!({"duration_ms": 1500, "users": 20, "model": model, "idle_ms": 300});
    let run = started(&plan(&server.url(), &limits));
    until("as many connections as users", || server.seen.open() >= 8);
    std::thread::sleep(Duration::from_millis(1100));
    assert!(
        (1..=2).contains(&server.seen.open()),
        "{}",
        server.seen.open()
    );
    let view = ended(&run);
    assert_eq!((view.failed, view.unsent), (0, 0), "{}", text(&view));
}

#[test]
fn no_more_connections_are_kept_than_may_be() {
    let server = Server::slow(Duration::from_millis(20));
    let model =
        json!({"kind": "steps", "steps": [{"rate": 500, "for_ms": 40}, {"rate": 0, "for_ms": 1}]});
    let limits = json!({"duration_ms": 900, "users": 20, "model": model, "idle_per_host": 2});
    let run = started(&plan(&server.url(), &limits));
    until("all are answered", || run.view(0, false).requests == 20);
    until("the others are closed", || server.seen.open() <= 2);
    assert_eq!(server.seen.open(), 2);
    assert_eq!(ended(&run).passed, 20);
}

#[test]
fn no_descriptors_are_told_and_the_run_ends_well() {
    const INSIDE: &str = "CHAFFINCH_TEST_FEW_DESCRIPTORS";
    if let Ok(url) = std::env::var(INSIDE) {
        let limits = json!({"duration_ms": 700, "users": 100, "model": constant(500.0)});
        let run = started(&plan(&url, &limits));
        let view = ended(&run);
        assert!(
            view.errors["system"] > 10 && view.passed > 10,
            "{}",
            text(&view)
        );
        assert_eq!(view.failed, view.errors["system"], "{}", text(&view));
        assert!(view.generator.saturated);
        assert!(
            view.generator
                .why
                .iter()
                .any(|why| why.contains("raise `ulimit -n`")),
            "{}",
            text(&view)
        );
        assert_all_asked(&view);
        return;
    }
    let server = Server::slow(Duration::from_millis(100));
    let begun = Instant::now();
    let status = Command::new("sh")
        .args(["-c", "ulimit -n 40 && exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "no_descriptors_are_told_and_the_run_ends_well",
            "--test-threads=1",
        ])
        .env(INSIDE, server.url())
        .status()
        .unwrap();
    assert!(status.success());
    assert!(begun.elapsed() < Duration::from_secs(10));
}

#[test]
fn an_address_that_cannot_be_reached_leaves_its_requests_to_the_others() {
    let server = Server::plain();
    let port = server.address.port();
    let entry = |address: &str| json!({"host": "shop.test", "port": null, "address": address, "to_port": port});
    // Only the last one listens on this port.
    let entries = [entry("127.0.0.2"), entry("::1"), entry("127.0.0.1")];
    let limits = json!({"requests": 60, "users": 4, "keep_alive": false, "resolve": entries});
    let view = run(&plan("http://shop.test", &limits));
    assert_eq!(
        (view.passed, server.seen.asked()),
        (60, 60),
        "{}",
        text(&view)
    );
    let nobody = json!({"requests": 5, "users": 2, "resolve": entries[..2]});
    let view = run(&plan("http://shop.test", &nobody));
    assert_eq!(
        (view.requests, view.errors["connect"]),
        (5, 5),
        "{}",
        text(&view)
    );
}
