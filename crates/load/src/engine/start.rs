//! Starting the threads of a run: all of them, or none.

use std::io;
use std::sync::mpsc;
use std::thread::{Builder, JoinHandle};

use crate::{Error, Result};

/// What a thread does.
pub type Work = Box<dyn FnOnce() + Send>;

/// Starts threads that send, and one that is given them and adds up what they do. Each begins when all are there.
///
/// # Errors
/// One of them cannot be started: then none has begun, and none is left.
pub fn all(
    sending: Vec<Work>,
    adding: impl FnOnce(Vec<JoinHandle<()>>) + Send + 'static,
    spawn: impl Fn(Work) -> io::Result<JoinHandle<()>>,
) -> Result<JoinHandle<()>> {
    let count = sending.len();
    let (mut gates, mut senders) = (Vec::new(), Vec::new());
    for work in sending {
        let (gate, opened) = mpsc::channel();
        let held = Box::new(move || {
            if opened.recv().is_ok() {
                work();
            }
        });
        match spawn(held) {
            Ok(sender) => senders.push(sender),
            Err(error) => return Err(unstarted(gates, senders, count, &error)),
        }
        gates.push(gate);
    }
    let (hand, handed) = mpsc::channel();
    let held = Box::new(move || {
        if let Ok(senders) = handed.recv() {
            adding(senders);
        }
    });
    let handle = match spawn(held) {
        Ok(handle) => handle,
        Err(error) => return Err(unstarted(gates, senders, count, &error)),
    };
    for gate in gates {
        let _ = gate.send(()); // who waits for it does so until then
    }
    let _ = hand.send(senders);
    Ok(handle)
}

/// Starts a thread of this system.
pub fn thread(work: Work) -> io::Result<JoinHandle<()>> {
    Builder::new().name("load".to_owned()).spawn(work)
}

/// Ends the threads that wait for their gates.
fn unstarted(
    gates: Vec<mpsc::Sender<()>>,
    senders: Vec<JoinHandle<()>>,
    count: usize,
    error: &io::Error,
) -> Error {
    drop(gates);
    let started = senders.len();
    for sender in senders {
        let _ = sender.join();
    }
    Error::run(format!(
        "{started} of {} threads of the run could be started, then the system refused one ({error}), so nothing was \
         sent: ask for fewer (--threads), or let this user have more (ulimit -u, pids.max of its cgroup)",
        count + 1
    ))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    struct Tried {
        begun: u32,
        added: u32,
        result: Result<()>,
        /// Threads that hold on to what they were to do.
        left: usize,
    }

    /// Starts three threads and the one that adds up, of which the system refuses one.
    fn started(refused: usize) -> Tried {
        let (begun, added) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
        let works = (0..3).map(|_| {
            let begun = Arc::clone(&begun);
            Box::new(move || {
                begun.fetch_add(1, Ordering::SeqCst);
            }) as Work
        });
        let sum = Arc::clone(&added);
        let adding = move |senders: Vec<JoinHandle<()>>| {
            for sender in senders {
                sender.join().unwrap();
                sum.fetch_add(1, Ordering::SeqCst);
            }
        };
        let asked = Cell::new(0);
        let handle = all(works.collect(), adding, |work| {
            if asked.replace(asked.get() + 1) == refused {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            thread(work)
        });
        Tried {
            result: handle.map(|handle| handle.join().unwrap()),
            begun: begun.load(Ordering::SeqCst),
            added: added.load(Ordering::SeqCst),
            left: Arc::strong_count(&begun) + Arc::strong_count(&added) - 2,
        }
    }

    #[test]
    fn all_begin() {
        let tried = started(usize::MAX);
        assert!(tried.result.is_ok());
        assert_eq!((tried.begun, tried.added, tried.left), (3, 3, 0));
    }

    #[test]
    fn where_one_cannot_be_started_none_begins_and_none_is_left() {
        for refused in 0..4 {
            let tried = started(refused);
            let why = tried.result.unwrap_err().to_string();
            assert!(why.starts_with(&format!("{refused} of 4 threads")), "{why}");
            assert_eq!((tried.begun, tried.added, tried.left), (0, 0, 0));
        }
    }
}
