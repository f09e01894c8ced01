//! The attributes that a new process changes of itself before it executes its program: system
//! calls, and nothing else.

use std::os::fd::RawFd;

use nix::errno::Errno;
use nix::unistd::{Gid, Uid};

pub(super) fn check(result: libc::c_int) -> nix::Result<()> {
    Errno::result(result).map(drop)
}

pub(super) fn duplicate(from: RawFd, place: RawFd) -> libc::c_int {
    // SAFETY: both are numbers; `place` belongs to the new process alone, which has not begun.
    unsafe { libc::dup2(from, place) }
}

pub(super) fn set_priority(priority: libc::c_int) -> nix::Result<()> {
    // SAFETY: the call sets an attribute of the new process.
    check(unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, priority) })
}

pub(super) fn set_groups(groups: &[libc::gid_t]) -> nix::Result<()> {
    // SAFETY: the pointer leads to as many groups as the length says.
    check(unsafe { libc::setgroups(groups.len(), groups.as_ptr()) })
}

/// A change of user that did not take must not go unnoticed.
pub(super) fn prove_dropped(uid: Uid, gid: Gid) -> nix::Result<()> {
    let changed = Uid::current() == uid
        && Uid::effective() == uid
        && Gid::current() == gid
        && Gid::effective() == gid
        && (uid.is_root() || nix::unistd::setuid(Uid::from_raw(0)).is_err());
    if changed { Ok(()) } else { Err(Errno::EPERM) }
}

/// Programs must not inherit the signals that `wsgid` has blocked or ignored.
pub(super) fn reset_signals() -> nix::Result<()> {
    use nix::sys::signal::{SigHandler, SigSet, SigmaskHow, Signal, signal, sigprocmask};
    for number in [Signal::SIGPIPE, Signal::SIGINT, Signal::SIGHUP, Signal::SIGUSR1] {
        // SAFETY: the default disposition runs no code of ours.
        unsafe { signal(number, SigHandler::SigDfl) }?;
    }
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)
}

/// Has the kernel end this process when `parent` ends, whatever ends it.
pub(super) fn die_with(parent: u32) -> nix::Result<()> {
    // SAFETY: the call sets an attribute of this process.
    check(unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM) })?;
    let is_there = std::os::unix::process::parent_id() == parent;
    if is_there { Ok(()) } else { Err(Errno::ESRCH) }
}
