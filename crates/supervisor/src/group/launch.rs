//! The facts that starting a process of a group takes, from the plan and from the system.

use std::cell::OnceCell;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::Duration;

use nix::unistd::Uid;
use wsgi::config::daemon_process::Preload;
use wsgi::process::plan::{Account, Plan, PlannedGroup, WorkerSpec};

use crate::control_socket::Kept;
use crate::group::log::GroupLog;
use crate::log;
use crate::queue::Queue;
use crate::start::birth::Failure;
use crate::start::credentials::{AccountError, Credentials};
use crate::start::launch::{Start, StartError, shared_words};
use crate::start::program;

/// The facts that starting a process of the group takes. Its user and its Python are looked for
/// when a process is started: either may be away for a while.
#[derive(Debug)]
pub(super) struct Launch {
    pub(super) spec: WorkerSpec,
    credentials: OnceCell<Credentials>,
    python_home: Option<PathBuf>,
    pub(super) queue: Queue,
    pub(super) log: GroupLog,
    pub(super) kept: Kept,
    /// See [`wsgi::process::plan::descriptor::REQUESTS`]; made with the first process.
    requests: OnceCell<OwnedFd>,
    children: Account,
}

impl Launch {
    /// The plan of a group whose requests wait in `queue`.
    pub(super) fn new(plan: &Plan, group: PlannedGroup, queue: OwnedFd, log: GroupLog) -> Self {
        let known = Credentials::known(&group.spec, &plan.children, &plan.findings.accounts);
        let socket_timeout = match group.spec.timeouts.socket {
            Duration::ZERO => plan.socket_timeout,
            limit => limit,
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
        Self {
            spec,
            credentials: known.map_or_else(OnceCell::new, OnceCell::from),
            python_home,
            queue: Queue::new(queue),
            log,
            kept: Kept::default(),
            requests: OnceCell::new(),
            children: plan.children.clone(),
        }
    }

    /// The user of the group's processes, once it was found.
    pub(super) fn credentials(&self) -> Result<&Credentials, AccountError> {
        if let Some(credentials) = self.credentials.get() {
            return Ok(credentials);
        }
        let found = Credentials::of_group(&self.spec.group, &self.children)?;
        Ok(self.credentials.get_or_init(|| found))
    }

    /// How to start a process that loads as much as `level` says before it is forked.
    pub(super) fn with<R>(
        &self,
        level: Preload,
        act: impl FnOnce(&Start<'_>) -> Result<R, StartError>,
    ) -> Result<R, StartError> {
        let credentials = self.credentials()?;
        let engine = program::engine().map_err(StartError::Engine)?;
        let requests = if let Some(requests) = self.requests.get() {
            requests
        } else {
            let words = shared_words()?;
            self.requests.get_or_init(|| words)
        };
        let spec = WorkerSpec { preload: level, ..self.spec.clone() };
        act(&Start {
            spec: &spec,
            credentials,
            python_home: self.python_home.as_deref(),
            engine: &engine,
            queue: self.queue.receiver(),
            log: self.log.writer(),
            kept: &self.kept,
            requests,
            children: self.children.uid,
        })
    }

    /// Why a process has not executed its program.
    pub(super) fn error(&self, failure: Failure) -> StartError {
        let user = self.credentials.get().map_or("", |credentials| &credentials.name);
        StartError::of(failure, user, self.python_home.as_deref())
    }
}
