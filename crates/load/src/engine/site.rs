//! What all threads of a run read and none changes: the plan, made ready.

use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;

use super::clock::MILLISECOND;
use super::{resolve, tls};
use crate::plan::{Http, Plan};
use crate::scenario::{Origin, Program};
use crate::{Nanos, Request, Result, http1, http2};

/// The plan of a run, made ready.
pub struct Site {
    pub plan: Plan,
    pub program: Program,
    pub places: Vec<Place>,
    pub prepared: Vec<Prepared>,
    pub connect_timeout: Nanos,
    pub idle: Nanos,
    pub seed: u64,
}

/// Where an origin is, and how it is spoken to.
pub struct Place {
    /// Its addresses, or why there are none.
    pub addresses: resolve::Found,
    pub tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
}

/// A step, made ready.
pub struct Prepared {
    pub timeout: Nanos,
    pub kind: http1::Kind,
    /// Its answer is looked into.
    pub is_kept: bool,
    /// And its body too.
    pub keeps_body: bool,
    /// The bytes of a request that is always the same, or none: HTTP/1.1 whole, HTTP/2 the header block.
    pub bytes: Vec<u8>,
    /// With HTTP/2 the body of a fixed request.
    pub body: Vec<u8>,
}

impl Site {
    /// # Errors
    /// What the plan says cannot be done.
    pub fn new(plan: Plan) -> Result<Self> {
        let program = Program::compile(&plan.scenarios, &plan.base_url, &plan.headers)?;
        let secure = program.origins().iter().any(|origin| origin.secure);
        let config = secure
            .then(|| tls::config(&plan.tls, plan.http))
            .transpose()?;
        let places = program
            .origins()
            .iter()
            .map(|origin| Place::new(origin, &plan, config.as_ref()))
            .collect::<Result<Vec<_>>>()?;
        let mut site = Self {
            connect_timeout: plan.connect_timeout_ms.saturating_mul(MILLISECOND),
            idle: plan.idle_ms.saturating_mul(MILLISECOND),
            seed: plan.seed.unwrap_or_else(|| RandomState::new().hash_one(())),
            prepared: Vec::new(),
            program,
            places,
            plan,
        };
        for index in 0..site.program.steps().len() {
            let prepared = site.prepare(index)?;
            site.prepared.push(prepared);
        }
        Ok(site)
    }

    fn prepare(&self, index: usize) -> Result<Prepared> {
        let step = &self.program.steps()[index];
        let (mut bytes, mut body) = (Vec::new(), Vec::new());
        if let Some(request) = step.fixed() {
            http1::check(request)?;
            self.encode(request, index, &mut bytes);
            if self.plan.http == Http::Two {
                body.clone_from(&request.body);
            }
        }
        let wants = step.wants();
        let timeout_ms = step.timeout_ms().unwrap_or(self.plan.timeout_ms);
        Ok(Prepared {
            timeout: timeout_ms.saturating_mul(MILLISECOND),
            kind: if step.is_head() {
                http1::Kind::Head
            } else {
                http1::Kind::Other
            },
            is_kept: wants.head || wants.body || wants.cookies,
            keeps_body: wants.body,
            bytes,
            body,
        })
    }

    /// Whether the peer speaks what the plan wants, by what TLS agreed on. Who agrees on nothing speaks HTTP/1.1.
    #[must_use]
    pub fn agrees(&self, agreed: Option<&[u8]>) -> bool {
        match self.plan.http {
            Http::One => agreed.is_none_or(|agreed| agreed == b"http/1.1"),
            Http::Two => agreed == Some(b"h2"),
        }
    }

    /// The bytes of the request of a step, in place of what `out` held; with HTTP/2 its header block.
    pub fn encode(&self, request: &Request, step: usize, out: &mut Vec<u8>) {
        out.clear();
        let step = &self.program.steps()[step];
        match self.plan.http {
            Http::One => http1::encode(request, step.host(), self.plan.keep_alive, out),
            Http::Two => {
                let origin = &self.program.origins()[step.origin()];
                let scheme = if origin.secure { "https" } else { "http" };
                http2::encode(request, scheme, step.host(), out);
            }
        }
    }
}

impl Place {
    fn new(origin: &Origin, plan: &Plan, config: Option<&Arc<ClientConfig>>) -> Result<Self> {
        let tls = match config.filter(|_| origin.secure) {
            Some(config) => Some((Arc::clone(config), tls::server_name(&origin.host)?)),
            None => None,
        };
        Ok(Self {
            addresses: resolve::resolve(origin, &plan.resolve),
            tls,
        })
    }

    /// The address whose turn it is.
    pub fn address(&self, turn: &mut usize) -> Option<SocketAddr> {
        let addresses = self.addresses.as_ref().ok()?;
        *turn = turn.wrapping_add(1);
        addresses.get(*turn % addresses.len()).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(addresses: &[&str]) -> Place {
        let addresses = addresses.iter().map(|one| one.parse().unwrap()).collect();
        Place {
            addresses: Ok(addresses),
            tls: None,
        }
    }

    #[test]
    fn addresses_are_used_in_turn() {
        let place = place(&["127.0.0.1:1", "127.0.0.2:2", "[::1]:3"]);
        let mut turn = usize::MAX - 1;
        let ports: Vec<u16> = (0..7)
            .filter_map(|_| place.address(&mut turn))
            .map(|address| address.port())
            .collect();
        let mut each = ports[1..].to_vec();
        each.sort_unstable();
        assert_eq!(each, [1, 1, 2, 2, 3, 3]);
        assert!(
            ports[1..].windows(2).all(|two| two[0] != two[1]),
            "{ports:?}"
        );
    }

    #[test]
    fn who_was_not_found_has_no_address() {
        let place = Place {
            addresses: Err("nowhere".into()),
            tls: None,
        };
        assert_eq!(place.address(&mut 0), None);
    }
}
