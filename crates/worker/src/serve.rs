//! A worker: a process of a process group, from the inside.
//!
//! The main thread starts the request threads, tells `wsgid` that the worker is ready, and then waits
//! for a reason to end.

use std::convert::Infallible;
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use engine::{Engine, ServerLog};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use python::Attached;
use wsgi::control::{News, Order};
use wsgi::daemon::DEFAULT_IDLE_TIMEOUT;
use wsgi::level::Level;
use wsgi::plan::WorkerSpec;

use crate::ending::Ending;
use crate::fellows::{Fellows, Place};
use crate::line::{Line, Word};
use crate::log::ProcessLog;
use crate::panics::caught;
use crate::recycling::Recycling;
use crate::signals::Signals;
use crate::start::Process;
use crate::turn::Held;
use crate::{connection, sys};

/// How long running requests and the interpreters may take to end.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);
/// Exit status of a worker that did not end in time.
const FORCED: i32 = 255;

/// Turns this process into a worker. Returns only if it cannot be one.
pub(crate) fn run(py: Attached<'_>, process: Process) -> Result<Infallible, String> {
    let Process { spec, log, engine, listener, line, fellows, .. } = process;
    let place = fellows.and_then(Fellows::join);
    sys::set_title(&spec.display_name());
    let ending = Arc::new(Ending::new().map_err(|error| format!("no event counter: {error}"))?);
    let signals = Signals::catch(engine.clone(), log.clone())?;
    let recycling = spec.group.recycle_memory.map(Recycling::new);
    let elastic = spec.group.pool().is_elastic();
    let shared = Shared { spec, log, engine, ending, listener, line, place, recycling, elastic };
    py.detach(|| Worker(Arc::new(shared)).run(&signals))
}

/// What the threads of a worker share.
struct Shared {
    spec: WorkerSpec,
    log: Arc<ProcessLog>,
    engine: Arc<Engine>,
    ending: Arc<Ending>,
    listener: UnixListener,
    line: Line,
    /// Its place among the workers of its template.
    place: Option<Place>,
    recycling: Option<Recycling>,
    /// Whether workers come and go with the load.
    elastic: bool,
}

struct Worker(Arc<Shared>);

impl Worker {
    fn run(self, signals: &Signals) -> Result<Infallible, String> {
        for number in 0..self.0.spec.group.threads {
            self.start_thread(number).map_err(|error| {
                format!("WSGI0022: request thread {number} cannot be started: {error}")
            })?;
        }
        let ready = self.0.line.tell(News::Ready);
        ready.map_err(|error| format!("wsgid cannot be told that the worker is ready: {error}"))?;
        let (why, reason) = self.wait_for_end(signals);
        self.0.line(Level::Info, &format!("shutdown requested: {why}"));
        self.end(reason)
    }

    fn start_thread(&self, number: u32) -> std::io::Result<()> {
        let shared = self.0.clone();
        let name = format!("wsgi-{number}");
        thread::Builder::new().name(name).spawn(move || shared.serve(number)).map(|_| ())
    }

    /// Waits until something asks for the end, and says what: for the log, and for applications.
    fn wait_for_end(&self, signals: &Signals) -> (&'static str, &'static str) {
        let shared = &self.0;
        loop {
            let mut descriptors = [
                PollFd::new(signals.descriptor(), PollFlags::POLLIN),
                PollFd::new(shared.ending.descriptor(), PollFlags::POLLIN),
                PollFd::new(shared.line.as_fd(), PollFlags::POLLIN),
            ];
            let _ = poll(&mut descriptors, shared.rest());
            let happened: Vec<bool> =
                descriptors.iter().map(|one| one.any().unwrap_or(false)).collect();
            let why = match happened[..] {
                [true, ..] if signals.take() => ("a signal asked for it", "shutdown_signal"),
                [_, true, _] => ("the script has changed", "script_reload"),
                [_, _, true] => match shared.line.order() {
                    Word::End => ("wsgid is gone", "shutdown_signal"),
                    Word::Order(Order::Fork, _) | Word::Nothing => continue,
                    Word::Order(order, _) => order.reason(),
                },
                _ => continue,
            };
            shared.ending.want();
            return why;
        }
    }

    /// Lets running requests and the interpreters end, within a limit, and ends the process.
    fn end(self, reason: &str) -> Result<Infallible, String> {
        let deadline = Instant::now() + SHUTDOWN_TIMEOUT;
        let shared = &self.0;
        let (log, group) = (shared.log.clone(), shared.spec.group.name.clone());
        // Whatever holds the GIL or waits for a thread that does not end is cut off here.
        let reaper = thread::Builder::new().name("wsgi-reaper".into()).spawn(move || {
            thread::sleep(deadline.saturating_duration_since(Instant::now()));
            let seconds = SHUTDOWN_TIMEOUT.as_secs();
            let text =
                format!("process group {group}: did not end within {seconds} seconds; forced out");
            log.line(Level::Warning, text.as_bytes());
            sys::exit_now(FORCED)
        });
        if let Err(error) = reaper {
            shared.line(Level::Warning, &format!("WSGI0070: the end has no time limit: {error}"));
        }
        shared.engine.stopping(reason);
        shared.ending.wait_until_idle(deadline);
        shared.engine.shutdown(reason);
        shared.line(Level::Info, "the worker ends");
        sys::exit_now(0)
    }
}

impl Shared {
    fn line(&self, level: Level, text: &str) {
        let group = &self.spec.group.name;
        self.log.line(level, format!("process group {group}: {text}").as_bytes());
    }

    /// Tells `wsgid` something. If it is gone, the main thread notices.
    fn tell(&self, news: News) {
        let _ = self.line.tell(news);
    }

    /// What a request thread does: one request after the other.
    fn serve(&self, number: u32) {
        let timeout = Duration::from_millis(self.spec.socket_timeout.max(1));
        while let Some(held) = self.ending.turn().take(number) {
            let Some(stream) = self.next_connection(&held) else { continue };
            let active = (self.ending.request(), self.place.as_ref().map(Place::serving));
            if held.pass() && self.elastic && self.ending.busy_is_news() {
                self.tell(News::Busy);
            }
            let served = caught(|| {
                let peers = &self.spec.peers;
                connection::serve(stream, &self.engine, peers, timeout, &self.ending, &self.log);
            });
            if let Err(panic) = served {
                self.log.line(Level::Error, format!("internal error: {panic}").as_bytes());
            }
            drop(active);
            self.after_request();
        }
    }

    /// What has to be looked at now and then.
    fn after_request(&self) {
        if self.engine.script_changed() {
            self.tell(News::ScriptChanged);
        }
        if let Some(private) = self.recycling.as_ref().and_then(Recycling::reached) {
            let text = format!(
                "{private} bytes of private memory have reached recycle-memory; the worker is replaced"
            );
            self.line(Level::Info, &text);
            self.tell(News::Large);
        }
    }

    /// How long the main thread may sleep. Tells `wsgid` when the worker has had nothing to do for as
    /// long as the group allows.
    fn rest(&self) -> PollTimeout {
        if !self.elastic {
            return PollTimeout::NONE;
        }
        let patience =
            Duration::from_secs(self.spec.group.idle_timeout.unwrap_or(DEFAULT_IDLE_TIMEOUT));
        let left = self.ending.idle_for(patience).unwrap_or_else(|| {
            self.tell(News::Idle);
            patience
        });
        // Rounded up, so that the time is over when the thread wakes.
        PollTimeout::try_from(left.as_millis() + 1).unwrap_or(PollTimeout::MAX)
    }

    /// The next connection; `None` if it is another thread's, or the process ends.
    fn next_connection(&self, held: &Held<'_>) -> Option<UnixStream> {
        let mut descriptors = [
            PollFd::new(self.listener.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.ending.descriptor(), PollFlags::POLLIN),
        ];
        let waits = |waits| self.place.iter().for_each(|place| place.waits(waits));
        waits(true);
        loop {
            let _ = poll(&mut descriptors, PollTimeout::NONE);
            if !held.begins() {
                return None;
            }
            let is_there = || poll(&mut descriptors[..1], PollTimeout::ZERO) != Ok(0);
            if self.place.as_ref().is_none_or(|place| place.gives_way(is_there)) {
                match self.listener.accept() {
                    // A new socket does not inherit that its listener never blocks.
                    Ok((stream, _)) => {
                        waits(false);
                        return Some(stream);
                    }
                    Err(error) if is_usual(&error) => {}
                    Err(error) => {
                        let text = format!("WSGI0018: no connection: {error}");
                        self.log.line(Level::Crit, text.as_bytes());
                        self.ending.want();
                        return None;
                    }
                }
            }
            held.waits_on();
        }
    }
}

/// Whether this happens when another process of the group was faster.
fn is_usual(error: &std::io::Error) -> bool {
    use std::io::ErrorKind;
    let usual = [ErrorKind::WouldBlock, ErrorKind::Interrupted, ErrorKind::ConnectionAborted];
    usual.contains(&error.kind())
}
