//! Asking a Python what it is.
//!
//! Asking runs it, so it is asked as the user that would run it anyway, never as root; what it
//! answers is limited in length and time.

use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::signal::{Signal, kill, killpg};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, pipe2};
use wsgi::process::plan::{PythonFacts, PythonQuestion};

use crate::start::birth::{Birth, Failure};
use crate::start::credentials::Credentials;
use crate::start::obstacle::{Obstacle, Want, obstacle};
use crate::sys::{Change, Directory, Task, begin, raised};

/// Why a program cannot be the Python of a process group.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProbeError {
    #[error("{program:?} cannot be run as user {user:?}: {obstacle}")]
    Unreachable { program: PathBuf, user: String, obstacle: Obstacle },
    #[error("{program:?} cannot be run as user {user:?}: {error}")]
    Start { program: PathBuf, user: String, error: std::io::Error },
    #[error("{0:?} is not a Python that works: asked for its version, it {1}")]
    NotPython(PathBuf, String),
    #[error("{0:?} is older than Python 3.10; Dormouse needs 3.10 or later")]
    TooOld(PathBuf),
    #[error(
        "{0:?} is a Python without a GIL (free-threaded), which has no stable ABI before 3.15 that \
         Dormouse could use; install the usual build"
    )]
    FreeThreaded(PathBuf),
    #[error("{0:?} gave no answer within {seconds} seconds", seconds = WAIT_LIMIT.as_secs())]
    Silent(PathBuf),
    #[error(
        "{program:?} has no shared library that httpd could load ({looked_for:?} does not exist); \
         install it (Debian: libpython3), use a Python that was built with --enable-shared, or \
         move the application to a process group (WSGIDaemonProcess), where any Python works"
    )]
    NoLibrary { program: PathBuf, looked_for: String },
}

/// How long a Python may take to say what it is.
const WAIT_LIMIT: Duration = Duration::from_secs(10);
/// The longest answer in bytes.
const LONGEST: usize = 16 * 1024;
const TOO_OLD: i32 = 3;
const FREE_THREADED: i32 = 4;

const VERSION: &str = "
import sys
if sys.version_info < (3, 10): sys.exit(3)
if 't' in sys.abiflags and sys.version_info < (3, 15): sys.exit(4)
print('%d.%d.%d' % sys.version_info[:3])
";

const LIBRARY: &str = "
import sys
if sys.version_info < (3, 10): sys.exit(3)
if 't' in sys.abiflags and sys.version_info < (3, 15): sys.exit(4)
from sysconfig import get_config_var as var
print(' '.join(sys.version.split()))
for folder in (var('LIBDIR'), sys.base_prefix + '/lib', sys.base_exec_prefix + '/lib'):
    print('%s/%s' % (folder, var('INSTSONAME')))
";

/// A Python that is being asked. Dropped before it has ended, it is killed, with the processes of
/// its process group.
#[derive(Debug)]
pub(crate) struct Probe<'i> {
    program: PathBuf,
    credentials: &'i Credentials,
    pid: Pid,
    birth: Birth,
    output: File,
    answer: Vec<u8>,
    /// It has closed its output, so it is ending.
    is_silent: bool,
    /// It was reaped.
    has_ended: bool,
    deadline: Instant,
}

impl<'i> Probe<'i> {
    /// Asks `program`, which is looked for below the root directory `root`, as the user that would
    /// run it.
    pub(crate) fn start(
        program: &Path,
        credentials: &'i Credentials,
        root: Option<&Path>,
        question: PythonQuestion,
    ) -> Result<Self, ProbeError> {
        Self::begin(program, credentials, root, question)
            .map_err(|error| start_error(program, credentials, error))
    }

    fn begin(
        program: &Path,
        credentials: &'i Credentials,
        root: Option<&Path>,
        question: PythonQuestion,
    ) -> std::io::Result<Self> {
        let (output, writer) = pipe2(OFlag::O_CLOEXEC)?;
        fcntl(&output, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        let writer = raised(&writer)?;
        let nothing = raised(&File::options().read(true).write(true).open("/dev/null")?.into())?;
        let task = Task {
            scripts: Vec::new(),
            programs: vec![program.to_owned()],
            arguments: ["-I", "-S", "-c", source(question)].map(OsString::from).into(),
            environment: environment(),
        };
        let change = Change {
            credentials,
            standard: [&nothing, &writer, &nothing],
            descriptors: Vec::new(),
            umask: None,
            priority: None,
            root,
            directory: Some(Directory { path: Path::new("/"), may_be_missing: false }),
        };
        let (pid, words) = begin(&change, &task)?;
        Ok(Self {
            program: program.to_owned(),
            credentials,
            pid: Pid::from_raw(pid),
            birth: Birth::new(words, &task.programs, None),
            output: output.into(),
            answer: Vec::new(),
            is_silent: false,
            has_ended: false,
            deadline: Instant::now() + WAIT_LIMIT,
        })
    }

    /// The descriptor that becomes readable when it has answered; `None` if only its end is waited
    /// for.
    pub(crate) fn listens(&self) -> Option<BorrowedFd<'_>> {
        (!self.is_silent).then(|| self.output.as_fd())
    }

    /// When it has taken too long.
    pub(crate) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Its answer, once it has ended or has taken too long.
    pub(crate) fn look(&mut self) -> Option<Result<String, ProbeError>> {
        match self.read() {
            Ok(None) if Instant::now() < self.deadline => None,
            Ok(None) => Some(Err(ProbeError::Silent(self.program.clone()))),
            Ok(Some(status)) => Some(match (self.birth.failure(), status.code()) {
                (Some(failure), _) => {
                    let error = match failure {
                        Failure::Program(_, error) | Failure::Other(error) => error,
                        _ => std::io::ErrorKind::PermissionDenied.into(),
                    };
                    Err(start_error(&self.program, self.credentials, error))
                }
                (None, Some(0)) => Ok(String::from_utf8_lossy(&self.answer).into_owned()),
                (None, Some(FREE_THREADED)) => Err(ProbeError::FreeThreaded(self.program.clone())),
                (None, Some(TOO_OLD)) => Err(ProbeError::TooOld(self.program.clone())),
                _ => {
                    let text = format!("ended with {status}");
                    Err(ProbeError::NotPython(self.program.clone(), text))
                }
            }),
            Err(error) => Some(Err(start_error(&self.program, self.credentials, error))),
        }
    }

    /// Reads what has come; its exit status once it has ended.
    fn read(&mut self) -> std::io::Result<Option<ExitStatus>> {
        while !self.is_silent {
            let mut piece = [0; 1024];
            match self.output.read(&mut piece) {
                Ok(0) => self.is_silent = true,
                Ok(count) => self.answer.extend_from_slice(&piece[..count]),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return Ok(None),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            if self.answer.len() > LONGEST {
                return Err(std::io::Error::other("its answer is too long"));
            }
        }
        self.end()
    }

    /// Its exit status, if it has ended. It is reaped then.
    fn end(&mut self) -> std::io::Result<Option<ExitStatus>> {
        let status = match waitpid(self.pid, Some(WaitPidFlag::WNOHANG))? {
            WaitStatus::Exited(_, code) => ExitStatus::from_raw(code << 8),
            WaitStatus::Signaled(_, signal, _) => ExitStatus::from_raw(signal as i32),
            _ => return Ok(None),
        };
        self.has_ended = true;
        Ok(Some(status))
    }
}

impl Drop for Probe<'_> {
    fn drop(&mut self) {
        if !self.has_ended {
            // It leads its session, and so a process group, unless it has not got that far.
            let _ = killpg(self.pid, Signal::SIGKILL);
            let _ = kill(self.pid, Signal::SIGKILL);
            // One that hangs in the kernel is not waited for.
            let _ = self.end();
        }
    }
}

fn source(question: PythonQuestion) -> &'static str {
    match question {
        PythonQuestion::Version => VERSION,
        PythonQuestion::Library => LIBRARY,
    }
}

/// Where the shared library is of `program`, which has given this answer.
pub(crate) fn facts(program: &Path, answer: &str) -> Result<PythonFacts, ProbeError> {
    let mut lines = answer.lines();
    let version = lines.next().unwrap_or_default().to_owned();
    let places: Vec<&str> = lines.collect();
    // A static Python names an archive here, which cannot be loaded.
    let is_shared = |place: &&&str| place.contains(".so") && Path::new(place).is_file();
    match places.iter().find(is_shared) {
        Some(library) => {
            Ok(PythonFacts { executable: program.to_owned(), version, library: library.into() })
        }
        None => Err(ProbeError::NoLibrary {
            program: program.to_owned(),
            looked_for: places.first().copied().unwrap_or("its library").to_owned(),
        }),
    }
}

/// A probe gets an environment of its own. It runs a program that may belong to the group's user,
/// also while root checks a configuration in a shell: what that shell has in its environment is not
/// for this user. The dynamic linker's search path is no secret, and a Python that needs it for its
/// own library could not answer without.
fn environment() -> Vec<(OsString, OsString)> {
    let fixed = [("PATH", "/usr/local/bin:/usr/bin:/bin"), ("LANG", "C.UTF-8")];
    let folders = std::env::var_os(LIBRARIES).map(|folders| (LIBRARIES.into(), folders));
    fixed.map(|(name, value)| (name.into(), value.into())).into_iter().chain(folders).collect()
}

/// The dynamic linker's variable.
const LIBRARIES: &str = "LD_LIBRARY_PATH";

/// Why `program` did not start, in words that name what is in the way.
pub(crate) fn start_error(
    program: &Path,
    credentials: &Credentials,
    error: std::io::Error,
) -> ProbeError {
    let (program, user) = (program.to_owned(), credentials.name.clone());
    match obstacle(&program, credentials, Want::Execute) {
        Some(obstacle) => ProbeError::Unreachable { program, user, obstacle },
        None => ProbeError::Start { program, user, error },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_looked_for_in_order() {
        let program = Path::new("/usr/bin/python3");
        let library = std::env::current_exe().unwrap();
        let link = std::env::temp_dir().join(format!("wsgid-probe-{}.so", std::process::id()));
        std::os::unix::fs::symlink(library, &link).unwrap();
        let answer = format!("3.11.2 main\n/no/libpython3.11.so\n{}\n", link.display());
        let facts = super::facts(program, &answer).unwrap();
        assert_eq!((facts.version.as_str(), &facts.library), ("3.11.2 main", &link));
        std::fs::remove_file(link).unwrap();
        let error = super::facts(program, "3.11.2 main\n/etc/passwd\n").unwrap_err();
        assert!(error.to_string().contains("\"/etc/passwd\" does not exist"), "{error}");
    }
}
