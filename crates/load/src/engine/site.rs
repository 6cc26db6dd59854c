//! What holds for a run until its end, and where its origins are.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, OnceLock};

use rustls::ClientConfig;
use rustls::pki_types::ServerName;

use super::clock::MILLISECOND;
use super::{resolve, tls};
use crate::model::Model;
use crate::plan::{Http, Plan};
use crate::scenario::Origin;
use crate::{Error, Nanos, Result};

/// What no version of the scenarios changes. All threads read it.
pub struct Site {
    /// Without scenarios and model, of which there may be others later.
    pub plan: Plan,
    pub trust: Trust,
    pub connect_timeout: Nanos,
    pub idle: Nanos,
    pub seed: u64,
}

/// How TLS is spoken, once an origin needs that: read from its files at most once in a run.
#[derive(Default)]
pub struct Trust(OnceLock<Arc<ClientConfig>>);

/// Where an origin is, and how it is spoken to.
pub struct Place {
    /// Its addresses, or why there are none.
    pub addresses: resolve::Found,
    pub tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
}

impl Site {
    #[must_use]
    pub fn new(mut plan: Plan, trust: Trust) -> Self {
        plan.scenarios = Vec::new();
        plan.model = Model::Closed {};
        Self {
            connect_timeout: plan.connect_timeout_ms.saturating_mul(MILLISECOND),
            idle: plan.idle_ms.saturating_mul(MILLISECOND),
            seed: plan.seed.unwrap_or_else(|| RandomState::new().hash_one(())),
            trust,
            plan,
        }
    }

    /// Whether a plan differs in nothing that holds until the end of a run.
    ///
    /// # Errors
    /// It does: a sentence with the fields.
    pub fn keeps(&self, plan: &Plan) -> Result<()> {
        let mine = &self.plan;
        let same = [
            ("resolve", mine.resolve == plan.resolve),
            ("tls", mine.tls == plan.tls),
            ("http", mine.http == plan.http),
            ("streams", mine.streams == plan.streams),
            ("connections", mine.connections == plan.connections),
            ("idle_per_host", mine.idle_per_host == plan.idle_per_host),
            ("idle_ms", mine.idle_ms == plan.idle_ms),
            ("nodelay", mine.nodelay == plan.nodelay),
            ("keep_alive", mine.keep_alive == plan.keep_alive),
            (
                "connect_timeout_ms",
                mine.connect_timeout_ms == plan.connect_timeout_ms,
            ),
            ("duration_ms", mine.duration_ms == plan.duration_ms),
            ("requests", mine.requests == plan.requests),
            ("drain_ms", mine.drain_ms == plan.drain_ms),
            (
                "threads",
                mine.threads == plan.threads.min(plan.connections),
            ),
            ("seed", mine.seed == plan.seed),
            ("percentiles", mine.percentiles == plan.percentiles),
        ];
        let others: Vec<_> = same
            .iter()
            .filter(|(_, is_same)| !is_same)
            .map(|(name, _)| *name)
            .collect();
        if others.is_empty() {
            return Ok(());
        }
        Err(Error::input(format!(
            "a run keeps {} until its end: leave that as it was, or begin a new run",
            others.join(", ")
        )))
    }

    /// Whether the peer speaks what the plan wants, by what TLS agreed on. Who agrees on nothing speaks HTTP/1.1.
    #[must_use]
    pub fn agrees(&self, agreed: Option<&[u8]>) -> bool {
        match self.plan.http {
            Http::One => agreed.is_none_or(|agreed| agreed == b"http/1.1"),
            Http::Two => agreed == Some(b"h2"),
        }
    }
}

impl Trust {
    fn config(&self, plan: &Plan) -> Result<Arc<ClientConfig>> {
        if let Some(config) = self.0.get() {
            return Ok(Arc::clone(config));
        }
        let config = tls::config(&plan.tls, plan.http)?;
        Ok(Arc::clone(self.0.get_or_init(|| config)))
    }
}

impl Place {
    /// Looks an origin up.
    ///
    /// # Errors
    /// How TLS is spoken cannot be made out.
    pub fn new(origin: &Origin, plan: &Plan, trust: &Trust) -> Result<Self> {
        let tls = if origin.secure {
            Some((trust.config(plan)?, tls::server_name(&origin.host)?))
        } else {
            None
        };
        Ok(Self {
            addresses: resolve::resolve(origin, &plan.resolve),
            tls,
        })
    }
}
