//! How a process of a group is started: the group's Python, which loads the engine.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::sys::memfd::{MFdFlags, memfd_create};
use wsgi::plan::{GROUP_VARIABLE, SAFE_PATH_OF_START, SAFE_PATH_VARIABLE, WorkerSpec, descriptor};
use wsgi::settings::PythonOptions;

use crate::account::{AccountError, Identity};
use crate::line::Line;
use crate::probe::{ProbeError, start_error};
use crate::program::ProgramError;
use crate::sys::{Change, apply, raised};

/// What the Python program runs: it loads the engine from the path in `sys.argv[1]`, which takes over
/// and does not return. `_imp` is what Python's own import machinery uses; going through it directly
/// imports nothing that the application may not need. No name of it stays in `__main__`.
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
    pub(crate) identity: &'s Identity,
    pub(crate) program: &'s Path,
    pub(crate) engine: &'s Path,
    pub(crate) queue: &'s OwnedFd,
    /// Where it writes what it says.
    pub(crate) log: &'s OwnedFd,
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
    #[error("a process cannot be prepared: {0}")]
    Prepare(#[from] std::io::Error),
    #[error("a process cannot be told what to do: {0}")]
    Spec(#[from] serde_json::Error),
}

impl Start<'_> {
    /// Starts the process; gives its id and the line to it.
    pub(crate) fn start(&self) -> Result<(i32, Line), StartError> {
        let (ours, theirs) = UnixStream::pair()?;
        let line = Line::new(ours)?;
        let theirs = raised(&theirs.into())?;
        let spec = raised(&memory_file(&serde_json::to_vec(self.spec)?)?)?;
        let mut command = Command::new(self.program);
        python_options(&mut command, &self.spec.server.python);
        command.arg("-c").arg(START).arg(self.engine);
        command.stdin(Stdio::null());
        command.stdout(self.log.try_clone()?).stderr(self.log.try_clone()?);
        environment(&mut command, self);
        apply(
            &mut command,
            &Change {
                identity: self.identity,
                descriptors: vec![
                    (descriptor::QUEUE, self.queue),
                    (descriptor::CONTROL, &theirs),
                    (descriptor::SPEC, &spec),
                ],
                umask: self.spec.group.umask,
                priority: self.spec.group.limits.cpu_priority,
                root: self.spec.group.chroot.as_deref(),
                directory: directory(self),
            },
        );
        let child =
            command.spawn().map_err(|error| start_error(self.program, self.identity, error))?;
        // Its end is heard of as a signal; the handle has no other use.
        let pid = i32::try_from(child.id()).unwrap_or(i32::MAX);
        Ok((pid, line))
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
    // Whether there is one below another root is not known here.
    let is_there = |home: &&Path| start.spec.group.chroot.is_none() && home.is_dir();
    let users_own = || start.identity.home.as_deref().filter(|home| other_user && is_there(home));
    start.spec.group.home.as_deref().or_else(users_own)
}

/// What the configuration says to Python before it starts.
fn python_options(command: &mut Command, options: &PythonOptions) {
    match options.optimize {
        0 => {}
        1 => drop(command.arg("-O")),
        _ => drop(command.arg("-OO")),
    }
    // Only the configuration decides.
    command.env_remove("PYTHONOPTIMIZE");
    if options.dont_write_bytecode {
        command.arg("-B");
    }
    for warning in &options.warnings {
        command.arg("-W").arg(warning);
    }
    if let Some(seed) = &options.hash_seed {
        command.env("PYTHONHASHSEED", seed);
    }
}

/// Workers and templates keep the environment that httpd was started with: its administrators set there what
/// applications are to see (Debian: `/etc/apache2/envvars`), as with `mod_wsgi`. What belongs to a user is
/// that of the group's user. Secrets in it are known to every group: `docs/differences.md` says so.
fn environment(command: &mut Command, start: &Start<'_>) {
    let group = &start.spec.group;
    command.env(GROUP_VARIABLE, &group.name);
    if std::env::var_os(SAFE_PATH_VARIABLE).is_none_or(|value| value.is_empty()) {
        command.env(SAFE_PATH_VARIABLE, SAFE_PATH_OF_START);
    }
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
