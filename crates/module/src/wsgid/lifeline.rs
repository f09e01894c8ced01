//! The lifeline: a pipe whose end tells `wsgid` that no process can send it work any more.
//!
//! httpd's parent and all children of a configuration hold the write end, which no program that
//! they execute inherits. Nothing is ever written. When the last of them is gone, however it went,
//! the read end in `wsgid` reports the end of the pipe.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// Both ends of the pipe, as httpd's parent holds them.
#[derive(Debug)]
pub(crate) struct Lifeline {
    held: OwnedFd,
    watched: OwnedFd,
}

impl Lifeline {
    /// A new pipe.
    pub(crate) fn new() -> nix::Result<Self> {
        let (watched, held) = nix::unistd::pipe2(OFlag::O_CLOEXEC)?;
        Ok(Self { held, watched })
    }

    /// The end for `wsgid`.
    pub(crate) fn watched(&self) -> BorrowedFd<'_> {
        self.watched.as_fd()
    }

    /// Lets go of the pipe; true if no child holds it, so that `wsgid` now ends.
    pub(crate) fn let_go(self) -> bool {
        drop(self.held);
        let mut descriptors = [PollFd::new(self.watched.as_fd(), PollFlags::empty())];
        // Without waiting: either it has ended by now, or children of this configuration live on.
        matches!(poll(&mut descriptors, PollTimeout::ZERO), Ok(count) if count > 0)
    }
}
