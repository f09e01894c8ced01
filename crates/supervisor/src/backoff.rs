//! How long to wait before a worker is started again.

use std::time::Duration;

/// The delay of a group whose workers keep ending by themselves.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Backoff {
    failures: u32,
}

/// A worker that served this long was well when it started.
pub(crate) const WELL: Duration = Duration::from_secs(10);
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
            steps => STEP.saturating_mul(1 << (steps - 1).min(16)).min(LONGEST),
        }
    }

    /// A worker ended as it should.
    pub(crate) fn after_success(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
