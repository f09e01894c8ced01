//! A process that this one has started, or taken in: known for certain until its end was noticed.
//!
//! Process ids are used again once a process was reaped, so what is to be signalled is held by a
//! pidfd. Kernels before 5.3 have none; there the id alone has to do, which is safe because this
//! process reaps its children itself, and tells the holder of one of its end in the same step.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::os::fd::{AsFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;

use crate::sys;

thread_local! {
    /// The ids of all processes that are held. This program has one thread.
    static HELD: RefCell<BTreeSet<i32>> = const { RefCell::new(BTreeSet::new()) };
}

/// A child of this process.
#[derive(Debug)]
pub(crate) struct Process {
    pid: i32,
    /// `None` where the kernel has no pidfd.
    handle: Option<OwnedFd>,
    reaped: bool,
}

impl Process {
    /// The process with this id; `None` if it is no child of this process, or is held already, so
    /// that nothing may be done to it on this account. The id may come from any process.
    pub(crate) fn hold(pid: i32) -> Option<Self> {
        let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
        // Id 0 and negative ones stand for several processes.
        if pid <= 0 || waitid(Id::Pid(Pid::from_raw(pid)), flags) == Err(Errno::ECHILD) {
            return None;
        }
        if !HELD.with_borrow_mut(|held| held.insert(pid)) {
            return None;
        }
        // No other process gets the id before this process has reaped its child.
        Some(Self { pid, handle: sys::open_process(pid), reaped: false })
    }

    /// Its id.
    pub(crate) fn pid(&self) -> i32 {
        self.pid
    }

    /// Notes that it was reaped: its id may be that of another process by now.
    pub(crate) fn set_reaped(&mut self) {
        self.reaped = true;
    }

    /// Sends it a signal, if it has not ended.
    pub(crate) fn signal(&self, signal: Signal) {
        if self.reaped {
            return;
        }
        // It may have ended by itself, which is noticed in a moment.
        match &self.handle {
            Some(handle) => sys::signal_process(handle.as_fd(), signal),
            None => drop(kill(Pid::from_raw(self.pid), signal)),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        HELD.with_borrow_mut(|held| held.remove(&self.pid));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt;
    use std::process::Command;

    #[test]
    fn a_child_is_held_once_and_signalled_until_its_end() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let mut process = Process::hold(pid).unwrap();
        assert_eq!(process.pid(), pid);
        assert!(Process::hold(pid).is_none(), "it is held already");
        process.signal(Signal::SIGKILL);
        assert_eq!(child.wait().unwrap().signal(), Some(Signal::SIGKILL as i32));
        process.signal(Signal::SIGKILL);
        process.set_reaped();
        process.signal(Signal::SIGKILL);
        drop(process);
        assert!(Process::hold(pid).is_none(), "it is no child any more");
    }

    #[test]
    fn what_is_no_child_is_not_held() {
        let parent = i32::try_from(std::os::unix::process::parent_id()).unwrap();
        for pid in [1, parent, 0, -1, i32::MIN] {
            assert!(Process::hold(pid).is_none(), "{pid}");
        }
    }

    #[test]
    fn a_kernel_without_pidfd_has_the_id() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let mut process = Process::hold(pid).unwrap();
        process.handle = None;
        process.signal(Signal::SIGKILL);
        assert_eq!(child.wait().unwrap().signal(), Some(Signal::SIGKILL as i32));
        process.set_reaped();
    }
}
