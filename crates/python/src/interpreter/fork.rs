//! Forks of a process that runs Python: one whose copy is a child of the supervisor alone, and one
//! that other code has made.

use std::io;

use pyo3_ffi as ffi;

use crate::attach::attached::{self, Attached, InterpreterId};
use crate::interpreter::Interpreter;

/// Which of the two processes this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fork {
    /// The one that called.
    Original,
    /// The new one, whose parent is the process that takes in orphans (`PR_SET_CHILD_SUBREAPER`).
    Copy,
}

impl Attached<'_> {
    /// Makes a copy of this process, with Python's own hooks around the fork
    /// (`os.register_at_fork`), and leaves it to the process that takes in orphans. The copy goes
    /// on where the original does, with the calling thread alone, and first of all does `begin`,
    /// before any hook that could keep it.
    ///
    /// # Errors
    /// The kernel makes no process: there are too many, or there is no memory.
    ///
    /// # Panics
    /// If the thread is not attached to the main interpreter: CPython ends all others in the copy.
    pub fn fork_orphan(self, begin: impl FnOnce()) -> io::Result<Fork> {
        assert_eq!(self.interpreter(), InterpreterId::MAIN, "forks keep the main interpreter only");
        // SAFETY: attached; what was begun here is ended below in each process that goes on.
        unsafe { ffi::PyOS_BeforeFork() };
        // SAFETY: the copies either go on as CPython's documentation asks, or end at once without
        // running anything.
        let between = unsafe { libc::fork() };
        if between == 0 {
            // SAFETY: as above.
            match unsafe { libc::fork() } {
                0 => {
                    begin();
                    // SAFETY: the pair of `PyOS_BeforeFork` in a child.
                    unsafe { ffi::PyOS_AfterFork_Child() };
                    return Ok(Fork::Copy);
                }
                // SAFETY: it ends this process, in which nothing else has happened.
                pid => unsafe { libc::_exit(i32::from(pid < 0)) },
            }
        }
        let made = if between < 0 { Err(io::Error::last_os_error()) } else { end_of(between) };
        // SAFETY: the pair of `PyOS_BeforeFork` in the parent.
        unsafe { ffi::PyOS_AfterFork_Parent() };
        made.map(|()| Fork::Original)
    }
}

impl Interpreter {
    /// In a process that other code forked without a call to Python: does what Python would have
    /// done, with the hooks of `os.register_at_fork`. To be called once, by the thread that has
    /// forked, before there are others, and if no thread of the original was attached at the time.
    ///
    /// # Panics
    /// If this is not the main interpreter: CPython ends all others. If the thread is attached.
    pub fn after_fork_by_others(&self) {
        assert_eq!(self.id(), InterpreterId::MAIN, "forks keep the main interpreter only");
        assert_eq!(attached::current(), None, "no thread was attached when the process was forked");
        // The hooks behind a fork release the locks that those before it acquire, so both must run.
        // No thread held those locks at the fork, so it makes no difference that they are acquired
        // behind it.
        // SAFETY: attached; the second call is the pair of the first in the new process.
        self.attach(|_py| unsafe {
            ffi::PyOS_BeforeFork();
            ffi::PyOS_AfterFork_Child();
        });
    }
}

/// Waits for the process between, which ends as soon as it has forked.
fn end_of(pid: libc::pid_t) -> io::Result<()> {
    let mut status = 0;
    loop {
        // SAFETY: a child of this process, and a place for its status.
        let ended = unsafe { libc::waitpid(pid, &raw mut status, 0) };
        if ended == pid {
            break;
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
    if status == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(libc::EAGAIN)) }
}
