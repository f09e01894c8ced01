//! Watching over a worker's limits, from the main thread, without the GIL.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use engine::Engine;
use nix::unistd::gettid;
use wsgi::codes;
use wsgi::config::daemon_process::Timeouts;
use wsgi::process::control::Cause;
use wsgi::process::plan::WorkerSpec;
use wsgi::process::watchdog::{Action, Observation, RunningRequest, Watchdog};

use crate::log::ProcessLog;
use crate::panics::caught;
use crate::worker::in_flight::{InFlight, RequestView, Snapshot};
use crate::worker::shutdown::Shutdown;
use crate::worker::stacks::Stacks;

/// Status of a request whose process does not wait for it any more.
const TIMED_OUT: u16 = 504;

/// An action that the limits demand of the main thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProcessAction {
    /// The process is to end.
    End(Cause),
    /// Another process is to take its place first.
    Replace(Cause),
}

/// The watch over a process.
pub(crate) struct Monitor {
    watchdog: Watchdog,
    options: Timeouts,
    slow: f64,
    engine: Arc<Engine>,
    log: Arc<ProcessLog>,
    /// `None` where Python has none to offer, which was logged.
    stacks: Option<Stacks>,
    gil: Arc<Gil>,
    /// Another process was asked for because of `restart-interval`.
    asked: AtomicBool,
}

/// Whether the GIL can be had.
#[derive(Debug, Default)]
struct Gil {
    /// Since when it is waited for, in milliseconds on the clock of [`InFlight::now`] and one more;
    /// 0 while it is not.
    since_millis: AtomicU64,
    /// When it was waited for last, in such milliseconds.
    last_millis: AtomicU64,
}

impl Gil {
    /// Since when it is waited for; `None` while it is not.
    fn since(&self) -> Option<Duration> {
        self.since_millis.load(Ordering::Relaxed).checked_sub(1).map(Duration::from_millis)
    }

    /// When it was waited for last.
    fn last(&self) -> Duration {
        Duration::from_millis(self.last_millis.load(Ordering::Relaxed))
    }

    fn begin(&self, now: Duration) {
        let millis = u64::try_from(now.as_millis()).unwrap_or(u64::MAX - 1);
        self.last_millis.store(millis, Ordering::Relaxed);
        self.since_millis.store(millis + 1, Ordering::Relaxed);
    }

    fn end(&self) {
        self.since_millis.store(0, Ordering::Relaxed);
    }
}

impl Monitor {
    pub(crate) fn new(
        spec: &WorkerSpec,
        engine: Arc<Engine>,
        log: Arc<ProcessLog>,
        stacks: Option<Stacks>,
    ) -> Self {
        let slow = spec.server.slow_requests;
        Self {
            watchdog: Watchdog::new(&spec.group.timeouts, spec.group.threads, slow),
            options: spec.group.timeouts,
            slow: slow.unwrap_or_default().as_secs_f64(),
            engine,
            log,
            stacks,
            gil: Arc::default(),
            asked: AtomicBool::new(false),
        }
    }

    /// Looks at the process and does what its limits demand; gives the actions for the main thread,
    /// and after how long to look again, if nothing happens before.
    pub(crate) fn look(
        &self,
        requests: &InFlight,
        shutdown: &Shutdown,
    ) -> (Vec<ProcessAction>, Option<Duration>) {
        let now = requests.now();
        let snapshot = requests.look();
        self.ask_for_gil(now, &snapshot);
        let running: Vec<RunningRequest> =
            snapshot.running.iter().map(|seen| seen.running).collect();
        let seen = Observation {
            now,
            started: Duration::ZERO,
            first_request: snapshot.first,
            has_loaded: self.engine.has_loaded(),
            activity: snapshot.activity,
            waits_for_gil: self.gil.since(),
            has_asked: self.asked.load(Ordering::Relaxed),
            running: &running,
        };
        let actions = self.watchdog.actions(&seen);
        let requested = actions
            .iter()
            .filter_map(|action| self.act(*action, &snapshot.running, requests, shutdown))
            .collect();
        let pace = self.watchdog.pace().filter(|_| !running.is_empty()).map(|pace| now + pace);
        let next = if actions.is_empty() { self.watchdog.next(&seen) } else { Some(now) };
        let next = next.into_iter().chain(pace).min();
        (requested, next.map(|moment| moment.saturating_sub(now)))
    }

    fn act(
        &self,
        action: Action,
        running: &[RequestView],
        requests: &InFlight,
        shutdown: &Shutdown,
    ) -> Option<ProcessAction> {
        match action {
            Action::Note(index) => {
                let seen = &running[index];
                requests.mark(seen.number, |running| running.is_noted = true);
                self.log.report_with(
                    codes::still_running(self.slow, &seen.name()),
                    &self.stack_of(seen),
                );
                None
            }
            Action::Interrupt(index) => {
                let seen = &running[index];
                let now = requests.now();
                requests.mark(seen.number, |running| running.interrupted = Some(now));
                let Timeouts { request, interrupt, .. } = self.options;
                let message =
                    codes::interrupted(request.as_secs(), &seen.name(), interrupt.as_secs());
                self.log.report_with(message, &self.stack_of(seen));
                self.interrupt(seen);
                None
            }
            Action::GiveUp(index) => {
                let seen = &running[index];
                requests.mark(seen.number, |running| running.is_stale = true);
                let message = codes::given_up(self.options.request.as_secs(), &seen.name());
                let stacks = self.stacks.as_ref().map(|stacks| stacks.all(seen.thread));
                self.log.report_with(message, &stacks.unwrap_or_default());
                // The next request goes to another process.
                shutdown.request(Cause::RequestTimeout);
                give_up(seen);
                Some(ProcessAction::End(Cause::RequestTimeout))
            }
            Action::End(cause) => {
                shutdown.request(cause);
                self.explain(cause, &requests.wait_for_heads(), requests);
                Some(ProcessAction::End(cause))
            }
            Action::Replace(cause) => {
                self.asked.store(true, Ordering::Relaxed);
                Some(ProcessAction::Replace(cause))
            }
        }
    }

    /// Says why the process ends, where that is a fault, and ends the requests that cannot be
    /// waited for.
    fn explain(&self, cause: Cause, running: &[RequestView], requests: &InFlight) {
        let (message, thread) = match cause {
            Cause::Deadlock => {
                (codes::deadlocked(self.options.deadlock.as_secs(), &names(running)), gettid())
            }
            Cause::StartupTimeout => {
                let thread = running.first().map_or_else(gettid, |seen| seen.thread);
                (codes::not_loaded(self.options.startup.as_secs(), &names(running)), thread)
            }
            _ => return,
        };
        let stacks = self.stacks.as_ref().map(|stacks| stacks.all(thread));
        self.log.report_with(message, &stacks.unwrap_or_default());
        for seen in running {
            requests.mark(seen.number, |running| running.is_stale = true);
            give_up(seen);
        }
    }

    /// Raises the exception from a thread of its own, since that waits for the GIL.
    fn interrupt(&self, seen: &RequestView) {
        let Some(info) = seen.info.clone() else { return };
        let raise = move || {
            // A request that has ended meanwhile needs none; a panic has been logged.
            let _ = caught(|| info.control.interrupt());
        };
        let thread = thread::Builder::new().name("wsgi-interrupt".into()).spawn(raise);
        if let Err(error) = thread {
            self.log.report(codes::not_interrupted(&error));
        }
    }

    /// Finds out if the GIL can be had, while there are requests that need it.
    fn ask_for_gil(&self, now: Duration, snapshot: &Snapshot) {
        let since = now.saturating_sub(self.gil.last());
        if self.gil.since().is_some()
            || snapshot.running.is_empty()
            || !self.watchdog.asks_for_gil(since)
        {
            return;
        }
        self.gil.begin(now);
        let (engine, gil) = (Arc::clone(&self.engine), Arc::clone(&self.gil));
        let probe = move || {
            let _ = caught(|| engine.probe());
            gil.end();
        };
        if let Err(error) = thread::Builder::new().name("wsgi-gil".into()).spawn(probe) {
            self.gil.end();
            self.log.report(codes::deadlocks_not_noticed(&error));
        }
    }

    fn stack_of(&self, seen: &RequestView) -> Vec<String> {
        self.stacks.as_ref().map(|stacks| stacks.of(seen.thread)).unwrap_or_default()
    }
}

/// Answers a request in place of its code. One that is just writing its answer is cut off with the
/// end of the process.
fn give_up(seen: &RequestView) {
    if let Some(info) = &seen.info {
        info.control.give_up(TIMED_OUT);
    }
}

fn names(running: &[RequestView]) -> String {
    let names: Vec<String> = running.iter().map(RequestView::name).collect();
    if names.is_empty() { "no requests".to_owned() } else { names.join(", ") }
}
