//! What a run is to do, as it comes from the owner: one frozen tree, read from JSON. Every field is written there, so
//! that nothing has two defaults.

mod scenario;

use serde::Deserialize;

use crate::model::Model;
use crate::{Error, Result};

pub use scenario::*;

/// Most users and connections of a run: each takes a few hundred bytes, and a connection a file descriptor.
pub const MOST_USERS: u32 = 1_000_000;

/// Most threads; a run needs one for each core that it may fill.
pub const MOST_THREADS: u32 = 256;

/// One run.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The origin of steps that do not name one.
    pub base_url: String,
    pub resolve: Vec<Resolve>,
    pub tls: Tls,
    pub http: Http,
    /// Requests at once on one HTTP/2 connection.
    pub streams: u32,
    /// Most connections at once, over all threads and origins.
    pub connections: u32,
    /// Connections that are kept for later, for each origin.
    pub idle_per_host: u32,
    /// How long one is kept.
    pub idle_ms: u64,
    pub nodelay: bool,
    pub keep_alive: bool,
    pub connect_timeout_ms: u64,
    /// From the first byte sent to the last one of the answer, where a scenario or step says nothing else.
    pub timeout_ms: u64,
    /// Sent with every request.
    pub headers: Vec<(String, String)>,
    pub compression: bool,
    pub model: Model,
    /// Users at once: as many as there are in a closed model, at most as many in an open one.
    pub users: u32,
    /// Until no more iterations begin.
    pub duration_ms: Option<u64>,
    /// Requests after which no more begin.
    pub requests: Option<u64>,
    /// How long answers are waited for after the end.
    pub drain_ms: u64,
    pub threads: u32,
    /// For a run that can be repeated; else one is drawn.
    pub seed: Option<u64>,
    pub percentiles: Percentiles,
    pub scenarios: Vec<Scenario>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Http {
    #[serde(rename = "1.1")]
    One,
    #[serde(rename = "2")]
    Two,
}

/// A host that is looked up here instead of in the DNS. Several of one host are used in turn.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resolve {
    pub host: String,
    /// For this port alone.
    pub port: Option<u16>,
    pub address: std::net::IpAddr,
    /// Connect there instead of to the port that was asked.
    pub to_port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    pub verify: bool,
    /// PEM; the system's authorities where none is given.
    pub ca: Option<String>,
    /// The client's own, both or neither: PEM.
    pub certificate: Option<String>,
    pub key: Option<String>,
}

/// How latencies are kept.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Percentiles {
    pub enabled: bool,
    /// The share of requests whose latency goes into the histogram of its label, 0 to 1.
    pub sampling: f64,
    /// Labels that are told apart.
    pub labels: usize,
    /// Bytes of all histograms together.
    pub bytes: usize,
    pub interval_ms: u64,
    /// Intervals that are kept; older ones go.
    pub intervals: usize,
}

impl Plan {
    /// # Errors
    /// Not a plan; or a value that no run can have. The sentence names the field.
    pub fn from_json(json: &str) -> Result<Self> {
        let mut plan: Self = serde_json::from_str(json)
            .map_err(|error| Error::input(format!("the plan cannot be read: {error}")))?;
        plan.check()?;
        plan.accept_codings();
        Ok(plan)
    }

    /// With compression, requests say what can be unpacked, unless the owner says it.
    fn accept_codings(&mut self) {
        let name = "Accept-Encoding";
        let is_given = self
            .headers
            .iter()
            .any(|(given, _)| given.eq_ignore_ascii_case(name));
        if self.compression && !is_given {
            self.headers
                .push((name.to_owned(), "gzip, deflate".to_owned()));
        }
    }

    fn check(&self) -> Result<()> {
        within_users(self.users)?;
        within("threads", self.threads, 1, MOST_THREADS)?;
        within("connections", self.connections, 1, MOST_USERS)?;
        within("streams", self.streams, 1, 1 << 16)?;
        if self.duration_ms.is_none() && self.requests.is_none() {
            return Err(Error::input(
                "the run has no end: give it a duration, or a number of requests",
            ));
        }
        if self.scenarios.is_empty() {
            return Err(Error::input("there is no scenario: give at least one"));
        }
        if self.tls.certificate.is_some() != self.tls.key.is_some() {
            return Err(Error::input(
                "tls: a client certificate needs its key, and a key its certificate: give both or neither",
            ));
        }
        let sampling = self.percentiles.sampling;
        if !(0.0..=1.0).contains(&sampling) {
            return Err(Error::input(format!(
                "percentiles.sampling: {sampling} is not a share: give one from 0 to 1"
            )));
        }
        self.model.check()
    }
}

/// # Errors
/// No run can have so many users.
pub fn within_users(users: u32) -> Result<()> {
    within("users", users, 1, MOST_USERS)
}

fn within(field: &str, value: u32, least: u32, most: u32) -> Result<()> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(Error::input(format!(
        "{field}: {value} is outside of {least} to {most}"
    )))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn plan() -> Value {
        json!({
            "base_url": "http://127.0.0.1:1", "resolve": [],
            "tls": {"verify": true, "ca": null, "certificate": null, "key": null},
            "http": "1.1", "streams": 1, "connections": 10, "idle_per_host": 10, "idle_ms": 1000, "nodelay": true,
            "keep_alive": true, "connect_timeout_ms": 1000, "timeout_ms": 1000, "headers": [], "compression": false,
            "model": {"kind": "closed"}, "users": 1, "duration_ms": 1000, "requests": null, "drain_ms": 100,
            "threads": 1, "seed": null,
            "percentiles": {
                "enabled": true, "sampling": 1.0, "labels": 10, "bytes": 8_000_000, "interval_ms": 1000, "intervals": 9,
            },
            "scenarios": [{
                "name": "s", "weight": 1.0, "timeout_ms": null, "retries": 0, "retry_delay_ms": 0, "keep_cookies": false, "data": null,
                "steps": [],
            }],
        })
    }

    fn read(change: impl FnOnce(&mut Value)) -> Result<Plan> {
        let mut json = plan();
        change(&mut json);
        Plan::from_json(&json.to_string())
    }

    #[test]
    fn what_no_run_can_have_is_refused_with_its_field() {
        assert!(read(|_| {}).is_ok());
        let refused: [(&str, Value, &str); 7] = [
            ("users", json!(0), "users: 0 is outside of 1 to"),
            ("threads", json!(100_000), "threads: 100000"),
            ("streams", json!(0), "streams: 0"),
            ("duration_ms", json!(null), "the run has no end"),
            ("scenarios", json!([]), "there is no scenario"),
            ("model", json!({"kind": "constant", "rate": -1.0}), "rate"),
            ("surprise", json!(1), "surprise"),
        ];
        for (field, value, sentence) in refused {
            let why = read(|plan| plan[field] = value).unwrap_err().to_string();
            assert!(why.contains(sentence), "{why}");
        }
        let why = read(|plan| plan["tls"]["key"] = json!("key.pem")).unwrap_err();
        assert!(
            why.to_string()
                .starts_with("tls: a client certificate needs its key")
        );
        let why = read(|plan| plan["percentiles"]["sampling"] = json!(1.5)).unwrap_err();
        assert!(why.to_string().starts_with("percentiles.sampling: 1.5"));
    }

    #[test]
    fn with_compression_requests_say_what_can_be_unpacked_unless_the_owner_does() {
        let headers = |given: Value| {
            read(|plan| {
                plan["compression"] = json!(true);
                plan["headers"] = given;
            })
            .unwrap()
            .headers
        };
        let pair = |value: &str| ("Accept-Encoding".to_owned(), value.to_owned());
        assert_eq!(headers(json!([])), [pair("gzip, deflate")]);
        let own = json!([["accept-encoding", "br"]]);
        assert_eq!(
            headers(own),
            [("accept-encoding".to_owned(), "br".to_owned())]
        );
        assert!(read(|_| {}).unwrap().headers.is_empty());
    }
}
