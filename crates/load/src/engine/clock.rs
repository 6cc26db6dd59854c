//! The clock of a run.

use std::time::Instant;

use rustix::time::{ClockId, clock_gettime};

use crate::Nanos;

pub const SECOND: Nanos = 1_000_000_000;
pub const MILLISECOND: Nanos = 1_000_000;

/// Counts from the start of a run; a copy counts from the same moment.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    #[must_use]
    pub fn start() -> Self {
        Self {
            start: Instant::now(),
        }
    }

    #[inline]
    #[must_use]
    pub fn now(&self) -> Nanos {
        self.start.elapsed().as_nanos() as Nanos
    }
}

/// Processor time that this thread has used, in the kernel too.
#[must_use]
pub fn thread_cpu() -> Nanos {
    let used = clock_gettime(ClockId::ThreadCPUTime);
    used.tv_sec as Nanos * SECOND + used.tv_nsec as Nanos
}
