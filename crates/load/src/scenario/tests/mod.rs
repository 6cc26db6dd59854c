//! What a user of scenarios notices, and the faults that they are to be without.

mod answers;
mod changed;
mod compiling;
mod iterations;
mod requests;
mod speed;

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;
use serde_json::{Value, json};

use super::{Begin, Failure, Moment, Next, Outcome, Program, Ready, User};
use crate::{Answer, Error, Request, plan};

/// Half past ten on a day in 2023.
const NOW: Moment = Moment {
    at: 1_000_000_000,
    unix_ms: 1_700_000_000_000,
};

/// A step of which some fields are given.
fn step(given: &Value) -> Value {
    let mut step = json!({"name": "x", "method": "GET", "path": "/", "query": [], "headers": [], "body": null,
        "body_size": null, "label": null, "extract": [], "assert": [], "cache_ttl_ms": null, "think_ms": [0, 0],
        "timeout_ms": null});
    step.as_object_mut()
        .unwrap()
        .extend(given.as_object().unwrap().clone());
    step
}

/// A scenario of which some fields are given.
fn scenario(given: &Value) -> plan::Scenario {
    let mut scenario = json!({"name": "s", "weight": 1.0, "timeout_ms": null, "retries": 0, "retry_delay_ms": 0, "keep_cookies": false,
        "data": null, "steps": [step(&json!({}))]});
    scenario
        .as_object_mut()
        .unwrap()
        .extend(given.as_object().unwrap().clone());
    serde_json::from_value(scenario).unwrap()
}

/// A program of one scenario with steps of which some fields are given.
fn program(steps: &[Value]) -> Program {
    let steps: Vec<_> = steps.iter().map(step).collect();
    Program::compile(&[scenario(&json!({"steps": steps}))], "http://a.test", &[]).unwrap()
}

fn refused(steps: &[Value]) -> String {
    let steps: Vec<_> = steps.iter().map(step).collect();
    match Program::compile(
        &[scenario(&json!({"name": "shop", "steps": steps}))],
        "http://a.test",
        &[],
    ) {
        Err(Error::Input(said)) => said,
        other => panic!("{other:?}"),
    }
}

fn answer(headers: &[(&str, &str)], body: &str) -> Answer {
    let mut answer = Answer::default();
    for (name, value) in headers {
        answer.push_header(name.as_bytes(), value.as_bytes());
    }
    answer.push_body(body.as_bytes());
    answer
}

/// One user of a program, at a moment that tests set.
struct Walk<'a> {
    program: &'a Program,
    user: User,
    rng: Xoshiro256PlusPlus,
    now: Moment,
    request: Request,
}

impl<'a> Walk<'a> {
    fn new(program: &'a Program) -> Self {
        Self {
            program,
            user: User::new(program, 1),
            rng: Xoshiro256PlusPlus::seed_from_u64(42),
            now: NOW,
            request: Request::default(),
        }
    }

    /// At the start of an iteration.
    fn begun(program: &'a Program) -> Self {
        let mut walk = Self::new(program);
        walk.begin();
        walk
    }

    fn begin(&mut self) -> Begin {
        self.program.begin(&mut self.user, &mut self.rng)
    }

    fn ready(&mut self) -> Ready {
        self.program
            .request(&mut self.user, self.now, &mut self.rng, &mut self.request)
    }

    /// The request of the current step, prepared or filled.
    fn sent(&mut self) -> Request {
        match self.ready() {
            Ready::Fixed => self.program.steps()[self.user.step()]
                .fixed()
                .unwrap()
                .clone(),
            Ready::Filled => self.request.clone(),
            other => panic!("{other:?}"),
        }
    }

    fn answered(&mut self, status: u16, headers: &[(&str, &str)], body: &str) -> Outcome {
        let mut answer = answer(headers, body);
        self.program.answer(
            &mut self.user,
            status,
            Some(&mut answer),
            5_000_000,
            self.now,
            &mut self.rng,
        )
    }

    /// Sends and takes an answer that passes.
    fn pass(&mut self, headers: &[(&str, &str)], body: &str) -> Request {
        let sent = self.sent();
        let outcome = self.answered(200, headers, body);
        assert!(outcome.passed, "{:?}", outcome.failure);
        sent
    }
}

fn header<'a>(request: &'a Request, name: &str) -> Option<&'a str> {
    let found = request
        .headers
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value.as_str())
}

/// What a step of a fresh user says to an answer.
fn judged(
    given: Value,
    status: u16,
    headers: &[(&str, &str)],
    body: &str,
) -> (Outcome, Option<String>) {
    let program = program(&[given]);
    let mut walk = Walk::begun(&program);
    walk.sent();
    let outcome = walk.answered(status, headers, body);
    (
        outcome,
        outcome
            .failure
            .map(|failure: Failure| program.steps()[0].describe(failure)),
    )
}

const END: Next = Next::End { after: 0 };
