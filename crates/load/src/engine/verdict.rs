//! Whether the generator, and not the target, was the limit; and why.

use super::clock::{MILLISECOND, SECOND};
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
    let sum = |of: fn(&Effort) -> u64| account.efforts.iter().map(of).sum::<u64>();
    let shares = account
        .efforts
        .iter()
        .map(|effort| share(effort, account.elapsed));
    let busy = shares.clone().filter(|&share| share >= BUSY).count();
    let most = shares.fold(0.0, f64::max) * 100.0;
    let (begun, late) = (sum(|one| one.begun), sum(|one| one.late));
    let is_late = late as f64 > begun as f64 * MOST_LATE;
    let threads = account.efforts.len();
    if busy > 0 && (!account.is_open && busy == threads || is_late) {
        verdict.is_saturated = true;
        verdict.why.push(format!(
            "the generator used {most:.0} % of a processor on {busy} of its {threads} threads: the target may be \
             faster than this shows; give it more threads (--threads) on free processors"
        ));
    } else if is_late {
        verdict.is_saturated = true;
        let mean = sum(|one| one.late_by) / late.max(1);
        verdict.why.push(format!(
            "{late} of {begun} iterations began late, by {:.1} ms in the mean, although a user was free and the \
             generator used {most:.0} % of a processor: something else takes the processors of this machine",
            mean as f64 / MILLISECOND as f64
        ));
    }
    if account.refused > 0 {
        verdict.is_saturated = true;
        verdict.why.push(format!(
            "this system refused {} requests (no descriptor, port or memory was left): raise `ulimit -n`, keep \
             connections alive, or ask for fewer at once",
            account.refused
        ));
    }
    bounds(
        account,
        sum(|one| one.starved),
        sum(|one| one.bound),
        &mut verdict.why,
    );
    verdict
}

fn bounds(account: &Account<'_>, starved: u64, bound: u64, why: &mut Vec<String>) {
    if starved > 0 {
        why.push(format!(
            "all {} users were busy {starved} times when an iteration was due: it began late, and its corrected \
             latency counts that; the target is slower than the rate asks, or needs more users (--concurrency)",
            account.users
        ));
    }
    if bound > 0 {
        why.push(format!(
            "{bound} requests waited because {} connections were all in use: allow more (--connections)",
            account.connections
        ));
    }
}

/// The share of a processor that a thread used.
#[must_use]
pub fn share(effort: &Effort, elapsed: Nanos) -> f64 {
    effort.cpu as f64 / elapsed.max(SECOND / 1000) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

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
