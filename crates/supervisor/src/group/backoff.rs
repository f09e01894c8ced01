//! How long to wait before a worker is started again.

use std::time::Duration;

/// The delay of a group whose workers keep ending by themselves.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Backoff {
    failures: u32,
    /// So many workers in a row have left as soon as they were ready.
    exits_in_a_row: u32,
}

/// A worker that served this long was well when it started.
pub(crate) const WELL: Duration = Duration::from_secs(10);
/// A worker that leaves sooner has hardly served anything.
const AT_ONCE: Duration = Duration::from_secs(1);
/// So many may do so in a row in any group, and so many for each worker that it may have: scripts
/// may be changed several times in a second.
const FREE: u32 = 16;
const FREE_EACH: u32 = 4;
/// The pause where that is what the configuration asks for (`maximum-requests=1`).
const PAUSE: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(30);
const STEP: Duration = Duration::from_millis(250);

impl Backoff {
    /// A worker ended by itself after it had been ready for `served` (`None`: it never was). Gives
    /// the delay before the next one starts: none at first, then twice as long each time.
    pub(crate) fn after_failure(&mut self, served: Option<Duration>) -> Duration {
        if served.is_some_and(|served| served >= WELL) {
            self.failures = 0;
        }
        self.failures = self.failures.saturating_add(1);
        // One that was ready is replaced at once the first time; one that cannot even start waits.
        let steps = self.failures - u32::from(served.is_some()).min(self.failures);
        match steps {
            0 => Duration::ZERO,
            steps => delay(steps),
        }
    }

    /// A worker leaves by itself, without a failure, when it has been ready for `served`. Gives the
    /// delay before the next one starts: none, unless that happens at once, again and again, in a
    /// group of `most` workers. `is_usual` says that it may.
    pub(crate) fn after_exit(&mut self, served: Duration, most: u32, is_usual: bool) -> Duration {
        if served >= AT_ONCE {
            self.exits_in_a_row = 0;
            return Duration::ZERO;
        }
        self.exits_in_a_row = self.exits_in_a_row.saturating_add(1);
        let free = most.saturating_mul(FREE_EACH).max(FREE);
        match self.exits_in_a_row.saturating_sub(free) {
            0 => Duration::ZERO,
            _ if is_usual => PAUSE,
            steps => delay(steps),
        }
    }

    /// A worker ended as it should.
    pub(crate) fn after_success(&mut self) {
        self.failures = 0;
    }
}

/// The delay after so many steps, at least one.
fn delay(steps: u32) -> Duration {
    STEP.saturating_mul(1 << (steps - 1).min(16)).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_that_leave_at_once_are_replaced_with_growing_delay() {
        let mut backoff = Backoff::default();
        let mut leave = |is_usual| backoff.after_exit(Duration::from_millis(5), 1, is_usual);
        assert!((0..FREE).all(|_| leave(false).is_zero()));
        assert_eq!([leave(false), leave(false), leave(true)], [STEP, STEP * 2, PAUSE]);
        for _ in 0..100 {
            leave(false);
        }
        assert_eq!(leave(false), LONGEST);
        backoff.after_success();
        assert!(!backoff.after_exit(Duration::ZERO, 1, false).is_zero(), "its end is no excuse");
        assert!(backoff.after_exit(AT_ONCE, 1, false).is_zero());
        assert!(backoff.after_exit(Duration::ZERO, 1, false).is_zero());
    }

    #[test]
    fn delays_grow_and_are_forgotten() {
        let mut backoff = Backoff::default();
        let second = Duration::from_secs(1);
        assert_eq!(backoff.after_failure(Some(second)), Duration::ZERO);
        assert_eq!(backoff.after_failure(Some(second)), STEP);
        assert_eq!(backoff.after_failure(None), STEP * 4);
        for _ in 0..100 {
            backoff.after_failure(None);
        }
        assert_eq!(backoff.after_failure(None), LONGEST);
        assert_eq!(backoff.after_failure(Some(WELL)), Duration::ZERO);
        backoff.after_success();
        assert_eq!(backoff.after_failure(None), STEP);
    }
}
