//! Runs as tests ask for them, and what they told.

use std::time::{Duration, Instant};

use chaffinch_load::engine::Run;
use chaffinch_load::plan::Plan;
use chaffinch_load::{Error, Result};
use serde_json::{Value, json};

/// A plan: one user that sends one `GET`, until something else is said.
#[derive(Clone)]
pub struct Asked(Value);

impl Asked {
    pub fn of(url: &str) -> Self {
        let step = json!({
            "name": "get", "method": "GET", "path": "", "query": [], "headers": [], "body": null,
            "body_size": null, "label": null, "extract": [], "assert": [], "cache_ttl_ms": null,
            "think_ms": [0, 0], "timeout_ms": null,
        });
        Self(json!({
            "base_url": url, "resolve": [],
            "tls": {"verify": true, "ca": null, "certificate": null, "key": null},
            "http": "1.1", "streams": 1, "connections": 1000, "idle_per_host": 1000, "idle_ms": 30_000,
            "nodelay": true, "keep_alive": true, "connect_timeout_ms": 5000, "timeout_ms": 5000,
            "headers": [], "compression": false, "model": {"kind": "closed"}, "users": 1,
            "duration_ms": 20_000, "requests": 1, "drain_ms": 5000, "threads": 1, "seed": 1,
            "percentiles": {"enabled": true, "sampling": 1.0, "labels": 10, "bytes": 8_388_608,
                            "interval_ms": 1000, "intervals": 10},
            "scenarios": [{"name": "s", "weight": 1.0, "timeout_ms": null, "retries": 0,
                           "retry_delay_ms": 0, "keep_cookies": false, "data": null, "steps": [step]}],
        }))
    }

    /// With one field set, which is named as a JSON pointer without its first slash.
    pub fn with(mut self, field: &str, value: impl Into<Value>) -> Self {
        let found = self.0.pointer_mut(&format!("/{field}"));
        *found.unwrap_or_else(|| panic!("no plan has {field}")) = value.into();
        self
    }

    /// With one field of its first step set.
    pub fn step(self, field: &str, value: impl Into<Value>) -> Self {
        self.with(&format!("scenarios/0/steps/0/{field}"), value)
    }

    /// With another step, which is like the first one but for these fields.
    pub fn and_step(mut self, fields: &Value) -> Self {
        let steps = self.0.pointer_mut("/scenarios/0/steps").unwrap();
        let mut step = steps[0].clone();
        for (name, value) in fields.as_object().unwrap() {
            step[name] = value.clone();
        }
        steps.as_array_mut().unwrap().push(step);
        self
    }

    /// Over HTTP/2, with so many streams on a connection.
    pub fn two(self, streams: u32) -> Self {
        self.with("http", "2").with("streams", streams)
    }

    /// Sent by so many users, so often together.
    pub fn times(self, users: u32, requests: u64) -> Self {
        self.with("users", users).with("requests", requests)
    }

    pub fn prepare(&self) -> Result<Run> {
        Run::new(Plan::from_json(&self.0.to_string())?)
    }

    /// Why it cannot be run.
    pub fn refused(&self) -> String {
        match self.prepare() {
            Err(Error::Input(why)) => why,
            Err(Error::Run(why)) => panic!("not the owner's fault: {why}"),
            Ok(_) => panic!("nothing is wrong with it"),
        }
    }

    /// Runs it to its end.
    pub fn run(&self) -> Told {
        let mut run = self.prepare().unwrap();
        run.start().unwrap();
        let begun = Instant::now();
        while !run.wait(Duration::from_millis(100)) {
            assert!(begun.elapsed() < Duration::from_secs(60), "it does not end");
        }
        Told(serde_json::to_value(run.view(0, true)).unwrap())
    }
}

/// What a run told at its end.
pub struct Told(pub Value);

impl Told {
    pub fn number(&self, pointer: &str) -> u64 {
        let found = self.0.pointer(&format!("/{pointer}"));
        found.and_then(Value::as_u64).unwrap_or(0)
    }

    /// Answers with a status.
    pub fn answers(&self, status: u16) -> u64 {
        self.number(&format!("statuses/{status}"))
    }

    /// Requests that failed, by class.
    pub fn errors(&self) -> &Value {
        &self.0["errors"]
    }

    /// How often a phase was measured.
    pub fn phases(&self, name: &str) -> u64 {
        self.number(&format!("phases_ms/{name}/count"))
    }

    /// All of so many requests were answered with 200.
    #[track_caller]
    pub fn all_well(&self, requests: u64) {
        assert_eq!(self.errors(), &json!({}), "{}", self.0);
        assert_eq!(self.answers(200), requests, "{}", self.0);
        assert_eq!(self.number("unanswered"), 0, "{}", self.0);
    }

    /// All of so many requests failed in one way.
    #[track_caller]
    pub fn all_failed(&self, class: &str, requests: u64) {
        assert_eq!(self.errors(), &json!({class: requests}), "{}", self.0);
        assert_eq!(self.number("requests"), requests, "{}", self.0);
        assert!(self.0["elapsed_s"].as_f64().unwrap() < 15.0, "{}", self.0);
    }
}
