//! Asking a Python what it is.
//!
//! Asking runs it, so it is asked as the user that would run it anyway, never as root; what it answers
//! is limited in length and time.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use wsgi::plan::PythonFacts;

use crate::account::Identity;
use crate::reach::{Obstacle, Want, obstacle};
use crate::sys::{Change, apply};

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
        "{0:?} is a Python without a GIL (free-threaded), which has no stable ABI before 3.15 that Dormouse \
         could use; install the usual build"
    )]
    FreeThreaded(PathBuf),
    #[error("{0:?} gave no answer within {seconds} seconds", seconds = PATIENCE.as_secs())]
    Silent(PathBuf),
    #[error(
        "{program:?} has no shared library that httpd could load ({looked_for:?} does not exist); install \
         it (Debian: libpython3), use a Python that was built with --enable-shared, or move the \
         application to a process group (WSGIDaemonProcess), where any Python works"
    )]
    NoLibrary { program: PathBuf, looked_for: String },
}

/// How long a Python may take to say what it is.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest answer in bytes.
const LONGEST: u64 = 16 * 1024;
const TOO_OLD: i32 = 3;
const FREE_THREADED: i32 = 4;

const VERSION: &str = "
import sys
if sys.version_info < (3, 10): sys.exit(3)
if 't' in sys.abiflags and sys.version_info < (3, 15): sys.exit(4)
print('%d.%d.%d' % sys.version_info[:3])
";

const FACTS: &str = "
import sys
if sys.version_info < (3, 10): sys.exit(3)
if 't' in sys.abiflags and sys.version_info < (3, 15): sys.exit(4)
from sysconfig import get_config_var as var
print(' '.join(sys.version.split()))
for folder in (var('LIBDIR'), sys.base_prefix + '/lib', sys.base_exec_prefix + '/lib'):
    print('%s/%s' % (folder, var('INSTSONAME')))
";

/// The version of `program`, which is a Python that `identity` can run and that is new enough. The program
/// is looked for below the root directory `root`.
pub(crate) fn version(
    program: &Path,
    identity: &Identity,
    root: Option<&Path>,
) -> Result<String, ProbeError> {
    ask(program, identity, root, VERSION).map(|answer| answer.trim().to_owned())
}

/// Asks `program` where its shared library is.
pub(crate) fn facts(program: &Path, identity: &Identity) -> Result<PythonFacts, ProbeError> {
    let answer = ask(program, identity, None, FACTS)?;
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

fn ask(
    program: &Path,
    identity: &Identity,
    root: Option<&Path>,
    question: &str,
) -> Result<String, ProbeError> {
    let mut command = Command::new(program);
    command.args(["-I", "-S", "-c", question]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    environment(&mut command);
    apply(
        &mut command,
        &Change {
            identity,
            descriptors: Vec::new(),
            umask: None,
            priority: None,
            root,
            directory: Some(Path::new("/")),
        },
    );
    let mut child = command.spawn().map_err(|error| start_error(program, identity, error))?;
    let (status, answer) = listen(&mut child).map_err(|error| {
        // It has not ended and is not wanted any more.
        let _ = child.kill();
        let _ = child.wait();
        match error.kind() {
            std::io::ErrorKind::TimedOut => ProbeError::Silent(program.to_owned()),
            _ => start_error(program, identity, error),
        }
    })?;
    match status.code() {
        Some(0) => Ok(answer),
        Some(FREE_THREADED) => Err(ProbeError::FreeThreaded(program.to_owned())),
        Some(TOO_OLD) => Err(ProbeError::TooOld(program.to_owned())),
        _ => Err(ProbeError::NotPython(program.to_owned(), format!("ended with {status}"))),
    }
}

/// A probe gets an environment of its own. It runs a program that may belong to the group's user, also while
/// root checks a configuration in a shell: what that shell has in its environment is not for this user. The
/// dynamic linker's search path is no secret, and a Python that needs it for its own library could not answer
/// without.
fn environment(command: &mut Command) {
    command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin").env("LANG", "C.UTF-8");
    if let Some(folders) = std::env::var_os(LIBRARIES) {
        command.env(LIBRARIES, folders);
    }
}

/// The dynamic linker's variable.
const LIBRARIES: &str = "LD_LIBRARY_PATH";

/// Why `program` did not start, in words that name what is in the way.
pub(crate) fn start_error(
    program: &Path,
    identity: &Identity,
    error: std::io::Error,
) -> ProbeError {
    let (program, user) = (program.to_owned(), identity.name.clone());
    match obstacle(&program, identity, Want::Execute) {
        Some(obstacle) => ProbeError::Unreachable { program, user, obstacle },
        None => ProbeError::Start { program, user, error },
    }
}

/// Reads the answer and waits for the end, both within [`PATIENCE`].
fn listen(child: &mut Child) -> std::io::Result<(ExitStatus, String)> {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    use std::os::fd::AsFd;

    let deadline = Instant::now() + PATIENCE;
    let timed_out = || std::io::Error::from(std::io::ErrorKind::TimedOut);
    let mut output = child.stdout.take().ok_or_else(timed_out)?;
    let mut answer = Vec::new();
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let milliseconds = PollTimeout::try_from(left).unwrap_or(PollTimeout::ZERO);
        let mut descriptors = [PollFd::new(output.as_fd(), PollFlags::POLLIN)];
        if poll(&mut descriptors, milliseconds)? == 0 {
            return Err(timed_out());
        }
        let mut piece = [0; 1024];
        match output.read(&mut piece)? {
            0 => break,
            count => answer.extend_from_slice(&piece[..count]),
        }
        if answer.len() as u64 > LONGEST {
            return Err(timed_out());
        }
    }
    // Its output is closed, so it is ending; one that lingers is not waited for much longer.
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok((status, String::from_utf8_lossy(&answer).into_owned()));
        }
        if Instant::now() >= deadline {
            return Err(timed_out());
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::Identity;
    use nix::unistd::{Gid, Uid};

    fn me() -> Identity {
        Identity {
            name: "me".into(),
            uid: Uid::effective(),
            gid: Gid::effective(),
            groups: vec![Gid::effective()],
            home: None,
            change: false,
        }
    }

    #[test]
    fn what_is_no_python_is_told() {
        let error = version(Path::new("/bin/false"), &me(), None).unwrap_err();
        assert!(matches!(error, ProbeError::NotPython(..)), "{error}");
        let error = version(Path::new("/no/python"), &me(), None).unwrap_err();
        let text = error.to_string();
        assert_eq!(text, "\"/no/python\" cannot be run as user \"me\": \"/no\" does not exist");
        let error = version(Path::new("/etc/passwd"), &me(), None).unwrap_err();
        assert!(error.to_string().starts_with("\"/etc/passwd\" cannot be run as user"), "{error}");
    }

    #[test]
    fn the_systems_python_says_what_it_is() {
        let program = crate::program::python(None, None).unwrap();
        assert!(version(&program, &me(), None).unwrap().starts_with("3."));
        match facts(&program, &me()) {
            Ok(facts) => assert!(facts.version.starts_with("3.") && facts.library.is_file()),
            Err(ProbeError::NoLibrary { looked_for, .. }) => assert!(!looked_for.is_empty()),
            Err(error) => panic!("{error}"),
        }
    }
}
