//! Running httpd until it ends.
//!
//! On a terminal httpd gets a process group of its own, because a terminal signals the whole group
//! of its foreground: a window that changes its size sends SIGWINCH, which for httpd means to stop.
//! The signals that people mean for the server are passed on. Elsewhere, as under a container's or
//! system's manager, this process becomes httpd.

use std::io::{self, IsTerminal as _};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, Command, ExitCode, ExitStatus};

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use signal_hook::iterator::Signals;

/// Returns when httpd has ended, with its exit code; or does not return.
pub(crate) fn run(mut command: Command) -> Result<ExitCode> {
    let program = command.get_program().display().to_string();
    if !io::stdout().is_terminal() {
        let error = command.exec();
        return Err(error).with_context(|| format!("cannot run {program}"));
    }
    let caught =
        [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGUSR1, Signal::SIGCHLD];
    // Before the start, so that none is lost; httpd begins with the default handlers again.
    let mut signals =
        Signals::new(caught.map(|signal| signal as i32)).context("cannot handle signals")?;
    let mut child =
        command.process_group(0).spawn().with_context(|| format!("cannot run {program}"))?;
    let status = supervise(&mut child, &mut signals)?;
    Ok(exit_code(status))
}

fn supervise(child: &mut Child, signals: &mut Signals) -> Result<ExitStatus> {
    for number in signals.forever() {
        let signal = Signal::try_from(number).context("an unknown signal")?;
        if signal == Signal::SIGCHLD {
            if let Some(status) = child.try_wait().context("cannot wait for httpd")? {
                return Ok(status);
            }
            continue;
        }
        // A terminal that was closed sends SIGHUP, too, and then no user can stop httpd.
        let hung_up = signal == Signal::SIGHUP && !io::stdout().is_terminal();
        pass_on(child, if hung_up { Signal::SIGTERM } else { signal })?;
    }
    // Only a closed handle ends the signals, and no code has one.
    child.wait().context("cannot wait for httpd")
}

fn pass_on(child: &Child, signal: Signal) -> Result<()> {
    let pid = i32::try_from(child.id()).context("a process id fits")?;
    match kill(Pid::from_raw(pid), signal) {
        // It ended in this moment; SIGCHLD comes next.
        Ok(()) | Err(Errno::ESRCH) => Ok(()),
        Err(error) => Err(error).with_context(|| format!("cannot pass {signal} on to httpd")),
    }
}

/// As a shell shows it: a signal's number plus 128.
fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    ExitCode::from(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX))
}
