//! A process group: its queue, its workers, and how many of them there have to be.
//!
//! Workers start by themselves, or are forked from the group's
//! [`crate::group::template::Template`]. Workers of an older generation (their template was
//! replaced, because a script has changed) and workers that have grown too large stay until others
//! are ready in their place.

pub(crate) mod backoff;
pub(crate) mod demand;
pub(crate) mod log;
pub(crate) mod memory_kills;
mod stage;
pub(crate) mod template;
pub(crate) mod worker;

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;
use std::time::{Duration, Instant};

use wsgi::codes::{self, Message};
use wsgi::config::daemon_process::{Preload, Processes};
use wsgi::process::control::SupervisorMessage;
use wsgi::process::plan::{Plan, PlannedGroup};
use wsgi::protocol::queue::GroupState;

use crate::group::backoff::Backoff;
use crate::group::demand::Demand;
use crate::group::log::GroupLog;
use crate::group::worker::Worker;
use crate::log::Log;
use crate::refusals::Refusals;
use crate::start::launch::StartError;
use crate::sys::States;

mod exits;
mod hangs;
mod launch;
mod looks;
mod messages;
mod preloading;
mod replacement;
mod templates;

use launch::Launch;
use templates::Templates;

/// Requests wait for a group whose workers fail while the next one is started sooner than this.
const WORTH_WAITING: Duration = Duration::from_secs(2);

/// A group that runs.
#[derive(Debug)]
pub(crate) struct Group {
    launch: Launch,
    templates: Templates,
    refusals: Refusals,
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
    /// Its state for httpd's children, and where that is published.
    state: GroupState,
    states: Rc<States>,
    index: usize,
}

impl Group {
    /// The group that requests in `queue` are for, which has the index `index` in `states`. No
    /// worker is started yet.
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
        let demand = Demand::new(group.spec.pool());
        let templates = Templates::new(group.spec.preload);
        let launch = Launch::new(plan, group, queue, group_log);
        Self {
            launch,
            templates,
            refusals: Refusals::default(),
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

    /// Writes a message about the group.
    fn report(&self, message: Message) {
        self.log.message(&message.within(&format_args!("process group {:?}", self.name())));
    }

    /// Writes a line about the life of its processes.
    fn info(&self, text: &str) {
        self.log.info(&format!("process group {:?}: {text}", self.name()));
    }

    /// Whether all its processes have ended.
    pub(crate) fn is_empty(&self) -> bool {
        self.workers.is_empty()
    }

    /// The descriptors that it waits for: the control sockets to its processes that may still send
    /// something, their output, and requests that wait if these matter.
    pub(crate) fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        let workers = self.workers.iter().map(Worker::control);
        let lines = workers.chain(self.templates.controls()).filter(|control| !control.has_ended());
        let queue = &self.launch.queue;
        let wants = match self.state {
            GroupState::Down => self.refusals.may_begin(),
            GroupState::Served => self.demand.listens(Instant::now()),
        };
        let listens = wants && !self.ending && !queue.is_broken();
        let queue = listens.then(|| queue.receiver().as_fd());
        let others = [self.launch.log.reader()].into_iter().chain(self.templates.looks());
        lines.map(AsFd::as_fd).chain(others).chain(queue).collect()
    }

    /// The output of its processes.
    pub(crate) fn log(&mut self) -> &mut GroupLog {
        &mut self.launch.log
    }

    /// Orders all workers that take requests to do something at the queue.
    fn tell_workers(&self, order: SupervisorMessage) {
        self.workers.iter().for_each(|worker| worker.order(order));
    }

    /// Does what is due: starts what is missing, ends what is not needed.
    pub(crate) fn reconcile(&mut self) {
        self.enforce();
        if self.ending {
            return;
        }
        if self.launch.queue.is_passed_on() {
            self.tell_workers(SupervisorMessage::Look);
        }
        if self.launch.queue.is_to_report() {
            self.report(codes::queue_shut_down());
        }
        let now = Instant::now();
        let waiting = self.demand.looks(now) && self.launch.queue.has_waiting();
        let staying = self.workers.iter().filter(|worker| !worker.is_draining()).count();
        let starting = self.workers.iter().any(Worker::is_starting);
        self.demand.look(now, waiting, staying, starting);
        self.reconcile_templates();
        self.start_missing();
        self.end_replaced();
        self.publish();
    }

    /// Tells httpd's children whether requests are worth waiting for, and refuses those that wait
    /// if they are not: there is no worker, none is on its way, and none may be started for a
    /// while.
    fn publish(&mut self) {
        let is_down = self.demand.wanted() > 0
            && !self.may_start()
            && self.last_delay >= WORTH_WAITING
            && !self.templates.is_starting()
            && self.workers.iter().all(Worker::is_draining);
        let state = if is_down { GroupState::Down } else { GroupState::Served };
        if state != self.state {
            self.state = state;
            self.states.set(self.index, state);
        }
        if !is_down {
            self.refusals.end();
        } else if self.refusals.may_begin()
            && self.launch.queue.has_waiting()
            && let Err(error) = self.refusals.begin(self.launch.queue.receiver())
        {
            self.report(codes::refusals_not_begun(&error));
        }
    }

    fn may_start(&self) -> bool {
        let is_time = self.not_before.is_none_or(|moment| moment <= Instant::now());
        is_time && !self.templates.are_many_lost() && !self.launch.kept.are_many()
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
            Ok((worker, start.credentials.name.clone()))
        })?;
        self.info(&format!("worker {} starts as user {user:?}", worker.name()));
        Ok(worker)
    }

    /// Asks all workers to end; none is started any more.
    pub(crate) fn end(&mut self) {
        if self.ending {
            return;
        }
        self.ending = true;
        self.templates.end();
        self.refusals.end();
        let grace = self.kill_grace();
        // A process that has not said its first word finds its control socket closed, and ends.
        self.workers.retain(|worker| worker.pid().is_some());
        for worker in &mut self.workers {
            worker.stop(grace);
        }
    }

    /// httpd uses another configuration: what is not needed for connections from before ends soon,
    /// and is started again when it is.
    pub(crate) fn retire(&mut self) {
        self.retired = true;
        self.demand.retire();
        self.launch.spec.group.idle_template = false;
        let (grace, is_service) = (self.kill_grace(), self.launch.spec.group.is_service());
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
        let refusals = self.refusals.next_begin().filter(|_| self.state == GroupState::Down);
        let looks = looks.chain(refusals);
        kills.chain(start).chain(looks).chain(self.launch.queue.report_at()).chain(log).min()
    }
}
