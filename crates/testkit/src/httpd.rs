//! A running httpd: asked, signalled, looked into, and checked when it ends.

mod config;
mod setup;

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Result, bail};
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::client::{Call, ClientError, Connection};
use crate::log::{Line, Log};
use crate::port;
use crate::tree::{self, Kind, Memory, Process, Tree};
use crate::wait::{LIMIT, holds_within};

pub use setup::{Checked, Setup};

/// Where the application runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// In httpd's own children.
    Embedded,
    /// In processes of its own.
    Daemon,
}

/// A running httpd. Dropped, it is stopped and checked: see [`Httpd::finish`].
#[derive(Debug)]
pub struct Httpd {
    name: String,
    address: SocketAddr,
    /// The `ServerRoot`; `None` once it has been given up.
    directory: Option<TempDir>,
    command: String,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    child: Child,
    tree: Tree,
    log: Log,
    /// How long processes may take to go when the server ends.
    end_limit: Duration,
    /// Whether the test ended the parent process itself, and how.
    ended: Option<Ended>,
    finished: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    Stopped,
    Killed,
}

/// The line that httpd writes once it serves, after a start and after each restart.
const SERVING: &str = "resuming normal operations";

impl Httpd {
    /// A server to be described; the name says whose it is.
    #[expect(clippy::new_ret_no_self, reason = "a server begins as its description")]
    pub fn new(name: &str) -> Setup {
        Setup::new(name)
    }

    /// `httpd -t` on these lines.
    pub fn configtest(conf: &str) -> Checked {
        Setup::new("configtest").conf(conf).configtest()
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its `ServerRoot`.
    ///
    /// # Panics
    /// Never: only [`Httpd::finish`] gives the directory up, and it takes the server.
    pub fn root(&self) -> &Path {
        self.directory.as_ref().expect("the directory lives as long as the server").path()
    }

    /// A GET request.
    pub fn get(&self, target: &str) -> Call {
        self.call("GET", target)
    }

    /// A POST request with a body.
    pub fn post(&self, target: &str, body: impl Into<Vec<u8>>) -> Call {
        self.call("POST", target).body(body)
    }

    /// A PUT request with a body.
    pub fn put(&self, target: &str, body: impl Into<Vec<u8>>) -> Call {
        self.call("PUT", target).body(body)
    }

    /// Any request.
    pub fn call(&self, method: &str, target: &str) -> Call {
        Call::new(self.address, method, target)
    }

    /// A connection for raw bytes or several requests.
    pub fn connect(&self) -> Result<Connection, ClientError> {
        Connection::open(self.address)
    }

    /// Announces that a line with this text appears in the log; it must appear before the end.
    pub fn expect_log(&self, part: &str) {
        self.state().log.expect(part);
    }

    /// Announces that lines with this text may appear in the log.
    pub fn allow_log(&self, part: &str) {
        self.state().log.allow(part);
    }

    /// The error log so far.
    pub fn log(&self) -> String {
        self.state().log.text()
    }

    /// The lines of the error log so far that contain the text.
    pub fn log_lines(&self, part: &str) -> Vec<Line> {
        let lines = self.state().log.lines().into_iter();
        lines.filter(|line| line.text.contains(part)).collect()
    }

    /// Waits until a line with this text is in the error log, and gives the first.
    ///
    /// # Panics
    /// When none comes.
    #[track_caller]
    pub fn wait_for_log(&self, part: &str) -> Line {
        let mut found = None;
        holds_within(LIMIT, || {
            found = self.log_lines(part).into_iter().next();
            found.is_some()
        });
        found.unwrap_or_else(|| panic!("waited {LIMIT:?} in vain for the log line {part:?}"))
    }

    /// The access log so far: `"request line" status bytes`.
    pub fn access_log(&self) -> String {
        fs::read_to_string(self.root().join("logs/access_log")).unwrap_or_default()
    }

    /// Restarts without dropping requests (SIGUSR1), and waits until the new generation serves.
    ///
    /// # Panics
    /// When it does not.
    #[track_caller]
    pub fn graceful(&self) {
        self.restart_by(Signal::SIGUSR1);
    }

    /// Restarts at once (SIGHUP), and waits until the new generation serves.
    ///
    /// # Panics
    /// When it does not.
    #[track_caller]
    pub fn restart(&self) {
        self.restart_by(Signal::SIGHUP);
    }

    /// Stops at once (SIGTERM), and waits until the parent process has ended.
    ///
    /// # Panics
    /// When it does not end.
    #[track_caller]
    pub fn stop(&self) -> ExitStatus {
        self.end_by(Signal::SIGTERM, Ended::Stopped)
    }

    /// Stops when the requests are done (SIGWINCH), and waits until the parent process has ended.
    ///
    /// # Panics
    /// When it does not end.
    #[track_caller]
    pub fn graceful_stop(&self) -> ExitStatus {
        self.end_by(Signal::SIGWINCH, Ended::Stopped)
    }

    /// Kills the parent process (SIGKILL) and nothing else. At the end httpd's children, who cannot
    /// notice, are killed first; everything else must go by itself.
    ///
    /// # Panics
    /// When it does not die.
    #[track_caller]
    pub fn kill_parent(&self) -> ExitStatus {
        self.end_by(Signal::SIGKILL, Ended::Killed)
    }

    /// The living processes of the server, parents before children.
    pub fn processes(&self) -> Vec<Process> {
        self.state().tree.processes()
    }

    /// The ids of the living processes of this kind.
    pub fn pids(&self, kind: Kind) -> Vec<i32> {
        let processes = self.processes().into_iter();
        processes.filter(|process| process.kind == kind).map(|process| process.pid).collect()
    }

    /// Sends a signal to one of the server's processes.
    ///
    /// # Panics
    /// When the process is not one of them, or has ended.
    #[track_caller]
    pub fn signal(&self, pid: i32, signal: Signal) {
        let known = self.processes().iter().any(|process| process.pid == pid);
        assert!(known, "process {pid} is none of this server's");
        kill(Pid::from_raw(pid), signal)
            .unwrap_or_else(|error| panic!("{signal} to {pid}: {error}"));
    }

    /// The memory map of a process.
    ///
    /// # Panics
    /// When the process has ended.
    #[track_caller]
    pub fn maps(&self, pid: i32) -> String {
        tree::maps(pid).unwrap_or_else(|error| panic!("{error:#}"))
    }

    /// The memory of a process.
    ///
    /// # Panics
    /// When the process has ended.
    #[track_caller]
    pub fn memory(&self, pid: i32) -> Memory {
        Memory::of(pid).unwrap_or_else(|error| panic!("{error:#}"))
    }

    /// Ends the server and checks it: it must have lived until now and end cleanly, leave no
    /// process and no socket, and have logged exactly what was announced.
    ///
    /// The error lists what was wrong, and the configuration, the command and the log. The
    /// directory is kept then.
    pub fn finish(mut self) -> Result<()> {
        self.finish_once()
    }

    fn finish_once(&mut self) -> Result<()> {
        settle(self.address);
        let root = self.root().to_owned();
        let mut state = self.state();
        state.finished = true;
        let mut findings = state.end();
        findings.extend(sockets(&root).map(|path| format!("left behind: {}", path.display())));
        findings.extend(state.log.findings());
        drop(state);
        if findings.is_empty() {
            return Ok(());
        }
        let report = self.report(&findings.join("\n"));
        self.keep_directory();
        bail!(report)
    }

    /// Everything that helps to understand a failure.
    fn report(&self, findings: &str) -> String {
        setup::report(&self.name, findings, &self.command, self.root())
    }

    fn keep_directory(&mut self) {
        if let Some(directory) = &mut self.directory {
            directory.disable_cleanup(true);
        }
    }

    #[track_caller]
    fn restart_by(&self, signal: Signal) {
        let served = self.log_lines(SERVING).len();
        settle(self.address);
        self.signal(self.parent(), signal);
        let restarted = holds_within(LIMIT, || self.log_lines(SERVING).len() > served);
        assert!(restarted, "httpd does not serve again after {signal}:\n{}", self.log());
    }

    #[track_caller]
    fn end_by(&self, signal: Signal, ended: Ended) -> ExitStatus {
        settle(self.address);
        // Remembers the processes while their parents can still be seen.
        self.signal(self.parent(), signal);
        let mut state = self.state();
        state.ended = Some(ended);
        state.wait_for_parent(LIMIT).unwrap_or_else(|| panic!("httpd does not end by {signal}"))
    }

    fn parent(&self) -> i32 {
        pid_of(&self.state().child).as_raw()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A failed assertion of another thread does not make the state wrong.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A child of the event MPM that is told to end while a thread of it closes a connection may die of
/// it (a plain httpd as well, once in some hundred times), and then does nothing of what it does at
/// its end. So connections are waited for that the last request has left behind, unless a test
/// keeps them.
fn settle(address: SocketAddr) {
    holds_within(CLOSING, || port::is_quiet(address.port()));
}

/// How long connections are waited for that a client may want to keep.
const CLOSING: Duration = Duration::from_millis(200);

impl Drop for Httpd {
    fn drop(&mut self) {
        if self.state().finished {
            return;
        }
        let outcome = self.finish_once();
        if thread::panicking() {
            self.keep_directory();
            let findings = outcome.err().map_or_else(
                || self.report("the test failed while this server ran"),
                |error| format!("{error:#}"),
            );
            eprintln!("{findings}");
        } else if let Err(error) = outcome {
            panic!("{error:#}");
        }
    }
}

impl State {
    /// Ends everything that is left; the findings say what should not have been.
    fn end(&mut self) -> Vec<String> {
        let mut findings = Vec::new();
        // Remembers the processes while their parents can still be seen.
        self.tree.processes();
        if self.ended.is_none() {
            // Announced lines may take a moment to be written.
            let limit = WAIT_LIMIT.min(self.end_limit);
            holds_within(limit, || self.log.is_complete() || self.parent_status().is_some());
            match self.parent_status() {
                Some(status) => {
                    findings.push(format!("httpd had ended by itself: {status}"));
                    self.ended = Some(Ended::Killed);
                }
                None => findings.extend(self.stop()),
            }
        }
        if self.ended == Some(Ended::Killed) {
            self.kill_children();
        }
        if !holds_within(self.end_limit, || self.tree.processes().is_empty()) {
            for process in self.tree.processes() {
                findings.push(format!("left behind: process {} {}", process.pid, process.command));
                // It may end by itself in this moment.
                let _ = kill(Pid::from_raw(process.pid), Signal::SIGKILL);
            }
        }
        findings
    }

    fn stop(&mut self) -> Option<String> {
        match kill(pid_of(&self.child), Signal::SIGTERM) {
            Ok(()) | Err(Errno::ESRCH) => {}
            Err(error) => return Some(format!("cannot stop httpd: {error}")),
        }
        match self.wait_for_parent(LIMIT) {
            Some(status) if status.success() => None,
            Some(status) => Some(format!("httpd ended badly: {status}")),
            None => Some(format!("httpd did not end within {LIMIT:?}")),
        }
    }

    fn wait_for_parent(&mut self, limit: Duration) -> Option<ExitStatus> {
        let mut status = None;
        holds_within(limit, || {
            status = self.parent_status();
            status.is_some()
        });
        status
    }

    fn parent_status(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child of this process can be waited for")
    }

    /// Kills httpd's children, as needed when their parent was killed: they take orders from no
    /// other process.
    fn kill_children(&mut self) {
        let processes = self.tree.processes().into_iter();
        for child in processes.filter(|process| process.kind == Kind::Child) {
            // It may end by itself in this moment.
            let _ = kill(Pid::from_raw(child.pid), Signal::SIGKILL);
        }
    }
}

/// For what normally has happened already.
const WAIT_LIMIT: Duration = Duration::from_secs(5);

fn pid_of(child: &Child) -> Pid {
    Pid::from_raw(child.id().try_into().expect("Linux has no larger process ids"))
}

/// The sockets in the server's runtime directory.
fn sockets(root: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let entries = fs::read_dir(root.join("run")).into_iter().flatten().filter_map(Result::ok);
    let sockets =
        entries.filter(|entry| entry.file_type().is_ok_and(|file_type| file_type.is_socket()));
    sockets.map(|entry| entry.path())
}
