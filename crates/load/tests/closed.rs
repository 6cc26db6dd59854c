//! Runs whose users go on as soon as they have their answer, and what becomes of their connections.

mod servers;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use chaffinch_load::View;
use serde_json::json;
use servers::{Server, plan, run, scenario, step, text};

#[test]
fn so_many_requests_are_sent_as_were_asked_for() {
    for (requests, users, threads) in [
        (1, 1, 1),
        (1, 10, 2),
        (100, 1, 1),
        (997, 10, 1),
        (1000, 7, 3),
    ] {
        let server = Server::plain();
        let view = run(&plan(
            &server.url(),
            &json!({"requests": requests, "users": users, "threads": threads}),
        ));
        assert_eq!(
            (view.requests, view.passed),
            (requests, requests),
            "{}",
            text(&view)
        );
        assert_eq!(server.seen.asked(), requests);
        assert_eq!(view.statuses["200"], requests);
        assert!(server.seen.accepted() <= users);
        assert_eq!(view.asked, None);
    }
}

#[test]
fn more_threads_than_users_or_connections_are_no_problem() {
    let server = Server::plain();
    let few_users = json!({"requests": 100, "users": 2, "threads": 4});
    assert_eq!(run(&plan(&server.url(), &few_users)).passed, 100);
    assert!(server.seen.most_open() <= 2);
    let server = Server::plain();
    let few_connections = json!({"requests": 100, "users": 8, "threads": 4, "connections": 2});
    assert_eq!(run(&plan(&server.url(), &few_connections)).passed, 100);
    assert!(server.seen.most_open() <= 2, "{}", server.seen.most_open());
}

#[test]
fn a_run_of_no_requests_or_no_time_ends_at_once() {
    let server = Server::plain();
    for end in [json!({"requests": 0}), json!({"duration_ms": 0})] {
        let view = run(&plan(&server.url(), &end));
        assert_eq!((view.requests, view.failed), (0, 0));
        assert!(view.latency_ms.corrected.is_none());
        assert!(view.elapsed_s < 2.0);
    }
    assert_eq!(server.seen.asked(), 0);
}

/// Others use this machine too: the best of some runs shows how long one takes, and each of them ends well.
fn best_of_some(holds: impl Fn(&View) -> bool, run: impl Fn() -> View) {
    const MOST: usize = 5;
    let mut others = Vec::new();
    while others.len() < MOST {
        let view = run();
        if holds(&view) {
            return;
        }
        others.push(text(&view));
    }
    panic!("not once in {MOST} runs: {others:?}");
}

#[test]
fn a_run_lasts_as_long_as_it_should() {
    let lasts = |view: &View| view.elapsed_s < 1.7 && view.requests > 20;
    best_of_some(lasts, || {
        let server = Server::slow(Duration::from_millis(1));
        let view = run(&plan(
            &server.url(),
            &json!({"duration_ms": 700, "users": 4}),
        ));
        assert!(view.elapsed_s >= 0.7, "{}", view.elapsed_s);
        assert_eq!((view.failed, view.unanswered, view.unsent), (0, 0, 0));
        assert_eq!(server.seen.asked(), view.requests);
        assert_eq!(server.seen.accepted(), 4);
        view
    });
}

#[test]
fn a_run_that_is_shorter_than_a_tick_sends() {
    let server = Server::slow(Duration::from_millis(1));
    let begins = |view: &View| view.requests + view.unsent >= 4;
    best_of_some(begins, || {
        let short = run(&plan(&server.url(), &json!({"duration_ms": 3, "users": 4})));
        assert_eq!(short.failed, 0, "{}", text(&short));
        short
    });
}

#[test]
fn a_connection_is_kept_and_used_again_unless_it_is_not_to_be() {
    let server = Server::plain();
    assert_eq!(
        run(&plan(&server.url(), &json!({"requests": 300, "users": 3}))).passed,
        300
    );
    assert_eq!(server.seen.accepted(), 3);
    let server = Server::plain();
    let view = run(&plan(
        &server.url(),
        &json!({"requests": 60, "users": 3, "keep_alive": false}),
    ));
    assert_eq!((view.passed, server.seen.accepted()), (60, 60));
    assert_eq!(view.phases_ms["connect"].as_ref().unwrap().count, 60);
}

#[test]
fn an_answer_that_ends_with_the_connection_is_whole() {
    for answer in [
        "HTTP/1.0 200 OK\r\n\r\nas long as it takes",
        "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nas long as it takes",
        "HTTP/1.0 200 OK\r\nContent-Length: 19\r\n\r\nas long as it takes",
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 19\r\n\r\nas long as it takes",
    ] {
        let server = Server::new(move |peer| {
            peer.request();
            peer.send(answer.as_bytes());
        });
        let view = run(&plan(&server.url(), &json!({"requests": 200, "users": 4})));
        assert_eq!((view.passed, view.failed), (200, 0), "{}", text(&view));
        assert_eq!(view.bytes_in, 200 * answer.len() as u64);
        assert_eq!((server.seen.accepted(), view.generator.again), (200, 0));
    }
}

#[test]
fn a_long_body_that_ends_with_the_connection_is_whole() {
    let server = Server::new(|peer| {
        peer.request();
        peer.send(b"HTTP/1.0 200 OK\r\n\r\n");
        let _ = peer.send(&vec![b'x'; 300_000]);
    });
    let view = run(&plan(&server.url(), &json!({"requests": 40, "users": 4})));
    assert_eq!(
        (view.passed, view.bytes_in),
        (40, 40 * 300_019),
        "{}",
        text(&view)
    );
}

#[test]
fn a_server_that_closes_kept_connections_costs_no_request() {
    for answers in [1, 3] {
        for users in [1, 8] {
            let server = Server::new(move |peer| {
                for _ in 0..answers {
                    if peer.request().is_none() || !peer.ok() {
                        return;
                    }
                }
            });
            let view = run(&plan(
                &server.url(),
                &json!({"requests": 400, "users": users}),
            ));
            assert_eq!((view.passed, view.failed), (400, 0), "{}", text(&view));
            assert_eq!(server.seen.asked(), 400);
        }
    }
}

#[test]
fn a_request_on_a_connection_that_was_just_closed_is_sent_again() {
    let server = Server::new(|peer| {
        peer.request();
        peer.ok();
        // The next request is read, so that it was sent for certain, and not answered.
        peer.request();
    });
    let view = run(&plan(&server.url(), &json!({"requests": 50, "users": 1})));
    assert_eq!((view.passed, view.failed), (50, 0), "{}", text(&view));
    assert_eq!(view.generator.again, 49);
    assert_eq!(server.seen.asked(), 99);
    // Many users, and no more connections than half of them.
    let view = run(&plan(
        &server.url(),
        &json!({"requests": 300, "users": 10, "connections": 5}),
    ));
    assert_eq!((view.passed, view.failed), (300, 0), "{}", text(&view));
}

#[test]
fn a_request_is_sent_again_once_and_not_for_ever() {
    let asked = AtomicU64::new(0);
    let server = Server::new(move |peer| {
        while peer.request().is_some() {
            if asked.fetch_add(1, Ordering::SeqCst) > 0 {
                return;
            }
            peer.ok();
        }
    });
    let view = run(&plan(&server.url(), &json!({"requests": 2})));
    assert_eq!((view.passed, view.failed), (1, 1), "{}", text(&view));
    assert_eq!((view.errors["closed"], view.generator.again), (1, 1));
    assert_eq!(server.seen.asked(), 3);
}

#[test]
fn users_whose_answers_are_kept_do_not_hold_up_the_others() {
    let server = Server::plain();
    let cached = json!({
        "users": 300, "requests": 301, "duration_ms": 1500,
        "scenarios": [scenario(&[step("get", "/", &json!({"cache_ttl_ms": 3_600_000}))])],
    });
    let view = run(&plan(&server.url(), &cached));
    assert_eq!((view.requests, view.failed), (300, 0), "{}", text(&view));
    assert!(view.cached > 300);
}

#[test]
fn rows_that_are_taken_once_are_taken_to_the_end_of_their_iteration() {
    let server = Server::slow(Duration::from_millis(2));
    let rows: Vec<[String; 1]> = (0..50).map(|row| [row.to_string()]).collect();
    let mut data = scenario(&[
        step("one", "/${id}", &json!({})),
        step("two", "/${id}", &json!({})),
        step("three", "/${id}", &json!({})),
    ]);
    data["data"] = json!({"columns": ["id"], "rows": rows, "strategy": "unique"});
    for (users, threads) in [(7, 1), (8, 2), (1, 2)] {
        let limits = json!({
            "users": users, "threads": threads, "requests": 100_000, "scenarios": [data.clone()],
        });
        let view = run(&plan(&server.url(), &limits));
        assert_eq!(
            (view.requests, view.iterations),
            (150, 50),
            "{}",
            text(&view)
        );
    }
}

#[test]
fn failed_steps_are_sent_again_as_often_as_they_may_be() {
    let server = Server::bytes(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n");
    let mut retried = scenario(&[step("get", "/", &json!({}))]);
    retried["retries"] = json!(2);
    let view = run(&plan(
        &server.url(),
        &json!({"requests": 10, "scenarios": [retried]}),
    ));
    assert_eq!(
        (view.requests, view.failed, view.iterations),
        (10, 10, 4),
        "{}",
        text(&view)
    );
    assert_eq!(view.errors["status"], 10);
}

#[test]
fn a_step_that_is_kept_takes_no_request_from_the_others() {
    let server = Server::plain();
    let steps = [
        step("asked", "/1", &json!({})),
        step("kept", "/2", &json!({"cache_ttl_ms": 3_600_000})),
    ];
    for requests in [1, 2, 3, 50, 51] {
        let limits = json!({"requests": requests, "users": 1, "scenarios": [scenario(&steps)]});
        let view = run(&plan(&server.url(), &limits));
        assert_eq!(view.passed, requests, "{}", text(&view));
    }
}

#[test]
fn figures_of_a_failed_request_are_its_own() {
    // The first answer counts its bytes; the requests that find nobody count none.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        drop(listener);
        let mut room = [0; 4096];
        assert!(stream.read(&mut room).unwrap() > 0);
        let answer = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok";
        stream.write_all(answer).unwrap();
    });
    let view = run(&plan(&url, &json!({"requests": 5})));
    assert_eq!((view.requests, view.passed), (5, 1), "{}", text(&view));
    assert_eq!(view.bytes_in, 59, "{}", text(&view));
    assert!(view.bytes_out < 60, "{}", text(&view));
}

#[test]
fn a_status_that_was_asserted_is_no_failure_and_counts_in_no_category() {
    let server = Server::bytes(b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n");
    for (status, failed) in [(404, 0), (200, 8)] {
        let assert = json!([{"what": "status", "is": [status], "between": null}]);
        let one = step("get", "/", &json!({"assert": assert}));
        let view = run(&plan(
            &server.url(),
            &json!({"requests": 8, "scenarios": [scenario(&[one])]}),
        ));
        assert_eq!(view.failed, failed, "{}", text(&view));
        assert_eq!(
            view.categories.get("client").copied(),
            (failed > 0).then_some(8)
        );
        assert_eq!(view.categories.values().sum::<u64>(), failed);
    }
}
