//! How runs begin, change and end, whoever ends them, and what is told of them on the way.

mod servers;

use std::thread;
use std::time::{Duration, Instant};

use chaffinch_load::engine::Relief;
use chaffinch_load::model::Model;
use serde_json::json;
use servers::{
    Server, assert_all_asked, constant, ended, plan, prepared, scenario, started, step, text,
};

fn pause(ms: u64) {
    thread::sleep(Duration::from_millis(ms));
}

#[test]
fn a_run_that_is_stopped_tells_what_ran() {
    let server = Server::slow(Duration::from_millis(30));
    for model in [json!({"kind": "closed"}), constant(100.0)] {
        let before = server.seen.asked();
        let run = started(&plan(
            &server.url(),
            &json!({"duration_ms": 60_000, "users": 5, "model": model, "threads": 2}),
        ));
        pause(500);
        run.stop();
        let view = ended(&run);
        assert!((0.5..2.0).contains(&view.elapsed_s), "{}", text(&view));
        assert!(view.requests >= 20, "{}", text(&view));
        assert_eq!(
            view.requests,
            server.seen.asked() - before,
            "each answer was waited for"
        );
        assert_eq!((view.failed, view.unanswered), (0, 0));
        if let Some(asked) = view.asked {
            // What would have been due later was never asked for.
            assert!((45..=65).contains(&asked), "{}", text(&view));
            assert_all_asked(&view);
        }
    }
}

#[test]
fn a_run_that_is_stopped_waits_no_longer_than_it_may() {
    let server = Server::new(servers::Peer::wait);
    for end in [
        json!({"duration_ms": 60_000}),
        json!({"duration_ms": null, "requests": 1000}),
    ] {
        let mut limits = plan(
            &server.url(),
            &json!({"users": 3, "drain_ms": 300, "timeout_ms": 30_000}),
        );
        for (name, value) in end.as_object().unwrap() {
            limits[name] = value.clone();
        }
        let run = started(&limits);
        pause(200);
        run.stop();
        let view = ended(&run);
        assert!((0.5..2.0).contains(&view.elapsed_s), "{}", text(&view));
        assert_eq!(
            (view.requests, view.unanswered, view.unsent),
            (0, 3, 0),
            "{}",
            text(&view)
        );
    }
}

#[test]
fn a_run_that_is_ended_waits_for_nothing() {
    let server = Server::new(servers::Peer::wait);
    let limits = json!({"duration_ms": 60_000, "users": 3, "model": constant(100.0)});
    let run = started(&plan(&server.url(), &limits));
    pause(300);
    let asked = Instant::now();
    run.end();
    let view = ended(&run);
    assert!(asked.elapsed() < Duration::from_secs(1));
    assert_eq!((view.requests, view.unanswered), (0, 3), "{}", text(&view));
    assert_all_asked(&view);
    run.end();
    run.stop();
    assert_eq!(run.view(0, true).state, "ended");
}

#[test]
fn the_last_answers_of_a_number_of_requests_are_waited_for() {
    let server = Server::slow(Duration::from_millis(300));
    let limits = json!({"requests": 20, "users": 20, "drain_ms": 0, "connections": 7});
    let view = servers::run(&plan(&server.url(), &limits));
    assert_eq!(
        (view.passed, view.unsent, view.unanswered),
        (20, 0, 0),
        "{}",
        text(&view)
    );
}

#[test]
fn a_second_start_does_nothing_and_no_start_at_all_neither() {
    let server = Server::plain();
    let limits = json!({"requests": 10});
    let mut run = started(&plan(&server.url(), &limits));
    run.start().unwrap();
    assert_eq!(ended(&run).requests, 10);
    run.start().unwrap();
    pause(50);
    assert_eq!((run.view(0, true).requests, server.seen.asked()), (10, 10));
    let idle = prepared(&plan(&server.url(), &limits));
    let view = idle.view(0, true);
    assert_eq!(
        (view.state, view.requests, view.elapsed_s),
        ("running", 0, 0.0)
    );
    assert!(!idle.wait(Duration::from_millis(10)));
    drop(idle);
    let going = started(&plan(
        &server.url(),
        &json!({"duration_ms": 60_000, "users": 4}),
    ));
    pause(50);
    let begun = Instant::now();
    drop(going);
    assert!(begun.elapsed() < Duration::from_secs(1));
}

#[test]
fn a_load_can_be_changed_while_it_runs() {
    let server = Server::plain();
    let run = started(&plan(
        &server.url(),
        &json!({"duration_ms": 2000, "users": 4, "model": constant(100.0), "threads": 2}),
    ));
    pause(480);
    run.change(Model::Constant { rate: 400.0 }, 20).unwrap();
    pause(500);
    run.change(Model::Constant { rate: 50.0 }, 1).unwrap();
    let view = ended(&run);
    // 0.5 s at 100, 0.5 s at 400, 1 s at 50, as exactly as this test slept.
    assert!((270..=340).contains(&view.requests), "{}", text(&view));
    assert_eq!((view.failed, view.unsent), (0, 0), "{}", text(&view));
    assert_all_asked(&view);
}

#[test]
fn a_load_can_become_closed_and_open_again() {
    let server = Server::slow(Duration::from_millis(5));
    let run = started(&plan(
        &server.url(),
        &json!({"duration_ms": 1500, "users": 3, "model": constant(20.0)}),
    ));
    pause(500);
    run.change(Model::Closed {}, 6).unwrap();
    pause(500);
    let between = server.seen.asked();
    run.change(Model::Constant { rate: 20.0 }, 2).unwrap();
    pause(100);
    let after = server.seen.asked();
    let view = ended(&run);
    assert!(
        between > 100 && server.seen.most_open() == 6,
        "{between}: {}",
        text(&view)
    );
    assert!(
        (8..=13).contains(&(view.requests - after)),
        "{}",
        text(&view)
    );
    assert_all_asked(&view);
}

#[test]
fn a_change_to_fewer_users_than_threads_loses_no_request() {
    let server = Server::slow(Duration::from_millis(1));
    let run = started(&plan(
        &server.url(),
        &json!({"requests": 600, "users": 4, "threads": 4}),
    ));
    pause(100);
    run.change(Model::Closed {}, 1).unwrap();
    let view = ended(&run);
    assert_eq!(
        (view.passed, server.seen.asked()),
        (600, 600),
        "{}",
        text(&view)
    );
    assert!(run.change(Model::Closed {}, 0).is_err());
    assert!(run.change(Model::Constant { rate: -1.0 }, 1).is_err());
}

#[test]
fn what_is_told_on_the_way_only_grows_and_intervals_are_told_once() {
    let server = Server::plain();
    let mut limits = plan(
        &server.url(),
        &json!({"duration_ms": 1200, "users": 5, "model": constant(500.0)}),
    );
    limits["percentiles"]["interval_ms"] = json!(100);
    let run = started(&limits);
    let (mut since, mut sum, mut requests) = (0, 0, 0);
    loop {
        let is_over = run.wait(Duration::from_millis(130));
        let view = run.view(since, true);
        assert!(view.requests >= requests);
        requests = view.requests;
        for interval in &view.intervals {
            assert_eq!(interval.n, since);
            since += 1;
            sum += interval.requests;
        }
        assert!(view.asked.unwrap() >= view.requests, "{}", text(&view));
        assert!(view.asked.unwrap() <= view.requests + u64::from(view.in_flight) + 260);
        if is_over {
            break;
        }
    }
    assert_eq!((sum, requests), (600, 600));
    assert!((8..=14).contains(&since), "{since}");
    servers::assert_adds_up(&run.view(0, true));
    assert!(run.view(since, true).intervals.is_empty());
    assert!(run.view(0, false).labels.is_empty());
}

#[test]
fn intervals_beyond_those_that_are_kept_go_and_keep_their_numbers() {
    let server = Server::plain();
    let mut limits = plan(
        &server.url(),
        &json!({"duration_ms": 900, "users": 2, "model": constant(50.0)}),
    );
    limits["percentiles"]["interval_ms"] = json!(100);
    limits["percentiles"]["intervals"] = json!(3);
    let run = started(&limits);
    while !run.wait(Duration::from_millis(100)) {}
    let view = run.view(0, true);
    assert_eq!(view.intervals.len(), 3);
    let first = view.intervals[0].n;
    assert!((4..=7).contains(&first), "{first}");
    run.relieve(Relief::DropIntervals);
    assert!(run.view(0, true).intervals.is_empty());
    assert_eq!(run.view(0, true).requests, 45);
}

#[test]
fn the_state_says_when_answers_are_only_waited_for() {
    let server = Server::slow(Duration::from_millis(900));
    let run = started(&plan(
        &server.url(),
        &json!({"duration_ms": 200, "users": 1}),
    ));
    pause(100);
    assert_eq!(run.view(0, true).state, "running");
    pause(400);
    assert_eq!(run.view(0, true).state, "draining");
    assert_eq!(ended(&run).passed, 1);
}

#[test]
fn numbers_as_large_as_they_can_be_are_no_problem() {
    let server = Server::plain();
    let mut limits = plan(
        &server.url(),
        &json!({"duration_ms": u64::MAX, "requests": 5, "drain_ms": u64::MAX, "timeout_ms": u64::MAX}),
    );
    limits["percentiles"]["interval_ms"] = json!(u64::MAX);
    assert_eq!(servers::run(&limits).passed, 5);
    let thinks = step("get", "/", &json!({"think_ms": [u64::MAX, u64::MAX]}));
    limits["scenarios"] = json!([scenario(&[thinks])]);
    let run = started(&limits);
    pause(100);
    run.stop();
    assert_eq!(ended(&run).passed, 1);
}

#[test]
fn a_day_of_pauses_ends_when_the_run_does() {
    let server = Server::plain();
    let thinks = step("get", "/", &json!({"think_ms": [86_400_000, 86_400_000]}));
    let limits = json!({"duration_ms": 300, "users": 4, "scenarios": [scenario(&[thinks])]});
    let view = servers::run(&plan(&server.url(), &limits));
    assert!(
        (view.requests, view.elapsed_s < 2.0) == (4, true),
        "{}",
        text(&view)
    );
    assert!(view.generator.cpu_s < 0.2);
}

#[test]
fn a_load_that_is_changed_again_and_again_changes() {
    let server = Server::plain();
    let run = started(&plan(
        &server.url(),
        &json!({"duration_ms": 700, "users": 4, "model": constant(0.0), "threads": 2}),
    ));
    for _ in 0..100 {
        run.change(Model::Constant { rate: 500.0 }, 4).unwrap();
        pause(5);
    }
    assert!(run.view(0, false).asked.unwrap() > 50);
    let view = ended(&run);
    assert!(view.requests > 100, "{}", text(&view));
    assert_all_asked(&view);
}
