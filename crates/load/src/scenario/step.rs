//! A step, compiled.

use std::sync::Arc;

use super::draft::Draft;
use super::look::{Check, Extract, Look};
use super::outcome::{At, Failure};
use super::template::Template;
use crate::{Nanos, Request};

/// What has to be kept of a step's answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wants {
    /// Its status and headers.
    pub head: bool,
    /// Its body, and with it the head, which names the body's coding.
    pub body: bool,
    /// Its `Set-Cookie` headers: the head of an answer that has none need not be kept for this.
    pub cookies: bool,
}

/// One request of a scenario and what its answer has to be.
#[derive(Debug)]
pub struct Step {
    pub(super) scenario: usize,
    pub(super) scenario_name: Arc<str>,
    pub(super) name: String,
    pub(super) label: Template,
    pub(super) origin: usize,
    pub(super) host: String,
    pub(super) timeout_ms: Option<u64>,
    pub(super) wants: Wants,
    pub(super) fixed: Option<Request>,
    pub(super) draft: Draft,
    pub(super) extracts: Vec<Extract>,
    pub(super) checks: Vec<Check>,
    /// Whether the status has to be 2xx or 3xx, since no assertion is about it.
    pub(super) checks_status: bool,
    pub(super) keep_for: Option<Nanos>,
    /// Least and most.
    pub(super) think: (Nanos, Nanos),
}

impl Step {
    /// Whether users keep its answer for a while.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        self.keep_for.is_some()
    }

    /// The place of its scenario in the plan.
    #[must_use]
    pub fn scenario(&self) -> usize {
        self.scenario
    }

    #[must_use]
    pub fn scenario_name(&self) -> &str {
        &self.scenario_name
    }

    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What its figures are counted under, when that never varies; otherwise it is to be rendered for each request.
    #[must_use]
    pub fn label(&self) -> Option<&str> {
        self.label.fixed()
    }

    /// The place of its origin among those of the program.
    #[must_use]
    pub fn origin(&self) -> usize {
        self.origin
    }

    /// What the `Host` header (`:authority`) says: that of the origin, unless the plan gives one.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    #[must_use]
    pub fn timeout_ms(&self) -> Option<u64> {
        self.timeout_ms
    }

    /// The request, when nothing in it varies but for cookies: [`Program::request`](super::Program::request) says
    /// whether it goes out as it is.
    #[must_use]
    pub fn fixed(&self) -> Option<&Request> {
        self.fixed.as_ref()
    }

    /// Whether its answers have a head only.
    #[must_use]
    pub fn is_head(&self) -> bool {
        self.draft.method == "HEAD"
    }

    #[must_use]
    pub fn wants(&self) -> Wants {
        self.wants
    }

    /// How many assertions it has.
    #[must_use]
    pub fn assertions(&self) -> usize {
        self.checks.len()
    }

    /// One line that says which step failed and how.
    #[must_use]
    pub fn describe(&self, failure: Failure) -> String {
        format!(
            "scenario {:?}, step {:?}, {failure}",
            &*self.scenario_name, self.name
        )
    }

    /// Checks an answer, then puts what is extracted from it in its places, by way of a spare text. How many assertions
    /// held and what failed first otherwise.
    pub(super) fn judge(
        &self,
        look: &Look<'_>,
        spare: &mut String,
        values: &mut [String],
    ) -> Result<(), (u16, Failure)> {
        for (index, check) in self.checks.iter().enumerate() {
            let index = index as u16;
            let failure = |why| (index, Failure::new(At::Assert(index), why));
            check.holds(look).map_err(failure)?;
        }
        let held = self.checks.len() as u16;
        for (index, extract) in self.extracts.iter().enumerate() {
            spare.clear();
            let failure = |why| (held, Failure::new(At::Extract(index as u16), why));
            extract.fill(look, spare).map_err(failure)?;
            std::mem::swap(spare, &mut values[usize::from(extract.slot)]);
        }
        Ok(())
    }
}
