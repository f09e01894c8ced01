//! How a worker ends: a thread that wants it to end says so here, and the main thread sees to it.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::OnceLock;

use nix::sys::eventfd::{EfdFlags, EventFd};
use wsgi::process::control::Cause;

/// The end of this process, once it is wanted.
#[derive(Debug)]
pub(crate) struct Shutdown {
    /// Readable once the end is wanted; wakes every thread that waits for something.
    wanted: EventFd,
    /// Why it was wanted first.
    cause: OnceLock<Cause>,
}

impl Shutdown {
    /// An end that is not wanted yet.
    pub(crate) fn new() -> nix::Result<Self> {
        Ok(Self { wanted: event()?, cause: OnceLock::new() })
    }

    /// No request is taken any more, and the main thread ends the process.
    pub(crate) fn request(&self, cause: Cause) {
        // The first cause counts.
        let _ = self.cause.set(cause);
        // It can only fail when it is readable already.
        let _ = self.wanted.write(1);
    }

    /// Why the end was wanted first; `None` while it is not.
    pub(crate) fn cause(&self) -> Option<Cause> {
        self.cause.get().copied()
    }

    /// Becomes readable when the end is wanted, and stays so.
    pub(crate) fn descriptor(&self) -> BorrowedFd<'_> {
        self.wanted.as_fd()
    }
}

/// An event counter, which does not block.
pub(crate) fn event() -> nix::Result<EventFd> {
    EventFd::from_value_and_flags(0, EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)
}
