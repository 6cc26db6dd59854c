//! Small servers on the loopback, each peer on a thread of its own, and the plans that are run against them.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use chaffinch_load::View;
use chaffinch_load::engine::Run;
use chaffinch_load::plan::Plan;
use serde_json::{Value, json};
use socket2::SockRef;

/// Longer than this nothing here waits for anything.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a server saw.
#[derive(Debug, Default)]
pub struct Seen {
    accepted: AtomicU64,
    asked: AtomicU64,
    open: AtomicU64,
    most_open: AtomicU64,
    ended: AtomicBool,
}

impl Seen {
    /// Connections.
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::SeqCst)
    }

    /// Whole heads of requests.
    pub fn asked(&self) -> u64 {
        self.asked.load(Ordering::SeqCst)
    }

    /// Connections that stand now, as far as their threads noticed.
    pub fn open(&self) -> u64 {
        self.open.load(Ordering::SeqCst)
    }

    /// Most connections that stood at once.
    pub fn most_open(&self) -> u64 {
        self.most_open.load(Ordering::SeqCst)
    }
}

/// A server until it is dropped.
pub struct Server {
    pub address: SocketAddr,
    pub seen: Arc<Seen>,
}

impl Server {
    /// Runs `talk` with each peer.
    pub fn new(talk: impl Fn(&mut Peer) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Seen::default());
        let (talk, told) = (Arc::new(talk), Arc::clone(&seen));
        thread::spawn(move || {
            for stream in listener.incoming() {
                if told.ended.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let (talk, seen) = (Arc::clone(&talk), Arc::clone(&told));
                let number = seen.accepted.fetch_add(1, Ordering::SeqCst);
                let open = seen.open.fetch_add(1, Ordering::SeqCst) + 1;
                seen.most_open.fetch_max(open, Ordering::SeqCst);
                thread::spawn(move || {
                    let mut peer = Peer::new(stream, number, seen);
                    talk(&mut peer);
                });
            }
        });
        Self { address, seen }
    }

    /// Answers everything with 200 and two bytes.
    pub fn plain() -> Self {
        Self::slow(Duration::ZERO)
    }

    /// The same, each answer so much later than its request.
    pub fn slow(delay: Duration) -> Self {
        Self::new(move |peer| {
            while peer.request().is_some() {
                if !delay.is_zero() {
                    thread::sleep(delay);
                }
                if !peer.ok() {
                    return;
                }
            }
        })
    }

    /// Reads one request and sends these bytes, then waits for the end.
    pub fn bytes(bytes: &'static [u8]) -> Self {
        Self::new(
            move |peer| {
                while peer.request().is_some() && peer.send(bytes) {}
            },
        )
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.seen.ended.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
    }
}

/// One connection, as the server sees it.
pub struct Peer {
    pub stream: TcpStream,
    /// Which connection of the server it is, from 0.
    pub number: u64,
    pub seen: Arc<Seen>,
    held: Vec<u8>,
}

impl Peer {
    fn new(stream: TcpStream, number: u64, seen: Arc<Seen>) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream,
            number,
            seen,
            held: Vec::new(),
        }
    }

    /// The head of the next request; none when the peer is gone.
    pub fn request(&mut self) -> Option<String> {
        let mut room = [0; 4096];
        loop {
            if let Some(at) = self.held.windows(4).position(|four| four == b"\r\n\r\n") {
                let rest = self.held.split_off(at + 4);
                let head = std::mem::replace(&mut self.held, rest);
                self.seen.asked.fetch_add(1, Ordering::SeqCst);
                return Some(String::from_utf8(head).unwrap());
            }
            match self.stream.read(&mut room) {
                Ok(0) | Err(_) => return None,
                Ok(came) => self.held.extend_from_slice(&room[..came]),
            }
        }
    }

    /// Whether they could be sent.
    pub fn send(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    pub fn ok(&mut self) -> bool {
        self.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    }

    /// Ends the connection with a reset.
    pub fn reset(&mut self) {
        let _ = SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
    }

    /// Waits until the peer is gone.
    pub fn wait(&mut self) {
        let mut room = [0; 4096];
        while matches!(self.stream.read(&mut room), Ok(1..)) {}
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.seen.open.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A plan for `GET /`: closed, one user, one thread, with no end of its own. `other` takes the place of its fields.
pub fn plan(url: &str, other: &Value) -> Value {
    let mut plan = json!({
        "base_url": url, "resolve": [],
        "tls": {"verify": false, "ca": null, "certificate": null, "key": null},
        "http": "1.1", "streams": 1,
        "connections": 10_000, "idle_per_host": 10_000, "idle_ms": 30_000, "nodelay": true, "keep_alive": true,
        "connect_timeout_ms": 10_000, "timeout_ms": 10_000, "headers": [], "compression": false,
        "model": {"kind": "closed"}, "users": 1, "duration_ms": null, "requests": null, "drain_ms": 5000,
        "threads": 1, "seed": 1,
        "percentiles": {
            "enabled": true, "sampling": 1.0, "labels": 10, "bytes": 33_554_432, "interval_ms": 1000,
            "intervals": 60,
        },
        "scenarios": [scenario(&[step("get", "/", &json!({}))])],
    });
    put(&mut plan, other);
    plan
}

pub fn scenario(steps: &[Value]) -> Value {
    json!({
        "name": "run", "weight": 1.0, "timeout_ms": null, "retries": 0, "retry_delay_ms": 0, "keep_cookies": false, "data": null,
        "steps": steps,
    })
}

pub fn step(name: &str, path: &str, other: &Value) -> Value {
    let mut step = json!({
        "name": name, "method": "GET", "path": path, "query": [], "headers": [], "body": null, "body_size": null,
        "label": null, "extract": [], "assert": [], "cache_ttl_ms": null, "think_ms": [0, 0], "timeout_ms": null,
    });
    put(&mut step, other);
    step
}

fn put(into: &mut Value, other: &Value) {
    for (name, value) in other.as_object().unwrap() {
        assert!(into.get(name).is_some(), "no field {name}");
        into[name] = value.clone();
    }
}

pub fn constant(rate: f64) -> Value {
    json!({"kind": "constant", "rate": rate})
}

pub fn prepared(plan: &Value) -> Run {
    Run::new(Plan::from_json(&plan.to_string()).unwrap()).unwrap()
}

pub fn started(plan: &Value) -> Run {
    let mut run = prepared(plan);
    run.start().unwrap();
    run
}

/// What came of a run that has to end by itself.
pub fn ended(run: &Run) -> View {
    let is_over = run.wait(PATIENCE);
    let view = run.view(0, true);
    assert!(is_over, "the run does not end: {}", text(&view));
    assert_adds_up(&view);
    view
}

pub fn run(plan: &Value) -> View {
    ended(&started(plan))
}

/// What a failed assertion shows.
pub fn text(view: &View) -> String {
    let mut view = serde_json::to_value(view).unwrap();
    for long in ["labels", "intervals", "histograms", "phases_ms"] {
        view.as_object_mut().unwrap().remove(long);
    }
    view.to_string()
}

/// What holds of every run that has ended, whatever happened.
pub fn assert_adds_up(view: &View) {
    let told = text(view);
    assert_eq!(view.state, "ended", "{told}");
    assert_eq!(view.requests, view.passed + view.failed, "{told}");
    assert_eq!(view.failed, view.errors.values().sum::<u64>(), "{told}");
    let of_answers = ["status", "assertion", "extraction", "encoding"];
    let unanswered = view
        .errors
        .iter()
        .filter(|(class, _)| !of_answers.contains(class));
    let unanswered: u64 = unanswered.map(|(_, count)| count).sum();
    let answered = view.statuses.values().sum::<u64>();
    assert_eq!(answered + unanswered, view.requests, "{told}");
    let labels = |of: fn(&Value) -> u64| -> u64 {
        let view = serde_json::to_value(view).unwrap();
        let labels = view["labels"].as_object().unwrap().clone();
        labels.values().map(of).sum()
    };
    assert_eq!(
        labels(|label| label["requests"].as_u64().unwrap()),
        view.requests
    );
    assert_eq!(
        labels(|label| label["failed"].as_u64().unwrap()),
        view.failed
    );
    assert_eq!(
        labels(|label| label["bytes_in"].as_u64().unwrap()),
        view.bytes_in
    );
    let intervals = |of: fn(&Value) -> u64| -> u64 {
        let view = serde_json::to_value(view).unwrap();
        view["intervals"].as_array().unwrap().iter().map(of).sum()
    };
    assert_eq!(
        intervals(|one| one["requests"].as_u64().unwrap()),
        view.requests,
        "{told}"
    );
    assert_eq!(
        intervals(|one| one["failed"].as_u64().unwrap()),
        view.failed
    );
    assert_eq!(
        intervals(|one| one["bytes_in"].as_u64().unwrap()),
        view.bytes_in
    );
    assert_eq!(
        intervals(|one| one["bytes_out"].as_u64().unwrap()),
        view.bytes_out
    );
    let mut at = 0.0;
    for (number, interval) in view.intervals.iter().enumerate() {
        assert_eq!(interval.n, number as u64);
        assert!((interval.at_s - at).abs() < 1e-6, "{told}");
        at = interval.at_s + interval.seconds;
    }
    assert!((at - view.elapsed_s).abs() < 1e-6, "{told}");
    assert_eq!(view.in_flight, 0, "{told}");
}

/// Of a run whose iterations are single requests and whose model is open: nothing is lost and nothing counts twice.
pub fn assert_all_asked(view: &View) {
    let sum = view.requests + view.unsent + view.unanswered;
    assert_eq!(view.asked, Some(sum), "{}", text(view));
}

/// Waits until something holds.
pub fn until(what: &str, holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "not in time: {what}");
        pause(5);
    }
}

pub fn pause(ms: u64) {
    thread::sleep(Duration::from_millis(ms));
}

/// Has a run go on with another plan; the sentence where it is refused.
pub fn replace(run: &Run, plan: &Value) -> Result<(), String> {
    let plan = Plan::from_json(&plan.to_string()).map_err(|error| error.to_string())?;
    run.replace(plan).map_err(|error| error.to_string())
}

/// A plan with other fields.
pub fn with(plan: &Value, other: &Value) -> Value {
    let mut plan = plan.clone();
    for (name, value) in other.as_object().unwrap() {
        plan[name] = value.clone();
    }
    plan
}
