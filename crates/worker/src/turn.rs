//! Whose turn it is to take the next connection.
//!
//! One idle thread at a time waits at the listener; when it has got a connection, the thread that
//! became idle last takes its place. So a process under little load keeps using few threads, and only
//! their stacks and heaps cost memory.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread, ThreadId};

/// The turn among the threads of a process.
#[derive(Debug, Default)]
pub(crate) struct Turn(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Who has the turn.
    holder: Option<ThreadId>,
    /// Who waits for it; the last one gets it next.
    idle: Vec<Thread>,
    /// No connection is taken any more.
    closed: bool,
}

/// The turn, held. Dropping it hands it on.
#[derive(Debug)]
pub(crate) struct Held<'t>(&'t Turn);

impl Turn {
    /// Waits for the turn; `None` once no connection is taken any more.
    pub(crate) fn take(&self) -> Option<Held<'_>> {
        let me = thread::current();
        let mut state = self.lock();
        if state.closed {
            return None;
        }
        if state.holder.is_none() {
            state.holder = Some(me.id());
            return Some(Held(self));
        }
        state.idle.push(me.clone());
        loop {
            drop(state);
            thread::park();
            state = self.lock();
            if state.closed {
                return None;
            }
            if state.holder == Some(me.id()) {
                return Some(Held(self));
            }
        }
    }

    /// Lets nobody take a connection any more. The one that waits at the listener has to be woken by
    /// other means.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        for thread in state.idle.drain(..) {
            thread.unpark();
        }
    }

    /// Whether connections are taken no more.
    pub(crate) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that panics is done under the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held<'_> {
    /// Hands the turn on; true if there is nobody to take it now.
    pub(crate) fn pass(self) -> bool {
        let turn = self.0;
        drop(self);
        turn.lock().holder.is_none()
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        let next = state.idle.pop();
        state.holder = next.as_ref().map(Thread::id);
        if let Some(thread) = next {
            thread.unpark();
        }
    }
}
