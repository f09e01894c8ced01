//! One worker process, from its start to its end.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use wsgi::process::control::SupervisorMessage;

use crate::control_socket::ControlSocket;
use crate::group::stage::{Event, Stage};
use crate::process::Process;
use crate::start::birth::{Birth, Failure};
use crate::start::launch::Started;

/// A worker that was started and whose end was not seen yet.
#[derive(Debug)]
pub(crate) struct Worker {
    /// Not known until a forked worker has said its first word.
    process: Option<Process>,
    /// It was not forked from a template, and may not have executed its program yet.
    birth: Option<Birth>,
    control: ControlSocket,
    generation: u64,
    started: Instant,
    stage: Stage,
}

impl Worker {
    /// A worker that has just been started.
    pub(crate) fn started(started: Started, generation: u64) -> Self {
        let mut worker = Self {
            process: Process::hold(started.pid),
            birth: Some(started.birth),
            ..Self::forked(started.control, generation)
        };
        worker.pass(Event::Identified);
        worker
    }

    /// A worker that a template was told to fork.
    pub(crate) fn forked(control: ControlSocket, generation: u64) -> Self {
        Self {
            process: None,
            birth: None,
            control,
            generation,
            started: Instant::now(),
            stage: Stage::Forking,
        }
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> Option<i32> {
        self.process.as_ref().map(Process::pid)
    }

    /// Its process id in words.
    pub(crate) fn name(&self) -> String {
        self.pid().map_or_else(|| "(just forked)".to_owned(), |pid| pid.to_string())
    }

    /// The kernel has said which process it is; false if that is no child of ours, or another
    /// worker or template: then nothing may be done to it, and nothing more is heard.
    pub(crate) fn identify(&mut self, pid: i32) -> bool {
        self.process = Process::hold(pid);
        if self.process.is_none() {
            self.control.close();
        }
        self.pass(Event::Identified);
        if self.is_draining() {
            // The worker was to end before its process was known.
            self.signal(Signal::SIGTERM);
        }
        self.process.is_some()
    }

    /// The control socket.
    pub(crate) fn control_mut(&mut self) -> &mut ControlSocket {
        &mut self.control
    }

    /// The control socket, to be listened to.
    pub(crate) fn control(&self) -> &ControlSocket {
        &self.control
    }

    /// The generation that it belongs to: that of its template.
    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    /// Notes that it takes requests.
    pub(crate) fn set_ready(&mut self) {
        self.pass(Event::Ready(Instant::now()));
        self.birth = None;
    }

    /// Whether it is on its way to take requests.
    pub(crate) fn is_starting(&self) -> bool {
        matches!(self.stage, Stage::Forking | Stage::Starting)
    }

    /// Whether it takes requests.
    pub(crate) fn is_ready(&self) -> bool {
        matches!(self.stage, Stage::Ready { .. })
    }

    /// Whether it takes requests now, or did before it was asked to end.
    pub(crate) fn has_served(&self) -> bool {
        self.stage.ready().is_some()
    }

    /// How long ago it became ready; `None` if it never did.
    pub(crate) fn served(&self) -> Option<Duration> {
        self.stage.ready().map(|ready| ready.elapsed())
    }

    /// How long ago it was started.
    pub(crate) fn age(&self) -> Duration {
        self.started.elapsed()
    }

    /// Notes that it has asked to be replaced.
    pub(crate) fn request_replacement(&mut self) {
        self.pass(Event::ReplacementRequested);
    }

    /// Whether it takes requests, and has asked to be replaced.
    pub(crate) fn wants_replacement(&self) -> bool {
        matches!(self.stage, Stage::Ready { wants_replacement: true, .. })
    }

    /// Whether it takes no more requests: it was asked to end, has said that it does, or was
    /// killed.
    pub(crate) fn is_draining(&self) -> bool {
        matches!(self.stage, Stage::Draining { .. } | Stage::Killed { .. })
    }

    /// Asks it to finish; after `grace`, if there is a limit, it will be killed.
    pub(crate) fn ask_to_end(&mut self, why: Option<SupervisorMessage>, grace: Option<Duration>) {
        if self.is_draining() {
            return;
        }
        let told = why.is_some_and(|order| self.control.send(order).is_ok());
        if !told {
            self.signal(Signal::SIGTERM);
        }
        self.leave(grace);
    }

    /// Tells it that its configuration is no longer used. One that cannot be told stays as it is.
    pub(crate) fn retire(&self) {
        let _ = self.control.send(SupervisorMessage::Retire);
    }

    /// Orders a worker that takes requests to do something at the queue. One that cannot be told is
    /// ending.
    pub(crate) fn order(&self, order: SupervisorMessage) {
        if self.is_ready() {
            let _ = self.control.send(order);
        }
    }

    /// It is not needed any more: one that finishes what it has is told not to wait, and is killed
    /// no later than after `grace`.
    pub(crate) fn stop(&mut self, grace: Option<Duration>) {
        self.signal(Signal::SIGTERM);
        self.leave(grace);
    }

    /// Notes that it ends; after `grace`, if there is a limit, it will be killed.
    pub(crate) fn leave(&mut self, grace: Option<Duration>) {
        let kill_at = grace.map(|grace| Instant::now() + grace);
        self.pass(Event::Draining { kill_at });
    }

    /// When it will be killed.
    pub(crate) fn kill_at(&self) -> Option<Instant> {
        match self.stage {
            Stage::Draining { kill_at, .. } => kill_at,
            _ => None,
        }
    }

    /// When it was killed, if it was.
    pub(crate) fn killed(&self) -> Option<Instant> {
        match self.stage {
            Stage::Killed { at, .. } => Some(at),
            _ => None,
        }
    }

    /// The step that it is at, if it has not executed its program yet, nor failed.
    pub(crate) fn unborn(&mut self) -> Option<String> {
        self.birth.as_mut()?.unborn()
    }

    /// Whether it is not known to have executed its program.
    pub(crate) fn may_be_unborn(&self) -> bool {
        self.birth.as_ref().is_some_and(|birth| !birth.is_over())
    }

    /// Why it has not executed its program.
    pub(crate) fn failure(&mut self) -> Option<Failure> {
        self.birth.as_mut()?.failure()
    }

    /// Kills it.
    pub(crate) fn kill(&mut self) {
        self.pass(Event::Killed(Instant::now()));
        self.signal(Signal::SIGKILL);
    }

    fn pass(&mut self, event: Event) {
        self.stage = self.stage.on(event);
    }

    fn signal(&self, signal: Signal) {
        if let Some(process) = &self.process {
            process.signal(signal);
        }
    }
}
