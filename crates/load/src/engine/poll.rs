//! Waiting for sockets, and for moments between two milliseconds.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};

use super::clock::{MILLISECOND, SECOND};
use crate::Nanos;

/// Sockets that are reported at once.
const BATCH: usize = 256;

/// The key of the timer, which no socket has.
const TIMER: u64 = u64::MAX;

/// What happened to a socket.
#[derive(Clone, Copy, Debug)]
pub struct Ready {
    pub key: u64,
    pub readable: bool,
    pub writable: bool,
}

/// An epoll instance. Sockets are told of once at each change (edge-triggered), so that no call is needed to change
/// what is waited for.
pub struct Poll {
    epoll: OwnedFd,
    /// Where epoll counts milliseconds, this one counts nanoseconds.
    timer: OwnedFd,
}

/// What one wait told. It belongs to the thread that waits.
pub struct Events(Vec<epoll::Event>);

impl Default for Events {
    fn default() -> Self {
        Self(Vec::with_capacity(BATCH))
    }
}

impl Poll {
    /// # Errors
    /// The system has no descriptors left.
    pub fn new() -> io::Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let timer = timerfd_create(
            TimerfdClockId::Monotonic,
            TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC,
        )?;
        let (edge, key) = (EventFlags::IN | EventFlags::ET, EventData::new_u64(TIMER));
        epoll::add(&epoll, &timer, key, edge)?;
        Ok(Self { epoll, timer })
    }

    /// Tells of a socket from now on, until it is closed.
    ///
    /// # Errors
    /// The system has no room for it.
    pub fn add(&self, socket: impl AsFd, key: u64) -> io::Result<()> {
        let flags = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
        epoll::add(&self.epoll, socket, EventData::new_u64(key), flags)?;
        Ok(())
    }

    /// Waits until something happens, at most so long. A wait of 0 only looks.
    ///
    /// # Errors
    /// What the system says; an interruption is none.
    pub fn wait(&self, most: Nanos, events: &mut Events) -> io::Result<()> {
        events.0.clear();
        let timeout = self.timeout(most)?;
        let room = spare_capacity(&mut events.0);
        match epoll::wait(&self.epoll, room, Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Long waits need no timer: the one for the rest of a millisecond is set when it has come that far.
    fn timeout(&self, most: Nanos) -> io::Result<Timespec> {
        let whole = most / MILLISECOND;
        if most > 0 && whole < 2 {
            let once = Itimerspec {
                it_interval: timespec(0),
                it_value: timespec(most),
            };
            timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &once)?;
            return Ok(timespec(10 * MILLISECOND));
        }
        Ok(timespec(whole.saturating_sub(1) * MILLISECOND))
    }
}

impl Events {
    /// What the last wait told, besides the timer.
    pub fn ready(&self) -> impl Iterator<Item = Ready> {
        self.0.iter().filter_map(|event| {
            let (flags, key) = (event.flags, event.data.u64());
            let ended = EventFlags::HUP | EventFlags::ERR | EventFlags::RDHUP;
            (key != TIMER).then(|| Ready {
                key,
                readable: flags.intersects(EventFlags::IN | ended),
                writable: flags.intersects(EventFlags::OUT | ended),
            })
        })
    }
}

fn timespec(nanos: Nanos) -> Timespec {
    let duration = Duration::from_nanos(nanos);
    Timespec {
        tv_sec: (nanos / SECOND).cast_signed(),
        tv_nsec: i64::from(duration.subsec_nanos()),
    }
}
