//! Whether the thread of a request is with its exchange.
//!
//! A request that reads its body or sends its response is with httpd for most of that time, and the
//! thread has left the GIL to others. The thread says so itself: the kernel's word for it costs more
//! than a piece of a body does.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::siblings::Told;

/// What the thread of a request shows of its exchange to the others of its process.
#[derive(Debug, Default)]
pub(super) struct ExchangeState {
    is_within: AtomicBool,
    /// How long the request has been with its exchange, in nanoseconds.
    took: AtomicU64,
}

/// The request that a thread runs.
struct Current {
    state: Arc<ExchangeState>,
    /// What the other processes of the group are told of it.
    told: Option<Told>,
}

thread_local! {
    static CURRENT: Cell<Option<Current>> = const { Cell::new(None) };
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
pub(super) fn begin(state: &Arc<ExchangeState>, told: Option<Told>) {
    state.is_within.store(false, Ordering::Relaxed);
    state.took.store(0, Ordering::Relaxed);
    CURRENT.set(Some(Current { state: Arc::clone(state), told }));
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
    current.state.is_within.store(true, Ordering::Relaxed);
    current.told.inspect(Told::take_back);
    let result = work();
    current.told.inspect(Told::tell);
    current.state.is_within.store(false, Ordering::Relaxed);
    let took = u64::try_from(since.elapsed().as_nanos()).unwrap_or(u64::MAX);
    current.state.took.fetch_add(took, Ordering::Relaxed);
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
        begin(&state, None);
        assert!(!state.is_within());
        let pause = Duration::from_micros(50);
        exchanging(|| {
            assert!(state.is_within());
            std::thread::sleep(pause);
        });
        assert!(!state.is_within());
        assert!(state.took() >= pause);
        begin(&state, None);
        assert_eq!(state.took(), Duration::ZERO, "another request");
        end();
        exchanging(|| assert!(!state.is_within(), "it has ended"));
    }
}
