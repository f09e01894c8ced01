//! How long things may take in a process group.

use serde::{Deserialize, Serialize};

/// The time-outs of a group in whole seconds, 0 meaning none where nothing else is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timeouts {
    /// From a process's start, and again from its first request, until an application is loaded.
    pub startup: u64,
    /// From the wish to end until the process is forced out.
    pub shutdown: u64,
    /// That nobody in the process gets hold of the GIL.
    pub deadlock: u64,
    /// Without any request.
    pub inactivity: u64,
    /// That a request takes; more where there are several threads (see [`Timeouts::request_limit`]).
    pub request: u64,
    /// That a request which was interrupted for `request` may go on.
    pub interrupt: u64,
    /// That running requests have when their process is to be replaced.
    pub graceful: u64,
    /// The same where an administrator asks for it by signal; 0: as `graceful`.
    pub eviction: u64,
    /// That a process lives.
    pub restart_interval: u64,
    /// That a child of httpd waits for a place in the group's queue.
    pub connect: u64,
    /// Each read and write between a child of httpd and a worker; 0: httpd's `Timeout`.
    pub socket: u64,
    /// That a request waits until a worker takes it.
    pub queue: u64,
    /// Each write to the client; 0: as `socket`.
    pub response_socket: u64,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            startup: 0,
            shutdown: 5,
            deadlock: 300,
            inactivity: 0,
            request: 0,
            interrupt: 0,
            graceful: 15,
            eviction: 0,
            restart_interval: 0,
            connect: 15,
            socket: 0,
            queue: 0,
            response_socket: 0,
        }
    }
}

impl Timeouts {
    /// Milliseconds after which a request has taken too long in a process with so many threads; `None`
    /// if it never has. Many threads wait for one GIL, so each is given longer:
    /// `request × (1 + ln(threads))`, as mod_wsgi does.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an estimate of seconds, which is neither negative nor anywhere near 2^52"
    )]
    pub fn request_limit(&self, threads: u32) -> Option<u64> {
        let scale = 1.0 + f64::from(threads.max(1)).ln();
        (self.request > 0).then_some((self.request as f64 * scale * 1000.0) as u64)
    }

    /// Seconds that running requests have when the process goes because of a signal.
    #[must_use]
    pub fn evict(&self) -> u64 {
        if self.eviction > 0 { self.eviction } else { self.graceful }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_threads_are_given_longer() {
        let timeouts = Timeouts { request: 10, ..Timeouts::default() };
        assert_eq!(timeouts.request_limit(1), Some(10_000));
        assert_eq!(timeouts.request_limit(15), Some(37_080));
        assert_eq!(Timeouts::default().request_limit(15), None);
    }

    #[test]
    fn eviction_is_as_graceful_unless_it_is_said() {
        assert_eq!(Timeouts::default().evict(), 15);
        assert_eq!(Timeouts { eviction: 2, ..Timeouts::default() }.evict(), 2);
    }
}
