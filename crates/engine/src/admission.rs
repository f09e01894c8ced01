//! When a process begins another request, while it serves some.
//!
//! Only one thread of a process runs Python code at a time, the one that holds the GIL. Several
//! requests that all compute take turns with it every few milliseconds, and all of them end late,
//! with caches that are never warm; and so do more processes that compute than there are
//! processors. So a request begins only when none of those that the process serves computes (they
//! wait for a database, say), and when fewer of the group do than there are processors. Meanwhile
//! it waits where another process can take it, or, in embedded mode, in the order in which requests
//! have come.
//!
//! Whether a thread computes is its state in the kernel. What is read is a hint: at worst a request
//! begins a little earlier or later. One that computes for longer than 20 milliseconds keeps no
//! other from beginning, and where requests are done faster than a thread could be woken for the
//! next one, they wait for the GIL alone. How long that takes is counted without the time that a
//! request is with its exchange.

mod exchanging;
mod siblings;
mod thread_state;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

pub(crate) use exchanging::exchanging;
use nix::unistd::Pid;
use siblings::{Siblings, Told};
use thread_state::RequestThread;
use wsgi::lock::lock;

/// A request that has just begun computes, which is not looked at. Where most requests end sooner,
/// it keeps no other one from beginning.
const YOUNG: Duration = Duration::from_micros(300);
/// A request that has run for so long does not keep others from beginning.
const LONG: Duration = Duration::from_millis(20);
/// Between two looks: the first pause, and the longest one. Each is twice the one before, so that
/// nothing waits for much longer than it has to.
const FIRST_PAUSE: Duration = Duration::from_micros(200);
const LONGEST_PAUSE: Duration = Duration::from_millis(4);
/// How often a thread looks that waits behind others, in case that it was not woken.
const SELDOM: Duration = Duration::from_millis(20);
/// The most requests that are looked at, the youngest ones.
const MOST_LOOKS: usize = 4;

/// The requests of a process that run.
#[derive(Debug, Default)]
pub struct Admission {
    /// Threads never wait for each other.
    is_off: bool,
    state: Mutex<State>,
    /// How long requests have taken lately beside their exchange, in nanoseconds.
    usual: AtomicU64,
    /// The other processes of the group.
    siblings: OnceLock<Siblings>,
}

#[derive(Debug, Default)]
struct State {
    running: Vec<Running>,
    next: u64,
    /// The threads that wait, in the order in which they came. The first of them looks.
    waiting: VecDeque<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    number: u64,
    /// It has a request that is to begin.
    has_request: bool,
    thread: Thread,
}

#[derive(Clone, Debug)]
struct Running {
    number: u64,
    since: Instant,
    thread: RequestThread,
    /// What the siblings were told of it.
    told: Option<Told>,
}

/// A request that runs until this is dropped.
#[derive(Debug)]
pub struct Admitted<'a> {
    admission: &'a Admission,
    number: u64,
}

impl Admission {
    /// Of a process whose threads run Python code one at a time, or, if `is_off`, at the same time:
    /// then nothing ever waits.
    pub(crate) fn new(is_off: bool) -> Self {
        Self { is_off, ..Self::default() }
    }

    /// Tells the other processes of the group of requests from now on, and heeds what they tell, in
    /// words that all of them share and that were zero at first.
    pub fn share(&self, words: &'static [AtomicU64]) {
        if !self.is_off && !words.is_empty() {
            // A process has one group.
            let _ = self.siblings.set(Siblings::new(words));
        }
    }

    /// Waits until a request may begin, or `is_over` says that the caller does not want to wait any
    /// more. For a thread that has none yet: the one that has just ended a request is not in need
    /// of its help, and does not wake it. The calling thread is not attached.
    pub fn wait(&self, is_over: impl Fn() -> bool) {
        drop(self.in_turn(false, is_over));
    }

    /// Begins a request on the calling thread, whatever others do.
    pub fn begin(&self) -> Admitted<'_> {
        self.add(&mut self.lock())
    }

    /// Begins the request of the calling thread when none computes, and when those that came
    /// earlier have begun. The thread is not attached.
    pub fn enter(&self) -> Admitted<'_> {
        self.add(&mut self.in_turn(true, || false))
    }

    /// Waits for the caller's turn.
    fn in_turn(&self, has_request: bool, is_over: impl Fn() -> bool) -> MutexGuard<'_, State> {
        // A thread that is awake takes a request before those that would have to wake up for it.
        let may_pass = !has_request || self.lock().waiting.is_empty();
        if may_pass && self.is_open() {
            return self.lock();
        }
        let mut state = self.lock();
        let number = state.next;
        state.next += 1;
        state.waiting.push_back(Waiting { number, has_request, thread: thread::current() });
        drop(state);
        let mut pause = FIRST_PAUSE;
        loop {
            let is_first = self.lock().waiting.front().is_some_and(|first| first.number == number);
            if is_over() || (is_first && self.is_open()) {
                let mut state = self.lock();
                state.waiting.retain(|waiting| waiting.number != number);
                // The next one looks from now on.
                state.waiting.front().inspect(|next| next.thread.unpark());
                return state;
            }
            if is_first {
                thread::park_timeout(pause);
                pause = (pause * 2).min(LONGEST_PAUSE);
            } else {
                thread::park_timeout(SELDOM);
            }
        }
    }

    fn add(&self, state: &mut State) -> Admitted<'_> {
        let number = state.next;
        state.next += 1;
        let thread = RequestThread::current();
        let told = self.siblings.get().map(|siblings| siblings.begin(thread.id));
        exchanging::begin(&thread.exchange);
        state.running.push(Running { number, since: Instant::now(), thread, told });
        Admitted { admission: self, number }
    }

    /// Whether no request of this process computes, and fewer of the group do than there are
    /// processors.
    fn is_open(&self) -> bool {
        if self.is_off {
            return true;
        }
        let are_short = self.usual.load(Ordering::Relaxed) < nanoseconds(YOUNG);
        let state = self.lock();
        let mut asked = Vec::new();
        let computing = state.running.iter().filter(|running| {
            // A longer request is soon back, and its caches are still warm then.
            !(are_short && running.thread.exchange.is_within())
        });
        for running in computing.rev().take(MOST_LOOKS) {
            match Guess::of(running.since.elapsed(), are_short) {
                Guess::Computes => return false,
                Guess::AskTheKernel => asked.push(running.thread.clone()),
                Guess::DoesNotMatter => {}
            }
        }
        // Short requests take turns with the GIL, and no look at others is worth its time.
        let siblings = self.siblings.get().filter(|_| !are_short);
        let siblings = siblings.map(|siblings| {
            let own: Vec<Pid> = state.running.iter().map(|running| running.thread.id).collect();
            (siblings, own)
        });
        drop(state);
        !asked.iter().any(RequestThread::is_runnable)
            && !siblings.is_some_and(|(siblings, own)| siblings.are_enough(&own, YOUNG, LONG))
    }

    /// A request has taken so long.
    fn note(&self, took: Duration) {
        let usual = self.usual.load(Ordering::Relaxed);
        // An eighth of the new and seven of the old; an update that is lost does no harm.
        self.usual.store(usual - usual / 8 + nanoseconds(took) / 8, Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that panics is done under the lock.
        lock(&self.state)
    }
}

/// Whether a request computes, as far as its age tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Guess {
    Computes,
    AskTheKernel,
    /// It keeps no other one from beginning, whatever it does.
    DoesNotMatter,
}

impl Guess {
    /// Of a request that has run for so long, where most requests are short or not.
    fn of(age: Duration, are_short: bool) -> Self {
        if age < YOUNG {
            if are_short { Self::DoesNotMatter } else { Self::Computes }
        } else if age < LONG {
            Self::AskTheKernel
        } else {
            Self::DoesNotMatter
        }
    }
}

impl Drop for Admitted<'_> {
    fn drop(&mut self) {
        exchanging::end();
        let mut state = self.admission.lock();
        let place = state.running.iter().position(|running| running.number == self.number);
        if let Some(place) = place {
            let ended = state.running.remove(place);
            let took = ended.since.elapsed();
            self.admission.note(took.saturating_sub(ended.thread.exchange.took()));
            ended.told.inspect(Told::take_back);
        }
        let next = state.waiting.front().filter(|next| next.has_request);
        let next = next.map(|next| next.thread.clone());
        drop(state);
        if let Some(next) = next {
            next.unpark();
        }
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[test]
    fn a_guess_follows_from_the_age() {
        let before = |moment: Duration| moment.saturating_sub(Duration::from_nanos(1));
        for are_short in [true, false] {
            assert_eq!(Guess::of(YOUNG, are_short), Guess::AskTheKernel);
            assert_eq!(Guess::of(before(LONG), are_short), Guess::AskTheKernel);
            assert_eq!(Guess::of(LONG, are_short), Guess::DoesNotMatter);
        }
        assert_eq!(Guess::of(before(YOUNG), true), Guess::DoesNotMatter);
        assert_eq!(Guess::of(before(YOUNG), false), Guess::Computes);
    }

    #[test]
    fn what_requests_take_is_learned() {
        let admission = Admission::new(false);
        assert!(admission.usual.load(Ordering::Relaxed) < nanoseconds(YOUNG));
        for _ in 0..8 {
            admission.note(YOUNG * 2);
        }
        assert!(admission.usual.load(Ordering::Relaxed) > nanoseconds(YOUNG));
        for _ in 0..100 {
            admission.note(YOUNG / 4);
        }
        assert!(admission.usual.load(Ordering::Relaxed) < nanoseconds(YOUNG));
    }

    #[test]
    fn those_that_wait_begin_in_the_order_in_which_they_came() {
        let admission = Admission::new(false);
        admission.usual.store(nanoseconds(LONG), Ordering::Relaxed);
        let (told, tells) = channel();
        thread::scope(|scope| {
            let first = admission.begin();
            // As long as one that has just begun is there again and again, none begins.
            let mut lock = admission.lock();
            lock.running[0].since += Duration::from_hours(1);
            drop(lock);
            for number in 0..3 {
                let (admission, told) = (&admission, told.clone());
                scope.spawn(move || {
                    let admitted = admission.enter();
                    told.send((admitted.number, number)).unwrap();
                    drop(admitted);
                });
                while admission.lock().waiting.len() <= number {
                    thread::yield_now();
                }
            }
            assert!(tells.try_recv().is_err(), "one that has just begun computes");
            drop(first);
        });
        drop(told);
        // A thread may be slow to tell that it has begun.
        let mut begun: Vec<_> = tells.iter().collect();
        begun.sort_unstable();
        assert_eq!(begun.iter().map(|(_, number)| *number).collect::<Vec<_>>(), [0, 1, 2]);
        assert!(admission.lock().running.is_empty() && admission.lock().waiting.is_empty());
    }
}
