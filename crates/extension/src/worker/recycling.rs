//! `recycle-memory`: when a worker has grown so much that another one should take its place.

use std::collections::hash_map::RandomState;
use std::fs;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use wsgi::process::smaps::Memory;

/// The figure costs the kernel a walk through the process's memory: it is asked for no more often.
const PAUSE: Duration = Duration::from_secs(1);
/// By how many thousandths a worker's own limit may be lower than the group's.
const JITTER: u64 = 100;

/// A worker's limit.
#[derive(Debug)]
pub(crate) struct Recycling {
    limit: u64,
    began: Instant,
    /// Milliseconds after `began` from which on the figure may be asked for again; never, once the
    /// limit was reached.
    next: AtomicU64,
}

impl Recycling {
    /// A limit of up to `bytes`, somewhat different in each process.
    pub(crate) fn new(bytes: u64) -> Self {
        let random = RandomState::new().hash_one(std::process::id());
        let less = u128::from(bytes) * u128::from(random % JITTER) / 1000;
        let limit = bytes - u64::try_from(less).unwrap_or(0);
        Self { limit, began: Instant::now(), next: AtomicU64::new(0) }
    }

    /// Whether the limit was reached.
    pub(crate) fn was_reached(&self) -> bool {
        self.next.load(Ordering::Relaxed) == u64::MAX
    }

    /// Called when a request has ended; the process's private bytes when they have reached the
    /// limit for the first time.
    pub(crate) fn reached(&self) -> Option<u64> {
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX - 1);
        let next = self.next.load(Ordering::Relaxed);
        let pause = now + u64::try_from(PAUSE.as_millis()).unwrap_or(u64::MAX);
        let relaxed = Ordering::Relaxed;
        if now < next || self.next.compare_exchange(next, pause, relaxed, relaxed).is_err() {
            return None;
        }
        let text = fs::read_to_string("/proc/self/smaps_rollup").ok()?;
        let private = Memory::parse(&text)?.private;
        if private < self.limit {
            return None;
        }
        self.next.store(u64::MAX, Ordering::Relaxed);
        Some(private)
    }
}
