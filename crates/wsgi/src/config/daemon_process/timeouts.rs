//! How long things may take in a process group.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::durations::seconds;

/// The time-outs of a group, zero meaning none where nothing else is said. The plan has them in
/// whole seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timeouts {
    /// From a process's start, and again from its first request, until an application is loaded.
    #[serde(with = "seconds")]
    pub startup: Duration,
    /// From the wish to end until the process is forced out.
    #[serde(with = "seconds")]
    pub shutdown: Duration,
    /// That no thread in the process acquires the GIL.
    #[serde(with = "seconds")]
    pub deadlock: Duration,
    /// Without any request.
    #[serde(with = "seconds")]
    pub inactivity: Duration,
    /// That a request takes; more where there are several threads (see
    /// [`Timeouts::request_limit`]).
    #[serde(with = "seconds")]
    pub request: Duration,
    /// That a request which was interrupted for `request` may go on.
    #[serde(with = "seconds")]
    pub interrupt: Duration,
    /// That running requests have when their process is to be replaced.
    #[serde(with = "seconds")]
    pub graceful: Duration,
    /// The same where an administrator asks for it by signal; 0: as `graceful`.
    #[serde(with = "seconds")]
    pub eviction: Duration,
    /// That a process lives.
    #[serde(with = "seconds")]
    pub restart_interval: Duration,
    /// That a child of httpd waits for a place in the group's queue.
    #[serde(with = "seconds")]
    pub connect: Duration,
    /// Each read and write between a child of httpd and a worker; 0: httpd's `Timeout`.
    #[serde(with = "seconds")]
    pub socket: Duration,
    /// That a request waits until a worker takes it.
    #[serde(with = "seconds")]
    pub queue: Duration,
    /// Each write to the client; 0: as `socket`.
    #[serde(with = "seconds")]
    pub response_socket: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            startup: Duration::ZERO,
            shutdown: Duration::from_secs(5),
            deadlock: Duration::from_mins(5),
            inactivity: Duration::ZERO,
            request: Duration::ZERO,
            interrupt: Duration::ZERO,
            graceful: Duration::from_secs(15),
            eviction: Duration::ZERO,
            restart_interval: Duration::ZERO,
            connect: Duration::from_secs(15),
            socket: Duration::ZERO,
            queue: Duration::ZERO,
            response_socket: Duration::ZERO,
        }
    }
}

impl Timeouts {
    /// How long a request may take in a process with so many threads; `None` if it may take any
    /// time. Many threads wait for one GIL, so each is given longer: `request x (1 + ln(threads))`,
    /// as mod_wsgi does.
    #[must_use]
    pub fn request_limit(&self, threads: u32) -> Option<Duration> {
        let scale = 1.0 + f64::from(threads.max(1)).ln();
        (!self.request.is_zero()).then(|| self.request.mul_f64(scale))
    }

    /// How long running requests have when the process goes because of a signal.
    #[must_use]
    pub fn evict(&self) -> Duration {
        if self.eviction.is_zero() { self.graceful } else { self.eviction }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_threads_are_given_longer() {
        let timeouts = Timeouts { request: Duration::from_secs(10), ..Timeouts::default() };
        let milliseconds = |threads| timeouts.request_limit(threads).unwrap().as_millis();
        assert_eq!((milliseconds(1), milliseconds(15)), (10_000, 37_080));
        assert_eq!(Timeouts::default().request_limit(15), None);
    }

    #[test]
    fn eviction_is_as_graceful_unless_it_is_said() {
        assert_eq!(Timeouts::default().evict(), Duration::from_secs(15));
        let eviction = Duration::from_secs(2);
        assert_eq!(Timeouts { eviction, ..Timeouts::default() }.evict(), eviction);
    }

    #[test]
    fn the_plan_has_whole_seconds() {
        let text = serde_json::to_string(&Timeouts::default()).unwrap();
        assert!(text.contains("\"shutdown\":5,\"deadlock\":300,"), "{text}");
        assert_eq!(serde_json::from_str::<Timeouts>(&text).unwrap(), Timeouts::default());
    }
}
