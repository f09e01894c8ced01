//! How a process of a group is started: the group's Python, which loads the engine.
//!
//! Nothing that a user of the group may have written is looked at here: the new process does that,
//! and may hang in it.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use wsgi::config::daemon_process::Preload;
use wsgi::config::settings::PythonOptions;
use wsgi::process::plan::{
    GROUP_VARIABLE, SAFE_PATH_OF_START, SAFE_PATH_VARIABLE, WorkerSpec, descriptor,
};

use crate::control_socket::{ControlSocket, Kept};
use crate::start::birth::{Birth, Failure};
use crate::start::credentials::{AccountError, Credentials};
use crate::start::probe::ProbeError;
use crate::start::program::{self, ProgramError};
use crate::sys::{Change, Directory, Task, begin, raised};

/// The code that the Python program runs: it loads the engine from the path in `sys.argv[1]`, which
/// takes over and does not return. `_imp` is what Python's own import machinery uses; going through
/// it directly imports nothing that the application may not need. No name of it stays in
/// `__main__`.
const START: &str = "\
def start():
    import sys, _imp
    del globals()['start']
    class spec: name, origin = '_mod_wsgi', sys.argv[1]
    module = _imp.create_dynamic(spec)
    _imp.exec_dynamic(module)
    module.serve()
start()";

/// How to start a worker or a template.
#[derive(Debug)]
pub(crate) struct Start<'s> {
    pub(crate) spec: &'s WorkerSpec,
    pub(crate) credentials: &'s Credentials,
    /// The Python installation or environment; `None` for the system's Python.
    pub(crate) python_home: Option<&'s Path>,
    pub(crate) engine: &'s Path,
    pub(crate) queue: &'s OwnedFd,
    /// Where it writes what it says.
    pub(crate) log: &'s OwnedFd,
    /// The lines of the group that are never closed.
    pub(crate) kept: &'s Kept,
    /// Where the group's processes tell each other of requests.
    pub(crate) requests: &'s OwnedFd,
    /// User id of httpd's children: workers of another user begin in their home directory.
    pub(crate) children: u32,
}

/// Why a process was not started.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    #[error(transparent)]
    Account(#[from] AccountError),
    #[error("python-home: {0}")]
    Python(#[from] ProgramError),
    #[error("the engine cannot be found: {0}")]
    Engine(std::io::Error),
    #[error(transparent)]
    Program(#[from] ProbeError),
    #[error("user {user:?} cannot work in {directory:?}: {error}")]
    Directory { directory: PathBuf, user: String, error: std::io::Error },
    #[error("a process cannot be prepared: {0}")]
    Prepare(#[from] std::io::Error),
    #[error("a process cannot be told what to do: {0}")]
    Spec(#[from] serde_json::Error),
}

impl StartError {
    /// Why a process of `user` has not executed the Python of `home`.
    pub(crate) fn of(failure: Failure, user: &str, home: Option<&Path>) -> Self {
        let user = user.to_owned();
        match (failure, home) {
            (Failure::NoProgram(_), None) => ProgramError::NoSystemPython.into(),
            (Failure::NoProgram(None), Some(home)) => ProgramError::NotAHome(home.into()).into(),
            (Failure::NoProgram(Some(missing)), Some(_)) => {
                ProgramError::HomeMissing(missing).into()
            }
            (Failure::Obstacle(program, obstacle), _) => {
                ProbeError::Unreachable { program, user, obstacle }.into()
            }
            (Failure::Program(program, error), _) => {
                ProbeError::Start { program, user, error }.into()
            }
            (Failure::Directory(directory, error), _) => Self::Directory { directory, user, error },
            (Failure::Other(error), _) => Self::Prepare(error),
        }
    }
}

/// A process that was started. It may not have executed its program yet.
#[derive(Debug)]
pub(crate) struct Started {
    pub(crate) pid: i32,
    pub(crate) control: ControlSocket,
    pub(crate) birth: Birth,
}

impl Start<'_> {
    /// Starts the process. A template says when its scripts were changed last before it executes
    /// anything.
    pub(crate) fn start(&self) -> Result<Started, StartError> {
        let (ours, theirs) = UnixStream::pair()?;
        let control = ControlSocket::new(ours, self.kept)?;
        let theirs = raised(&theirs.into())?;
        let spec = raised(&memory_file(&serde_json::to_vec(self.spec)?)?)?;
        let nothing = raised(&File::open("/dev/null")?.into())?;
        let mut arguments = python_options(&self.spec.server.python);
        arguments.extend(["-c".into(), START.into(), self.engine.into()]);
        let scripts = match self.spec.preload {
            Preload::Off => Vec::new(),
            _ => self.spec.applications.iter().map(|one| one.script.clone()).collect(),
        };
        let task = Task {
            scripts,
            programs: program::candidates(self.python_home),
            arguments,
            environment: environment(self).into_iter().collect(),
        };
        let directory = directory(self);
        let change = Change {
            credentials: self.credentials,
            standard: [&nothing, self.log, self.log],
            descriptors: vec![
                (descriptor::QUEUE, self.queue),
                (descriptor::CONTROL, &theirs),
                (descriptor::SPEC, &spec),
                (descriptor::REQUESTS, self.requests),
            ],
            umask: self.spec.group.umask,
            priority: self.spec.group.limits.cpu_priority,
            root: self.spec.group.chroot.as_deref(),
            directory,
        };
        let (pid, words) = begin(&change, &task)?;
        let birth = Birth::new(words, &task.programs, directory.map(|directory| directory.path));
        Ok(Started { pid, control, birth })
    }
}

fn memory_file(content: &[u8]) -> std::io::Result<OwnedFd> {
    let file = memfd_create(c"wsgi-worker", MFdFlags::MFD_CLOEXEC)?;
    let mut file = std::fs::File::from(file);
    std::io::Write::write_all(&mut file, content)?;
    std::io::Seek::rewind(&mut file)?;
    Ok(file.into())
}

/// The file for [`descriptor::REQUESTS`]. None of those that map it can take its memory away from
/// the others.
pub(crate) fn shared_words() -> std::io::Result<OwnedFd> {
    let flags = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING;
    let file = memfd_create(c"wsgi-requests", flags)?;
    nix::unistd::ftruncate(&file, i64::from(descriptor::REQUEST_WORDS) * 8)?;
    let seals = SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_SEAL;
    fcntl(&file, FcntlArg::F_ADD_SEALS(seals))?;
    raised(&file)
}

/// The group's `home`; else the home directory of a user that is not httpd's, if it is there; else
/// where httpd is.
fn directory<'s>(start: &'s Start<'_>) -> Option<Directory<'s>> {
    if let Some(path) = start.spec.group.home.as_deref() {
        return Some(Directory { path, may_be_missing: false });
    }
    let other_user = start.credentials.change && start.credentials.uid.as_raw() != start.children;
    // Below another root it may belong to any user.
    let is_known = other_user && start.spec.group.chroot.is_none();
    let path = start.credentials.home.as_deref().filter(|_| is_known)?;
    Some(Directory { path, may_be_missing: true })
}

/// The configuration's options for Python before it starts.
fn python_options(options: &PythonOptions) -> Vec<OsString> {
    let optimize = match options.optimize {
        0 => None,
        1 => Some("-O"),
        _ => Some("-OO"),
    };
    let bytecode = options.dont_write_bytecode.then_some("-B");
    let warnings = options.warnings.iter().flat_map(|warning| ["-W", warning]);
    optimize.into_iter().chain(bytecode).chain(warnings).map(OsString::from).collect()
}

/// Workers and templates keep the environment that httpd was started with: its administrators set
/// there what applications are to see (Debian: `/etc/apache2/envvars`), as with `mod_wsgi`.
/// Variables that belong to a user are those of the group's user. Secrets in it are known to every
/// group: `docs/differences.md` says so.
fn environment(start: &Start<'_>) -> BTreeMap<OsString, OsString> {
    let (group, options) = (&start.spec.group, &start.spec.server.python);
    let mut variables: BTreeMap<OsString, OsString> = std::env::vars_os().collect();
    // Only the configuration decides.
    variables.remove(OsStr::new("PYTHONOPTIMIZE"));
    let mut set = |name: &str, value: OsString| drop(variables.insert(name.into(), value));
    if let Some(seed) = &options.hash_seed {
        set("PYTHONHASHSEED", seed.into());
    }
    set(GROUP_VARIABLE, (&group.name).into());
    if std::env::var_os(SAFE_PATH_VARIABLE).is_none_or(|value| value.is_empty()) {
        set(SAFE_PATH_VARIABLE, SAFE_PATH_OF_START.into());
    }
    for (name, value) in [("LANG", &group.lang), ("LC_ALL", &group.locale)] {
        if let Some(value) = value {
            set(name, value.into());
        }
    }
    for name in ["USER", "USERNAME", "LOGNAME"] {
        if std::env::var_os(name).is_some() {
            set(name, (&start.credentials.name).into());
        }
    }
    if let Some(home) = &start.credentials.home {
        set("HOME", home.into());
    }
    variables
}
