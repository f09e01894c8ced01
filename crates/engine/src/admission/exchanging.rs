//! Whether the thread of a request is with its exchange.
//!
//! A request that reads a body or sends a long response is with httpd for most of its time, and its
//! thread has left the GIL to others. The thread says so itself: to ask the kernel costs more than
//! to send a piece.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What the thread of a request shows of its exchange to the others of its process.
#[derive(Debug, Default)]
pub(super) struct ExchangeState {
    is_within: AtomicBool,
    /// How long the request has been with its exchange, in nanoseconds.
    took: AtomicU64,
}

thread_local! {
    /// Of the request that the thread runs.
    static CURRENT: Cell<Option<Arc<ExchangeState>>> = const { Cell::new(None) };
}

impl ExchangeState {
    pub(super) fn is_within(&self) -> bool {
        self.is_within.load(Ordering::Relaxed)
    }

    /// How long the request has been with its exchange.
    pub(super) fn took(&self) -> Duration {
        Duration::from_nanos(self.took.load(Ordering::Relaxed))
    }
}

/// The calling thread begins to run a request.
pub(super) fn begin(state: &Arc<ExchangeState>) {
    state.is_within.store(false, Ordering::Relaxed);
    state.took.store(0, Ordering::Relaxed);
    CURRENT.set(Some(Arc::clone(state)));
}

/// The calling thread has run its request.
pub(super) fn end() {
    CURRENT.set(None);
}

/// Does `work`, which is with the exchange of the request that the calling thread runs, and
/// computes nothing in Python.
pub(crate) fn exchanging<R>(work: impl FnOnce() -> R) -> R {
    let Some(current) = CURRENT.take() else { return work() };
    let since = Instant::now();
    current.is_within.store(true, Ordering::Relaxed);
    let result = work();
    current.is_within.store(false, Ordering::Relaxed);
    let took = u64::try_from(since.elapsed().as_nanos()).unwrap_or(u64::MAX);
    current.took.fetch_add(took, Ordering::Relaxed);
    CURRENT.set(Some(current));
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_with_its_exchange_for_as_long_as_the_work_lasts() {
        let state = Arc::<ExchangeState>::default();
        exchanging(|| assert!(!state.is_within(), "no request runs"));
        begin(&state);
        assert!(!state.is_within());
        let pause = Duration::from_micros(50);
        exchanging(|| {
            assert!(state.is_within());
            std::thread::sleep(pause);
        });
        assert!(!state.is_within());
        assert!(state.took() >= pause);
        begin(&state);
        assert_eq!(state.took(), Duration::ZERO, "another request");
        end();
        exchanging(|| assert!(!state.is_within(), "it has ended"));
    }
}
