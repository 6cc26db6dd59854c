//! How exactly a run says when something was: how late an iteration began, whether an answer came in time, and into which
//! interval it falls.

mod servers;

use std::io::Read;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::json;
use servers::{Peer, Server, assert_all_asked, constant, plan, run, scenario, step, text};

/// More than the system takes at once, and long to hand over.
const BODY: usize = 20_000_000;

/// Reads one request with such a body. When its first bytes came; none when the peer is gone.
fn long_request(peer: &mut Peer) -> Option<Instant> {
    let mut room = vec![0; 1 << 18];
    let mut came = peer.stream.read(&mut room).ok()?;
    let first = Instant::now();
    let end = room[..came].windows(4).position(|four| four == b"\r\n\r\n");
    let mut left = end? + 4 + BODY;
    while left > came {
        left -= came;
        came = peer.stream.read(&mut room).ok().filter(|&came| came > 0)?;
    }
    Some(first)
}

/// Eight that are due at once, twice: the second time all connections stand, and each waits for those before it.
#[test]
fn an_iteration_is_as_late_as_its_bytes_are() {
    let came: Arc<Mutex<Vec<Instant>>> = Arc::default();
    let told = Arc::clone(&came);
    let server = Server::new(move |peer| {
        while let Some(first) = long_request(peer) {
            told.lock().unwrap().push(first);
            peer.ok();
        }
    });
    let steps = json!({"kind": "steps", "steps": [
        {"rate": 8000, "for_ms": 1}, {"rate": 0, "for_ms": 4000},
        {"rate": 8000, "for_ms": 1}, {"rate": 0, "for_ms": 1000},
    ]});
    let fields = json!({"method": "POST", "body_size": BODY});
    let post = scenario(&[step("post", "/", &fields)]);
    let asked = json!({"users": 8, "model": steps, "duration_ms": 4500, "scenarios": [post]});
    let view = run(&plan(&server.url(), &asked));
    assert_all_asked(&view);
    let mut came = came.lock().unwrap();
    assert_eq!((view.passed, came.len()), (16, 16), "{}", text(&view));
    came.sort_unstable();
    // By time, not by connection: one that is free already may take two of a second time, and another one none.
    let again = &came[8..];
    let waits: Duration = again.iter().map(|&one| one - again[0]).sum();
    let mean_ms = waits.as_secs_f64() * 1e3 / 7.0;
    let told = (view.generator.late, view.generator.late_ms);
    assert!(told.0 >= 6 && told.1 > mean_ms / 2.0, "{told:?} {mean_ms}");
}

#[test]
fn an_answer_just_after_its_timeout_is_too_late() {
    let server = Server::slow(Duration::from_millis(102));
    let late = json!({"users": 4, "requests": 40, "timeout_ms": 100});
    let view = run(&plan(&server.url(), &late));
    let timeouts = view.errors.get("timeout").copied();
    assert_eq!((view.passed, timeouts), (0, Some(40)), "{}", text(&view));
}

/// What the machine does meanwhile makes single runs worse, never better.
#[test]
fn what_falls_into_an_interval_is_counted_in_it() {
    let mut least = f64::MAX;
    for _ in 0..5 {
        let server = Server::plain();
        let steady = json!({"users": 20, "model": constant(1000.0), "duration_ms": 2000});
        let mut asked = plan(&server.url(), &steady);
        asked["percentiles"]["interval_ms"] = json!(100);
        let view = run(&asked);
        let mut sum = 0.0;
        let off = view.intervals.iter().take(19).map(|one| {
            sum += one.asked.unwrap() as f64;
            (sum - (one.at_s + one.seconds) * 1000.0).abs()
        });
        least = least.min(off.sum::<f64>() / 19.0);
    }
    assert!(least < 2.0, "{least} arrivals off in the mean");
}
