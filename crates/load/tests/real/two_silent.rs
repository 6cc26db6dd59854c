//! HTTP/2 with peers that fall silent or refuse everything: whose connections are given up, and whose are kept.

use std::thread;
use std::time::Duration;

use crate::two::{asked, server};

/// A peer that went away owes one answer, which never comes: its connection is nobody's after that.
#[test]
fn a_leaving_peer_that_owes_an_answer_for_ever_gives_up_its_place() {
    let peer = server(&[], |two, number| {
        let first = two.request()?;
        if number == 0 {
            two.go_away(first)?;
        } else {
            two.ok(first)?;
        }
        loop {
            let stream = two.request()?;
            two.ok(stream)?;
        }
    });
    let plan = asked(&peer, 100)
        .with("connections", 1)
        .with("timeout_ms", 200);
    let told = plan.times(1, 3).run();
    let timeouts = told.number("errors/timeout");
    assert_eq!((timeouts, told.answers(200)), (1, 2), "{}", told.0);
    assert!(told.0["elapsed_s"].as_f64().unwrap() < 2.0, "{}", told.0);
    assert_eq!(peer.accepted(), 2);
}

/// It may be dead, as when a balancer forgot it: whoever asks next does so on another one.
#[test]
fn a_connection_on_which_nothing_is_heard_any_more_is_left() {
    let peer = server(&[], |two, number| {
        for answered in 0.. {
            let stream = two.request()?;
            if number > 0 || answered < 20 {
                two.ok(stream)?;
            }
        }
        Ok(())
    });
    let plan = asked(&peer, 100).with("timeout_ms", 200);
    let told = plan.times(4, 400).run();
    let timeouts = told.number("errors/timeout");
    assert!((4..=8).contains(&timeouts), "{}", told.0);
    assert_eq!(told.answers(200), 400 - timeouts, "{}", told.0);
    assert_eq!(peer.accepted(), 2);
}

#[test]
fn a_connection_is_idle_from_its_last_answer_on() {
    for streams in [1, 100] {
        let peer = server(&[], |two, _| {
            loop {
                let stream = two.request()?;
                thread::sleep(Duration::from_millis(700));
                two.ok(stream)?;
            }
        });
        let plan = asked(&peer, streams)
            .with("idle_ms", 900)
            .step("think_ms", vec![500, 500]);
        plan.times(1, 3).run().all_well(3);
        assert_eq!(peer.accepted(), 1, "{streams} streams");
    }
}

#[test]
fn a_peer_that_resets_everything_is_not_hammered() {
    let peer = server(&[], |two, _| {
        loop {
            let stream = two.request()?;
            two.reset(stream, 2)?;
        }
    });
    let told = asked(&peer, 10)
        .with("requests", ())
        .with("users", 4)
        .with("duration_ms", 500)
        .run();
    let requests = told.number("requests");
    told.all_failed("reset", requests);
    assert!((4..=220).contains(&requests), "{}", told.0);
}
