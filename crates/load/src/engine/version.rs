//! What a run may be given anew while it goes on: one version of its scenarios, made ready for all threads.

use std::collections::HashMap;
use std::sync::Arc;

use super::clock::MILLISECOND;
use super::site::{Place, Trust};
use crate::plan::{Http, Plan};
use crate::scenario::{Origin, Program};
use crate::{Error, Nanos, Request, Result, http1, http2};

/// Origins that a run may come to speak to, over all versions of its scenarios: threads keep a place for each.
const MOST_ORIGINS: usize = 20_000;

/// One version of a run's scenarios. Threads read it and none changes it.
pub struct Version {
    /// 0 is what the run began with.
    pub number: u64,
    pub program: Program,
    pub prepared: Vec<Prepared>,
    /// The place of each of the program's origins.
    pub origins: Vec<u32>,
    /// All places of the run, those of versions before this one too: a place keeps its number.
    pub places: Vec<Arc<Place>>,
    http: Http,
    keep_alive: bool,
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

/// Where the origins of a run are, in the order in which its versions named them.
#[derive(Clone, Default)]
pub struct Places {
    numbers: HashMap<Origin, u32>,
    all: Vec<Arc<Place>>,
}

impl Version {
    /// Compiles the scenarios of a plan and looks up origins that are not among the places yet, which it adds there.
    ///
    /// # Errors
    /// What the plan says cannot be done.
    pub fn new(plan: &Plan, trust: &Trust, places: &mut Places, number: u64) -> Result<Self> {
        let program = Program::compile(&plan.scenarios, &plan.base_url, &plan.headers)?;
        let origins = program
            .origins()
            .iter()
            .map(|origin| places.number(origin, plan, trust))
            .collect::<Result<_>>()?;
        let mut version = Self {
            number,
            prepared: Vec::new(),
            origins,
            places: places.all.clone(),
            program,
            http: plan.http,
            keep_alive: plan.keep_alive,
        };
        for index in 0..version.program.steps().len() {
            let prepared = version.prepare(index, plan)?;
            version.prepared.push(prepared);
        }
        Ok(version)
    }

    fn prepare(&self, index: usize, plan: &Plan) -> Result<Prepared> {
        let step = &self.program.steps()[index];
        let (mut bytes, mut body) = (Vec::new(), Vec::new());
        if let Some(request) = step.fixed() {
            http1::check(request)?;
            self.encode(request, index, &mut bytes);
            if self.http == Http::Two {
                body.clone_from(&request.body);
            }
        }
        let wants = step.wants();
        let timeout_ms = step.timeout_ms().unwrap_or(plan.timeout_ms);
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

    /// The bytes of the request of a step, in place of what `out` held; with HTTP/2 its header block.
    pub fn encode(&self, request: &Request, step: usize, out: &mut Vec<u8>) {
        out.clear();
        let step = &self.program.steps()[step];
        match self.http {
            Http::One => http1::encode(request, step.host(), self.keep_alive, out),
            Http::Two => {
                let origin = &self.program.origins()[step.origin()];
                let scheme = if origin.secure { "https" } else { "http" };
                http2::encode(request, scheme, step.host(), out);
            }
        }
    }

    /// Whether no iteration of it can begin any more: each row of its data was taken.
    pub fn is_used_up(&self) -> bool {
        self.program.used_up().count() == self.program.scenarios().len()
    }
}

impl Places {
    /// The number of an origin's place, which is made when there is none. One that was not found is looked up again.
    fn number(&mut self, origin: &Origin, plan: &Plan, trust: &Trust) -> Result<u32> {
        let known = self.numbers.get(origin).copied();
        if let Some(number) = known
            && self.all[number as usize].addresses.is_ok()
        {
            return Ok(number);
        }
        if known.is_none() && self.all.len() >= MOST_ORIGINS {
            return Err(Error::input(format!(
                "the run has spoken to {MOST_ORIGINS} origins, and {} is one more: begin a new run",
                origin.authority()
            )));
        }
        let place = Arc::new(Place::new(origin, plan, trust)?);
        if let Some(number) = known {
            self.all[number as usize] = place;
            return Ok(number);
        }
        let number = self.all.len() as u32;
        self.all.push(place);
        self.numbers.insert(origin.clone(), number);
        Ok(number)
    }
}
