//! Waiting for sockets, and for moments between two milliseconds.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};

use super::clock::SECOND;
use crate::Nanos;

/// Sockets that are reported at once.
const BATCH: usize = 256;

/// The key of the timer, which no socket has.
const TIMER: u64 = u64::MAX;

/// Two waits that end within this time of each other end at the same moment: between a wait that is asked for and the
/// clock that is read for it some nanoseconds pass.
const SAME: Duration = Duration::from_micros(1);

/// What happened to a socket.
#[derive(Clone, Copy, Debug)]
pub struct Ready {
    pub key: u64,
    pub readable: bool,
    pub writable: bool,
    /// The peer has sent all that it will, or the connection is broken; nothing more is told of it. What it sent last
    /// may have come together with its end, so that reading goes on until that is found.
    pub ended: bool,
}

/// An epoll instance. Sockets are told of once at each change (edge-triggered), so that no call is needed to change
/// what is waited for.
pub struct Poll {
    epoll: OwnedFd,
    /// Where epoll counts milliseconds, this one counts nanoseconds.
    timer: OwnedFd,
    /// When it goes off. Waits that are cut short by sockets mostly go on until the same moment, for which it need not
    /// be set again.
    set: Option<Instant>,
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
        Ok(Self {
            epoll,
            timer,
            set: None,
        })
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

    /// Waits until something happens, at most so long, and never ends before for nothing. A wait of 0 only looks.
    ///
    /// # Errors
    /// What the system says; an interruption is none.
    pub fn wait(&mut self, most: Nanos, events: &mut Events) -> io::Result<()> {
        events.0.clear();
        let timeout = if most == 0 {
            Some(timespec(0))
        } else {
            self.set_timer(most)?;
            None
        };
        let room = spare_capacity(&mut events.0);
        match epoll::wait(&self.epoll, room, timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        if events.0.iter().any(|event| event.data.u64() == TIMER) {
            self.set = None;
        }
        Ok(())
    }

    fn set_timer(&mut self, most: Nanos) -> io::Result<()> {
        let at = Instant::now() + Duration::from_nanos(most);
        let is_same = |set: Instant| set.max(at) - set.min(at) < SAME;
        if self.set.is_some_and(is_same) {
            return Ok(());
        }
        let once = Itimerspec {
            it_interval: timespec(0),
            it_value: timespec(most),
        };
        timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &once)?;
        self.set = Some(at);
        Ok(())
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
                ended: flags.intersects(ended),
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

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::{Ipv4Addr, TcpListener, TcpStream};

    use super::*;

    const MICROSECOND: Nanos = 1000;
    const MILLISECOND: Nanos = 1000 * MICROSECOND;

    struct Waiting {
        poll: Poll,
        events: Events,
    }

    impl Waiting {
        fn new() -> Self {
            let (poll, events) = (Poll::new().unwrap(), Events::default());
            Self { poll, events }
        }

        /// How long a wait took.
        fn wait(&mut self, most: Nanos) -> Nanos {
            let begun = Instant::now();
            self.poll.wait(most, &mut self.events).unwrap();
            begun.elapsed().as_nanos() as Nanos
        }

        fn ready(&self) -> Vec<Ready> {
            self.events.ready().collect()
        }
    }

    fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (near, listener.accept().unwrap().0)
    }

    #[test]
    fn waits_end_in_time_and_never_before() {
        let mut waiting = Waiting::new();
        for micros in [50, 200, 900, 1000, 1500, 1999, 2000, 2500, 3000, 11_000] {
            let most = micros * MICROSECOND;
            let late = (0..20).map(|_| {
                let took = waiting.wait(most);
                assert!(took >= most, "{micros} us took {took} ns");
                assert!(waiting.ready().is_empty());
                took - most
            });
            // Others use this machine too: the best of twenty shows what the timer can.
            let best = late.min().unwrap();
            assert!(best < 500 * MICROSECOND, "{micros} us: late by {best} ns");
        }
    }

    #[test]
    fn a_wait_of_nothing_only_looks() {
        let mut waiting = Waiting::new();
        let best = (0..20).map(|_| waiting.wait(0)).min().unwrap();
        assert!(best < 100 * MICROSECOND, "{best} ns");
    }

    #[test]
    fn a_timer_that_was_set_for_another_wait_ends_none() {
        let mut waiting = Waiting::new();
        let (mut near, far) = pair();
        waiting.poll.add(&far, 7).unwrap();
        assert!(waiting.wait(MILLISECOND) < MILLISECOND, "it is writable");
        near.write_all(b"x").unwrap();
        let took = waiting.wait(3 * MILLISECOND);
        assert!(took < 3 * MILLISECOND && waiting.ready()[0].readable);
        assert!(waiting.wait(20 * MILLISECOND) >= 20 * MILLISECOND);
        // One that went off while nobody waited is not waited for again.
        near.write_all(b"x").unwrap();
        assert!(waiting.wait(MILLISECOND) < MILLISECOND);
        std::thread::sleep(Duration::from_millis(2));
        waiting.wait(0);
        assert!(waiting.wait(2 * MILLISECOND) >= 2 * MILLISECOND);
    }

    #[test]
    fn a_wait_that_goes_on_until_the_same_moment_ends_then() {
        let mut waiting = Waiting::new();
        let (mut near, far) = pair();
        waiting.poll.add(&far, 7).unwrap();
        waiting.wait(0);
        let until = Instant::now() + Duration::from_millis(5);
        for _ in 0..5 {
            near.write_all(b"x").unwrap();
            let left = until.saturating_duration_since(Instant::now());
            waiting.wait(left.as_nanos() as Nanos);
        }
        let left = until.saturating_duration_since(Instant::now());
        waiting.wait(left.as_nanos() as Nanos);
        let late = Instant::now().duration_since(until);
        assert!(late < Duration::from_millis(50), "{late:?}");
        assert!(waiting.poll.set.is_none(), "it went off");
    }

    #[test]
    fn the_end_of_a_peer_is_told_with_its_last_bytes() {
        let mut waiting = Waiting::new();
        let (mut near, far) = pair();
        waiting.poll.add(&far, 9).unwrap();
        waiting.wait(0);
        let ready = waiting.ready()[0];
        assert!(ready.writable && !ready.readable && !ready.ended && ready.key == 9);
        near.write_all(b"bye").unwrap();
        drop(near);
        waiting.wait(100 * MILLISECOND);
        let ready = waiting.ready()[0];
        assert!(ready.readable && ready.ended);
    }
}
