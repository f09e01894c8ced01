//! The workers that were forked from one template, and which of them should take a connection.
//!
//! All of them wait at the same listener. A connection goes to the one with the least to do: threads of
//! one process take turns with Python's lock, and each thread that is used keeps memory of its own,
//! such as a database connection. They share a page with a word for each worker, which only says who
//! should go first: a worker that gets no answer from the others, because they are slow or dead, goes
//! anyway.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;

use crate::sys;

/// The words; zero is one that nobody has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fellows(&'static [AtomicU64]);

/// The word of this process: its id in the upper half, whether a thread waits at the listener, and
/// how many requests it serves.
#[derive(Debug)]
pub(crate) struct Place {
    fellows: Fellows,
    word: &'static AtomicU64,
}

/// More workers than this make their way without.
const PLACES: usize = 512;
const WAITING: u64 = 1 << 31;
const BUSY: u64 = WAITING - 1;

/// How long somebody who should take a connection first is waited for, and how often that is looked at.
pub(crate) const STEPS: u32 = 50;
pub(crate) const STEP: Duration = Duration::from_micros(100);

impl Fellows {
    /// For the workers that are going to be forked from this process; `None` if there is no memory.
    pub(crate) fn new() -> Option<Self> {
        sys::shared_words(PLACES).map(Self)
    }

    /// Takes a place for this process; `None` if there is none.
    pub(crate) fn join(self) -> Option<Place> {
        let mine = u64::from(std::process::id()) << 32;
        let take = |word: &AtomicU64| {
            let found = word.load(Ordering::Relaxed);
            let is_free = found == 0 || has_ended(found);
            is_free
                && word.compare_exchange(found, mine, Ordering::Relaxed, Ordering::Relaxed).is_ok()
        };
        let word = self.0.iter().find(|word| take(word))?;
        Some(Place { fellows: self, word })
    }
}

/// Whether no process has the id any more.
fn has_ended(word: u64) -> bool {
    i32::try_from(word >> 32).is_ok_and(|id| kill(Pid::from_raw(id), None) == Err(Errno::ESRCH))
}

impl Place {
    /// Counts a request for as long as the guard lives.
    pub(crate) fn serving(&self) -> Serving<'_> {
        self.word.fetch_add(1, Ordering::Relaxed);
        Serving(self)
    }

    /// Says whether a thread waits for a connection, or will as soon as it runs.
    pub(crate) fn waits(&self, waits: bool) {
        if waits {
            self.word.fetch_or(WAITING, Ordering::Relaxed);
        } else {
            self.word.fetch_and(!WAITING, Ordering::Relaxed);
        }
    }

    /// Called when a connection has arrived: gives fellows with less to do the time to take it. False
    /// if one has; `is_there` says whether it is still there.
    pub(crate) fn gives_way(&self, mut is_there: impl FnMut() -> bool) -> bool {
        for _ in 0..STEPS {
            if !self.idler().any(|_| true) {
                return true;
            }
            std::thread::sleep(STEP);
            if !is_there() {
                return false;
            }
        }
        // Whoever did not come is not waited for again until it says that it is there.
        for (word, found) in self.idler() {
            let silent = found & !WAITING;
            let _ = word.compare_exchange(found, silent, Ordering::Relaxed, Ordering::Relaxed);
        }
        true
    }

    /// Those who wait and have less to do, and what their words say.
    fn idler(&self) -> impl Iterator<Item = (&'static AtomicU64, u64)> {
        let busy = self.word.load(Ordering::Relaxed) & BUSY;
        // Most have nothing to do, and then nobody has less.
        let others = if busy == 0 { &[] } else { self.fellows.0 };
        others
            .iter()
            .map(|word| (word, word.load(Ordering::Relaxed)))
            .filter(move |(_, found)| found & WAITING != 0 && found & BUSY < busy)
    }
}

/// A request that this process serves.
#[derive(Debug)]
pub(crate) struct Serving<'p>(&'p Place);

impl Drop for Serving<'_> {
    fn drop(&mut self) {
        self.0.word.fetch_sub(1, Ordering::Relaxed);
    }
}
