//! Starting `wsgid`, and asking it to check a plan or to look where paths lead.

use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use httpd::{OtherChild, Server};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use wsgi::process::lead::Lead;
use wsgi::process::plan::{Plan, Report};

use crate::sys;

/// Why `wsgid` could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SupervisorError {
    #[error(
        "{program} cannot be started: {error}; mod_wsgi.so, wsgid and _mod_wsgi.abi3.so have to \
         lie in one directory"
    )]
    Start { program: PathBuf, error: std::io::Error },
    #[error("wsgid cannot be told what to do: {0}")]
    Tell(std::io::Error),
    #[error("wsgid gave no answer: {0}")]
    Answer(std::io::Error),
    #[error(
        "wsgid gave no answer within {0:?}: the user database may hang, or a file system that the \
         configuration names paths of (NFS, FUSE); mend or unmount it, or name other paths"
    )]
    Silent(Duration),
    #[error("wsgid gave an answer that makes no sense ({0}); it may be of another version")]
    Nonsense(String),
}

/// How long `wsgid` may take to begin.
const WAIT_LIMIT: Duration = Duration::from_mins(1);
/// How long the end of a `wsgid` that was killed is waited for: one that hangs in the kernel is
/// left to itself.
const END: Duration = Duration::from_millis(50);

/// Has `wsgid` look for mistakes in a plan, for which it may take as long as `limit`.
pub(crate) fn check(
    main: Server<'_>,
    plan: &Plan,
    limit: Duration,
) -> Result<Report, SupervisorError> {
    let mut wsgid = spawn(command("check"))?;
    let mut answer = Vec::new();
    match converse(&mut wsgid, serde_json::to_vec(plan), limit, &mut answer) {
        Ok(()) => drop(wsgid.wait()),
        Err(error) => {
            give_up(main, wsgid);
            return Err(error);
        }
    }
    serde_json::from_slice(&answer).map_err(|error| SupervisorError::Nonsense(error.to_string()))
}

/// Has a `wsgid` find out where paths lead; `None` for those of which it has not said that within
/// `limit`.
pub(crate) fn leads(
    main: Server<'_>,
    paths: &[&str],
    limit: Duration,
) -> Result<Vec<Option<Lead>>, SupervisorError> {
    let mut command = command("leads");
    // It may hang for ever, and must not keep a log open.
    command.stderr(Stdio::null());
    let mut wsgid = spawn(command)?;
    let mut answer = Vec::new();
    match converse(&mut wsgid, serde_json::to_vec(paths), limit, &mut answer) {
        Ok(()) => drop(wsgid.wait()),
        Err(SupervisorError::Silent(_)) => give_up(main, wsgid),
        Err(error) => {
            give_up(main, wsgid);
            return Err(error);
        }
    }
    let mut leads = vec![None; paths.len()];
    for line in answer.split_inclusive(|byte| *byte == b'\n') {
        // The last line may be cut.
        let Ok((index, lead)) = serde_json::from_slice::<(usize, Lead)>(line) else { continue };
        if let Some(known) = leads.get_mut(index) {
            *known = Some(lead);
        }
    }
    Ok(leads)
}

/// Ends a `wsgid` whose answer is not wanted any more.
fn give_up(main: Server<'_>, mut wsgid: Child) {
    let _ = wsgid.kill();
    let pid = i32::try_from(wsgid.id()).unwrap_or(0);
    sys::wait_for_end(pid, END);
    if matches!(wsgid.try_wait(), Ok(None)) {
        // Else the parent would wonder whose child it is when it has ended.
        httpd::watch_process(main, pid, LeftBehind);
    }
}

/// Takes note of the end of a `wsgid` that was killed, which is of no further interest.
struct LeftBehind;

impl OtherChild for LeftBehind {
    fn ended(self, _pid: i32, _status: i32) {}
}

/// A `wsgid` that runs.
#[derive(Debug)]
pub(crate) struct RunningSupervisor {
    /// Its process id.
    pub(crate) pid: i32,
    /// Groups that could not be started, one sentence each; the others run.
    pub(crate) problems: Vec<String>,
}

/// Starts `wsgid` for a plan, and returns once it runs. `inherited` are the descriptors of
/// [`wsgi::process::plan::supervisor_descriptor`], in the order of their numbers.
pub(crate) fn serve(
    plan: &Plan,
    inherited: &[BorrowedFd<'_>],
) -> Result<RunningSupervisor, SupervisorError> {
    let mut command = command("serve");
    sys::hand_on(&mut command, inherited);
    let mut wsgid = spawn(command)?;
    let pid = i32::try_from(wsgid.id()).unwrap_or(0);
    let mut answer = Vec::new();
    match converse(&mut wsgid, serde_json::to_vec(plan), WAIT_LIMIT, &mut answer) {
        Ok(()) => {
            let problems = String::from_utf8_lossy(&answer).lines().map(str::to_owned).collect();
            Ok(RunningSupervisor { pid, problems })
        }
        Err(error) => {
            let _ = wsgid.kill();
            let _ = wsgid.wait();
            Err(error)
        }
    }
}

fn command(what: &str) -> Command {
    let mut command = Command::new(sys::own_directory().join("wsgid"));
    command.arg(what).stdin(Stdio::piped()).stdout(Stdio::piped());
    command
}

fn spawn(mut command: Command) -> Result<Child, SupervisorError> {
    command.spawn().map_err(|error| {
        let program = command.get_program().into();
        SupervisorError::Start { program, error }
    })
}

/// Sends `question`, and reads the answer to its end. The part that has come is in `answer` in any
/// case.
fn converse(
    wsgid: &mut Child,
    question: serde_json::Result<Vec<u8>>,
    limit: Duration,
    answer: &mut Vec<u8>,
) -> Result<(), SupervisorError> {
    let text = question.map_err(|error| SupervisorError::Tell(error.into()))?;
    let missing = || std::io::Error::from(std::io::ErrorKind::BrokenPipe);
    let mut input = wsgid.stdin.take().ok_or_else(missing).map_err(SupervisorError::Tell)?;
    input.write_all(&text).map_err(SupervisorError::Tell)?;
    drop(input);
    let mut output = wsgid.stdout.take().ok_or_else(missing).map_err(SupervisorError::Answer)?;
    read_to_end(&mut output, limit, answer).map_err(|error| match error.kind() {
        std::io::ErrorKind::TimedOut => SupervisorError::Silent(limit),
        _ => SupervisorError::Answer(error),
    })
}

fn read_to_end(
    output: &mut ChildStdout,
    limit: Duration,
    answer: &mut Vec<u8>,
) -> std::io::Result<()> {
    let deadline = Instant::now() + limit;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let mut descriptors = [PollFd::new(output.as_fd(), PollFlags::POLLIN)];
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::ZERO);
        match poll(&mut descriptors, timeout) {
            Ok(0) => return Err(std::io::ErrorKind::TimedOut.into()),
            Err(nix::Error::EINTR) => continue,
            other => other?,
        };
        let mut piece = [0; 4096];
        match output.read(&mut piece)? {
            0 => return Ok(()),
            count => answer.extend_from_slice(&piece[..count]),
        }
    }
}
