//! A process group: its socket, its workers, and how many of them there have to be.
//!
//! Workers start by themselves, or are forked from the group's [`crate::template::Template`]. Workers of an older
//! generation (their template was replaced, because a script has changed) and workers that have grown
//! too large stay until others are ready in their place.

use std::fs;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use nix::unistd::Uid;
use wsgi::control::{News, Order};
use wsgi::daemon::Preload;
use wsgi::level::Level;
use wsgi::plan::{Plan, PlannedGroup, WorkerSpec};

use crate::account::{AccountError, Identity};
use crate::backoff::Backoff;
use crate::demand::Demand;
use crate::launch::{Start, StartError};
use crate::line::Line;
use crate::log::Log;
use crate::program::{self, ProgramError};
use crate::socket::{bind, has_waiting};
use crate::worker::Worker;

mod templates;

use templates::Templates;

/// How long a worker may take to finish what it has when it is asked to end.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);
/// And how much longer until it is killed, if it did not end itself then.
const KILL_DELAY: Duration = Duration::from_secs(1);

/// Why a group cannot be started.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GroupError {
    #[error(transparent)]
    Account(#[from] AccountError),
    #[error(transparent)]
    Program(#[from] ProgramError),
    #[error("its socket {path} cannot be made: {error}")]
    Socket { path: PathBuf, error: std::io::Error },
    #[error("the engine cannot be found: {0}")]
    Engine(std::io::Error),
}

/// A group that runs.
#[derive(Debug)]
pub(crate) struct Group {
    launch: Launch,
    socket: PathBuf,
    templates: Templates,
    workers: Vec<Worker>,
    demand: Demand,
    backoff: Backoff,
    not_before: Option<Instant>,
    ending: bool,
    log: Log,
}

/// What starting a process of the group takes.
#[derive(Debug)]
struct Launch {
    spec: WorkerSpec,
    identity: Identity,
    program: PathBuf,
    engine: PathBuf,
    listener: OwnedFd,
    log_file: Option<OwnedFd>,
    children: u32,
}

impl Launch {
    /// How to start a process that loads as much as `level` says before it is forked.
    fn with<R>(&self, level: Preload, act: impl FnOnce(&Start<'_>) -> R) -> R {
        let spec = WorkerSpec { preload: level, ..self.spec.clone() };
        act(&Start {
            spec: &spec,
            identity: &self.identity,
            program: &self.program,
            engine: &self.engine,
            listener: &self.listener,
            log: self.log_file.as_ref(),
            children: self.children,
        })
    }
}

impl Group {
    /// Binds the group's socket. No worker is started yet.
    pub(crate) fn new(
        plan: &Plan,
        group: PlannedGroup,
        log_file: Option<OwnedFd>,
        log: Log,
    ) -> Result<Self, GroupError> {
        let identity = Identity::of_group(&group.spec, &plan.children)?;
        let home = group.spec.python_home.as_deref().or(plan.python_home.as_deref());
        let program = program::python(home)?;
        let engine = program::engine().map_err(GroupError::Engine)?;
        let listener = bind(&group.socket, plan.children.uid)
            .map_err(|error| GroupError::Socket { path: group.socket.clone(), error })?;
        let demand = Demand::new(group.spec.pool());
        let templates = Templates::new(group.spec.preload);
        let spec = WorkerSpec {
            group: group.spec,
            server: plan.server.clone(),
            log_level: plan.log_level,
            socket_timeout: plan.socket_timeout,
            peers: vec![plan.children.uid, Uid::effective().as_raw()],
            preload: Preload::Off,
            applications: group.applications,
        };
        let children = plan.children.uid;
        Ok(Self {
            launch: Launch { spec, identity, program, engine, listener, log_file, children },
            socket: group.socket,
            templates,
            workers: Vec::new(),
            demand,
            backoff: Backoff::default(),
            not_before: None,
            ending: false,
            log,
        })
    }

    fn name(&self) -> &str {
        &self.launch.spec.group.name
    }

    fn note(&self, level: Level, text: &str) {
        self.log.line(level, &format!("process group {}: {text}", self.name()));
    }

    /// Whether all its processes have ended.
    pub(crate) fn is_empty(&self) -> bool {
        self.workers.is_empty()
    }

    /// The lines to its processes that may still say something, and the listener if the group wants
    /// to know of connections.
    pub(crate) fn listens(&self) -> (Vec<&Line>, Option<&OwnedFd>) {
        let workers = self.workers.iter().map(Worker::listens);
        let lines = workers.chain(self.templates.lines()).filter(|line| !line.has_ended());
        let listener = self.demand.listens(Instant::now()).then_some(&self.launch.listener);
        (lines.collect(), listener.filter(|_| !self.ending))
    }

    /// Hears what its processes have to say.
    pub(crate) fn hear(&mut self) {
        for place in 0..self.workers.len() {
            while let Some((news, speaker)) = self.workers[place].line().hear() {
                self.heard(place, news, speaker);
            }
        }
        // One whose process is not known and whose line has ended was never forked.
        self.workers.retain(|worker| worker.pid().is_some() || !worker.listens().has_ended());
        self.hear_templates();
    }

    fn heard(&mut self, place: usize, news: News, speaker: i32) {
        let worker = &mut self.workers[place];
        match news {
            News::Forked if worker.pid().is_none() && !worker.identify(speaker) => {
                let text = format!("{speaker} says that it is a worker, and is no process of ours");
                self.note(Level::Alert, &text);
            }
            News::Ready if !worker.is_ready() => {
                worker.set_ready();
                let (pid, milliseconds) = (worker.name(), worker.age().as_millis());
                let name = self.name();
                let text = format!(
                    "worker {pid} of process group {name} is ready after {milliseconds} ms"
                );
                self.log.line(Level::Info, &text);
            }
            News::Idle => self.rest(place),
            News::Busy => self.demand.busy(Instant::now()),
            News::Large => worker.set_large(),
            News::ScriptChanged if worker.generation() == self.templates.generation() => {
                self.script_changed();
            }
            _ => {}
        }
    }

    /// A worker has nothing to do: it may go if there are more than there have to be.
    fn rest(&mut self, place: usize) {
        let staying = self.workers.iter().filter(|worker| !worker.is_leaving()).count();
        let worker = &mut self.workers[place];
        if !worker.is_leaving() && self.demand.spare(staying) {
            worker.ask_to_end(Some(Order::EndForRest), SHUTDOWN_TIMEOUT + KILL_DELAY);
        }
    }

    /// Does what is due: starts what is missing, ends what is not needed.
    pub(crate) fn tend(&mut self) {
        self.enforce();
        if self.ending {
            return;
        }
        let now = Instant::now();
        let waiting = self.demand.looks(now) && has_waiting(&self.launch.listener);
        let staying = self.workers.iter().filter(|worker| !worker.is_leaving()).count();
        let starting = self.workers.iter().any(|worker| !worker.is_ready());
        self.demand.look(now, waiting, staying, starting);
        self.tend_templates();
        self.fill();
        self.relieve();
    }

    /// Whether a worker is to be replaced while it serves on.
    fn is_outdated(&self, worker: &Worker) -> bool {
        worker.generation() != self.templates.generation() || worker.is_large()
    }

    fn fresh(&self) -> impl Iterator<Item = &Worker> {
        self.workers.iter().filter(|worker| !worker.is_leaving() && !self.is_outdated(worker))
    }

    /// Starts the workers that are missing, if it is time.
    fn fill(&mut self) {
        // Of those that have grown large one is replaced at a time.
        let large = |worker: &&Worker| {
            worker.is_large()
                && !worker.is_leaving()
                && worker.generation() == self.templates.generation()
        };
        let kept = self.workers.iter().filter(large).count().saturating_sub(1);
        let wanted = self.demand.wanted().saturating_sub(kept);
        while self.fresh().count() < wanted && self.may_start() {
            if !self.start_worker() {
                break;
            }
        }
    }

    /// Ends outdated workers for which others are ready.
    fn relieve(&mut self) {
        let ready = self.fresh().filter(|worker| worker.is_ready()).count();
        let generation = self.templates.generation();
        let mut surplus = {
            let outdated =
                self.workers.iter().filter(|one| !one.is_leaving() && self.is_outdated(one));
            (outdated.count() + ready).saturating_sub(self.demand.wanted())
        };
        for worker in &mut self.workers {
            let old = worker.generation() != generation;
            if surplus > 0 && !worker.is_leaving() && (old || worker.is_large()) {
                let why = if old { Order::EndForScript } else { Order::EndForMemory };
                worker.ask_to_end(Some(why), SHUTDOWN_TIMEOUT + KILL_DELAY);
                surplus -= 1;
            }
        }
    }

    fn may_start(&self) -> bool {
        self.not_before.is_none_or(|moment| moment <= Instant::now())
    }

    /// Starts a worker; false if there is none yet, or can be none now.
    fn start_worker(&mut self) -> bool {
        let forked = match self.templates.level() {
            Preload::Off => None,
            _ => match self.templates.current() {
                Some(template) => Some(template.fork()),
                None => return false,
            },
        };
        let started = match forked {
            Some(forked) => forked.map_err(StartError::from),
            None => self.exec_worker(),
        };
        match started {
            Ok(worker) => {
                self.workers.push(worker);
                true
            }
            Err(error) => {
                self.not_started("worker", &error);
                false
            }
        }
    }

    fn exec_worker(&self) -> Result<Worker, StartError> {
        let generation = self.templates.generation();
        let worker = self.launch.with(Preload::Off, |start| {
            let (pid, line) = start.start()?;
            Ok::<_, StartError>(Worker::new(Some(pid), line, generation))
        })?;
        let (pid, name, user) = (worker.name(), self.name(), &self.launch.identity.name);
        let text = format!("worker {pid} of process group {name} starts as user {user}");
        self.log.line(Level::Info, &text);
        Ok(worker)
    }

    fn not_started(&mut self, what: &str, error: &StartError) {
        let (delay, name) = (self.delay(None), self.name());
        let text =
            format!("process group {name} has a {what} too few: {error}; next try in {delay:.1?}");
        self.log.line(Level::Error, &text);
    }

    /// Notes that a process failed, and when the next one may start.
    fn delay(&mut self, served: Option<Duration>) -> Duration {
        let delay = self.backoff.after_failure(served);
        self.not_before = Some(Instant::now() + delay);
        delay
    }

    /// A process has ended; false if it is none of this group.
    pub(crate) fn ended(&mut self, pid: i32, status: ExitStatus) -> bool {
        if let Some(place) = self.workers.iter().position(|worker| worker.pid() == Some(pid)) {
            let worker = self.workers.swap_remove(place);
            self.worker_ended(&worker, status);
            return true;
        }
        self.template_ended(pid, status)
    }

    fn worker_ended(&mut self, worker: &Worker, status: ExitStatus) {
        let (pid, name) = (worker.name(), self.name().to_owned());
        if self.ending || worker.is_leaving() {
            self.log.line(Level::Info, &format!("worker {pid} of process group {name} has ended"));
            return;
        }
        if status.success() && worker.is_ready() {
            self.backoff.after_success();
            let text = format!("worker {pid} of process group {name} has ended and is replaced");
            self.log.line(Level::Info, &text);
            return;
        }
        let delay = self.delay(worker.served());
        let when = if delay.is_zero() {
            "it is replaced at once".to_owned()
        } else {
            format!("the next one starts in {delay:.1?}")
        };
        let stage = if worker.is_ready() { "ended" } else { "ended before it was ready" };
        let text = format!("worker {pid} of process group {name} {stage} ({status}); {when}");
        self.log.line(Level::Error, &text);
    }

    /// Asks all workers to end; none is started any more.
    pub(crate) fn end(&mut self) {
        if self.ending {
            return;
        }
        self.ending = true;
        self.templates.end();
        for worker in &mut self.workers {
            worker.ask_to_end(None, SHUTDOWN_TIMEOUT + KILL_DELAY);
        }
    }

    /// Kills workers that did not end in time.
    fn enforce(&mut self) {
        let now = Instant::now();
        let name = self.launch.spec.group.name.as_str();
        for worker in &mut self.workers {
            if worker.kill_at().is_some_and(|moment| moment <= now) {
                let pid = worker.name();
                let text = format!(
                    "worker {pid} of process group {name} did not end within {} seconds and is killed",
                    (SHUTDOWN_TIMEOUT + KILL_DELAY).as_secs()
                );
                self.log.line(Level::Warning, &text);
                worker.kill();
            }
        }
    }

    /// The next moment at which something is due.
    pub(crate) fn next_moment(&self) -> Option<Instant> {
        let kills = self.workers.iter().filter_map(Worker::kill_at);
        if self.ending {
            return kills.min();
        }
        let start = self.not_before.filter(|moment| *moment > Instant::now());
        kills.chain(start).chain(self.demand.next_look()).chain(self.templates.next_look()).min()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Only this generation knows the path; whoever still tries it is told that nobody listens.
        let _ = fs::remove_file(&self.socket);
    }
}
