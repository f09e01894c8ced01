//! A worker: a process of a process group, from the inside.
//!
//! Python has just been started by `wsgid` and has called `serve()`. The main thread makes the engine,
//! starts the request threads, tells `wsgid` that the worker is ready, and then waits for a reason to
//! end.

use std::convert::Infallible;
use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use engine::{ApacheFacts, Engine, ServerLog, Settings};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use python::Attached;
use wsgi::level::Level;
use wsgi::plan::{ServerFacts, WorkerSpec, descriptor};

use crate::ending::Ending;
use crate::log::ProcessLog;
use crate::panics::caught;
use crate::signals::Signals;
use crate::{connection, sys};

/// How long running requests and the interpreters may take to end.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);
/// Exit status of a worker that did not end in time.
const FORCED: i32 = 255;

/// Turns this process into a worker. Returns only if it cannot be one.
pub(crate) fn run(py: Attached<'_>) -> Result<Infallible, String> {
    let spec = read_spec()?;
    let log = Arc::new(ProcessLog::new(spec.log_level));
    sys::set_title(&spec.display_name());
    let listener = UnixListener::from(sys::inherited(descriptor::LISTENER)?);
    let control = UnixStream::from(sys::inherited(descriptor::CONTROL)?);
    let ending = Arc::new(Ending::new().map_err(|error| format!("no event counter: {error}"))?);
    forget_start(py).map_err(|error| error.to_string())?;
    let settings = settings(&spec, log.clone());
    let engine = Engine::new(py, settings).map_err(|error| error.to_string())?;
    let signals = Signals::catch(engine.clone(), log.clone())?;
    py.detach(|| {
        let worker = Worker { spec, log, engine, ending, listener: Arc::new(listener) };
        worker.run(&control, &signals)
    })
}

fn read_spec() -> Result<WorkerSpec, String> {
    let file = std::fs::File::from(sys::inherited(descriptor::SPEC)?);
    serde_json::from_reader(file)
        .map_err(|error| format!("the worker's task is unreadable: {error}"))
}

/// Undoes what starting with `-c` has left behind for everybody to see.
fn forget_start(py: Attached<'_>) -> python::Result<'_, ()> {
    let path = py.import(c"sys")?.attr(c"path")?;
    if path.length()? > 0 && path.at(0)?.utf8()?.is_empty() {
        let first = py.int(0)?;
        path.call_method(c"pop", &[&first])?;
    }
    Ok(())
}

fn settings(spec: &WorkerSpec, log: Arc<ProcessLog>) -> Settings {
    let group = &spec.group;
    Settings {
        process_group: group.name.clone(),
        python_path: group.python_path.clone(),
        home: group.home.clone(),
        python_eggs: None,
        threads: group.threads,
        multithread: group.threads != 1,
        multiprocess: group.processes.is_some(),
        run_once: false,
        maximum_processes: group.process_count(),
        apache: apache_facts(&spec.server),
        daemon: true,
        interpreters: spec.server.interpreters,
        single_process: false,
        log,
    }
}

/// Facts about httpd in the engine's words.
pub(crate) fn apache_facts(server: &ServerFacts) -> ApacheFacts {
    ApacheFacts {
        version: server.version,
        description: server.description.clone(),
        mpm_name: server.mpm.clone(),
        build_date: server.build_date.clone(),
        maximum_processes: server.children,
        threads_per_process: server.threads,
    }
}

struct Worker {
    spec: WorkerSpec,
    log: Arc<ProcessLog>,
    engine: Arc<Engine>,
    ending: Arc<Ending>,
    listener: Arc<UnixListener>,
}

impl Worker {
    fn run(self, control: &UnixStream, signals: &Signals) -> Result<Infallible, String> {
        for number in 0..self.spec.group.threads {
            self.start_thread(number).map_err(|error| {
                format!("WSGI0022: request thread {number} cannot be started: {error}")
            })?;
        }
        let ready = (&*control).write_all(b"R");
        ready.map_err(|error| format!("wsgid cannot be told that the worker is ready: {error}"))?;
        let (why, reason) = self.wait_for_end(control, signals);
        self.line(Level::Info, &format!("shutdown requested: {why}"));
        self.end(reason)
    }

    fn line(&self, level: Level, text: &str) {
        let group = &self.spec.group.name;
        self.log.line(level, format!("process group {group}: {text}").as_bytes());
    }

    fn start_thread(&self, number: u32) -> std::io::Result<()> {
        let (engine, ending) = (self.engine.clone(), self.ending.clone());
        let (listener, log) = (self.listener.clone(), self.log.clone());
        let peers = self.spec.peers.clone();
        let timeout = Duration::from_millis(self.spec.socket_timeout.max(1));
        let serve = move || {
            while let Some(held) = ending.turn().take() {
                let Some(stream) = next_connection(&listener, &ending, &log) else { continue };
                let active = ending.request();
                drop(held);
                let served = caught(|| {
                    connection::serve(stream, &engine, &peers, timeout, &ending, &log);
                });
                if let Err(panic) = served {
                    log.line(Level::Error, format!("internal error: {panic}").as_bytes());
                }
                drop(active);
            }
        };
        thread::Builder::new().name(format!("wsgi-{number}")).spawn(serve).map(|_| ())
    }

    /// Waits until something asks for the end, and says what: for the log, and for applications.
    fn wait_for_end(
        &self,
        control: &UnixStream,
        signals: &Signals,
    ) -> (&'static str, &'static str) {
        loop {
            let mut descriptors = [
                PollFd::new(signals.descriptor(), PollFlags::POLLIN),
                PollFd::new(self.ending.descriptor(), PollFlags::POLLIN),
                // wsgid has nothing to say here; the end of its end means that it is gone.
                PollFd::new(control.as_fd(), PollFlags::POLLIN),
            ];
            let _ = poll(&mut descriptors, PollTimeout::NONE);
            let happened: Vec<bool> =
                descriptors.iter().map(|one| one.any().unwrap_or(false)).collect();
            let why = match happened[..] {
                [true, ..] if signals.take() => ("a signal asked for it", "shutdown_signal"),
                [_, true, _] => ("the script has changed", "script_reload"),
                [_, _, true] => ("wsgid is gone", "shutdown_signal"),
                _ => continue,
            };
            self.ending.want();
            return why;
        }
    }

    /// Lets running requests and the interpreters end, within a limit, and ends the process.
    fn end(self, reason: &str) -> Result<Infallible, String> {
        let deadline = Instant::now() + SHUTDOWN_TIMEOUT;
        let (log, group) = (self.log.clone(), self.spec.group.name.clone());
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
            self.line(Level::Warning, &format!("WSGI0070: the end has no time limit: {error}"));
        }
        self.engine.stopping(reason);
        self.ending.wait_until_idle(deadline);
        self.engine.shutdown(reason);
        self.line(Level::Info, "the worker ends");
        sys::exit_now(0)
    }
}

/// The next connection; `None` if there is none after all, or the process ends.
fn next_connection(
    listener: &UnixListener,
    ending: &Ending,
    log: &ProcessLog,
) -> Option<UnixStream> {
    let mut descriptors = [
        PollFd::new(listener.as_fd(), PollFlags::POLLIN),
        PollFd::new(ending.descriptor(), PollFlags::POLLIN),
    ];
    let _ = poll(&mut descriptors, PollTimeout::NONE);
    if ending.turn().is_closed() {
        return None;
    }
    match listener.accept() {
        // A new socket does not inherit that its listener never blocks.
        Ok((stream, _)) => Some(stream),
        Err(error) => {
            let kind = error.kind();
            let usual = [
                // Another process of the group was faster.
                std::io::ErrorKind::WouldBlock,
                std::io::ErrorKind::Interrupted,
                std::io::ErrorKind::ConnectionAborted,
            ];
            if !usual.contains(&kind) {
                log.line(Level::Crit, format!("WSGI0018: no connection: {error}").as_bytes());
                ending.want();
            }
            None
        }
    }
}
