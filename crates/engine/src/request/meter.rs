//! The traffic and waits of a request: bytes in and out, and waits for the GIL.
//!
//! Nothing is measured unless a subscriber of events, or the metrics, need it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// The bytes in and out of a request.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Meter {
    /// The part of the body that the application has read.
    pub(crate) input: Flow,
    /// The bytes that it has offered as the response's body.
    pub(crate) output: Flow,
}

/// One direction.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Flow {
    /// Reads or writes.
    pub(crate) count: u64,
    pub(crate) bytes: u64,
    /// How long they have taken.
    pub(crate) time: Duration,
}

impl Flow {
    /// Adds one read or write.
    pub(crate) fn add(&mut self, bytes: usize, time: Duration) {
        self.add_part(true, bytes, time);
    }

    /// Adds a part of a read or write, which counts with its first part.
    pub(crate) fn add_part(&mut self, is_first: bool, bytes: usize, time: Duration) {
        self.count += u64::from(is_first);
        self.bytes += bytes as u64;
        self.time += time;
    }
}

/// How often and how long a request has waited for the GIL.
#[derive(Debug, Default)]
pub(crate) struct GilWaits {
    counted: AtomicBool,
    count: AtomicU64,
    nanoseconds: AtomicU64,
}

impl GilWaits {
    /// Waits are to be counted from now on.
    pub(crate) fn count(&self) {
        self.counted.store(true, Ordering::Relaxed);
    }

    /// Whether waits are to be counted.
    pub(crate) fn are_counted(&self) -> bool {
        self.counted.load(Ordering::Relaxed)
    }

    /// Adds one wait.
    pub(crate) fn add(&self, time: Duration) {
        let nanoseconds = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.nanoseconds.fetch_add(nanoseconds, Ordering::Relaxed);
        self.count.fetch_add(1, Ordering::Relaxed);
    }

    /// The number of waits so far, and their sum.
    pub(crate) fn so_far(&self) -> (u64, Duration) {
        let nanoseconds = self.nanoseconds.load(Ordering::Relaxed);
        (self.count.load(Ordering::Relaxed), Duration::from_nanos(nanoseconds))
    }
}
