//! The queue of a group, from its receiving end: requests wait there for a worker (see
//! [`wsgi::protocol::queue`]).

use std::cell::Cell;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{MsgFlags, send};
use sockets::{MOST_FILES, Room, receive};
use wsgi::protocol::frame::{self, FrameType};
use wsgi::protocol::queue::MAX_MESSAGE;

use crate::sys;

/// How long after its end a queue is reported as shut down.
const REPORT_DELAY: Duration = Duration::from_secs(1);

/// Requests that are refused in a row before other groups have their turn.
const MOST_REFUSED: usize = 256;

/// The receiving end of a group's queue.
#[derive(Debug)]
pub(crate) struct Queue {
    receiver: OwnedFd,
    /// Since when it is known that nothing can come: the children are gone, or a process of the
    /// group has shut it down. It stays readable.
    broken: Cell<Option<Instant>>,
    /// That was reported.
    is_reported: Cell<bool>,
    /// A worker may have been woken for a request and not have taken it.
    is_passed_on: Cell<bool>,
}

impl Queue {
    /// The queue whose receiving end httpd's parent has handed on.
    pub(crate) fn new(receiver: OwnedFd) -> Self {
        Self {
            receiver,
            broken: Cell::new(None),
            is_reported: Cell::new(false),
            is_passed_on: Cell::new(false),
        }
    }

    /// The receiving end, for workers.
    pub(crate) fn receiver(&self) -> &OwnedFd {
        &self.receiver
    }

    /// Whether it is known that nothing can come any more.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken.get().is_some()
    }

    /// When it is to be reported that nothing can come; children that are gone end this process
    /// before.
    pub(crate) fn report_at(&self) -> Option<Instant> {
        Some(self.broken.get()? + REPORT_DELAY).filter(|_| !self.is_reported.get())
    }

    /// Whether that is to be reported now; true once.
    pub(crate) fn is_to_report(&self) -> bool {
        let now = self.report_at().is_some_and(|moment| moment <= Instant::now());
        now && !self.is_reported.replace(true)
    }

    /// Whether a request waits that no worker has taken.
    pub(crate) fn has_waiting(&self) -> bool {
        if sys::has_ended(self.receiver.as_fd()) {
            if !self.is_broken() {
                self.broken.set(Some(Instant::now()));
            }
            return false;
        }
        let mut descriptors = [PollFd::new(self.receiver.as_fd(), PollFlags::POLLIN)];
        poll(&mut descriptors, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
    }

    /// Notes that a worker may have been woken for a request and not have taken it.
    pub(crate) fn pass_on(&self) {
        self.is_passed_on.set(true);
    }

    /// Whether requests wait that other workers may not have noticed; true once.
    pub(crate) fn is_passed_on(&self) -> bool {
        self.is_passed_on.take() && self.has_waiting()
    }

    /// Tells the children whose requests wait that there is no worker. The requests that they have
    /// sent are not looked at.
    pub(crate) fn refuse_waiting(&self) {
        let mut answer = Vec::new();
        frame::write(&mut answer, FrameType::Unavailable, |_| {});
        for _ in 0..MOST_REFUSED {
            let mut message = [0; MAX_MESSAGE];
            // As many as the kernel passes: each is the stream of a child's thread that waits.
            let room = Room { files: MOST_FILES, sender: false };
            let Ok(received) = receive(self.receiver.as_fd(), &mut message, room, false) else {
                return;
            };
            let is_empty = received.count == 0;
            // Closed again at the end of each pass.
            for stream in received.files {
                // A child that is gone needs no answer; a stream that is full is none of a child's.
                let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
                let _ = send(stream.as_raw_fd(), &answer, flags);
            }
            if is_empty && !self.has_waiting() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::socket::{
        AddressFamily, ControlMessage, SockFlag, SockType, sendmsg, socketpair,
    };
    use std::io::{IoSlice, Read, Write};
    use std::os::unix::net::UnixStream;

    #[test]
    fn children_are_told_that_there_is_no_worker() {
        let pair =
            socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC);
        let (sender, receiver) = pair.unwrap();
        let queue = Queue::new(receiver);
        assert!(!queue.has_waiting());
        queue.refuse_waiting();
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        ours.write_all(b"x").unwrap();
        let files = [theirs.as_raw_fd()];
        let attached = [ControlMessage::ScmRights(&files)];
        let parts = [IoSlice::new(b"head")];
        let none = MsgFlags::empty();
        sendmsg::<()>(sender.as_raw_fd(), &parts, &attached, none, None).unwrap();
        drop(theirs);
        assert!(queue.has_waiting());
        queue.refuse_waiting();
        assert!(!queue.has_waiting());
        let mut answer = [0; frame::HEADER];
        ours.read_exact(&mut answer).unwrap();
        assert_eq!(frame::Header::decode(answer).unwrap().kind, FrameType::Unavailable);
    }

    #[test]
    fn a_queue_that_was_shut_down_has_nothing_waiting() {
        let flags = SockFlag::SOCK_CLOEXEC;
        let pair = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, flags).unwrap();
        let queue = Queue::new(pair.1);
        nix::sys::socket::send(pair.0.as_raw_fd(), b"head", MsgFlags::empty()).unwrap();
        assert!(queue.has_waiting() && !queue.is_broken());
        queue.refuse_waiting();
        // A hostile worker may do this to the end that it holds, too.
        let how = nix::sys::socket::Shutdown::Read;
        nix::sys::socket::shutdown(queue.receiver().as_raw_fd(), how).unwrap();
        assert!(!queue.has_waiting() && queue.is_broken());
        assert!(queue.report_at().is_some() && !queue.is_to_report(), "not at once");
    }
}
