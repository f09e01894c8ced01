//! The requests that a worker is serving, for the thread that watches over them.

use std::mem::ManuallyDrop;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use wsgi::lock::lock;

use engine::Control;
use nix::sys::eventfd::EventFd;
use nix::unistd::Pid;
use wsgi::process::levels::Occupied;
use wsgi::process::watchdog::RunningRequest;
use wsgi::protocol::hook::Question;
use wsgi::protocol::request::RequestHead;

/// The requests of a process.
#[derive(Debug)]
pub(crate) struct InFlight {
    state: Mutex<State>,
    /// When the process began; the clock of [`RunningRequest`] counts from here.
    began: Instant,
    /// Wakes the main thread.
    wake: EventFd,
    /// How many were begun.
    begun: AtomicU64,
    /// The main thread waits for the next request that begins.
    waits_for_begin: AtomicBool,
    /// The main thread waits for each request that ends.
    waits_for_end: AtomicBool,
}

#[derive(Debug)]
struct State {
    entries: Vec<Entry>,
    /// The levels at which threads wait.
    occupied: Occupied,
    next: u64,
    /// How many were taken, or are about to be.
    taken: u64,
    /// When the first one came.
    first: Option<Instant>,
    /// When the last one ended, or the process began.
    ended: Instant,
    /// When there was activity that counts.
    activity: Option<Instant>,
    /// When it was last told that all threads are busy.
    told: Option<Instant>,
}

#[derive(Debug)]
struct Entry {
    number: u64,
    thread: Pid,
    running: RunningRequest,
    info: Option<RequestInfo>,
}

/// The subject of a request, once its head has arrived.
#[derive(Clone, Debug)]
pub(crate) struct RequestInfo {
    /// The payload of its frame.
    payload: Arc<Vec<u8>>,
    pub(crate) control: Arc<Control>,
}

impl RequestInfo {
    pub(crate) fn new(payload: Arc<Vec<u8>>, control: Arc<Control>) -> Self {
        Self { payload, control }
    }

    /// Method and URI.
    pub(crate) fn line(&self) -> String {
        let request = RequestHead::decode(&self.payload).map(|request| request.line());
        let asked = || Question::decode(&self.payload).map(|question| question.request.line());
        request.or_else(|_| asked()).unwrap_or_default()
    }
}

/// A request as it is seen by those who watch.
#[derive(Clone, Debug)]
pub(crate) struct RequestView {
    pub(crate) number: u64,
    pub(crate) thread: Pid,
    pub(crate) running: RunningRequest,
    /// `None` until its head has arrived.
    pub(crate) info: Option<RequestInfo>,
}

impl RequestView {
    /// Its name in messages.
    pub(crate) fn name(&self) -> String {
        self.info
            .as_ref()
            .map_or_else(|| "a request that has just come".to_owned(), RequestInfo::line)
    }
}

/// The requests as seen at one moment.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    pub(crate) running: Vec<RequestView>,
    /// When the first request came.
    pub(crate) first: Option<Duration>,
    pub(crate) activity: Option<Duration>,
}

/// How long heads of requests are waited for.
const HEADS: Duration = Duration::from_millis(500);

/// Being busy is not reported again before this is over.
const PAUSE: Duration = Duration::from_millis(50);

impl InFlight {
    /// None yet. `wake` wakes the main thread.
    pub(crate) fn new(wake: EventFd) -> Self {
        let began = Instant::now();
        let state = State {
            entries: Vec::new(),
            occupied: Occupied::default(),
            next: 0,
            taken: 0,
            first: None,
            ended: began,
            activity: None,
            told: None,
        };
        Self {
            state: Mutex::new(state),
            began,
            wake,
            begun: AtomicU64::new(0),
            waits_for_begin: AtomicBool::new(false),
            waits_for_end: AtomicBool::new(false),
        }
    }

    /// The event that wakes the main thread.
    pub(crate) fn wake(&self) -> &EventFd {
        &self.wake
    }

    /// The present, on the clock of [`RunningRequest`].
    pub(crate) fn now(&self) -> Duration {
        self.on_clock(Instant::now())
    }

    fn on_clock(&self, moment: Instant) -> Duration {
        moment.saturating_duration_since(self.began)
    }

    /// The level, of so many, at which the calling thread is to wait for a request.
    pub(crate) fn occupy_level(&self, levels: usize) -> usize {
        let mut state = self.lock();
        let busy = state.entries.len();
        state.occupied.occupy(busy, levels)
    }

    /// Counts a request that the calling thread, `thread`, is about to take, which has waited at
    /// `level`;    /// `None` if `most` were counted already, or are about to be. 0 is no limit.
    pub(crate) fn reserve(&self, thread: Pid, level: usize, most: u64) -> Option<Reserved<'_>> {
        let now = Instant::now();
        let mut state = self.lock();
        state.occupied.leave(level);
        if most > 0 && state.taken >= most {
            return None;
        }
        let number = state.next;
        state.next += 1;
        state.taken += 1;
        let running = RunningRequest { since: self.on_clock(now), ..RunningRequest::default() };
        state.entries.push(Entry { number, thread, running, info: None });
        Some(Reserved { requests: self, number })
    }

    /// Whether all of so many threads serve a request, and that was not reported within the last
    /// [`PAUSE`].
    pub(crate) fn should_report_busy(&self, threads: u32) -> bool {
        let mut state = self.lock();
        let busy = state.entries.len() >= usize::try_from(threads).unwrap_or(usize::MAX);
        let is_due = busy && state.told.is_none_or(|told| told.elapsed() >= PAUSE);
        if is_due {
            state.told = Some(Instant::now());
        }
        is_due
    }

    /// Notes activity that counts for `inactivity-timeout`.
    pub(crate) fn note_activity(&self) {
        self.lock().activity = Some(Instant::now());
    }

    /// Looks at them. If there are none, the next one that begins wakes the main thread.
    pub(crate) fn look(&self) -> Snapshot {
        let state = self.lock();
        let seen = |entry: &Entry| RequestView {
            number: entry.number,
            thread: entry.thread,
            running: entry.running,
            info: entry.info.clone(),
        };
        let running: Vec<RequestView> = state.entries.iter().map(seen).collect();
        self.waits_for_begin.store(running.is_empty(), Ordering::Relaxed);
        Snapshot {
            running,
            first: state.first.map(|moment| self.on_clock(moment)),
            activity: state.activity.map(|moment| self.on_clock(moment)),
        }
    }

    /// The requests that are running, when no more are taken: those that have just come are waited
    /// for until their heads have arrived, which takes moments.
    pub(crate) fn wait_for_heads(&self) -> Vec<RequestView> {
        let deadline = Instant::now() + HEADS;
        loop {
            let running = self.look().running;
            if running.iter().all(|seen| seen.info.is_some()) || deadline <= Instant::now() {
                return running;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Notes something about a request, if it still runs.
    pub(crate) fn mark(&self, number: u64, mark: impl FnOnce(&mut RunningRequest)) {
        let mut state = self.lock();
        if let Some(entry) = state.entries.iter_mut().find(|entry| entry.number == number) {
            mark(&mut entry.running);
        }
    }

    /// Has each request that ends wake the main thread from now on.
    pub(crate) fn tell_ends(&self) {
        self.waits_for_end.store(true, Ordering::Relaxed);
    }

    /// Whether nothing runs that is waited for.
    pub(crate) fn are_done(&self) -> bool {
        self.lock().entries.iter().all(|entry| entry.running.is_stale)
    }

    /// How much of `limit` is left until the process has served nothing for so long; `None` if it
    /// has. Then, and while a request is being served, `limit` begins anew.
    pub(crate) fn idle_for(&self, limit: Duration) -> Option<Duration> {
        let mut state = self.lock();
        if !state.entries.is_empty() {
            return Some(limit);
        }
        let left = limit.saturating_sub(state.ended.elapsed());
        if left > Duration::ZERO {
            return Some(left);
        }
        state.ended = Instant::now();
        None
    }

    fn note_end(&self) {
        if self.waits_for_end.load(Ordering::Relaxed) {
            self.nudge();
        }
    }

    /// Wakes the main thread.
    pub(crate) fn nudge(&self) {
        // It can only fail when the main thread is woken already.
        let _ = self.wake.write(1);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that panics is done under the lock.
        lock(&self.state)
    }
}

/// A request that is about to be taken. Dropped, there was none after all.
#[derive(Debug)]
pub(crate) struct Reserved<'r> {
    requests: &'r InFlight,
    number: u64,
}

impl<'r> Reserved<'r> {
    /// The request was taken.
    pub(crate) fn begin(self) -> Serving<'r> {
        let Self { requests, number } = *ManuallyDrop::new(self);
        if requests.waits_for_begin.load(Ordering::Relaxed)
            && requests.waits_for_begin.swap(false, Ordering::Relaxed)
        {
            requests.nudge();
        }
        let begun = requests.begun.fetch_add(1, Ordering::Relaxed) + 1;
        Serving { requests, number, begun }
    }
}

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        let mut state = self.requests.lock();
        state.entries.retain(|entry| entry.number != self.number);
        state.taken -= 1;
        drop(state);
        self.requests.note_end();
    }
}

/// A request that is being served.
#[derive(Debug)]
pub(crate) struct Serving<'r> {
    requests: &'r InFlight,
    number: u64,
    begun: u64,
}

impl Serving<'_> {
    /// How many requests this process had begun with this one.
    pub(crate) fn count(&self) -> u64 {
        self.begun
    }

    /// Its head has arrived; it counts as activity or not.
    pub(crate) fn set_info(&self, info: RequestInfo, is_activity: bool) {
        let mut state = self.requests.lock();
        state.first.get_or_insert_with(Instant::now);
        if is_activity {
            state.activity = Some(Instant::now());
        }
        if let Some(entry) = state.entries.iter_mut().find(|one| one.number == self.number) {
            entry.info = Some(info);
        }
    }
}

impl Drop for Serving<'_> {
    fn drop(&mut self) {
        let mut state = self.requests.lock();
        state.entries.retain(|entry| entry.number != self.number);
        state.ended = Instant::now();
        drop(state);
        self.requests.note_end();
    }
}
