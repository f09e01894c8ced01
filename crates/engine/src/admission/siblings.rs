//! The requests that the processes of a group run, as they tell each other.
//!
//! Each running request has a word of memory that all processes of the group share: its thread, and
//! when it began. What is there is a hint, which any of them may get wrong or leave behind when it
//! is killed: it is looked at only while it is fresh, and the kernel says what the thread really
//! does.

use std::fs::File;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use nix::time::ClockId;
use nix::unistd::Pid;

use super::thread_state::is_runnable;

/// The words, and how many requests may compute at a time.
#[derive(Debug)]
pub(super) struct Siblings {
    words: &'static [AtomicU64],
    processors: usize,
}

/// The word of a request, and what it says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Told {
    place: &'static AtomicU64,
    word: u64,
}

impl Told {
    /// Takes back what was told, unless another request has taken its place.
    pub(super) fn take_back(&self) {
        let (word, relaxed) = (self.word, Ordering::Relaxed);
        let _ = self.place.compare_exchange(word, 0, relaxed, relaxed);
    }
}

/// The unit of the clock in a word: it goes round in five days.
const TICK: Duration = Duration::from_micros(100);

impl Siblings {
    /// Those that share these words, which are zero at first.
    pub(super) fn new(words: &'static [AtomicU64]) -> Self {
        // Without a number nothing is kept from beginning.
        let processors = thread::available_parallelism().map_or(usize::MAX, usize::from);
        Self { words, processors }
    }

    /// Tells of a request that begins on this thread.
    pub(super) fn begin(&self, thread: Pid) -> Told {
        let number = thread.as_raw().unsigned_abs();
        let word = (u64::from(number) << 32) | u64::from(now());
        let place = &self.words[number as usize % self.words.len()];
        place.store(word, Ordering::Relaxed);
        Told { place, word }
    }

    /// Whether as many requests of other processes compute as there are processors. `own` are the
    /// threads of this one. Those that are younger than `young` count without a look, those that
    /// are older than `long` not at all.
    pub(super) fn are_enough(&self, own: &[Pid], young: Duration, long: Duration) -> bool {
        let now = now();
        let (young, long) = (ticks(young), ticks(long));
        let computes = |word: u64| {
            let (thread, began) = halves(word);
            let age = u128::from(now.wrapping_sub(began));
            let thread = Pid::from_raw(thread.cast_signed());
            thread.as_raw() > 0
                && age < long
                && !own.contains(&thread)
                && (age < young || is_alive_and_runnable(thread))
        };
        let words = self.words.iter().map(|word| word.load(Ordering::Relaxed));
        words.filter(|word| computes(*word)).take(self.processors).count() == self.processors
    }
}

fn is_alive_and_runnable(thread: Pid) -> bool {
    File::open(format!("/proc/{thread}/stat")).is_ok_and(|stat| is_runnable(&stat))
}

fn ticks(duration: Duration) -> u128 {
    duration.as_nanos() / TICK.as_nanos()
}

fn now() -> u32 {
    let now = ClockId::CLOCK_MONOTONIC.now().map(Duration::from).unwrap_or_default();
    let (_, low) = halves(u64::try_from(ticks(now)).unwrap_or_default());
    low
}

/// The upper and the lower half.
fn halves(word: u64) -> (u32, u32) {
    let half = |word: u64| u32::try_from(word & u64::from(u32::MAX)).unwrap_or_default();
    (half(word >> 32), half(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    const YOUNG: Duration = Duration::from_millis(10);
    const LONG: Duration = Duration::from_secs(100);

    fn siblings(processors: usize) -> Siblings {
        let words: Vec<AtomicU64> = (0..64).map(|_| AtomicU64::new(0)).collect();
        Siblings { words: words.leak(), processors }
    }

    #[test]
    fn as_many_as_there_are_processors_are_enough() {
        let siblings = siblings(2);
        let (one, other) = (Pid::from_raw(101), Pid::from_raw(102));
        let told = siblings.begin(one);
        assert!(!siblings.are_enough(&[], LONG, LONG));
        siblings.begin(other);
        assert!(siblings.are_enough(&[], LONG, LONG));
        assert!(!siblings.are_enough(&[other], LONG, LONG), "its own do not count");
        told.take_back();
        assert!(!siblings.are_enough(&[], LONG, LONG));
    }

    #[test]
    fn what_was_left_behind_does_not_count() {
        let siblings = siblings(1);
        // No process has so high a number.
        siblings.begin(Pid::from_raw(i32::MAX));
        assert!(siblings.are_enough(&[], LONG, LONG));
        assert!(!siblings.are_enough(&[], Duration::ZERO, LONG), "the thread is gone");
        assert!(!siblings.are_enough(&[], YOUNG, Duration::ZERO), "it is too old");
    }

    #[test]
    fn nonsense_is_no_thread() {
        let siblings = siblings(1);
        for thread in [0, u32::MAX] {
            let word = (u64::from(thread) << 32) | u64::from(now());
            siblings.words[5].store(word, Ordering::Relaxed);
            assert!(!siblings.are_enough(&[], LONG, LONG), "{thread}");
        }
        siblings.words[5].store((1 << 32) | u64::from(now()), Ordering::Relaxed);
        assert!(siblings.are_enough(&[], LONG, LONG));
    }

    #[test]
    fn another_request_in_the_same_place_stays() {
        let siblings = siblings(1);
        let (one, other) = (Pid::from_raw(64 + 3), Pid::from_raw(128 + 3));
        let told = siblings.begin(one);
        siblings.begin(other);
        told.take_back();
        assert!(siblings.are_enough(&[], LONG, LONG));
    }
}
