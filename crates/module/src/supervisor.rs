//! Starting `wsgid` and asking it to check a plan.

use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use wsgi::plan::{Plan, Report};

use crate::sys;

/// Why `wsgid` could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SupervisorError {
    #[error(
        "{program} cannot be started: {error}; mod_wsgi.so, wsgid and _mod_wsgi.abi3.so have to lie \
         in one directory"
    )]
    Start { program: PathBuf, error: std::io::Error },
    #[error("wsgid cannot be told what to do: {0}")]
    Tell(std::io::Error),
    #[error("wsgid gave no answer: {0}")]
    Answer(std::io::Error),
    #[error("wsgid gave no answer within {0:?}")]
    Silent(Duration),
    #[error("wsgid gave an answer that makes no sense ({0}); it may be of another version")]
    Nonsense(String),
}

/// How long `wsgid` may take to begin.
const PATIENCE: Duration = Duration::from_mins(1);
/// How long the end of a `wsgid` that was killed is waited for: one that hangs in the kernel is left to itself.
const END: Duration = Duration::from_millis(200);

/// Has `wsgid` look for mistakes in a plan, for which it may take as long as `limit`.
pub(crate) fn check(plan: &Plan, limit: Duration) -> Result<Report, SupervisorError> {
    let mut wsgid = spawn("check", &[])?;
    let answer = converse(&mut wsgid, plan, limit);
    if answer.is_err() {
        // It has not ended by itself, and its answer is not wanted any more.
        let _ = wsgid.kill();
        sys::wait_for_end(i32::try_from(wsgid.id()).unwrap_or(0), END);
        let _ = wsgid.try_wait();
    } else {
        let _ = wsgid.wait();
    }
    let answer = answer?;
    serde_json::from_slice(&answer).map_err(|error| SupervisorError::Nonsense(error.to_string()))
}

/// A `wsgid` that runs.
#[derive(Debug)]
pub(crate) struct Serving {
    /// Its process id.
    pub(crate) pid: i32,
    /// Groups that could not be started, one sentence each; the others run.
    pub(crate) problems: Vec<String>,
}

/// Starts `wsgid` for a plan, and returns once it runs. `inherited` are the descriptors of
/// [`wsgi::plan::supervisor_descriptor`], in the order of their numbers.
pub(crate) fn serve(plan: &Plan, inherited: &[BorrowedFd<'_>]) -> Result<Serving, SupervisorError> {
    let mut wsgid = spawn("serve", inherited)?;
    let pid = i32::try_from(wsgid.id()).unwrap_or(0);
    match converse(&mut wsgid, plan, PATIENCE) {
        Ok(answer) => {
            let problems = String::from_utf8_lossy(&answer).lines().map(str::to_owned).collect();
            Ok(Serving { pid, problems })
        }
        Err(error) => {
            let _ = wsgid.kill();
            let _ = wsgid.wait();
            Err(error)
        }
    }
}

fn spawn(what: &str, inherited: &[BorrowedFd<'_>]) -> Result<std::process::Child, SupervisorError> {
    let program = sys::own_directory().join("wsgid");
    let mut command = Command::new(&program);
    command.arg(what).stdin(Stdio::piped()).stdout(Stdio::piped());
    sys::hand_on(&mut command, inherited);
    command.spawn().map_err(|error| SupervisorError::Start { program, error })
}

/// Sends the plan and reads the answer to its end.
fn converse(
    wsgid: &mut std::process::Child,
    plan: &Plan,
    limit: Duration,
) -> Result<Vec<u8>, SupervisorError> {
    let text = serde_json::to_vec(plan).map_err(|error| SupervisorError::Tell(error.into()))?;
    let missing = || std::io::Error::from(std::io::ErrorKind::BrokenPipe);
    let mut input = wsgid.stdin.take().ok_or_else(missing).map_err(SupervisorError::Tell)?;
    input.write_all(&text).map_err(SupervisorError::Tell)?;
    drop(input);
    let mut output = wsgid.stdout.take().ok_or_else(missing).map_err(SupervisorError::Answer)?;
    read_to_end(&mut output, limit).map_err(|error| match error.kind() {
        std::io::ErrorKind::TimedOut => SupervisorError::Silent(limit),
        _ => SupervisorError::Answer(error),
    })
}

fn read_to_end(
    output: &mut std::process::ChildStdout,
    limit: Duration,
) -> std::io::Result<Vec<u8>> {
    let deadline = Instant::now() + limit;
    let mut answer = Vec::new();
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
            0 => return Ok(answer),
            count => answer.extend_from_slice(&piece[..count]),
        }
    }
}
