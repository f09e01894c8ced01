//! A worker: a process of a process group, from the inside.
//!
//! The main thread starts the request threads, tells `wsgid` that the worker is ready, watches over
//! the limits, and sees to the end when there is a reason for it.

use std::convert::Infallible;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use engine::ServerLog;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use python::Attached;
use wsgi::codes::{self, Message};
use wsgi::config::daemon_process::{DEFAULT_IDLE_TIMEOUT, Timeouts};
use wsgi::process::control::{Cause, SupervisorMessage, WorkerMessage};

use crate::control_socket::Incoming;
use crate::imports;
use crate::process_context::ProcessContext;
use crate::rlimits;
use crate::sys;
use crate::thread_stack;
use crate::worker::idle::Idle;
use crate::worker::in_flight::InFlight;
use crate::worker::levels::{Levels, STEP};
use crate::worker::monitor::{Monitor, ProcessAction};
use crate::worker::recycling::Recycling;
use crate::worker::shared::Shared;
use crate::worker::shutdown::{self, Shutdown};
use crate::worker::signals::{SignalRequest, Signals};
use crate::worker::stacks::Stacks;

/// Exit status of a worker that did not end in time.
const FORCED: i32 = 255;
/// Exit status of a worker that cannot take requests.
const BROKEN: i32 = 1;

/// Turns this process into a worker. Returns only if it cannot be one.
pub(crate) fn run(py: Attached<'_>, process: ProcessContext) -> Result<Infallible, Message> {
    let ProcessContext { spec, log, engine, queue, control, .. } = process;
    sys::set_title(&spec.display_name());
    rlimits::set(&spec.group)?;
    let no_event =
        |error: nix::Error| codes::process_not_started(&format_args!("no event counter: {error}"));
    let shutdown = Shutdown::new().map_err(no_event)?;
    let requests = Arc::new(InFlight::new(shutdown::event().map_err(no_event)?));
    sys::count_forks();
    sys::expect_bodies();
    let signals = Signals::catch(engine.clone(), log.clone(), spec.group.stack_size)
        .map_err(|error| codes::signals_not_caught(&error))?;
    let stacks = Stacks::install(py);
    if let Err(error) = &stacks {
        let message = codes::no_stacks(error);
        py.detach(|| log.report(message));
    }
    let monitor = Monitor::new(&spec, engine.clone(), log.clone(), stacks.ok());
    let recycling = spec.group.recycle_memory.map(Recycling::new);
    let elastic = spec.group.pool().is_elastic();
    let idle_timeout = spec.group.idle_timeout.unwrap_or(DEFAULT_IDLE_TIMEOUT);
    let idle = Idle::new(elastic.then_some(idle_timeout));
    let levels =
        Levels::new(spec.group.threads, queue.as_fd(), shutdown.descriptor()).map_err(|error| {
            codes::process_not_started(&format_args!("threads cannot wait for requests: {error}"))
        })?;
    let shared =
        Shared { spec, log, engine, shutdown, requests, queue, levels, control, recycling, idle };
    py.detach(|| {
        let shared = Arc::new(shared);
        let worker = Worker { shared, monitor, replacement_cause: None, lining_up: None };
        worker.run(&signals)
    })
}

/// The main thread.
struct Worker {
    shared: Arc<Shared>,
    monitor: Monitor,
    /// Why another process was asked for, while this one serves on.
    replacement_cause: Option<Cause>,
    /// The level that lines up next, and when.
    lining_up: Option<(usize, Instant)>,
}

impl Worker {
    fn run(mut self, signals: &Signals) -> Result<Infallible, Message> {
        let shared = &self.shared;
        let log: Arc<dyn ServerLog> = shared.log.clone();
        let (group, scripts) = (&shared.spec.group.name, &shared.spec.imports);
        imports::run(&shared.engine, &log, group, scripts, || !signals.are_waiting());
        for number in 0..shared.spec.group.threads {
            self.start_thread(number).map_err(|error| codes::thread_not_started(number, &error))?;
        }
        let ready = shared.control.send(WorkerMessage::Ready);
        ready.map_err(|error| {
            codes::process_not_started(&format_args!("wsgid cannot be told: {error}"))
        })?;
        let cause = self.serve(signals);
        self.end(cause)
    }

    fn start_thread(&self, number: u32) -> std::io::Result<()> {
        let shared = self.shared.clone();
        let stack = thread_stack::size(shared.spec.group.stack_size);
        let builder = thread::Builder::new().name(format!("wsgi-{number}")).stack_size(stack);
        builder.spawn(move || shared.serve()).map(|_| ())
    }

    /// Watches until something asks for the end and the running requests are done, or have had
    /// their time. Gives what asked for it.
    fn serve(&mut self, signals: &Signals) -> Cause {
        let mut drain: Option<(Cause, Instant)> = None;
        loop {
            let (requested, next) = self.monitor.look(&self.shared.requests, &self.shared.shutdown);
            let mut wanted = self.shared.shutdown.cause();
            for action in requested {
                match action {
                    // Waiting for the requests would be in vain.
                    ProcessAction::End(Cause::Deadlock) => return self.give_up(drain.is_some()),
                    ProcessAction::End(cause) => wanted = wanted.or(Some(cause)),
                    ProcessAction::Replace(cause) => self.replace(cause),
                }
            }
            if let (None, Some(cause)) = (&drain, wanted) {
                drain = Some((cause, self.begin_end(cause)));
            }
            if let Some((cause, until)) = drain
                && (self.shared.requests.are_done() || until <= Instant::now())
            {
                return cause;
            }
            let until = drain.map(|(_, until)| until);
            let Some(cause) = self.wait(signals, next, until) else { continue };
            match &mut drain {
                // A second signal ends the wait.
                Some((_, until)) => *until = Instant::now(),
                None => self.shared.shutdown.request(cause),
            }
        }
    }

    /// The process is stuck, whether it was about to end or not.
    fn give_up(&self, ends_already: bool) -> Cause {
        if !ends_already {
            self.begin_end(Cause::Deadlock);
        }
        Cause::Deadlock
    }

    /// No request is taken any more. Gives the moment until which running requests are waited for.
    fn begin_end(&self, cause: Cause) -> Instant {
        let shared = &self.shared;
        shared.shutdown.request(cause);
        shared.requests.tell_ends();
        // A process that wsgid told to end need not say so; to say it again does no harm. One that
        // cannot serve has failed, and the next one may have to wait.
        if cause != Cause::Broken {
            shared.tell(WorkerMessage::Draining);
        }
        shared.log.note(&format!("shutdown requested: {}", cause.text()));
        let timeouts = &shared.spec.group.timeouts;
        let limit = match cause {
            // These have shutdown-timeout only.
            Cause::Shutdown | Cause::Deadlock | Cause::StartupTimeout | Cause::Broken => {
                Duration::ZERO
            }
            Cause::Graceful | Cause::Eviction => timeouts.evict(),
            _ => timeouts.graceful,
        };
        Instant::now() + limit
    }

    /// Asks `wsgid` for another process, and serves on until that is ready.
    fn replace(&mut self, cause: Cause) {
        if self.replacement_cause.is_none() {
            let text = format!("another process is wanted: {}", cause.text());
            self.shared.log.note(&text);
            self.replacement_cause = Some(cause);
            self.shared.tell(WorkerMessage::ReplacementRequested);
        }
    }

    /// Sleeps until something happens, for as long as `next` at most, or until the moment `until`.
    /// Gives what asks for the end.
    fn wait(
        &mut self,
        signals: &Signals,
        next: Option<Duration>,
        until: Option<Instant>,
    ) -> Option<Cause> {
        let shared = self.shared.clone();
        let mut descriptors = vec![
            PollFd::new(signals.descriptor(), PollFlags::POLLIN),
            PollFd::new(shared.requests.wake().as_fd(), PollFlags::POLLIN),
            PollFd::new(shared.control.as_fd(), PollFlags::POLLIN),
        ];
        if until.is_none() {
            // It stays readable once the end is wanted.
            descriptors.push(PollFd::new(shared.shutdown.descriptor(), PollFlags::POLLIN));
        }
        let left = until.map(|until| until.saturating_duration_since(Instant::now()));
        let limits = next.into_iter().chain(left);
        let timeout = limits.chain(shared.idle_limit()).chain(self.line_up()).min();
        // Rounded up, so that the time is over when the thread wakes.
        let timeout = timeout.map_or(PollTimeout::NONE, |left| {
            PollTimeout::try_from(left.as_millis() + 1).unwrap_or(PollTimeout::MAX)
        });
        let _ = poll(&mut descriptors, timeout);
        let happened: Vec<bool> =
            descriptors.iter().map(|one| one.any().unwrap_or(false)).collect();
        drop(descriptors);
        if happened[1] {
            let _ = shared.requests.wake().read();
        }
        if let Some(cause) = shared.large() {
            self.replace(cause);
        }
        if happened[0] {
            match signals.take() {
                SignalRequest::Nothing => {}
                SignalRequest::Replacement if !shared.spec.group.timeouts.eviction.is_zero() => {
                    self.replace(Cause::Eviction);
                }
                SignalRequest::Replacement => self.replace(Cause::Graceful),
                SignalRequest::Relief => self.replace(Cause::CpuTime),
                SignalRequest::End => return Some(Cause::Shutdown),
            }
        }
        if happened[2] {
            return match shared.control.receive() {
                Incoming::End | Incoming::Message(SupervisorMessage::Fork, _) => {
                    Some(Cause::Shutdown)
                }
                Incoming::Message(SupervisorMessage::StopForScript, _) => Some(Cause::Script),
                Incoming::Message(SupervisorMessage::StopIdle, _) => Some(Cause::Rest),
                Incoming::Message(SupervisorMessage::StopReplaced, _) => {
                    Some(self.replacement_cause.unwrap_or(Cause::Shutdown))
                }
                Incoming::Message(SupervisorMessage::Retire, _) => {
                    shared.idle.retire();
                    None
                }
                Incoming::Message(SupervisorMessage::Look, _) => {
                    shared.levels.look();
                    None
                }
                Incoming::Message(SupervisorMessage::LineUp, _) => {
                    // The first level stays where it is: it is before all that have lined up.
                    self.lining_up = Some((1, Instant::now()));
                    None
                }
                Incoming::Nothing => None,
            };
        }
        None
    }

    /// Has the next level line up when it is time; gives how long until the one after it does.
    fn line_up(&mut self) -> Option<Duration> {
        let (level, moment) = self.lining_up?;
        let left = moment.saturating_duration_since(Instant::now());
        if left > Duration::ZERO {
            return Some(left);
        }
        let shared = &self.shared;
        if level == shared.levels.count() {
            self.lining_up = None;
            return None;
        }
        if let Err(error) = shared.levels.line_up(level, shared.queue.as_fd()) {
            shared.log.report(codes::queue_not_watched(&error));
            shared.shutdown.request(Cause::Broken);
        }
        self.lining_up = Some((level + 1, Instant::now() + STEP));
        Some(STEP)
    }

    /// Lets running requests and the interpreters end, within a limit, and ends the process.
    fn end(self, cause: Cause) -> Result<Infallible, Message> {
        let shared = &self.shared;
        if cause == Cause::Deadlock {
            // Everything below would wait for the GIL.
            shared.log.note("the worker ends");
            sys::exit_now(FORCED)
        }
        let deadline = self.reap_late(cause);
        shared.engine.stopping(cause.reason());
        while !shared.requests.are_done() {
            if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                break;
            }
            let mut descriptors = [PollFd::new(shared.requests.wake().as_fd(), PollFlags::POLLIN)];
            let _ = poll(&mut descriptors, PollTimeout::NONE);
            let _ = shared.requests.wake().read();
        }
        shared.engine.shutdown(cause.reason());
        shared.log.note("the worker ends");
        sys::exit_now(if cause == Cause::Broken { BROKEN } else { 0 })
    }

    /// Ends the process after `shutdown-timeout`: whatever keeps the GIL, or waits for a thread
    /// that does not end, is cut off. Gives the moment; `None` if there is no limit, which only a
    /// process that is not stuck can have.
    fn reap_late(&self, cause: Cause) -> Option<Instant> {
        let shared = &self.shared;
        let limit = match (shared.spec.group.timeouts.shutdown, cause) {
            (Duration::ZERO, Cause::RequestTimeout | Cause::StartupTimeout) => {
                Timeouts::default().shutdown
            }
            (limit, _) => limit,
        };
        let deadline = (!limit.is_zero()).then(|| Instant::now() + limit)?;
        let log = shared.log.clone();
        let reaper = thread::Builder::new().name("wsgi-reaper".into()).spawn(move || {
            thread::sleep(deadline.saturating_duration_since(Instant::now()));
            log.report(codes::forced_out(limit.as_secs()));
            sys::exit_now(FORCED)
        });
        if let Err(error) = reaper {
            shared.log.report(codes::end_without_limit(&error));
        }
        Some(deadline)
    }
}
