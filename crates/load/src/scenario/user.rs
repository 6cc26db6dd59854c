//! What one user knows: kept from iteration to iteration, small, since there may be thousands.

use rand_core::RngCore;

use super::Program;
use super::cache::{Cache, Key};
use super::cookies::{Jar, MOST_COOKIE};
use super::look::MOST_VALUE;
use super::outcome::Moment;
use super::template::Scene;

/// Values longer than this give their memory back when an iteration begins.
const KEPT_VALUE: usize = 1024;

/// The state of one user of a program.
#[derive(Debug)]
pub struct User {
    pub(super) number: u64,
    pub(super) iteration: u64,
    /// Its step among all of the program's.
    pub(super) step: usize,
    /// How often the step was sent again.
    pub(super) retries: u32,
    pub(super) values: Vec<String>,
    /// Where a value is made before it takes the place of the last one.
    pub(super) spare: String,
    /// The path of the last request that was not a fixed one, where cookies may matter.
    pub(super) path: String,
    pub(super) jar: Jar,
    pub(super) cache: Cache,
    /// What the current request is kept under when its step keeps answers.
    pub(super) key: Option<Key>,
    /// Rows taken in order, of each scenario.
    pub(super) places: Vec<u32>,
    /// Answers that the cache had no room for since the last look.
    pub(super) unkept: u64,
}

impl User {
    /// `number` is what `${user}` stands for.
    #[must_use]
    pub fn new(program: &Program, number: u64) -> Self {
        Self {
            number,
            iteration: 0,
            step: 0,
            retries: 0,
            values: vec![String::new(); program.shared.slots],
            spare: String::new(),
            path: String::new(),
            jar: Jar::default(),
            cache: Cache::default(),
            key: None,
            places: vec![0; program.shared.scenarios.len()],
            unkept: 0,
        }
    }

    /// Makes it one of another program, with nothing in hand: its number stays, and its iterations are counted on.
    pub fn change(&mut self, program: &Program) {
        *self = Self {
            iteration: self.iteration,
            ..Self::new(program, self.number)
        };
    }

    /// Bytes that a user of a program can come to hold, when the target sends as much as is kept of everything.
    #[must_use]
    pub fn most_bytes(program: &Program) -> usize {
        let steps = program.steps();
        // Values and the one being made; a text that grows may take twice what is in it.
        let values = (program.shared.slots + 1) * (size_of::<String>() + 2 * MOST_VALUE);
        let jar = steps.iter().any(|step| step.wants.cookies);
        let cache = steps.iter().any(|step| step.keep_for.is_some());
        size_of::<Self>()
            + values
            + MOST_COOKIE
            + program.shared.scenarios.len() * size_of::<u32>()
            + if jar { Jar::MOST_BYTES } else { 0 }
            + if cache { Cache::MOST_BYTES } else { 0 }
    }

    /// The place of its current step among [`Program::steps`].
    #[must_use]
    pub fn step(&self) -> usize {
        self.step
    }

    /// Iterations begun.
    #[must_use]
    pub fn iteration(&self) -> u64 {
        self.iteration
    }

    /// Cookies that were not valid or did not fit, since the last call.
    pub fn take_refused_cookies(&mut self) -> u64 {
        std::mem::take(&mut self.jar.refused)
    }

    /// Answers that the cache had no room for, since the last call.
    pub fn take_unkept_answers(&mut self) -> u64 {
        std::mem::take(&mut self.unkept)
    }

    /// Forgets what belonged to the last iteration.
    pub(super) fn begin(&mut self, step: usize, keep_cookies: bool) {
        self.iteration += 1;
        self.step = step;
        self.retries = 0;
        if !keep_cookies {
            self.jar.clear();
        }
        for text in self
            .values
            .iter_mut()
            .chain([&mut self.spare, &mut self.path])
        {
            text.clear();
            text.shrink_to(KEPT_VALUE);
        }
    }

    /// Remembers where a request went: the path, as far as a cookie's can be.
    pub(super) fn went_to(&mut self, target: &str) {
        let end = target.find('?').unwrap_or(target.len()).min(MOST_COOKIE);
        self.path.clear();
        self.path.push_str(target.get(..end).unwrap_or_default());
    }

    /// What the variables of its templates stand for.
    pub(super) fn scene<'a>(&'a self, moment: Moment, rng: &'a mut dyn RngCore) -> Scene<'a> {
        Scene {
            values: &self.values,
            user: self.number,
            iteration: self.iteration,
            unix_ms: moment.unix_ms,
            rng,
        }
    }
}
