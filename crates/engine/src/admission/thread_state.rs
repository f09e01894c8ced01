//! What the kernel says of a thread.

use std::cell::OnceCell;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use nix::unistd::{Pid, gettid};

use super::exchanging::ExchangeState;

/// A thread of this process that runs requests.
#[derive(Clone, Debug)]
pub(super) struct RequestThread {
    pub(super) id: Pid,
    /// Where the kernel says what it does; `None` without `/proc`.
    pub(super) stat: Option<Arc<File>>,
    /// Whether it is with its exchange, which is known without a look at the kernel.
    pub(super) exchange: Arc<ExchangeState>,
}

thread_local! {
    static OWN: OnceCell<RequestThread> = const { OnceCell::new() };
}

impl RequestThread {
    /// Whether the kernel says that this thread computes.
    pub(super) fn is_runnable(&self) -> bool {
        self.stat.as_deref().is_some_and(is_runnable)
    }

    /// The calling thread.
    pub(super) fn current() -> Self {
        let make = || {
            let stat = File::open("/proc/thread-self/stat").ok().map(Arc::new);
            Self { id: gettid(), stat, exchange: Arc::default() }
        };
        OWN.try_with(|own| own.get_or_init(make).clone()).unwrap_or_else(|_| make())
    }
}

/// Whether the thread of this file computes, or waits for a processor: whether it is in the state
/// `R`. That is the first field behind the name, which ends with the last parenthesis
/// (proc_pid_stat(5)).
pub(super) fn is_runnable(stat: &File) -> bool {
    // The number and the longest name fit in front of it.
    let mut text = [0; 64];
    let Ok(count) = stat.read_at(&mut text, 0) else { return false };
    let end = text[..count].iter().rposition(|byte| *byte == b')');
    end.and_then(|end| text.get(end + 2)) == Some(&b'R')
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use std::thread;

    #[test]
    fn a_thread_that_waits_does_not_compute() {
        let own = RequestThread::current();
        assert_eq!(own.id, gettid());
        assert!(is_runnable(own.stat.as_deref().unwrap()), "this one runs");
        let (told, tells) = mpsc::channel();
        let (end, ends) = mpsc::channel::<()>();
        let other = thread::spawn(move || {
            told.send(RequestThread::current()).unwrap();
            let _ = ends.recv();
        });
        let stat = tells.recv().unwrap().stat.unwrap();
        while is_runnable(&stat) {
            thread::yield_now();
        }
        end.send(()).unwrap();
        other.join().unwrap();
        // The kernel wakes the one that joins a little before the thread is gone.
        while is_runnable(&stat) {
            thread::yield_now();
        }
    }
}
