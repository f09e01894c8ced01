//! One worker process, from its start to its end.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use wsgi::plan::{WorkerSpec, descriptor};

use crate::account::Identity;
use crate::probe::{ProbeError, start_error};
use crate::sys::{Change, apply, raised};

/// What the Python program runs: it loads the engine from the path in `sys.argv[1]`, which takes over
/// and does not return. `_imp` is what Python's own import machinery uses; going through it directly
/// imports nothing that the application may not need.
const START: &str = "\
import sys, _imp
class spec: name, origin = '_mod_wsgi', sys.argv[1]
module = _imp.create_dynamic(spec)
_imp.exec_dynamic(module)
module.serve()";

/// How to start a worker.
#[derive(Debug)]
pub(crate) struct Start<'s> {
    pub(crate) spec: &'s WorkerSpec,
    pub(crate) identity: &'s Identity,
    pub(crate) program: &'s Path,
    pub(crate) engine: &'s Path,
    pub(crate) listener: &'s OwnedFd,
    pub(crate) log: Option<&'s OwnedFd>,
    /// User id of httpd's children: workers of another user begin in their home directory.
    pub(crate) children: u32,
}

/// A worker that was started and whose end was not seen yet.
#[derive(Debug)]
pub(crate) struct Worker {
    child: Child,
    control: UnixStream,
    started: Instant,
    ready: Option<Instant>,
    kill_at: Option<Instant>,
}

/// Why a worker was not started.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    #[error(transparent)]
    Program(#[from] ProbeError),
    #[error("a worker cannot be prepared: {0}")]
    Prepare(#[from] std::io::Error),
    #[error("a worker cannot be told what to do: {0}")]
    Spec(#[from] serde_json::Error),
}

impl Worker {
    /// Starts a worker.
    pub(crate) fn start(start: &Start<'_>) -> Result<Self, StartError> {
        let (ours, theirs) = UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let theirs = raised(&theirs.into())?;
        let spec = raised(&memory_file(&serde_json::to_vec(start.spec)?)?)?;
        let mut command = Command::new(start.program);
        command.arg("-c").arg(START).arg(start.engine);
        command.stdin(Stdio::null());
        let log = match start.log {
            Some(log) => log.try_clone()?,
            None => std::io::stderr().as_fd().try_clone_to_owned()?,
        };
        command.stdout(log.try_clone()?).stderr(log);
        environment(&mut command, start);
        apply(
            &mut command,
            &Change {
                identity: start.identity,
                descriptors: vec![
                    (descriptor::LISTENER, start.listener),
                    (descriptor::CONTROL, &theirs),
                    (descriptor::SPEC, &spec),
                ],
                umask: start.spec.group.umask,
                directory: directory(start),
            },
        );
        let child =
            command.spawn().map_err(|error| start_error(start.program, start.identity, error))?;
        Ok(Self { child, control: ours, started: Instant::now(), ready: None, kill_at: None })
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The descriptor that becomes readable when the worker says something.
    pub(crate) fn control(&self) -> BorrowedFd<'_> {
        self.control.as_fd()
    }

    /// Hears what the worker has to say; true when it has just become ready.
    pub(crate) fn hear(&mut self) -> bool {
        use std::io::Read;
        let mut byte = [0; 8];
        let spoke = matches!((&self.control).read(&mut byte), Ok(1..));
        let first = spoke && self.ready.is_none();
        if first {
            self.ready = Some(Instant::now());
        }
        first
    }

    /// Whether it has said that it is ready.
    pub(crate) fn is_ready(&self) -> bool {
        self.ready.is_some()
    }

    /// How long it has been ready; `None` if it never was.
    pub(crate) fn served(&self) -> Option<Duration> {
        self.ready.map(|ready| ready.elapsed())
    }

    /// How long ago it was started.
    pub(crate) fn age(&self) -> Duration {
        self.started.elapsed()
    }

    /// Asks it to finish; after `grace` it will be killed.
    pub(crate) fn ask_to_end(&mut self, grace: Duration) {
        self.signal(Signal::SIGTERM);
        self.kill_at = Some(Instant::now() + grace);
    }

    /// When it will be killed.
    pub(crate) fn kill_at(&self) -> Option<Instant> {
        self.kill_at
    }

    /// Kills it.
    pub(crate) fn kill(&mut self) {
        self.kill_at = None;
        self.signal(Signal::SIGKILL);
    }

    fn signal(&self, signal: Signal) {
        if let Ok(pid) = i32::try_from(self.pid()) {
            // It may have ended by itself; its end is noticed in any case.
            let _ = kill(Pid::from_raw(pid), signal);
        }
    }

    /// Its exit status, once it has ended.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }
}

fn memory_file(content: &[u8]) -> std::io::Result<OwnedFd> {
    let file = memfd_create(c"wsgi-worker", MFdFlags::MFD_CLOEXEC)?;
    let mut file = std::fs::File::from(file);
    std::io::Write::write_all(&mut file, content)?;
    std::io::Seek::rewind(&mut file)?;
    Ok(file.into())
}

/// The group's `home`; else the home directory of a user that is not httpd's; else where httpd is.
fn directory<'s>(start: &'s Start<'_>) -> Option<&'s Path> {
    let other_user = start.identity.change && start.identity.uid.as_raw() != start.children;
    let users_own = || start.identity.home.as_deref().filter(|home| other_user && home.is_dir());
    start.spec.group.home.as_deref().or_else(users_own)
}

fn environment(command: &mut Command, start: &Start<'_>) {
    let group = &start.spec.group;
    for (name, value) in [("LANG", &group.lang), ("LC_ALL", &group.locale)] {
        if let Some(value) = value {
            command.env(name, value);
        }
    }
    for name in ["USER", "USERNAME", "LOGNAME"] {
        if std::env::var_os(name).is_some() {
            command.env(name, &start.identity.name);
        }
    }
    if let Some(home) = &start.identity.home {
        command.env("HOME", home);
    }
}
