//! The queue of the process group, from its receiving end: requests are taken here (see
//! [`wsgi::protocol::queue`]).

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use sockets::{Received, Room, receive};
use wsgi::protocol::frame_decoder::FrameDecoder;
use wsgi::protocol::queue::KNOCK;

use crate::sys;

/// The receiving end of the queue. Other workers of the group hold it, too.
#[derive(Debug)]
pub(crate) struct Queue {
    receiver: OwnedFd,
    /// There was no descriptor for the last request.
    is_short: AtomicBool,
}

/// A request that was taken: the beginning of its frame, and the stream that the rest comes on.
#[derive(Debug)]
pub(crate) struct Taken {
    pub(crate) stream: UnixStream,
    pub(crate) decoder: FrameDecoder,
}

/// Why no request was taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TakeError {
    /// There is none now: another worker was faster.
    #[error("no request waits")]
    Nothing,
    /// No child of httpd can send requests any more.
    #[error("no child of httpd holds the queue")]
    Ended,
    /// There are too many open files, or there is no memory, for another request. The one that was
    /// to be taken still waits, or its child has been told to send it again.
    #[error("{error}")]
    Shortage {
        error: nix::Error,
        /// It was so before.
        is_known: bool,
    },
    /// The message is none of a child's.
    #[error("a message without a stream of its own")]
    Nonsense,
    /// The queue cannot be used.
    #[error("{0}")]
    Broken(nix::Error),
}

impl Queue {
    /// Takes the queue over that this process was started with.
    pub(crate) fn new(receiver: OwnedFd) -> Self {
        Self { receiver, is_short: AtomicBool::new(false) }
    }

    /// Whether there is a descriptor for a request, as far as is known: that is looked at after a
    /// shortage. A request that is taken without one is lost, and its child has to send it again.
    pub(crate) fn has_room(&self) -> bool {
        !self.is_short.load(Ordering::Relaxed) || self.receiver.try_clone().is_ok()
    }

    /// Whether a request waits.
    pub(crate) fn has_waiting(&self) -> bool {
        let mut descriptors = [PollFd::new(self.receiver.as_fd(), PollFlags::POLLIN)];
        poll(&mut descriptors, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
    }

    /// Takes the next request, if one waits.
    pub(crate) fn take(&self) -> Result<Taken, TakeError> {
        use nix::errno::Errno::{EAGAIN, EINTR, EMFILE, ENFILE, ENOBUFS, ENOMEM};
        let mut decoder = FrameDecoder::default();
        // One belongs there. A second is seen, and so is that there were more; the kernel has
        // closed those.
        let room = Room { files: 2, sender: false };
        let received = receive(self.receiver.as_fd(), decoder.room(), room, false);
        let Received { count, files, is_cut, .. } = received.map_err(|error| match error {
            EAGAIN | EINTR => TakeError::Nothing,
            EMFILE | ENFILE | ENOBUFS | ENOMEM => self.shortage(error),
            error => TakeError::Broken(error),
        })?;
        if count == 0 {
            // An empty message is none of a child's; whatever came with it is closed here.
            return Err(if sys::has_ended(self.receiver.as_fd()) {
                TakeError::Ended
            } else {
                TakeError::Nonsense
            });
        }
        let mut files = files.into_iter();
        let is_knock = count == KNOCK.len();
        match (files.next(), files.next()) {
            (Some(file), None) => {
                if self.is_short.load(Ordering::Relaxed) {
                    self.is_short.store(false, Ordering::Relaxed);
                }
                decoder.received(count);
                Ok(Taken { stream: file.into(), decoder })
            }
            (None, _) if is_knock => Err(TakeError::Nothing),
            // The kernel had no number for it. Its child sees a reset, and asks again.
            (None, _) if is_cut => Err(self.shortage(EMFILE)),
            _ => Err(TakeError::Nonsense),
        }
    }

    fn shortage(&self, error: nix::Error) -> TakeError {
        let is_known = self.is_short.swap(true, Ordering::Relaxed);
        TakeError::Shortage { error, is_known }
    }
}

impl AsFd for Queue {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.receiver.as_fd()
    }
}
