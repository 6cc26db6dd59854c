//! Whether the generator, and not the target, was the limit; and why.

use super::clock::MILLISECOND;
use super::flight::Effort;
use crate::Nanos;

/// From this share of a processor on a thread has no time left: what it measures is its own lateness.
const BUSY: f64 = 0.9;

/// Share of arrivals that may begin late before it counts: a scheduler's hiccup is no limit.
const MOST_LATE: f64 = 0.01;

/// What the threads of a run did, and how.
#[derive(Clone, Debug, Default)]
pub struct Account<'e> {
    pub efforts: &'e [Effort],
    /// Since the run began.
    pub elapsed: Nanos,
    /// Iterations begin at intended times.
    pub is_open: bool,
    /// Requests that the system refused: no descriptor, port or memory was left.
    pub refused: u64,
    pub users: u32,
    pub connections: u32,
}

impl Account<'_> {
    fn sum(&self, of: fn(&Effort) -> u64) -> u64 {
        self.efforts.iter().map(of).sum()
    }
}

/// What is to be said of the generator.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// The figures are the generator's as much as the target's.
    pub is_saturated: bool,
    /// Sentences, also of bounds that the owner set.
    pub why: Vec<String>,
}

/// Judges a run, while it goes on or after it.
#[must_use]
pub fn judge(account: &Account<'_>) -> Verdict {
    let mut verdict = Verdict::default();
    if account.elapsed == 0 {
        return verdict;
    }
    limits(account, &mut verdict.why);
    if account.refused > 0 {
        verdict.why.push(format!(
            "this system refused {} requests (no descriptor, port or memory was left): raise `ulimit -n`, keep \
             connections alive, or ask for fewer at once",
            account.refused
        ));
    }
    verdict.is_saturated = !verdict.why.is_empty();
    bounds(account, verdict.is_saturated, &mut verdict.why);
    verdict
}

/// Why the generator was the limit: what held up threads that had no time left, or what made the others late.
fn limits(account: &Account<'_>, why: &mut Vec<String>) {
    let Account {
        efforts, elapsed, ..
    } = *account;
    let threads = efforts.len();
    let mut limiting: Vec<_> = efforts
        .iter()
        .filter(|effort| has_no_time(effort, elapsed) && !(account.is_open && keeps_up(effort)))
        .collect();
    if !account.is_open && limiting.len() < threads {
        limiting.clear();
    }
    let is_full = |effort: &&Effort| share(effort, elapsed) >= BUSY;
    let (full, held): (Vec<_>, Vec<_>) = limiting.into_iter().partition(is_full);
    if !full.is_empty() {
        why.push(format!(
            "the generator used {:.0} % of a processor on {} of its {threads} threads: the target may be faster than \
             this shows; give it more threads (--threads) on free processors, or send from another machine",
            most(&full, elapsed, |one| one.cpu),
            full.len()
        ));
    }
    if !held.is_empty() {
        why.push(format!(
            "{} of the generator's {threads} threads had work and no processor for up to {:.0} % of the time, and used \
             {:.0} %: others take the processors of this machine; stop them, have no more threads (--threads) than \
             free processors, or send from another machine",
            held.len(),
            most(&held, elapsed, |one| one.delayed),
            most(&held, elapsed, |one| one.cpu)
        ));
    }
    let (begun, late) = (account.sum(|one| one.begun), account.sum(|one| one.late));
    if why.is_empty() && late as f64 > begun as f64 * MOST_LATE {
        let mean = account.sum(|one| one.late_by) / late.max(1);
        let efforts: Vec<_> = efforts.iter().collect();
        why.push(format!(
            "{late} of {begun} iterations began late, by {:.1} ms in the mean, although a user was free and the \
             generator used {:.0} % of a processor: something else takes the processors of this machine; stop it, or \
             send from another machine",
            mean as f64 / MILLISECOND as f64,
            most(&efforts, elapsed, |one| one.cpu)
        ));
    }
}

fn bounds(account: &Account<'_>, is_saturated: bool, why: &mut Vec<String>) {
    let starved = account.sum(|one| one.starved);
    if starved > 0 {
        let cause = if is_saturated {
            "a generator at its limit keeps them busy as well as a slow target does"
        } else {
            "the target is slower than the rate asks, or needs more users (--concurrency)"
        };
        why.push(format!(
            "all {} users were busy {starved} times when an iteration was due: it began late, and its corrected \
             latency counts that; {cause}",
            account.users
        ));
    }
    let bound = account.sum(|one| one.bound);
    if bound > 0 {
        why.push(format!(
            "{bound} requests waited because {} connections were all in use: allow more (--connections)",
            account.connections
        ));
    }
}

/// Whether a thread had something to do nearly always, also while others had its processor.
fn has_no_time(effort: &Effort, elapsed: Nanos) -> bool {
    part(effort.cpu.saturating_add(effort.delayed), elapsed) >= BUSY
}

/// Whether arrivals began when they should have. Those that found no user free count as well: a thread without time
/// learns too late that its users are done.
fn keeps_up(effort: &Effort) -> bool {
    (effort.late + effort.starved) as f64 <= effort.begun as f64 * MOST_LATE
}

/// The largest share of the time that one of some threads spent on something, in percent.
fn most(efforts: &[&Effort], elapsed: Nanos, on: fn(&Effort) -> Nanos) -> f64 {
    let shares = efforts.iter().map(|effort| part(on(effort), elapsed));
    shares.fold(0.0, f64::max) * 100.0
}

/// The share of a processor that a thread used.
#[must_use]
pub fn share(effort: &Effort, elapsed: Nanos) -> f64 {
    part(effort.cpu, elapsed)
}

fn part(time: Nanos, elapsed: Nanos) -> f64 {
    time as f64 / elapsed.max(MILLISECOND) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::clock::SECOND;

    fn effort(cpu: Nanos, begun: u64, late: u64) -> Effort {
        Effort {
            cpu,
            begun,
            late,
            late_by: late * 3 * MILLISECOND,
            ..Effort::default()
        }
    }

    fn account(efforts: &[Effort], is_open: bool) -> Account<'_> {
        Account {
            efforts,
            elapsed: 10 * SECOND,
            is_open,
            users: 64,
            connections: 100,
            ..Account::default()
        }
    }

    #[test]
    fn a_closed_run_is_at_its_limit_when_no_thread_has_time_left() {
        let full = effort(98 * SECOND / 10, 1000, 0);
        let idle = effort(2 * SECOND, 1000, 0);
        let verdict = judge(&account(&[full, full], false));
        assert!(verdict.is_saturated);
        assert!(verdict.why[0].contains("98 % of a processor on 2 of its 2 threads"));
        assert!(!judge(&account(&[full, idle], false)).is_saturated);
        assert_eq!(judge(&account(&[idle], false)), Verdict::default());
    }

    #[test]
    fn an_open_run_is_at_its_limit_when_it_sends_late_and_nobody_kept_it_waiting() {
        let full = effort(96 * SECOND / 10, 1000, 500);
        assert!(judge(&account(&[full], true)).is_saturated);
        let busy_in_time = effort(96 * SECOND / 10, 1000, 9);
        assert_eq!(judge(&account(&[busy_in_time], true)), Verdict::default());
        let disturbed = judge(&account(&[effort(SECOND, 1000, 500)], true));
        assert!(disturbed.is_saturated);
        assert!(disturbed.why[0].contains("500 of 1000 iterations began late, by 3.0 ms"));
    }

    #[test]
    fn a_full_thread_that_cannot_keep_up_is_the_limit_although_its_users_are_busy() {
        let full = Effort {
            asked: 4_000_000,
            starved: 3_100_000,
            unsent: 3_100_000,
            ..effort(99 * SECOND / 10, 900_000, 0)
        };
        let verdict = judge(&account(&[full], true));
        assert!(verdict.is_saturated);
        assert!(verdict.why[0].contains("99 % of a processor on 1 of its 1 threads"));
        assert!(verdict.why[1].ends_with("keeps them busy as well as a slow target does"));
        let idle = effort(SECOND, 900_000, 0);
        let verdict = judge(&account(&[full, idle], true));
        assert!(verdict.why[0].contains("on 1 of its 2 threads"));
        let waiting = Effort {
            cpu: SECOND,
            ..full
        };
        assert!(!judge(&account(&[waiting], true)).is_saturated);
    }

    #[test]
    fn a_thread_that_wants_more_processor_than_it_gets_is_the_limit() {
        let held = |starved, late| Effort {
            delayed: 7 * SECOND,
            starved,
            ..effort(25 * SECOND / 10, 1000, late)
        };
        for (one, is_open) in [
            (held(0, 0), false),
            (held(11, 0), true),
            (held(0, 11), true),
        ] {
            let verdict = judge(&account(&[one], is_open));
            assert!(verdict.is_saturated);
            assert!(
                verdict.why[0].contains("had work and no processor for up to 70 % of the time"),
                "{:?}",
                verdict.why
            );
        }
        assert_eq!(judge(&account(&[held(0, 0)], true)), Verdict::default());
        let full = effort(95 * SECOND / 10, 1000, 0);
        let both = judge(&account(&[held(0, 0), full], false)).why;
        assert!(both[0].contains("95 % of a processor on 1 of its 2 threads"));
        assert!(both[1].contains("1 of the generator's 2 threads had work and no processor"));
    }

    #[test]
    fn bounds_that_bit_are_told_and_are_no_fault_of_the_generator() {
        let starved = Effort {
            starved: 7,
            bound: 3,
            ..effort(SECOND, 1000, 0)
        };
        let verdict = judge(&account(&[starved], true));
        assert!(!verdict.is_saturated);
        assert!(verdict.why[0].starts_with("all 64 users were busy 7 times"));
        assert!(verdict.why[1].contains("100 connections"));
    }

    #[test]
    fn what_the_system_refused_is_its_own_limit() {
        let one = [effort(SECOND, 10, 0)];
        let refused = Account {
            refused: 5,
            ..account(&one, true)
        };
        assert!(judge(&refused).is_saturated);
    }
}
