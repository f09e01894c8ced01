//! Whose turn it is to take the next connection.
//!
//! One idle thread at a time waits at the listener: the one with the lowest number. So a process under
//! little load keeps using few threads, and only these cost memory: stacks, heaps, and what the
//! application keeps for each thread, such as a database connection. A thread that becomes idle takes
//! the turn over from one with a higher number, which notices when it wakes.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};

/// The turn among the threads of a process.
#[derive(Debug, Default)]
pub(crate) struct Turn(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    holder: Option<Holder>,
    /// Who waits for it.
    idle: Vec<(u32, Thread)>,
    /// No connection is taken any more.
    closed: bool,
}

/// Who has the turn.
#[derive(Clone, Copy, Debug)]
struct Holder {
    number: u32,
    /// It is taking a connection, and keeps the turn until it has.
    takes: bool,
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
        if state.closed {
            return None;
        }
        if state.holder.is_none_or(|holder| !holder.takes && holder.number > number) {
            state.holder = Some(Holder { number, takes: false });
            return Some(Held { turn: self, number });
        }
        state.idle.push((number, thread::current()));
        loop {
            drop(state);
            thread::park();
            state = self.lock();
            if state.closed {
                return None;
            }
            if state.is_held_by(number) {
                return Some(Held { turn: self, number });
            }
        }
    }

    /// Lets nobody take a connection any more. The one that waits at the listener has to be woken by
    /// other means.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        for (_, thread) in state.idle.drain(..) {
            thread.unpark();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that panics is done under the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_held_by(&self, number: u32) -> bool {
        self.holder.is_some_and(|holder| holder.number == number)
    }

    /// Takes the idle thread with the lowest number out.
    fn next(&mut self) -> Option<(u32, Thread)> {
        let numbers = self.idle.iter().map(|(number, _)| *number).enumerate();
        let (place, _) = numbers.min_by_key(|(_, number)| *number)?;
        Some(self.idle.swap_remove(place))
    }
}

impl Held<'_> {
    /// Called when a connection has arrived; false if it is another's by now, or nobody's.
    pub(crate) fn begins(&self) -> bool {
        let mut state = self.turn.lock();
        let mine = !state.closed && state.is_held_by(self.number);
        if mine {
            state.holder = Some(Holder { number: self.number, takes: true });
        }
        mine
    }

    /// Called when there was no connection after all.
    pub(crate) fn waits_on(&self) {
        self.turn.lock().holder = Some(Holder { number: self.number, takes: false });
    }

    /// Hands the turn on; true if there is nobody to take it now.
    pub(crate) fn pass(self) -> bool {
        let turn = self.turn;
        drop(self);
        turn.lock().holder.is_none()
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let mut state = self.turn.lock();
        if !state.is_held_by(self.number) {
            return;
        }
        let next = state.next();
        state.holder = next.as_ref().map(|(number, _)| Holder { number: *number, takes: false });
        if let Some((_, thread)) = next {
            thread.unpark();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn the_lowest_number_has_the_turn() {
        let turn = Turn::default();
        let third = turn.take(3).unwrap();
        let first = turn.take(1).unwrap();
        assert!(!third.begins(), "taken over");
        thread::scope(|scope| {
            let (tell, told) = mpsc::channel();
            for number in [2, 4] {
                let (turn, tell) = (&turn, tell.clone());
                scope.spawn(move || {
                    let held = turn.take(number).unwrap();
                    tell.send(number).unwrap();
                    while turn.lock().idle.iter().any(|_| true) {
                        thread::yield_now();
                    }
                    drop(held);
                });
            }
            while turn.lock().idle.len() < 2 {
                thread::yield_now();
            }
            // What was lost is not handed on.
            drop(third);
            assert!(turn.lock().is_held_by(1) && first.begins());
            assert!(!first.pass());
            assert_eq!(told.recv(), Ok(2));
            turn.close();
        });
        assert!(turn.take(1).is_none());
    }

    #[test]
    fn who_takes_a_connection_keeps_the_turn() {
        let turn = Turn::default();
        let second = turn.take(2).unwrap();
        assert!(second.begins());
        thread::scope(|scope| {
            scope.spawn(|| assert!(turn.take(1).is_some_and(Held::pass)));
            while turn.lock().idle.is_empty() {
                thread::yield_now();
            }
            assert!(turn.lock().is_held_by(2));
            drop(second);
        });
    }
}
