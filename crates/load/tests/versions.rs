//! What is held of scenarios that were replaced, and for how long.

mod servers;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use serde_json::json;
use servers::{
    Server, constant, ended, pause, plan, replace, scenario, started, step, text, until, with,
};

/// Held by each test: one of them weighs the process.
static ALONE: Mutex<()> = Mutex::new(());

#[test]
fn a_version_is_held_as_long_as_somebody_is_in_the_middle_of_it() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let server = Server::plain();
    let thinks = |ms: u64| {
        let steps = [
            step("one", "/1", &json!({"think_ms": [ms, ms]})),
            step("two", "/2", &json!({})),
        ];
        json!({"scenarios": [scenario(&steps)]})
    };
    let before = plan(
        &server.url(),
        &json!({"duration_ms": 2500, "users": 5, "threads": 2}),
    );
    let run = started(&with(&before, &thinks(700)));
    pause(200);
    replace(&run, &with(&before, &thinks(0))).unwrap();
    pause(200);
    assert_eq!(run.view(0, false).versions, [0, 1]);
    until("the first one is over", || {
        run.view(0, false).versions == [1]
    });
    // Users who rest after an iteration hold nothing.
    let last = scenario(&[step("last", "/3", &json!({"think_ms": [60_000, 60_000]}))]);
    replace(&run, &with(&before, &json!({"scenarios": [last]}))).unwrap();
    pause(200);
    replace(&run, &with(&before, &thinks(0))).unwrap();
    until("the third one is over", || {
        run.view(0, false).versions == [3]
    });
    run.end();
    assert!(run.wait(Duration::from_secs(5)));
}

#[test]
fn so_many_versions_are_held_and_no_more() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let server = Server::plain();
    let slow = scenario(&[
        step("one", "/1", &json!({"think_ms": [60_000, 60_000]})),
        step("two", "/2", &json!({})),
    ]);
    let limits = json!({
        "duration_ms": 60_000, "users": 5000, "model": constant(500.0), "scenarios": [slow],
    });
    let before = plan(&server.url(), &limits);
    let run = started(&before);
    for _ in 0..15 {
        pause(100); // some fifty begin
        replace(&run, &before).unwrap();
    }
    pause(200);
    let all: Vec<u64> = (0..16).collect();
    assert_eq!(run.view(0, false).versions, all);
    let why = replace(&run, &before).unwrap_err();
    assert!(
        why.starts_with("users are still in the middle of 15 earlier versions"),
        "{why}"
    );
    run.end();
    assert!(run.wait(Duration::from_secs(5)));
}

#[test]
fn a_hundred_replacements_at_once_and_in_turn_leave_nothing_behind() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let resident = || {
        let status = std::fs::read_to_string("/proc/self/statm").unwrap();
        let pages: usize = status.split_whitespace().nth(1).unwrap().parse().unwrap();
        pages * 4096
    };
    let newest = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&newest);
    let server = Server::new(move |peer| {
        while let Some(head) = peer.request() {
            thread::sleep(Duration::from_millis(1));
            let is_newest = head.starts_with("GET /b/100-");
            told.fetch_or(is_newest, Ordering::SeqCst);
            if !peer.ok() {
                return;
            }
        }
    });
    let of = |number: usize| {
        let rows: Vec<[String; 1]> = (0..20_000)
            .map(|row| [format!("{number:03}-{row:020}")])
            .collect();
        let mut one = scenario(&[
            step("get", "/a", &json!({})),
            step("more", "/b/${id}", &json!({})),
        ]);
        one["data"] = json!({"columns": ["id"], "rows": rows, "strategy": "cycle"});
        json!({"scenarios": [one]})
    };
    let before = plan(
        &server.url(),
        &json!({"duration_ms": 20_000, "users": 8, "threads": 2}),
    );
    let run = started(&with(&before, &of(0)));
    let mut early = 0;
    for number in 1..=100 {
        replace(&run, &with(&before, &of(number))).unwrap();
        if number > 50 {
            pause(30);
        }
        if number == 20 {
            early = resident();
        }
    }
    until("the newest alone", || run.view(0, false).versions == [100]);
    let late = resident();
    assert!(late < early + (8 << 20), "{early} {late}");
    until("the newest rows", || newest.load(Ordering::SeqCst));
    run.stop();
    let view = ended(&run);
    assert_eq!(view.requests, server.seen.asked(), "{}", text(&view));
    assert_eq!(
        (view.failed, server.seen.accepted()),
        (0, 8),
        "{}",
        text(&view)
    );
}
