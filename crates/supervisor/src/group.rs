//! A process group: its socket, its workers, and how many of them there have to be.

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use nix::unistd::{Gid, Uid};
use wsgi::level::Level;
use wsgi::plan::{Plan, PlannedGroup, WorkerSpec};

use crate::account::{AccountError, Identity};
use crate::backoff::Backoff;
use crate::log::Log;
use crate::program::{self, ProgramError};
use crate::sys::raised;
use crate::worker::{Start, Worker};

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
    spec: WorkerSpec,
    identity: Identity,
    program: PathBuf,
    engine: PathBuf,
    socket: PathBuf,
    listener: OwnedFd,
    log_file: Option<OwnedFd>,
    children: u32,
    workers: Vec<Worker>,
    backoff: Backoff,
    not_before: Option<Instant>,
    ending: bool,
    log: Log,
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
        let spec = WorkerSpec {
            group: group.spec,
            server: plan.server.clone(),
            log_level: plan.log_level,
            socket_timeout: plan.socket_timeout,
            peers: vec![plan.children.uid, Uid::effective().as_raw()],
        };
        Ok(Self {
            spec,
            identity,
            program,
            engine,
            socket: group.socket,
            listener,
            log_file,
            children: plan.children.uid,
            workers: Vec::new(),
            backoff: Backoff::default(),
            not_before: None,
            ending: false,
            log,
        })
    }

    /// Its workers.
    pub(crate) fn workers(&self) -> &[Worker] {
        &self.workers
    }

    /// Hears the worker at `place` of [`Self::workers`].
    pub(crate) fn hear(&mut self, place: usize) {
        let Some(worker) = self.workers.get_mut(place) else { return };
        if worker.hear() {
            let (pid, name) = (worker.pid(), &self.spec.group.name);
            let milliseconds = worker.age().as_millis();
            let text =
                format!("worker {pid} of process group {name} is ready after {milliseconds} ms");
            self.log.line(Level::Info, &text);
        }
    }

    /// Starts the workers that are missing, if it is time.
    pub(crate) fn fill(&mut self) {
        let wanted = self.spec.group.process_count() as usize;
        while !self.ending && self.workers.len() < wanted && self.may_start() {
            self.start_one();
        }
    }

    fn may_start(&self) -> bool {
        self.not_before.is_none_or(|moment| moment <= Instant::now())
    }

    fn start_one(&mut self) {
        let started = Worker::start(&Start {
            spec: &self.spec,
            identity: &self.identity,
            program: &self.program,
            engine: &self.engine,
            listener: &self.listener,
            log: self.log_file.as_ref(),
            children: self.children,
        });
        let name = self.spec.group.name.clone();
        match started {
            Ok(worker) => {
                let (pid, user) = (worker.pid(), &self.identity.name);
                let text = format!("worker {pid} of process group {name} starts as user {user}");
                self.log.line(Level::Info, &text);
                self.workers.push(worker);
            }
            Err(error) => {
                let delay = self.delay(None);
                let text = format!(
                    "process group {name} has a worker too few: {error}; next try in {delay:.1?}"
                );
                self.log.line(Level::Error, &text);
            }
        }
    }

    /// Notes that a worker failed, and when the next one may start.
    fn delay(&mut self, served: Option<Duration>) -> Duration {
        let delay = self.backoff.after_failure(served);
        self.not_before = Some(Instant::now() + delay);
        delay
    }

    /// Takes leave of the workers that have ended.
    pub(crate) fn reap(&mut self) {
        let mut place = 0;
        while place < self.workers.len() {
            match self.workers[place].ended() {
                None => place += 1,
                Some(status) => {
                    let worker = self.workers.swap_remove(place);
                    self.after_end(&worker, status);
                }
            }
        }
    }

    fn after_end(&mut self, worker: &Worker, status: ExitStatus) {
        let (pid, name) = (worker.pid(), self.spec.group.name.clone());
        if self.ending {
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
        for worker in &mut self.workers {
            worker.ask_to_end(SHUTDOWN_TIMEOUT + KILL_DELAY);
        }
    }

    /// Kills workers that did not end in time.
    pub(crate) fn enforce(&mut self) {
        let now = Instant::now();
        let name = &self.spec.group.name;
        for worker in &mut self.workers {
            if worker.kill_at().is_some_and(|moment| moment <= now) {
                let pid = worker.pid();
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
        let start = self.not_before.filter(|moment| !self.ending && *moment > Instant::now());
        self.workers.iter().filter_map(Worker::kill_at).chain(start).min()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Only this generation knows the path; whoever still tries it is told that nobody listens.
        let _ = fs::remove_file(&self.socket);
    }
}

/// Makes a listening socket that only `owner` and root can connect to.
fn bind(path: &Path, owner: u32) -> std::io::Result<OwnedFd> {
    // Left behind by a wsgid that was killed: path and parent process are the same.
    if fs::symlink_metadata(path).is_ok_and(|data| data.file_type().is_socket()) {
        fs::remove_file(path)?;
    }
    let before = nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o177));
    let listener = UnixListener::bind(path);
    nix::sys::stat::umask(before);
    let listener = listener?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    if Uid::effective().is_root() {
        nix::unistd::chown(path, Some(Uid::from_raw(owner)), None::<Gid>)?;
    }
    listener.set_nonblocking(true)?;
    raised(&listener.into())
}
