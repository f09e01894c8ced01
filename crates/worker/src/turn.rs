//! Whose turn it is to take the next connection: the threads of a worker wait for it here. A thread
//! that has lost the turn to another notices when it wakes.

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

    /// Called when there was no connection after all.
    pub(crate) fn waits_on(&self) {
        self.turn.lock().turns.wait_on(self.number);
    }

    /// Hands the turn on; true if there is nobody to take it now.
    pub(crate) fn pass(self) -> bool {
        let turn = self.turn;
        drop(self);
        !turn.lock().turns.is_held()
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let next = self.turn.lock().turns.give_up(self.number);
        if let Some(thread) = next {
            thread.unpark();
        }
    }
}
