//! The metrics of this process: nothing is recorded before an application asks for it.
//!
//! A period goes from one report to the next, whichever interpreter asks for it. Requests that
//! already run when recording begins are not part of it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use wsgi::lock::lock;

use crate::request::timing::Sample;
use crate::usage::{Cpu, MemoryUsage, process_start};

pub(crate) mod functions;
mod period;
mod phase;
mod report;
mod server;

use period::Period;

/// The record of the requests of this process.
#[derive(Debug)]
pub(crate) struct Recorder {
    on: AtomicBool,
    /// Held for moments, and nothing is waited for meanwhile.
    book: Mutex<Option<Box<Book>>>,
    /// Threads that may run requests.
    maximum: u32,
    daemon: bool,
}

#[derive(Debug)]
struct Book {
    /// When the process started, in seconds of the epoch.
    process_start: f64,
    period: Period,
    threads: BTreeMap<i64, Thread>,
    requests: u64,
    busy: Duration,
}

/// A thread that has run requests.
#[derive(Clone, Copy, Debug, Default)]
struct Thread {
    requests: u64,
    /// Since when a request runs, and up to when its time has been counted.
    running: Option<(Instant, Instant)>,
    period: Share,
}

/// A thread's share of a period.
#[derive(Clone, Copy, Debug, Default)]
struct Share {
    active: bool,
    completed: u64,
    busy: Duration,
    cpu: Duration,
    longest: Duration,
}

/// A report about a period that is over.
struct Report {
    period: Period,
    /// The end of the period, in seconds of the epoch.
    stop: f64,
    length: Duration,
    /// The processor time of the process in it.
    cpu: Cpu,
    memory: MemoryUsage,
    threads: Vec<(Share, Duration)>,
}

/// A report about the process.
struct Totals {
    process_start: f64,
    memory: MemoryUsage,
    requests: u64,
    busy: Duration,
    active: usize,
    /// Requests by thread.
    threads: Vec<(i64, u64)>,
}

impl Recorder {
    /// A recorder that records nothing yet.
    pub(crate) fn new(maximum: u32, daemon: bool) -> Arc<Self> {
        let (on, book) = (AtomicBool::new(false), Mutex::default());
        Arc::new(Self { on, book, maximum, daemon })
    }

    /// Whether anything is recorded.
    pub(crate) fn is_on(&self) -> bool {
        self.on.load(Ordering::Relaxed)
    }

    /// Begins to record; nothing if that has been done before. The thread is not attached.
    fn start(&self) {
        self.book().get_or_insert_with(Book::new);
        self.on.store(true, Ordering::Relaxed);
    }

    /// Forgets what another process has recorded, of which this one is a copy.
    pub(crate) fn reset_after_fork(&self) {
        if let Some(book) = self.book().as_mut() {
            *book = Book::new();
        }
    }

    /// Notes that the thread with this number runs a request now.
    pub(crate) fn begin(self: &Arc<Self>, thread: i64) -> Option<Running> {
        if !self.is_on() {
            return None;
        }
        let now = Instant::now();
        let mut book = self.book();
        let entry = book.as_mut()?.threads.entry(thread).or_default();
        entry.running = Some((now, now));
        entry.period.active = true;
        drop(book);
        Some(Running { recorder: Arc::clone(self), thread })
    }

    /// Ends the period and begins another one. The thread is not attached.
    fn take(&self) -> Option<Report> {
        let mut book = self.book();
        let book = book.as_mut()?;
        let period = std::mem::replace(&mut book.period, Period::new());
        let end = book.period.began;
        book.settle(end);
        let threads = book.threads.values_mut().map(|thread| {
            let elapsed = thread
                .running
                .map_or(Duration::ZERO, |(began, _)| end.saturating_duration_since(began));
            let next = Share { active: thread.running.is_some(), ..Share::default() };
            (std::mem::replace(&mut thread.period, next), elapsed)
        });
        let threads = threads.collect();
        Some(Report {
            stop: book.period.start,
            length: end.saturating_duration_since(period.began).max(Duration::from_micros(1)),
            cpu: book.period.cpu - period.cpu,
            memory: MemoryUsage::of_process(),
            period,
            threads,
        })
    }

    /// The totals since recording began. The thread is not attached.
    fn totals(&self) -> Option<Totals> {
        let mut book = self.book();
        let book = book.as_mut()?;
        book.settle(Instant::now());
        let threads = book.threads.iter().map(|(number, thread)| (*number, thread.requests));
        Some(Totals {
            process_start: book.process_start,
            memory: MemoryUsage::of_process(),
            requests: book.requests,
            busy: book.busy,
            active: book.threads.values().filter(|thread| thread.running.is_some()).count(),
            threads: threads.collect(),
        })
    }

    fn book(&self) -> MutexGuard<'_, Option<Box<Book>>> {
        lock(&self.book)
    }
}

impl Book {
    fn new() -> Box<Self> {
        Box::new(Self {
            process_start: process_start(),
            period: Period::new(),
            threads: BTreeMap::new(),
            requests: 0,
            busy: Duration::ZERO,
        })
    }

    /// Counts the time of running requests up to `now`.
    fn settle(&mut self, now: Instant) {
        for thread in self.threads.values_mut() {
            self.busy += thread.settle(now);
        }
    }
}

impl Thread {
    /// Counts the time of the running request up to `now`, and returns it.
    fn settle(&mut self, now: Instant) -> Duration {
        let Some((_, counted)) = &mut self.running else { return Duration::ZERO };
        let fresh = now.saturating_duration_since(*counted);
        *counted = now;
        self.period.busy += fresh;
        fresh
    }
}

/// A request that is recorded. Dropped before it was finished, it counts as busy time only.
#[derive(Debug)]
pub(crate) struct Running {
    recorder: Arc<Recorder>,
    thread: i64,
}

impl Running {
    /// The request is done.
    pub(crate) fn finish(self, sample: &Sample) {
        let mut book = self.recorder.book();
        let Some(book) = book.as_mut() else { return };
        book.period.add(sample, self.recorder.daemon);
        book.requests += 1;
        if let Some(thread) = book.threads.get_mut(&self.thread) {
            thread.requests += 1;
            let share = &mut thread.period;
            share.completed += 1;
            share.cpu += sample.cpu.total();
            share.longest = share.longest.max(sample.application_time);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut book = self.recorder.book();
        let Some(book) = book.as_mut() else { return };
        if let Some(thread) = book.threads.get_mut(&self.thread) {
            book.busy += thread.settle(Instant::now());
            thread.running = None;
        }
    }
}
