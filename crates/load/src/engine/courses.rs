//! The versions of the scenarios that a thread's users go through: the newest, and older ones until the last user who
//! began an iteration in them has ended it.

use std::sync::Arc;

use super::version::{Prepared, Version};
use crate::record::{Label, ThreadRecord};
use crate::scenario::Program;

/// Names the version that a user goes through, in its thread.
pub type CourseId = u32;

/// Of a user who is in the middle of no version's iteration.
pub const NOWHERE: CourseId = CourseId::MAX;

/// What a thread has of one version.
pub struct Course {
    pub version: Arc<Version>,
    /// The thread's own clone.
    pub program: Program,
    /// By step.
    pub stops: Vec<Stop>,
    /// By scenario, where it has several steps.
    pub iterations: Vec<Option<Label>>,
    /// Of an old one: users who are in the middle of it.
    left: u32,
}

/// What a thread has to know of a step besides what the version says.
#[derive(Clone, Copy)]
pub struct Stop {
    /// The place that it speaks to.
    pub place: u32,
    /// Where it is always the same.
    pub label: Option<Label>,
    /// Users may have the answer already.
    pub keeps: bool,
}

impl Course {
    /// Names the labels of a version that stay the same, as far as there is room for them.
    pub fn new(version: &Arc<Version>, record: &mut ThreadRecord) -> Self {
        let mut counts = vec![0; version.program.scenarios().len()];
        let mut stops = Vec::new();
        for step in version.program.steps() {
            counts[step.scenario()] += 1;
            stops.push(Stop {
                place: version.origins[step.origin()],
                label: step.label().map(|name| record.label(name)),
                keeps: step.is_kept(),
            });
        }
        let scenarios = version.program.scenarios().zip(counts);
        let iterations = scenarios.map(|(name, count)| (count > 1).then(|| record.label(name)));
        Self {
            iterations: iterations.collect(),
            program: version.program.clone(),
            version: Arc::clone(version),
            stops,
            left: 0,
        }
    }

    /// A step, made ready.
    #[inline]
    pub fn prepared(&self, step: usize) -> &Prepared {
        &self.version.prepared[step]
    }
}

/// All that a thread's users go through. The place of one that is over is used again.
pub struct Courses {
    held: Vec<Option<Course>>,
    newest: CourseId,
}

impl Courses {
    pub fn new(first: Course) -> Self {
        Self {
            held: vec![Some(first)],
            newest: 0,
        }
    }

    /// The one that iterations begin in.
    #[inline]
    pub fn newest(&self) -> CourseId {
        self.newest
    }

    /// The newest, or the one of a user who is in the middle of an iteration.
    ///
    /// # Panics
    /// If it is over, which no such user's is.
    #[inline]
    pub fn of(&self, id: CourseId) -> &Course {
        self.held[id as usize]
            .as_ref()
            .expect("a version is kept as long as a user is in it")
    }

    /// Has iterations begin in another one, while so many users are in the middle of the one before.
    pub fn replace(&mut self, course: Course, left: u32) {
        let old = self.newest;
        let free = self.held.iter().position(Option::is_none);
        let at = free.unwrap_or_else(|| {
            self.held.push(None);
            self.held.len() - 1
        });
        self.held[at] = Some(course);
        self.newest = at as CourseId;
        match &mut self.held[old as usize] {
            Some(course) if left > 0 => course.left = left,
            over => *over = None,
        }
    }

    /// A user has ended its iteration in an old one, which is over when it was the last.
    #[cold]
    pub fn leave(&mut self, id: CourseId) {
        let held = &mut self.held[id as usize];
        if let Some(course) = held {
            course.left -= 1;
            if course.left == 0 {
                *held = None;
            }
        }
    }
}
