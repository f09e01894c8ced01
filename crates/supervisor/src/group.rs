//! A process group: its socket, its workers, and how many of them there have to be.
//!
//! Workers start by themselves, or are forked from the group's [`crate::template::Template`]. Workers of an older
//! generation (their template was replaced, because a script has changed) and workers that have grown
//! too large stay until others are ready in their place.

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::Instant;

use nix::unistd::Uid;
use wsgi::control::{News, Order};
use wsgi::daemon::Preload;
use wsgi::level::Level;
use wsgi::plan::{Plan, PlannedGroup, WorkerSpec};

use crate::account::{self, AccountError, Identity};
use crate::backoff::Backoff;
use crate::demand::Demand;
use crate::launch::{Start, StartError};
use crate::line::{Line, MOST_WORDS};
use crate::log::Log;
use crate::program::{self, ProgramError};
use crate::socket::Socket;
use crate::worker::Worker;

mod farewell;
mod replacement;
mod templates;

use templates::Templates;

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
    socket: Socket,
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
            listener: self.socket.listener(),
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
        let program = program::python(home, group.spec.chroot.as_deref())?;
        let engine = program::engine().map_err(GroupError::Engine)?;
        let owner = account::socket_owner(&group.spec, &plan.children)?;
        let socket = Socket::bind(&group.socket, owner, group.spec.socket.backlog)
            .map_err(|error| GroupError::Socket { path: group.socket.clone(), error })?;
        let demand = Demand::new(group.spec.pool());
        let templates = Templates::new(group.spec.preload);
        let socket_timeout = match group.spec.timeouts.socket {
            0 => plan.socket_timeout,
            seconds => seconds.saturating_mul(1000),
        };
        let spec = WorkerSpec {
            group: group.spec,
            server: plan.server.clone(),
            log_level: plan.log_level,
            socket_timeout,
            peers: vec![plan.children.uid, Uid::effective().as_raw()],
            preload: Preload::Off,
            applications: group.applications,
            imports: group.imports,
        };
        let children = plan.children.uid;
        Ok(Self {
            launch: Launch { spec, identity, program, engine, socket, log_file, children },
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
        let listener = self.demand.listens(Instant::now()).then_some(self.launch.socket.listener());
        (lines.collect(), listener.filter(|_| !self.ending))
    }

    /// Hears what its processes have to say.
    pub(crate) fn hear(&mut self) {
        for place in 0..self.workers.len() {
            for _ in 0..MOST_WORDS {
                let Some((news, speaker)) = self.workers[place].line().hear() else { break };
                self.heard(place, news, speaker);
            }
        }
        // One whose process is not known and whose line has ended was never forked.
        let before = self.workers.len();
        self.workers.retain(|worker| worker.pid().is_some() || !worker.listens().has_ended());
        if self.workers.len() < before {
            self.delay(None);
        }
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
            News::Outworn => worker.set_outworn(),
            News::Leaving if !worker.is_leaving() => {
                let grace = self.patience();
                self.workers[place].leave(grace);
            }
            News::ScriptChanged if worker.generation() == self.templates.generation() => {
                self.script_changed();
            }
            _ => {}
        }
    }

    /// A worker has nothing to do: it may go if there are more than there have to be.
    fn rest(&mut self, place: usize) {
        let staying = self.workers.iter().filter(|worker| !worker.is_leaving()).count();
        let grace = self.patience();
        let worker = &mut self.workers[place];
        if !worker.is_leaving() && self.demand.spare(Instant::now(), staying) {
            worker.ask_to_end(Some(Order::EndForRest), grace);
        }
    }

    /// Does what is due: starts what is missing, ends what is not needed.
    pub(crate) fn tend(&mut self) {
        self.enforce();
        if self.ending {
            return;
        }
        let now = Instant::now();
        let waiting = self.demand.looks(now) && self.launch.socket.has_waiting();
        let staying = self.workers.iter().filter(|worker| !worker.is_leaving()).count();
        let starting = self.workers.iter().any(|worker| !worker.is_ready());
        self.demand.look(now, waiting, staying, starting);
        self.tend_templates();
        self.fill();
        self.relieve();
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

    /// Asks all workers to end; none is started any more.
    pub(crate) fn end(&mut self) {
        if self.ending {
            return;
        }
        self.ending = true;
        self.templates.end();
        let grace = self.patience();
        for worker in &mut self.workers {
            worker.stop(grace);
        }
    }

    /// The next moment at which something is due.
    pub(crate) fn next_moment(&self) -> Option<Instant> {
        let kills = self.workers.iter().filter_map(Worker::kill_at).chain(self.next_start_limit());
        if self.ending {
            return self.workers.iter().filter_map(Worker::kill_at).min();
        }
        let start = self.not_before.filter(|moment| *moment > Instant::now());
        kills.chain(start).chain(self.demand.next_look()).chain(self.templates.next_look()).min()
    }
}
