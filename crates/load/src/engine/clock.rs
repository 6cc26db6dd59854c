//! The clock of a run.

use std::fs::File;
use std::io::Read;
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

/// Time in which this thread could have run and waited for a processor. None where the system does not count it.
#[must_use]
pub fn thread_delay() -> Option<Nanos> {
    let mut text = [0; 64]; // three numbers of 20 digits at most
    let read = File::open("/proc/thread-self/schedstat")
        .ok()?
        .read(&mut text)
        .ok()?;
    let mut fields = text[..read].split(|&byte| byte == b' ');
    std::str::from_utf8(fields.nth(1)?).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_knows_how_long_it_ran_and_waited() {
        let clock = Clock::start();
        let (cpu, delay) = (thread_cpu(), thread_delay());
        while clock.now() < 20 * MILLISECOND {}
        let used = thread_cpu() - cpu;
        assert!(used > 0 && used <= clock.now());
        if let (Some(before), Some(after)) = (delay, thread_delay()) {
            let waited = after - before;
            assert!(waited <= clock.now(), "{waited} of {} ns", clock.now());
        }
    }
}
