//! A group's template: the process that its workers are forked from.

use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::Signal;
use wsgi::config::daemon_process::Preload;
use wsgi::process::control::SupervisorMessage;

use crate::control_socket::{ControlSocket, Kept};
use crate::group::worker::Worker;
use crate::process::Process;
use crate::start::birth::{Birth, Failure};
use crate::start::launch::{Start, StartError};
use crate::start::versions::Versions;

/// A template that was started and whose end was not seen yet. Dropped, it is ended.
#[derive(Debug)]
pub(crate) struct Template {
    process: Process,
    control: ControlSocket,
    started: Instant,
    level: Preload,
    generation: u64,
    birth: Birth,
    /// The lines of the group that are never closed.
    kept: Kept,
    /// How many scripts it is to load.
    scripts: usize,
    /// When it was killed.
    given_up: Option<Instant>,
    /// The log says that it takes long.
    reported: bool,
}

impl Template {
    /// Starts a template, as the task of `start` says. Its workers belong to `generation`.
    pub(crate) fn start(start: &Start<'_>, generation: u64) -> Result<Self, StartError> {
        let started = start.start()?;
        let level = start.spec.preload;
        let process =
            Process::hold(started.pid).ok_or_else(|| std::io::Error::from(Errno::ECHILD))?;
        Ok(Self {
            process,
            control: started.control,
            started: Instant::now(),
            level,
            generation,
            birth: started.birth,
            kept: start.kept.clone(),
            scripts: start.spec.applications.len(),
            given_up: None,
            reported: false,
        })
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> i32 {
        self.process.pid()
    }

    /// Notes that its end was noticed.
    pub(crate) fn set_reaped(&mut self) {
        self.process.set_reaped();
    }

    /// The control socket.
    pub(crate) fn control_mut(&mut self) -> &mut ControlSocket {
        &mut self.control
    }

    /// The control socket, to be listened to.
    pub(crate) fn control(&self) -> &ControlSocket {
        &self.control
    }

    /// The level that it has loaded, or loads.
    pub(crate) fn level(&self) -> Preload {
        self.level
    }

    /// The generation of its workers.
    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    /// Notes that its workers belong to another generation than was thought when it was started.
    pub(crate) fn set_generation(&mut self, generation: u64) {
        self.generation = generation;
    }

    /// The scripts as they were before it loaded them; `None` while it has not said so.
    pub(crate) fn versions(&mut self) -> Option<Versions> {
        self.birth.look();
        Versions::new(self.birth.versions(), self.scripts)
    }

    /// The step that it is at, if it has not executed its program yet, nor failed.
    pub(crate) fn unborn(&mut self) -> Option<String> {
        self.birth.unborn()
    }

    /// Whether it is not known to have executed its program.
    pub(crate) fn may_be_unborn(&self) -> bool {
        !self.birth.is_over()
    }

    /// Why it has not executed its program.
    pub(crate) fn failure(&mut self) -> Option<Failure> {
        self.birth.failure()
    }

    /// How long ago it was started.
    pub(crate) fn age(&self) -> Duration {
        self.started.elapsed()
    }

    /// Kills it.
    pub(crate) fn give_up(&mut self) {
        self.given_up = Some(Instant::now());
        self.process.signal(Signal::SIGKILL);
    }

    /// Notes that the log says how long it takes; false if it was noted already.
    pub(crate) fn report(&mut self) -> bool {
        !std::mem::replace(&mut self.reported, true)
    }

    /// Whether the log says how long it takes.
    pub(crate) fn is_reported(&self) -> bool {
        self.reported
    }

    /// Whether it was killed.
    pub(crate) fn is_given_up(&self) -> bool {
        self.given_up.is_some()
    }

    /// When it was killed, if it was.
    pub(crate) fn given_up(&self) -> Option<Instant> {
        self.given_up
    }

    /// Has a worker forked.
    pub(crate) fn fork(&self) -> std::io::Result<Worker> {
        let (ours, theirs) = UnixStream::pair()?;
        let control = ControlSocket::new(ours, &self.kept)?;
        self.control.send_with(SupervisorMessage::Fork, &theirs.into())?;
        Ok(Worker::forked(control, self.generation))
    }
}

impl Drop for Template {
    fn drop(&mut self) {
        // It holds nothing that it could lose, and what it has loaded may not heed anything less.
        // Its end is noticed, and is of no interest.
        self.process.signal(Signal::SIGKILL);
    }
}
