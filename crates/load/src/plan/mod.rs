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
        let plan: Self = serde_json::from_str(json)
            .map_err(|error| Error::input(format!("the plan cannot be read: {error}")))?;
        plan.check()?;
        Ok(plan)
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
