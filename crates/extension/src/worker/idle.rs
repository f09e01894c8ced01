//! When a worker that has nothing to do says so.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How long a worker may have nothing to do before it says so. Workers of a group whose number
/// comes and goes with the load have a limit; others get one when httpd has begun to use another
/// configuration.
#[derive(Debug)]
pub(crate) struct Idle(AtomicU64);

/// Without a limit, in milliseconds.
const NONE: u64 = u64::MAX;
/// The limit of a worker whose configuration is no longer used, in milliseconds.
const RETIRED: u64 = 1000;

impl Idle {
    /// With this limit, if there is one.
    pub(crate) fn new(limit: Option<Duration>) -> Self {
        let milliseconds = |limit: Duration| u64::try_from(limit.as_millis()).unwrap_or(NONE);
        Self(AtomicU64::new(limit.map_or(NONE, milliseconds)))
    }

    /// The limit.
    pub(crate) fn limit(&self) -> Option<Duration> {
        let limit = self.0.load(Ordering::Relaxed);
        (limit != NONE).then(|| Duration::from_millis(limit))
    }

    /// The configuration is no longer used.
    pub(crate) fn retire(&self) {
        self.0.fetch_min(RETIRED, Ordering::Relaxed);
    }
}
