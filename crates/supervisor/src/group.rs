//! A process group: its queue, its workers, and how many of them there have to be.
//!
//! Workers start by themselves, or are forked from the group's [`crate::template::Template`]. Workers of an older
//! generation (their template was replaced, because a script has changed) and workers that have grown
//! too large stay until others are ready in their place.

use std::cell::OnceCell;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use nix::unistd::Uid;
use wsgi::control::{News, Order};
use wsgi::daemon::{Preload, Processes};
use wsgi::level::Level;
use wsgi::plan::{Account, Plan, PlannedGroup, WorkerSpec};
use wsgi::queue::GroupState;

use crate::account::{AccountError, Identity};
use crate::backoff::Backoff;
use crate::birth::Failure;
use crate::demand::Demand;
use crate::group_log::GroupLog;
use crate::launch::{Start, StartError};
use crate::log::{self, Log};
use crate::program;
use crate::queue::Queue;
use crate::sys::States;
use crate::worker::Worker;

mod farewell;
mod hangs;
mod looks;
mod replacement;
mod templates;

use templates::Templates;

/// Requests wait for a group whose workers fail while the next one is started sooner than this.
const WORTH_WAITING: Duration = Duration::from_secs(2);

/// A group that runs.
#[derive(Debug)]
pub(crate) struct Group {
    launch: Launch,
    templates: Templates,
    workers: Vec<Worker>,
    demand: Demand,
    backoff: Backoff,
    not_before: Option<Instant>,
    /// How long the pause is that ends then.
    last_delay: Duration,
    /// The log says that too many workers are leaving.
    is_crowded: bool,
    ending: bool,
    /// httpd uses another configuration by now.
    retired: bool,
    log: Log,
    /// What httpd's children know of it, and where that is published.
    state: GroupState,
    states: Rc<States>,
    index: usize,
}

/// What starting a process of the group takes. Its user and its Python are looked for when a process is
/// started: either may be away for a while.
#[derive(Debug)]
struct Launch {
    spec: WorkerSpec,
    identity: OnceCell<Identity>,
    python_home: Option<PathBuf>,
    queue: Queue,
    log: GroupLog,
    children: Account,
}

impl Launch {
    /// The user of the group's processes, once it was found.
    fn identity(&self) -> Result<&Identity, AccountError> {
        if let Some(identity) = self.identity.get() {
            return Ok(identity);
        }
        let found = Identity::of_group(&self.spec.group, &self.children)?;
        Ok(self.identity.get_or_init(|| found))
    }

    /// How to start a process that loads as much as `level` says before it is forked.
    fn with<R>(
        &self,
        level: Preload,
        act: impl FnOnce(&Start<'_>) -> Result<R, StartError>,
    ) -> Result<R, StartError> {
        let identity = self.identity()?;
        let engine = program::engine().map_err(StartError::Engine)?;
        let spec = WorkerSpec { preload: level, ..self.spec.clone() };
        act(&Start {
            spec: &spec,
            identity,
            python_home: self.python_home.as_deref(),
            engine: &engine,
            queue: self.queue.receiver(),
            log: self.log.writer(),
            children: self.children.uid,
        })
    }

    /// Why a process has not executed its program.
    fn error(&self, failure: Failure) -> StartError {
        let user = self.identity.get().map_or("", |identity| &identity.name);
        StartError::of(failure, user, self.python_home.as_deref())
    }
}

impl Group {
    /// The group that requests in `queue` are for, which has the index `index` in `states`. No worker is
    /// started yet.
    pub(crate) fn new(
        plan: &Plan,
        group: PlannedGroup,
        queue: OwnedFd,
        group_log: GroupLog,
        log: Log,
        (states, index): (Rc<States>, usize),
    ) -> Self {
        // A wsgid before this one may have left another state behind.
        states.set(index, GroupState::Served);
        let known = Identity::known(&group.spec, &plan.children, &plan.findings.accounts);
        let demand = Demand::new(group.spec.pool());
        let templates = Templates::new(group.spec.preload);
        let socket_timeout = match group.spec.timeouts.socket {
            0 => plan.socket_timeout,
            seconds => seconds.saturating_mul(1000),
        };
        let python_home = group.spec.python_home.clone().or_else(|| plan.python_home.clone());
        let spec = WorkerSpec {
            group: group.spec,
            server: plan.server.clone(),
            log_level: plan.log_level,
            time_zone: log::time_zone().clone(),
            socket_timeout,
            peers: vec![plan.children.uid, Uid::effective().as_raw()],
            preload: Preload::Off,
            applications: group.applications,
            imports: group.imports,
        };
        let launch = Launch {
            spec,
            identity: known.map_or_else(OnceCell::new, OnceCell::from),
            python_home,
            queue: Queue::new(queue),
            log: group_log,
            children: plan.children.clone(),
        };
        Self {
            launch,
            templates,
            workers: Vec::new(),
            demand,
            backoff: Backoff::default(),
            not_before: None,
            last_delay: Duration::ZERO,
            is_crowded: false,
            ending: false,
            retired: false,
            log,
            state: GroupState::Served,
            states,
            index,
        }
    }

    fn name(&self) -> &str {
        &self.launch.spec.group.name
    }

    fn note(&self, level: Level, text: &str) {
        self.log.line(level, &format!("process group {:?}: {text}", self.name()));
    }

    /// Whether all its processes have ended.
    pub(crate) fn is_empty(&self) -> bool {
        self.workers.is_empty()
    }

    /// What it wants to hear of: the lines to its processes that may still say something, what they write, and
    /// requests that wait if these matter.
    pub(crate) fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        let workers = self.workers.iter().map(Worker::listens);
        let lines = workers.chain(self.templates.lines()).filter(|line| !line.has_ended());
        let queue = &self.launch.queue;
        let wants = self.state == GroupState::Down || self.demand.listens(Instant::now());
        let listens = wants && !self.ending && !queue.is_broken();
        let queue = listens.then(|| queue.receiver().as_fd());
        let others = [self.launch.log.reader()].into_iter().chain(self.templates.looks());
        lines.map(AsFd::as_fd).chain(others).chain(queue).collect()
    }

    /// What its processes write.
    pub(crate) fn log(&mut self) -> &mut GroupLog {
        &mut self.launch.log
    }

    /// Hears what its processes have to say.
    pub(crate) fn hear(&mut self) {
        self.launch.log.copy();
        for place in 0..self.workers.len() {
            for (news, speaker) in self.workers[place].line().hear() {
                if !self.workers[place].listens().has_ended() {
                    self.heard(place, news, speaker);
                }
            }
            self.end_nonsense(place);
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
                let text = format!(
                    "process {speaker} says that it is a worker, but is no child of wsgid, or is known \
                     already; it is left alone"
                );
                self.note(Level::Alert, &text);
            }
            News::Ready if !worker.is_ready() && worker.pid().is_some() => {
                worker.set_ready();
                if self.retired {
                    worker.retire();
                }
                let (pid, milliseconds) = (worker.name(), worker.age().as_millis());
                let name = self.name();
                let text = format!(
                    "worker {pid} of process group {name:?} is ready after {milliseconds} ms"
                );
                self.log.line(Level::Info, &text);
                self.tell_workers(Order::LineUp);
            }
            News::PassOn => self.launch.queue.pass_on(),
            News::Idle => self.rest(place),
            News::Busy => self.demand.busy(Instant::now()),
            News::Outworn => worker.set_outworn(),
            News::Leaving if worker.is_leaving() => self.launch.queue.pass_on(),
            News::Leaving => {
                self.launch.queue.pass_on();
                let (served, grace) = (worker.served(), self.patience());
                self.workers[place].leave(grace);
                match served {
                    Some(served) => self.pause(served),
                    // It has served nothing: one that says so again and again must not be replaced at once.
                    None => drop(self.delay(None)),
                }
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

    /// Orders all workers that take requests to do something at the queue.
    fn tell_workers(&self, order: Order) {
        self.workers.iter().for_each(|worker| worker.order(order));
    }

    /// Does what is due: starts what is missing, ends what is not needed.
    pub(crate) fn tend(&mut self) {
        self.enforce();
        if self.ending {
            return;
        }
        if self.launch.queue.is_passed_on() {
            self.tell_workers(Order::Look);
        }
        if self.launch.queue.is_to_report() {
            let text = "one of its processes has shut its queue down; a graceful restart of httpd makes a new \
                        one";
            self.note(Level::Alert, text);
        }
        let now = Instant::now();
        let waiting = self.demand.looks(now) && self.launch.queue.has_waiting();
        let staying = self.workers.iter().filter(|worker| !worker.is_leaving()).count();
        let starting = self.workers.iter().any(|worker| !worker.is_ready());
        self.demand.look(now, waiting, staying, starting);
        self.tend_templates();
        self.fill();
        self.relieve();
        self.publish();
    }

    /// Tells httpd's children whether requests are worth waiting for, and refuses those that wait if they
    /// are not: there is no worker, none is on its way, and none may be started for a while.
    fn publish(&mut self) {
        let is_down = self.demand.wanted() > 0
            && !self.may_start()
            && self.last_delay >= WORTH_WAITING
            && !self.templates.is_starting()
            && self.workers.iter().all(Worker::is_leaving);
        let state = if is_down { GroupState::Down } else { GroupState::Served };
        if state != self.state {
            self.state = state;
            self.states.set(self.index, state);
        }
        if is_down && self.launch.queue.has_waiting() {
            self.launch.queue.refuse_waiting();
        }
    }

    fn may_start(&self) -> bool {
        let is_time = self.not_before.is_none_or(|moment| moment <= Instant::now());
        is_time && !self.templates.are_many_lost()
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
        let (worker, user) = self.launch.with(Preload::Off, |start| {
            let worker = Worker::started(start.start()?, generation);
            Ok((worker, start.identity.name.clone()))
        })?;
        let (pid, name) = (worker.name(), self.name());
        let text = format!("worker {pid} of process group {name:?} starts as user {user:?}");
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
        // A process that has not said its first word finds that nobody listens, and ends.
        self.workers.retain(|worker| worker.pid().is_some());
        for worker in &mut self.workers {
            worker.stop(grace);
        }
    }

    /// httpd uses another configuration: what is not needed for connections from before ends soon, and is
    /// started again when it is.
    pub(crate) fn retire(&mut self) {
        self.retired = true;
        self.demand.retire();
        self.launch.spec.group.idle_template = false;
        let (grace, is_service) = (self.patience(), self.launch.spec.group.is_service());
        for worker in &mut self.workers {
            if is_service {
                worker.ask_to_end(None, grace);
            } else {
                worker.retire();
            }
        }
        if is_service {
            self.demand = Demand::new(Processes { least: 0, ..self.launch.spec.group.pool() });
        }
    }

    /// The next moment at which something is due.
    pub(crate) fn next_moment(&self) -> Option<Instant> {
        let kills = self.workers.iter().filter_map(Worker::kill_at).chain(self.next_start_limit());
        let log = self.launch.log.due();
        if self.ending {
            let kills = self.workers.iter().filter_map(Worker::kill_at);
            return kills.chain(self.next_lost_worker()).chain(log).min();
        }
        let start = self.not_before.filter(|moment| *moment > Instant::now());
        let looks = self.demand.next_look().into_iter().chain(self.templates.next_look());
        kills.chain(start).chain(looks).chain(self.launch.queue.report_at()).chain(log).min()
    }
}
