//! A server that is not httpd: gunicorn, or uWSGI behind httpd.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;
use testkit::{Process, Tree, installation};

use crate::wait::until;

/// The running program. Dropped, it is killed with all its processes.
#[derive(Debug)]
pub(crate) struct Program {
    child: Child,
    tree: Tree,
    directory: TempDir,
    ended: bool,
}

impl Program {
    /// Starts it in a session of its own, in the directory, which its socket and log are in.
    pub(crate) fn start(directory: TempDir, command: &Command) -> Result<Self> {
        let log = File::create(directory.path().join("log"))
            .with_context(|| format!("no log in {}", directory.path().display()))?;
        let mark = format!("{MARK}={}", directory.path().display());
        let mut wrapped = Command::new("setsid");
        wrapped.args(["setpriv", "--pdeathsig", "KILL", "--"]);
        wrapped.arg(command.get_program()).args(command.get_args());
        // The environment that testkit gives to httpd.
        wrapped.env_clear().env(MARK, directory.path()).env("LANG", "C.UTF-8");
        wrapped.env("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin");
        wrapped.current_dir(directory.path()).stdin(Stdio::null());
        let child = wrapped
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("cannot run setsid (Debian package util-linux)")?;
        let parent = i32::try_from(child.id()).context("Linux has no larger process ids")?;
        let tree = Tree::new(parent, &installation::httpd()?, mark);
        Ok(Self { child, tree, directory, ended: false })
    }

    /// The id of its first process.
    pub(crate) fn pid(&self) -> i32 {
        self.child.id().try_into().expect("checked when it was started")
    }

    /// Where it was started.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Those of its processes that live.
    pub(crate) fn processes(&mut self) -> Vec<Process> {
        self.tree.processes()
    }

    /// Sends a signal to the first process.
    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        kill(Pid::from_raw(self.pid()), signal).with_context(|| format!("{signal} not sent"))
    }

    /// An error with its log, once it has ended by itself.
    pub(crate) fn check(&mut self) -> Result<()> {
        let Some(status) = self.child.try_wait()? else { return Ok(()) };
        let log = fs::read_to_string(self.directory().join("log")).unwrap_or_default();
        bail!("ended by itself: {status}\n{log}")
    }

    /// Ends it, and waits until no process is left.
    pub(crate) fn finish(mut self) -> Result<()> {
        self.tree.processes();
        if self.child.try_wait()?.is_none() {
            self.signal(Signal::SIGTERM)?;
        }
        let child = &mut self.child;
        until("the program ends", || Ok(child.try_wait()?))?;
        let tree = &mut self.tree;
        until("its processes end", || Ok(tree.processes().is_empty().then_some(())))?;
        self.ended = true;
        Ok(())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        for process in self.tree.processes() {
            // It may end by itself in this moment.
            let _ = kill(Pid::from_raw(process.pid), Signal::SIGKILL);
        }
        // Killed, or never started: there is nothing else to be done about it.
        let _ = self.child.wait();
    }
}

/// The variable by which the program's processes are known.
const MARK: &str = "DORMOUSE_BENCH";
