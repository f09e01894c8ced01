//! How a worker ends: whoever wants it to end says so here, and the main thread sees to it.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::OnceLock;

use nix::sys::eventfd::{EfdFlags, EventFd};
use wsgi::control::Cause;

use crate::turn::Turn;

/// The end of this process, once it is wanted.
#[derive(Debug)]
pub(crate) struct Ending {
    turn: Turn,
    /// Readable once the end is wanted; wakes whoever waits for something else.
    wanted: EventFd,
    /// Why it was wanted first.
    cause: OnceLock<Cause>,
}

impl Ending {
    /// An end that nobody wants yet.
    pub(crate) fn new() -> nix::Result<Self> {
        let turn = Turn::default();
        Ok(Self { turn, wanted: event()?, cause: OnceLock::new() })
    }

    /// Whose turn it is to take a connection.
    pub(crate) fn turn(&self) -> &Turn {
        &self.turn
    }

    /// Takes no connection any more, and has the main thread end the process.
    pub(crate) fn want(&self, cause: Cause) {
        // The first cause counts.
        let _ = self.cause.set(cause);
        self.turn.close();
        // It can only fail when it is readable already.
        let _ = self.wanted.write(1);
    }

    /// Why the end was wanted first; `None` while nobody does.
    pub(crate) fn cause(&self) -> Option<Cause> {
        self.cause.get().copied()
    }

    /// Becomes readable when the end is wanted, and stays so.
    pub(crate) fn descriptor(&self) -> BorrowedFd<'_> {
        self.wanted.as_fd()
    }
}

/// An event that nobody has seen yet.
pub(crate) fn event() -> nix::Result<EventFd> {
    EventFd::from_value_and_flags(0, EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)
}
