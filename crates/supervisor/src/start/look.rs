//! Looking when scripts were changed last, in a process of the group's user.
//!
//! The scripts may lie in a file system that does not answer, which must not keep `wsgid`.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::Signal;
use wsgi::process::plan::WorkerSpec;

use crate::process::Process;
use crate::start::birth::Birth;
use crate::start::credentials::Credentials;
use crate::start::versions::Versions;
use crate::sys::{Change, Task, begin, raised};

/// The result of a look.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    NotYet,
    Scripts(Versions),
    /// It has failed.
    Nothing,
}

/// A process that looks. Dropped, it is killed.
#[derive(Debug)]
pub(crate) struct Look {
    process: Process,
    birth: Birth,
    scripts: usize,
    started: Instant,
}

impl Look {
    /// Starts to look at the scripts of a group.
    pub(crate) fn start(spec: &WorkerSpec, credentials: &Credentials) -> std::io::Result<Self> {
        let nothing = raised(&File::options().read(true).write(true).open("/dev/null")?.into())?;
        let change = Change {
            credentials,
            standard: [&nothing; 3],
            descriptors: Vec::new(),
            umask: None,
            priority: None,
            root: spec.group.chroot.as_deref(),
            directory: None,
        };
        let scripts = spec.applications.iter().map(|one| one.script.clone()).collect();
        let (pid, words) = begin(&change, &Task { scripts, ..Task::default() })?;
        Ok(Self {
            process: Process::hold(pid).ok_or(Errno::ECHILD)?,
            birth: Birth::new(words, &[], None::<&Path>),
            scripts: spec.applications.len(),
            started: Instant::now(),
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

    /// How long ago it was started.
    pub(crate) fn age(&self) -> Duration {
        self.started.elapsed()
    }

    /// Its result, once it has said everything.
    pub(crate) fn seen(&mut self) -> Seen {
        if !self.birth.look() {
            return Seen::NotYet;
        }
        let versions = Versions::new(self.birth.versions(), self.scripts);
        versions.map_or(Seen::Nothing, Seen::Scripts)
    }
}

impl AsFd for Look {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.birth.as_fd()
    }
}

impl Drop for Look {
    fn drop(&mut self) {
        self.process.signal(Signal::SIGKILL);
    }
}
