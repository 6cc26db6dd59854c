//! Runs whose scenarios are replaced while they go on.

mod servers;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use chaffinch_load::View;
use serde_json::{Value, json};
use servers::{
    Peer, Server, assert_all_asked, constant, ended, pause, plan, prepared, replace, scenario,
    started, step, text, until, with,
};

/// Steps to these paths, named after them.
fn steps(paths: &[&str]) -> Value {
    let steps: Vec<_> = paths
        .iter()
        .map(|path| step(path.trim_matches('/'), path, &json!({})))
        .collect();
    json!([scenario(&steps)])
}

/// The paths that were asked for, in order, each a little later answered than asked.
struct Asked(Arc<Mutex<Vec<String>>>, Server);

impl Asked {
    fn new(delay: Duration) -> Self {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&asked);
        let server = Server::new(move |peer| {
            while let Some(head) = peer.request() {
                let path = head.split_whitespace().nth(1).unwrap().to_owned();
                told.lock().unwrap().push(path);
                thread::sleep(delay);
                if !peer.ok() {
                    return;
                }
            }
        });
        Self(asked, server)
    }

    fn paths(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    fn count(&self, path: &str) -> u64 {
        self.paths().iter().filter(|one| *one == path).count() as u64
    }
}

/// Counts of steps by label, which together are all requests.
fn by_label(view: &View) -> BTreeMap<&str, u64> {
    let labels = view.labels.iter().filter(|(_, label)| label.requests > 0);
    labels
        .map(|(name, label)| (name.as_str(), label.requests))
        .collect()
}

#[test]
fn an_iteration_ends_with_the_steps_that_it_began_with() {
    // The user and its iteration are in each path.
    let of = |version: &str| {
        let names = ["one", "two", "three"].map(|name| format!("{version}-{name}"));
        let paths = names
            .iter()
            .map(|name| format!("/{name}/${{user}}/${{iteration}}"));
        let steps: Vec<_> = paths
            .zip(&names)
            .map(|(path, name)| step(name, &path, &json!({})))
            .collect();
        json!([scenario(&steps)])
    };
    let asked = Asked::new(Duration::from_millis(3));
    let limits = json!({"duration_ms": 1500, "users": 9, "threads": 2, "scenarios": of("a")});
    let before = plan(&asked.1.url(), &limits);
    let run = started(&before);
    pause(400);
    replace(&run, &with(&before, &json!({"scenarios": of("b")}))).unwrap();
    let view = ended(&run);
    let mut iterations: BTreeMap<(String, u64), Vec<String>> = BTreeMap::new();
    for path in asked.paths() {
        let parts: Vec<_> = path.split('/').map(str::to_owned).collect();
        let key = (parts[2].clone(), parts[3].parse().unwrap());
        iterations.entry(key).or_default().push(parts[1].clone());
    }
    let mut last: BTreeMap<&str, (u64, &str)> = BTreeMap::new();
    for ((user, number), names) in &iterations {
        let version = &names[0][..1];
        let whole = ["one", "two", "three"].map(|name| format!("{version}-{name}"));
        assert!(whole.starts_with(names), "{user} {number}: {names:?}");
        // Counted on, and never back to the version before.
        let (before, old) = last.insert(user, (*number, version)).unwrap_or((0, "a"));
        assert_eq!(*number, before + 1, "{user}");
        assert!(old <= version, "{user} {number}");
    }
    assert_eq!(last.len(), 9);
    assert!(last.values().all(|(_, version)| *version == "b"));
    assert_eq!(view.requests, asked.paths().len() as u64, "{}", text(&view));
    assert_eq!((view.failed, view.unanswered), (0, 0), "{}", text(&view));
    assert_eq!(asked.1.seen.accepted(), 9, "connections are kept");
    for (name, count) in by_label(&view) {
        let path = format!("/{}/", name.trim_start_matches("run/"));
        let sent = asked
            .paths()
            .iter()
            .filter(|one| one.starts_with(&path))
            .count();
        assert_eq!(count, sent as u64, "{name}");
    }
    assert_eq!(view.versions, [1]);
}

#[test]
fn the_rate_has_no_gap_where_scenarios_are_replaced() {
    let asked = Asked::new(Duration::from_millis(1));
    let mut before = plan(
        &asked.1.url(),
        &json!({"duration_ms": 2000, "users": 20, "threads": 2, "model": constant(1000.0), "scenarios": steps(&["/a"])}),
    );
    before["percentiles"]["interval_ms"] = json!(100);
    let run = started(&before);
    for other in ["/b", "/c", "/d"] {
        pause(400);
        replace(&run, &with(&before, &json!({"scenarios": steps(&[other])}))).unwrap();
    }
    let view = ended(&run);
    assert_eq!(
        (view.asked, view.failed),
        (Some(2000), 0),
        "{}",
        text(&view)
    );
    assert_all_asked(&view);
    // What fell due does not depend on how busy this machine is: each interval has its hundred.
    for interval in view.intervals.iter().filter(|one| one.seconds > 0.099) {
        let asked = interval.asked.unwrap();
        let due = interval.seconds * 1000.0;
        assert!((asked as f64 - due).abs() < 30.0, "{asked} of {due}");
    }
    assert_eq!(by_label(&view).values().sum::<u64>(), view.requests);
    for path in ["/a", "/b", "/c", "/d"] {
        assert!(asked.count(path) > 100, "{path}");
    }
    assert!(asked.1.seen.accepted() <= 20);
}

#[test]
fn a_model_that_stays_goes_on_and_another_one_begins_with_the_scenarios() {
    let asked = Asked::new(Duration::ZERO);
    let ramp = json!({"kind": "ramp", "from": 0, "to": 400, "over_ms": 1000, "hold_ms": 0, "back_ms": 1000});
    let limits = json!({"duration_ms": 2000, "users": 20, "threads": 2, "model": ramp, "scenarios": steps(&["/a"])});
    let before = plan(&asked.1.url(), &limits);
    let run = started(&before);
    pause(700);
    replace(&run, &with(&before, &json!({"scenarios": steps(&["/b"])}))).unwrap();
    let view = ended(&run);
    assert_eq!(
        (view.asked, view.requests),
        (Some(400), 400),
        "{}",
        text(&view)
    );

    let limits = json!({"duration_ms": 1500, "users": 20, "model": constant(0.0), "scenarios": steps(&["/a"])});
    let before = plan(&asked.1.url(), &limits);
    let (old, new) = (asked.count("/a"), asked.count("/b"));
    let run = started(&before);
    pause(500);
    let other = json!({"scenarios": steps(&["/b"]), "model": constant(200.0), "users": 5});
    replace(&run, &with(&before, &other)).unwrap();
    let view = ended(&run);
    assert!((170..=200).contains(&view.requests), "{}", text(&view));
    assert_eq!(
        (asked.count("/a") - old, asked.count("/b") - new),
        (0, view.requests)
    );
    assert_all_asked(&view);
}

#[test]
fn base_url_headers_and_timeouts_are_those_of_the_new_plan() {
    let heads = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&heads);
    let other = Server::new(move |peer| {
        while let Some(head) = peer.request() {
            told.lock().unwrap().push(head);
            if !peer.ok() {
                return;
            }
        }
    });
    let first = Asked::new(Duration::from_millis(2));
    let before = plan(
        &first.1.url(),
        &json!({"duration_ms": 1500, "users": 4, "threads": 2, "headers": [["X-Version", "one"]]}),
    );
    let run = started(&before);
    pause(200);
    let moved = json!({"base_url": other.url(), "headers": [["X-Version", "two"]]});
    replace(&run, &with(&before, &moved)).unwrap();
    until("the other origin", || heads.lock().unwrap().len() > 20);
    let sent = first.paths().len();
    pause(100);
    assert_eq!(
        first.paths().len(),
        sent,
        "nobody asks the old one any more"
    );
    // Back again, where connections are still open.
    replace(&run, &before).unwrap();
    until("the first origin", || first.paths().len() > sent + 20);
    let silent = Server::new(Peer::wait);
    let late = json!({"base_url": silent.url(), "timeout_ms": 50});
    replace(&run, &with(&before, &late)).unwrap();
    let view = ended(&run);
    assert_eq!(first.1.seen.accepted(), 4);
    let heads = heads.lock().unwrap();
    assert!(heads.iter().all(|head| head.contains("X-Version: two")));
    let answered = heads.len() + first.paths().len();
    assert_eq!(view.passed, answered as u64, "{}", text(&view));
    assert!(view.errors["timeout"] >= 4, "{}", text(&view));
    assert_eq!(view.errors.len(), 1, "{}", text(&view));
}

#[test]
fn what_a_run_keeps_or_cannot_do_is_refused_and_it_goes_on_as_it_was() {
    let asked = Asked::new(Duration::from_millis(1));
    let before = plan(
        &asked.1.url(),
        &json!({"duration_ms": 1200, "users": 3, "scenarios": steps(&["/a"])}),
    );
    let run = started(&before);
    let kept = [
        ("http", json!("2")),
        ("threads", json!(2)),
        ("connections", json!(7)),
        ("duration_ms", json!(60_000)),
        ("requests", json!(5)),
        ("seed", json!(9)),
        ("drain_ms", json!(1)),
        ("keep_alive", json!(false)),
        (
            "resolve",
            json!([{"host": "a.test", "port": null, "address": "127.0.0.1", "to_port": null}]),
        ),
    ];
    for (field, value) in kept {
        let why = replace(&run, &with(&before, &json!({ field: value }))).unwrap_err();
        assert_eq!(
            why,
            format!("a run keeps {field} until its end: leave that as it was, or begin a new run")
        );
    }
    let unknown = with(&before, &json!({"scenarios": steps(&["/${nobody}"])}));
    let why = replace(&run, &unknown).unwrap_err();
    assert!(
        why.starts_with("scenario \"run\", step \"${nobody}\", path: "),
        "{why}"
    );
    let why = replace(&run, &with(&before, &json!({"scenarios": steps(&[])}))).unwrap_err();
    assert!(why.contains("there are none"), "{why}");
    let view = run.view(0, false);
    assert_eq!(view.versions, [0]);
    let sent = asked.paths().len();
    until("it goes on", || asked.paths().len() > sent + 50);
    let view = ended(&run);
    assert_eq!((asked.count("/a"), view.failed), (view.requests, 0));
    let why = replace(&run, &before).unwrap_err();
    assert!(
        why.starts_with("the run begins no more iterations"),
        "{why}"
    );
}

#[test]
fn who_begins_no_more_is_not_replaced() {
    let server = Server::slow(Duration::from_millis(400));
    let before = plan(&server.url(), &json!({"duration_ms": 60_000}));
    let run = started(&before);
    pause(100);
    run.stop();
    let why = replace(&run, &before).unwrap_err();
    assert!(
        why.starts_with("the run begins no more iterations"),
        "{why}"
    );
    assert_eq!(ended(&run).passed, 1);
    // Before it begins there is nothing to end.
    let asked = Asked::new(Duration::ZERO);
    let before = plan(
        &asked.1.url(),
        &json!({"requests": 20, "scenarios": steps(&["/a"])}),
    );
    let mut run = prepared(&before);
    replace(&run, &with(&before, &json!({"scenarios": steps(&["/b"])}))).unwrap();
    run.start().unwrap();
    assert_eq!(ended(&run).requests, 20);
    assert_eq!(asked.count("/b"), 20);
}

#[test]
fn rows_begin_anew_with_the_file_that_has_them() {
    let of = |name: &str, count: usize| {
        let rows: Vec<[String; 1]> = (0..count).map(|row| [format!("{name}{row}")]).collect();
        let mut one = scenario(&[step("get", "/${id}", &json!({}))]);
        one["data"] = json!({"columns": ["id"], "rows": rows, "strategy": "unique"});
        json!([one])
    };
    let asked = Asked::new(Duration::from_millis(5));
    let limits =
        json!({"duration_ms": 20_000, "users": 4, "threads": 2, "scenarios": of("a", 100_000)});
    let before = plan(&asked.1.url(), &limits);
    let run = started(&before);
    pause(200);
    replace(&run, &with(&before, &json!({"scenarios": of("b", 150)}))).unwrap();
    let view = ended(&run);
    let mut paths = asked.paths();
    let (all, of_b) = (
        paths.len(),
        paths.iter().filter(|path| path.starts_with("/b")).count(),
    );
    paths.sort();
    paths.dedup();
    assert_eq!((paths.len(), of_b), (all, 150));
    assert_eq!(
        (view.requests, view.failed),
        (all as u64, 0),
        "{}",
        text(&view)
    );
    assert!(view.elapsed_s < 10.0, "{}", text(&view));
    assert!(replace(&run, &before).is_err());
}

#[test]
fn labels_beyond_those_that_were_planned_are_folded_and_counted() {
    let asked = Asked::new(Duration::from_millis(1));
    let mut before = plan(
        &asked.1.url(),
        &json!({"duration_ms": 1000, "users": 2, "scenarios": steps(&["/a", "/b"])}),
    );
    before["percentiles"]["labels"] = json!(4);
    let run = started(&before);
    pause(300);
    replace(
        &run,
        &with(
            &before,
            &json!({"scenarios": steps(&["/b", "/c", "/d", "/e"])}),
        ),
    )
    .unwrap();
    let view = ended(&run);
    let labels = by_label(&view);
    assert_eq!(labels["run/a"], asked.count("/a"));
    assert_eq!(labels["run/b"], asked.count("/b"));
    assert_eq!(labels["run/c"], asked.count("/c"));
    assert_eq!(labels["__other__"], asked.count("/d") + asked.count("/e"));
    assert_eq!(view.folded.requests, labels["__other__"]);
}

#[test]
fn what_a_user_has_of_the_old_scenarios_is_forgotten() {
    // A cached answer and a place in the rows belong to steps that are no more.
    let asked = Asked::new(Duration::from_millis(1));
    let of = |path: &str| {
        let mut one = scenario(&[
            step("kept", path, &json!({"cache_ttl_ms": 3_600_000})),
            step("row", "/${id}", &json!({})),
        ]);
        one["data"] =
            json!({"columns": ["id"], "rows": [["x"], ["y"], ["z"]], "strategy": "sequential"});
        json!({"scenarios": [one]})
    };
    let before = plan(&asked.1.url(), &json!({"duration_ms": 900, "users": 3}));
    let run = started(&with(&before, &of("/old")));
    pause(300);
    replace(&run, &with(&before, &of("/new"))).unwrap();
    let view = ended(&run);
    assert_eq!(
        (asked.count("/old"), asked.count("/new")),
        (3, 3),
        "{}",
        text(&view)
    );
    assert_eq!(view.failed, 0);
}
