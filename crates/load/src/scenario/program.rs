//! Going through scenarios, a request and an answer at a time.

use std::ops::Range;
use std::sync::Arc;

use rand_core::RngCore;
use regex::bytes::Regex;

use super::cache::Key;
use super::chance::{between, unit};
use super::cookies::Site;
use super::decode::decode;
use super::feed::Feed;
use super::look::Look;
use super::outcome::{At, Begin, Failure, Moment, Next, Outcome, Ready, Why};
use super::{Origin, Step, User};
use crate::{Answer, Nanos, Request};

/// Compiled scenarios. A thread takes a clone: all of it is shared but the regular expressions, which keep memory that
/// threads would wait for.
#[derive(Debug, Clone)]
pub struct Program {
    pub(super) shared: Arc<Shared>,
    pub(super) patterns: Vec<Regex>,
}

#[derive(Debug)]
pub(super) struct Shared {
    pub origins: Vec<Origin>,
    pub scenarios: Vec<Scenario>,
    pub steps: Vec<Step>,
    /// Most variables of a scenario.
    pub slots: usize,
}

#[derive(Debug)]
pub(super) struct Scenario {
    pub name: Arc<str>,
    pub weight: f64,
    pub retries: u32,
    pub retry_delay: Nanos,
    pub keep_cookies: bool,
    /// Its steps among all.
    pub steps: Range<usize>,
    pub feed: Option<Feed>,
    /// The variable of each column.
    pub columns: Vec<u16>,
}

impl Program {
    /// Every host that a run of it may speak to.
    #[must_use]
    pub fn origins(&self) -> &[Origin] {
        &self.shared.origins
    }

    /// The steps of all scenarios, one scenario after the other.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.shared.steps
    }

    /// The names of the scenarios, in the order of the plan.
    #[must_use]
    pub fn scenarios(&self) -> impl ExactSizeIterator<Item = &str> {
        self.shared.scenarios.iter().map(|scenario| &*scenario.name)
    }

    /// The scenarios, by number, that no longer begin since each of their rows was taken.
    pub fn used_up(&self) -> impl Iterator<Item = usize> {
        let scenarios = self.shared.scenarios.iter().enumerate();
        scenarios
            .filter(|(_, scenario)| scenario.is_used_up())
            .map(|(index, _)| index)
    }

    /// Bytes that the rows of all data take, shared by all threads.
    #[must_use]
    pub fn data_bytes(&self) -> usize {
        let feeds = self
            .shared
            .scenarios
            .iter()
            .filter_map(|scenario| scenario.feed.as_ref());
        feeds.map(Feed::bytes).sum()
    }

    /// Puts a user at the start of a new iteration: a scenario by weight, a row of its data, an empty cookie jar where
    /// the scenario keeps none. A scenario whose data is used up leaves its share to the others.
    pub fn begin(&self, user: &mut User, rng: &mut dyn RngCore) -> Begin {
        while let Some(index) = self.pick(rng) {
            let scenario = &self.shared.scenarios[index];
            let row = match &scenario.feed {
                None => None,
                Some(feed) => match feed.take(&mut user.places[index], rng) {
                    // Another thread took the last one meanwhile.
                    None => continue,
                    Some(row) => Some((feed, row)),
                },
            };
            user.begin(scenario.steps.start, scenario.keep_cookies);
            if let Some((feed, row)) = row {
                for (value, slot) in feed.row(row).zip(&scenario.columns) {
                    user.values[usize::from(*slot)].push_str(value);
                }
            }
            return Begin::At { scenario: index };
        }
        Begin::Over
    }

    fn pick(&self, rng: &mut dyn RngCore) -> Option<usize> {
        let scenarios = &self.shared.scenarios;
        if let [only] = scenarios.as_slice() {
            return (!only.is_used_up()).then_some(0);
        }
        let open = || {
            scenarios
                .iter()
                .enumerate()
                .filter(|(_, scenario)| !scenario.is_used_up())
        };
        let mut left = unit(rng) * open().map(|(_, scenario)| scenario.weight).sum::<f64>();
        let mut last = None;
        for (index, scenario) in open().filter(|(_, scenario)| scenario.weight > 0.0) {
            last = Some(index);
            left -= scenario.weight;
            if left < 0.0 {
                break;
            }
        }
        last
    }

    /// Appends what the current step's figures are counted under: to be asked before its answer is given.
    pub fn label(&self, user: &User, moment: Moment, rng: &mut dyn RngCore, out: &mut String) {
        let template = &self.shared.steps[user.step].label;
        template.render(&mut user.scene(moment, rng), out);
    }

    /// Makes the request of a user's current step.
    pub fn request(
        &self,
        user: &mut User,
        moment: Moment,
        rng: &mut dyn RngCore,
        out: &mut Request,
    ) -> Ready {
        let step = &self.shared.steps[user.step];
        let is_fixed = self.is_fixed(step, user, moment);
        if !is_fixed && let Err(failure) = self.fill(step, user, moment, rng, out) {
            let next = Next::End {
                after: think(step, rng),
            };
            return Ready::Refused(Outcome {
                status: 0,
                passed: false,
                held: 0,
                failure: Some(failure),
                next,
            });
        }
        if step.keep_for.is_some() {
            let key = Key::new(user.step as u32, (!is_fixed).then_some(out));
            if let Some(outcome) = self.outcome_of_kept(key, user, moment, rng) {
                return Ready::Cached(outcome);
            }
            user.key = Some(key);
        }
        if is_fixed {
            Ready::Fixed
        } else {
            Ready::Filled
        }
    }

    /// What comes of a user's current step when it keeps the answer to it; nothing is sent then. `out` is written over.
    pub fn kept(
        &self,
        user: &mut User,
        moment: Moment,
        rng: &mut dyn RngCore,
        out: &mut Request,
    ) -> Option<Outcome> {
        let step = &self.shared.steps[user.step];
        step.keep_for?;
        if user.cache.is_empty() {
            return None;
        }
        let is_fixed = self.is_fixed(step, user, moment);
        if !is_fixed {
            self.fill(step, user, moment, rng, out).ok()?;
        }
        let key = Key::new(user.step as u32, (!is_fixed).then_some(out));
        self.outcome_of_kept(key, user, moment, rng)
    }

    fn outcome_of_kept(
        &self,
        key: Key,
        user: &mut User,
        moment: Moment,
        rng: &mut dyn RngCore,
    ) -> Option<Outcome> {
        let status = user.cache.get(key, moment.at, &mut user.values)?;
        let held = self.shared.steps[user.step].checks.len() as u16;
        Some(Outcome {
            status,
            passed: true,
            held,
            failure: None,
            next: self.advance(user, rng),
        })
    }

    /// Whether a step's request is the one that never varies: no cookie goes with it.
    fn is_fixed(&self, step: &Step, user: &User, moment: Moment) -> bool {
        match &step.fixed {
            Some(_) if user.jar.is_empty() => true,
            Some(fixed) => !user.jar.has(&self.site(step, &fixed.target, moment)),
            None => false,
        }
    }

    fn fill(
        &self,
        step: &Step,
        user: &mut User,
        moment: Moment,
        rng: &mut dyn RngCore,
        out: &mut Request,
    ) -> Result<(), Failure> {
        let origin = &self.shared.origins[step.origin];
        step.draft.fill(&mut user.scene(moment, rng), origin, out)?;
        if !user.jar.is_empty() {
            let site = self.site(step, &out.target, moment);
            let mut cookies = step
                .draft
                .cookie
                .map_or_else(String::new, |at| std::mem::take(&mut out.headers[at].1));
            user.jar.push_to(&site, &mut cookies);
            match step.draft.cookie {
                Some(at) => out.headers[at].1 = cookies,
                None if cookies.is_empty() => {}
                None => out.headers.push(("Cookie".to_owned(), cookies)),
            }
        }
        if step.fixed.is_none() && (step.wants.cookies || !user.jar.is_empty()) {
            user.went_to(&out.target);
        }
        Ok(())
    }

    fn site<'a>(&'a self, step: &Step, path: &'a str, moment: Moment) -> Site<'a> {
        let origin = &self.shared.origins[step.origin];
        Site {
            host: &origin.host,
            secure: origin.secure,
            path,
            unix_ms: moment.unix_ms,
        }
    }

    /// Takes the answer to the current step, of which `answer` is kept when the step wants it (its body is unpacked in
    /// place), and moves the user on.
    pub fn answer(
        &self,
        user: &mut User,
        status: u16,
        answer: Option<&mut Answer>,
        took: Nanos,
        moment: Moment,
        rng: &mut dyn RngCore,
    ) -> Outcome {
        let step = &self.shared.steps[user.step];
        let (held, failure) = match self.look(step, user, status, answer, took, moment) {
            Ok(()) => (step.checks.len() as u16, None),
            Err((held, failure)) => (held, Some(failure)),
        };
        let key = user.key.take();
        let passed = failure.is_none();
        if passed && let (Some(key), Some(keep_for)) = (key, step.keep_for) {
            let kept = step.extracts.iter().map(|extract| {
                (
                    extract.slot,
                    user.values[usize::from(extract.slot)].as_str().into(),
                )
            });
            let until = moment.at.saturating_add(keep_for);
            user.unkept += u64::from(!user.cache.put(key, (moment.at, until), status, kept));
        }
        let next = if passed {
            self.advance(user, rng)
        } else {
            self.again(user, rng)
        };
        Outcome {
            status,
            passed,
            held,
            failure,
            next,
        }
    }

    /// Takes that no answer came, and moves the user on.
    pub fn failed(&self, user: &mut User, rng: &mut dyn RngCore) -> Outcome {
        user.key = None;
        let next = self.again(user, rng);
        Outcome {
            status: 0,
            passed: false,
            held: 0,
            failure: None,
            next,
        }
    }

    /// Checks and extracts; how many assertions held and what failed first otherwise.
    fn look(
        &self,
        step: &Step,
        user: &mut User,
        status: u16,
        mut answer: Option<&mut Answer>,
        took: Nanos,
        moment: Moment,
    ) -> Result<(), (u16, Failure)> {
        let path = step
            .fixed
            .as_ref()
            .map_or(user.path.as_str(), |fixed| &fixed.target);
        let site = self.site(step, path, moment);
        if step.wants.cookies
            && let Some(answer) = &answer
        {
            user.jar.take(answer, &site);
        }
        if step.checks_status && !(200..400).contains(&status) {
            return Err((0, Failure::new(At::Status, Why::Status)));
        }
        if step.checks.is_empty() && step.extracts.is_empty() {
            return Ok(());
        }
        let is_readable = match &mut answer {
            Some(answer) if step.wants.body => decode(answer).is_ok(),
            _ => true,
        };
        let look = Look {
            status,
            took,
            answer: answer.as_deref(),
            is_readable,
            patterns: &self.patterns,
            jar: &user.jar,
            site,
        };
        step.judge(&look, &mut user.spare, &mut user.values)
    }

    /// After a step that passed.
    fn advance(&self, user: &mut User, rng: &mut dyn RngCore) -> Next {
        let step = &self.shared.steps[user.step];
        let after = think(step, rng);
        if user.step + 1 == self.shared.scenarios[step.scenario].steps.end {
            return Next::End { after };
        }
        user.step += 1;
        user.retries = 0;
        Next::Step { after }
    }

    /// After a step that failed.
    fn again(&self, user: &mut User, rng: &mut dyn RngCore) -> Next {
        let step = &self.shared.steps[user.step];
        let scenario = &self.shared.scenarios[step.scenario];
        if user.retries < scenario.retries {
            user.retries += 1;
            return Next::Again {
                after: scenario.retry_delay,
            };
        }
        // A target that fails is not to get more requests than one that works: the user thinks all the same.
        Next::End {
            after: think(step, rng),
        }
    }
}

impl Scenario {
    fn is_used_up(&self) -> bool {
        self.feed.as_ref().is_some_and(Feed::is_used_up)
    }
}

fn think(step: &Step, rng: &mut dyn RngCore) -> Nanos {
    between(step.think.0, step.think.1, rng)
}
