//! The actions that a worker's limits demand, decided from an observation of it. Moments are
//! durations since one that the caller has chosen.

use std::time::Duration;

use crate::config::daemon_process::Timeouts;
use crate::process::control::Cause;

/// A request that is being served.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RunningRequest {
    /// When it was taken.
    pub since: Duration,
    /// It was noted that it is slow.
    pub is_noted: bool,
    /// When it was interrupted.
    pub interrupted: Option<Duration>,
    /// It has taken too long, and no thread waits for it any more.
    pub is_stale: bool,
}

/// An observation of a worker.
#[derive(Clone, Copy, Debug, Default)]
pub struct Observation<'r> {
    /// The present.
    pub now: Duration,
    /// When it began.
    pub started: Duration,
    /// When its first request came.
    pub first_request: Option<Duration>,
    /// An application was loaded.
    pub has_loaded: bool,
    /// When there was activity last; `None` if there was none.
    pub activity: Option<Duration>,
    /// Since when a thread has waited for the GIL in vain.
    pub waits_for_gil: Option<Duration>,
    /// Another process was asked for, which is not done twice.
    pub has_asked: bool,
    /// The requests that are being served.
    pub running: &'r [RunningRequest],
}

/// The action to take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Note that the request with this index is slow.
    Note(usize),
    /// Interrupt the request with this index.
    Interrupt(usize),
    /// Wait no more for the request with this index, and replace the process.
    GiveUp(usize),
    /// End, as soon as the running requests allow.
    End(Cause),
    /// Have another process started first.
    Replace(Cause),
}

/// The limits of a worker.
#[derive(Clone, Copy, Debug)]
pub struct Watchdog {
    startup: Duration,
    deadlock: Duration,
    inactivity: Duration,
    request: Option<Duration>,
    interrupt: Duration,
    restart: Duration,
    slow: Option<Duration>,
}

impl Watchdog {
    /// The limits of a process with so many request threads; requests are slow after `slow`.
    #[must_use]
    pub fn new(timeouts: &Timeouts, threads: u32, slow: Option<Duration>) -> Self {
        Self {
            startup: timeouts.startup,
            deadlock: timeouts.deadlock,
            inactivity: timeouts.inactivity,
            request: timeouts.request_limit(threads),
            interrupt: timeouts.interrupt,
            restart: timeouts.restart_interval,
            slow,
        }
    }

    /// How often a busy process is to be looked at: often enough for its shortest limit. `None` if
    /// no limit has to do with requests.
    #[must_use]
    pub fn pace(&self) -> Option<Duration> {
        const OFTEN: Duration = Duration::from_millis(50);
        const SELDOM: Duration = Duration::from_secs(10);
        let limits =
            [self.startup, self.deadlock, self.inactivity, self.request.unwrap_or_default()];
        let limits = limits.into_iter().chain([self.slow.unwrap_or_default()]);
        limits.filter(|limit| !limit.is_zero()).min().map(|limit| (limit / 4).clamp(OFTEN, SELDOM))
    }

    /// Whether it is time to see if the GIL can be had, so long after the last time.
    #[must_use]
    pub fn asks_for_gil(&self, since: Duration) -> bool {
        !self.deadlock.is_zero() && since >= self.deadlock / 4
    }

    /// The action to take now.
    #[must_use]
    pub fn actions(&self, seen: &Observation<'_>) -> Vec<Action> {
        let mut actions = Vec::new();
        for (index, request) in seen.running.iter().enumerate() {
            if request.is_stale {
                continue;
            }
            let age = seen.now.saturating_sub(request.since);
            if self.slow.is_some_and(|slow| age >= slow) && !request.is_noted {
                actions.push(Action::Note(index));
            }
            if self.request.is_some_and(|limit| age >= limit) {
                match request.interrupted {
                    None if !self.interrupt.is_zero() => actions.push(Action::Interrupt(index)),
                    Some(at) if seen.now.saturating_sub(at) < self.interrupt => {}
                    _ => actions.push(Action::GiveUp(index)),
                }
            }
        }
        actions.extend(self.end(seen));
        actions
    }

    fn end(&self, seen: &Observation<'_>) -> Option<Action> {
        let over = |limit: Duration, since: Option<Duration>| {
            !limit.is_zero() && since.is_some_and(|since| seen.now.saturating_sub(since) >= limit)
        };
        let is_idle = seen.running.iter().all(|request| request.is_stale);
        if over(self.deadlock, seen.waits_for_gil) {
            Some(Action::End(Cause::Deadlock))
        } else if !seen.has_loaded && over(self.startup, seen.first_request) {
            Some(Action::End(Cause::StartupTimeout))
        } else if is_idle && over(self.inactivity, seen.activity) {
            Some(Action::End(Cause::Inactivity))
        } else if !seen.has_asked && over(self.restart, Some(seen.started)) {
            Some(Action::Replace(Cause::RestartInterval))
        } else {
            None
        }
    }

    /// The next moment at which something may be due if nothing happens meanwhile.
    #[must_use]
    pub fn next(&self, seen: &Observation<'_>) -> Option<Duration> {
        let after = |since: Option<Duration>, limit: Duration| {
            since.filter(|_| !limit.is_zero()).map(|since| since.saturating_add(limit))
        };
        let of_request = |request: &RunningRequest| {
            if request.is_stale {
                return [None, None];
            }
            let slow = self.slow.filter(|_| !request.is_noted);
            let slow = slow.map(|slow| request.since.saturating_add(slow));
            let limit = match request.interrupted {
                None => self.request.map(|limit| request.since.saturating_add(limit)),
                Some(at) => Some(at.saturating_add(self.interrupt)),
            };
            [slow, limit]
        };
        let loading = seen.first_request.filter(|_| !seen.has_loaded);
        seen.running
            .iter()
            .flat_map(of_request)
            .flatten()
            .chain(after(seen.waits_for_gil, self.deadlock))
            .chain(after(loading, self.startup))
            .chain(after(seen.activity, self.inactivity))
            .chain(after(Some(seen.started), self.restart))
            .filter(|moment| *moment > seen.now)
            .min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watchdog(timeouts: Timeouts) -> Watchdog {
        Watchdog::new(&timeouts, 1, Some(milliseconds(500)))
    }

    const fn milliseconds(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    const fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    fn none() -> Timeouts {
        Timeouts { deadlock: Duration::ZERO, ..Timeouts::default() }
    }

    #[test]
    fn a_request_is_noted_interrupted_and_given_up() {
        let watched = watchdog(Timeouts { request: seconds(2), interrupt: seconds(1), ..none() });
        let mut request = RunningRequest { since: seconds(1), ..RunningRequest::default() };
        let at = |now, request: RunningRequest| {
            let running = [request];
            let seen =
                Observation { now: milliseconds(now), running: &running, ..Observation::default() };
            (watched.actions(&seen), watched.next(&seen).map(|moment| moment.as_millis()))
        };
        assert_eq!(at(1400, request), (vec![], Some(1500)));
        assert_eq!(at(1500, request), (vec![Action::Note(0)], Some(3000)));
        request.is_noted = true;
        assert_eq!(at(3000, request).0, [Action::Interrupt(0)]);
        request.interrupted = Some(seconds(3));
        assert_eq!(at(3500, request), (vec![], Some(4000)));
        assert_eq!(at(4000, request).0, [Action::GiveUp(0)]);
        request.is_stale = true;
        assert_eq!(at(9000, request), (vec![], None));
    }

    #[test]
    fn without_a_grace_a_request_is_given_up_at_once() {
        let watched = watchdog(Timeouts { request: seconds(1), ..none() });
        let running = [RunningRequest { is_noted: true, ..RunningRequest::default() }];
        let seen = Observation { now: seconds(1), running: &running, ..Observation::default() };
        assert_eq!(watched.actions(&seen), [Action::GiveUp(0)]);
    }

    #[test]
    fn the_process_has_limits_of_its_own() {
        let timeouts = Timeouts {
            startup: seconds(1),
            deadlock: seconds(2),
            inactivity: seconds(3),
            restart_interval: seconds(9),
            ..none()
        };
        let watched = watchdog(timeouts);
        let seen = Observation { now: seconds(4), ..Observation::default() };
        assert_eq!(watched.actions(&seen), []);
        let with = |change: fn(&mut Observation<'_>)| {
            let mut seen = seen;
            change(&mut seen);
            watched.actions(&seen)
        };
        assert_eq!(
            with(|seen| seen.waits_for_gil = Some(seconds(2))),
            [Action::End(Cause::Deadlock)]
        );
        assert_eq!(
            with(|seen| seen.first_request = Some(seconds(3))),
            [Action::End(Cause::StartupTimeout)]
        );
        assert_eq!(
            with(|seen| (seen.first_request, seen.has_loaded) = (Some(seconds(3)), true)),
            []
        );
        assert_eq!(with(|seen| seen.activity = Some(seconds(1))), [Action::End(Cause::Inactivity)]);
        assert_eq!(with(|seen| seen.activity = Some(milliseconds(1001))), []);
        assert_eq!(with(|seen| seen.now = seconds(9)), [Action::Replace(Cause::RestartInterval)]);
        // Nothing to do any more, or the process would look at it without pause until it is
        // replaced.
        assert_eq!(with(|seen| (seen.now, seen.has_asked) = (seconds(9), true)), []);
    }

    #[test]
    fn a_process_in_use_is_not_inactive() {
        let watched = watchdog(Timeouts { inactivity: seconds(1), ..none() });
        let mut running = [RunningRequest { is_noted: true, ..RunningRequest::default() }];
        let look = |running: &[RunningRequest]| {
            watched.actions(&Observation {
                now: seconds(5),
                activity: Some(Duration::ZERO),
                running,
                ..Observation::default()
            })
        };
        assert_eq!(look(&running), []);
        running[0].is_stale = true;
        assert_eq!(look(&running), [Action::End(Cause::Inactivity)]);
    }

    #[test]
    fn the_pace_follows_the_shortest_limit() {
        assert_eq!(Watchdog::new(&none(), 1, None).pace(), None);
        assert_eq!(Watchdog::new(&Timeouts::default(), 1, None).pace(), Some(seconds(10)));
        assert_eq!(
            watchdog(Timeouts { request: seconds(9), ..none() }).pace(),
            Some(milliseconds(125))
        );
        assert!(Watchdog::new(&Timeouts::default(), 1, None).asks_for_gil(seconds(75)));
        assert!(!watchdog(none()).asks_for_gil(Duration::MAX));
    }
}
