//! Whose turn it is to take the next connection: the threads of a worker wait for it here. A thread
//! that has lost the turn to another notices when it wakes.

use std::mem::ManuallyDrop;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};

use wsgi::turns::Turns;

/// The turn among the threads of a process.
#[derive(Debug, Default)]
pub(crate) struct Turn(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    turns: Turns<Thread>,
    /// No connection is taken any more.
    closed: bool,
}

/// The turn, held. Dropping it hands it on.
#[derive(Debug)]
pub(crate) struct Held<'t> {
    turn: &'t Turn,
    number: u32,
}

impl Turn {
    /// Waits for the turn; `None` once no connection is taken any more. No two threads have the same
    /// number.
    pub(crate) fn take(&self, number: u32) -> Option<Held<'_>> {
        let mut state = self.lock();
        loop {
            if state.closed {
                return None;
            }
            if state.turns.is_held_by(number) || state.turns.take(number) {
                return Some(Held { turn: self, number });
            }
            state.turns.wait(number, thread::current());
            drop(state);
            thread::park();
            state = self.lock();
        }
    }

    /// Lets nobody take a connection any more. The one that waits at the listener has to be woken by
    /// other means.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.turns.dismiss().for_each(|thread| thread.unpark());
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that panics is done under the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held<'_> {
    /// Called when a connection has arrived; false if it is another's by now, or nobody's.
    pub(crate) fn begins(&self) -> bool {
        let mut state = self.turn.lock();
        !state.closed && state.turns.begin(self.number)
    }

    /// Whether the turn is still this thread's, and connections are still taken.
    pub(crate) fn is_still(&self) -> bool {
        let state = self.turn.lock();
        !state.closed && state.turns.is_held_by(self.number)
    }

    /// Called before a connection is taken; false if that is left to a thread with a lower number, which
    /// has come since this one began.
    pub(crate) fn keeps(&self) -> bool {
        let next = self.turn.lock().turns.yield_to_lower(self.number);
        next.as_ref().map(Thread::unpark).is_none()
    }

    /// Called when there was no connection after all. It may be another thread's turn then.
    pub(crate) fn waits_on(&self) {
        let next = self.turn.lock().turns.wait_on(self.number);
        if let Some(thread) = next {
            thread.unpark();
        }
    }

    /// Hands the turn on. `then` is told whether there is anybody to take it now, before anybody can
    /// take it or hand it on.
    pub(crate) fn pass(self, then: impl FnOnce(bool)) {
        // It owns nothing but the turn.
        ManuallyDrop::new(self).hand_on(then);
    }

    fn hand_on(&self, then: impl FnOnce(bool)) {
        let mut state = self.turn.lock();
        let next = state.turns.give_up(self.number);
        then(state.turns.is_held());
        drop(state);
        if let Some(thread) = next {
            thread.unpark();
        }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.hand_on(|_| ());
    }
}
