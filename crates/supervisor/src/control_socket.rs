//! The control socket to a worker or template: a message each way now and then, see
//! [`wsgi::process::control`].
//!
//! No descriptor belongs to a message. One that comes all the same is a trap: the end of a socket
//! that lingers, or of a file in a file system that does not answer, may take as long as its owner
//! likes, and the kernel has the receiver wait for it, whether there is room for the descriptor or
//! not. So what comes is looked at before it is received, and a control socket with a descriptor in
//! it is neither heard nor closed any more.

use std::cell::Cell;
use std::io::{self, IoSlice, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::rc::Rc;

use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg, setsockopt, sockopt};
use sockets::{Received, Room, peek, receive};
use wsgi::process::control::{SupervisorMessage, WorkerMessage};

/// The control socket.
#[derive(Debug)]
pub(crate) struct ControlSocket {
    socket: Rc<UnixStream>,
    /// A descriptor has come.
    is_kept: bool,
    kept: Kept,
    /// The other side has closed its end.
    ended: bool,
    /// So many bytes were no messages.
    nonsense: usize,
    report: Report,
}

/// The report on a control socket that the log is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Report {
    Nothing,
    /// It was closed because the other side says what makes no sense.
    Nonsense,
    Done,
}

/// The control sockets of a group that are never closed, because descriptors have come.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kept(Rc<Cell<usize>>);

impl Kept {
    /// Whether there are so many that the group has to do without new ones.
    pub(crate) fn are_many(&self) -> bool {
        self.0.get() >= MOST_KEPT
    }
}

/// So many control sockets of a group are kept open before no more are made: each is a descriptor
/// of this process.
const MOST_KEPT: usize = 4;

/// How many messages of one process are read before those of the others: none has that many to
/// send.
const MOST_MESSAGES: usize = 64;

/// How many bytes that are no messages a process may say: another version may know other messages.
const MOST_NONSENSE: usize = 64;

/// A message, and the process that sent it.
pub(crate) type Heard = (WorkerMessage, i32);

impl ControlSocket {
    /// Our end of a control socket of the group that `kept` belongs to.
    pub(crate) fn new(socket: UnixStream, kept: &Kept) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        // The kernel says who speaks: a process cannot pass itself off as another one.
        setsockopt(&socket, sockopt::PassCred, &true)?;
        // Urgent messages stay in their place, where they are looked at like all others.
        setsockopt(&socket, sockopt::OobInline, &true)?;
        Ok(Self {
            socket: Rc::new(socket),
            is_kept: false,
            kept: kept.clone(),
            ended: false,
            nonsense: 0,
            report: Report::Nothing,
        })
    }

    /// Whether the other side has closed its end.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Hears nothing more: as if the other side had closed its end.
    pub(crate) fn close(&mut self) {
        self.ended = true;
    }

    /// Whether it was closed because the other side says what makes no sense, again and again; true
    /// once.
    pub(crate) fn is_to_report(&mut self) -> bool {
        let is_due = self.report == Report::Nonsense;
        if is_due {
            self.report = Report::Done;
        }
        is_due
    }

    /// The next messages, of which there may be more: one process does not keep the others waiting.
    /// Bytes that are no message are left out, unless they become too many: then the control socket
    /// is closed.
    pub(crate) fn read_messages(&mut self) -> Vec<Heard> {
        if self.ended {
            return Vec::new();
        }
        let mut bytes = [0; MOST_MESSAGES];
        let received = match self.next(&mut bytes) {
            Err(nix::Error::EAGAIN) => return Vec::new(),
            Ok(received) if received.count > 0 => received,
            _ => {
                self.ended = true;
                return Vec::new();
            }
        };
        let bytes = &bytes[..received.count];
        let messages =
            bytes.iter().filter_map(|byte| WorkerMessage::decode(*byte).zip(received.sender));
        let messages: Vec<Heard> = messages.collect();
        self.nonsense += bytes.len() - messages.len();
        if self.nonsense > MOST_NONSENSE {
            self.end_nonsense();
        }
        messages
    }

    /// Receives what has no descriptor in it. One that has is left, and the control socket kept
    /// open.
    fn next(&mut self, bytes: &mut [u8]) -> nix::Result<Received> {
        // The kernel does not join messages of two senders.
        let room = Room { files: 0, sender: true };
        loop {
            let seen = match peek(self.socket.as_fd(), bytes, room) {
                Err(nix::Error::EINTR) => continue,
                seen => seen?,
            };
            if seen.is_cut {
                self.keep();
                return Err(nix::Error::EBADMSG);
            }
            // No more than that: what has come since may have something with it.
            match receive(self.socket.as_fd(), &mut bytes[..seen.count], room, false) {
                Err(nix::Error::EINTR) => {}
                received => return received,
            }
        }
    }

    fn keep(&mut self) {
        if !std::mem::replace(&mut self.is_kept, true) {
            std::mem::forget(Rc::clone(&self.socket));
            self.kept.0.set(self.kept.0.get() + 1);
        }
        self.end_nonsense();
    }

    fn end_nonsense(&mut self) {
        self.ended = true;
        if self.report == Report::Nothing {
            self.report = Report::Nonsense;
        }
    }

    /// Sends a message.
    pub(crate) fn send(&self, message: SupervisorMessage) -> io::Result<()> {
        (&*self.socket).write_all(&[message as u8])
    }

    /// Sends a message that needs a descriptor.
    pub(crate) fn send_with(
        &self,
        message: SupervisorMessage,
        descriptor: &OwnedFd,
    ) -> io::Result<()> {
        let byte = [message as u8];
        let files = [descriptor.as_raw_fd()];
        let attached = [ControlMessage::ScmRights(&files)];
        let flags = MsgFlags::MSG_NOSIGNAL;
        sendmsg::<()>(self.socket.as_raw_fd(), &[IoSlice::new(&byte)], &attached, flags, None)?;
        Ok(())
    }
}

impl Drop for ControlSocket {
    /// Takes what was said and not heard, so that the end of the socket closes nothing else. That
    /// is no more than a socket holds.
    fn drop(&mut self) {
        let _ = self.socket.shutdown(Shutdown::Read);
        let mut bytes = [0; MOST_MESSAGES];
        while !self.is_kept && self.next(&mut bytes).is_ok_and(|received| received.count > 0) {}
    }
}

impl AsFd for ControlSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    use std::io::{PipeReader, Read};

    /// A control socket, its other end, and the reading end of a pipe whose writing end is under
    /// way with a message.
    fn with_descriptor(kept: &Kept, flags: MsgFlags) -> (ControlSocket, UnixStream, PipeReader) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let control = ControlSocket::new(ours, kept).unwrap();
        let (reader, writer) = std::io::pipe().unwrap();
        (&theirs).write_all(&[WorkerMessage::Ready as u8]).unwrap();
        let (bytes, files) = ([WorkerMessage::Busy as u8], [writer.as_raw_fd()]);
        let (parts, attached) = ([IoSlice::new(&bytes)], [ControlMessage::ScmRights(&files)]);
        sendmsg::<()>(theirs.as_raw_fd(), &parts, &attached, flags, None).unwrap();
        (control, theirs, reader)
    }

    /// Whether the writing end was not closed.
    fn is_open(reader: &PipeReader) -> bool {
        let mut watched = [PollFd::new(reader.as_fd(), PollFlags::POLLIN)];
        poll(&mut watched, PollTimeout::ZERO) == Ok(0)
    }

    #[test]
    fn descriptors_that_come_with_a_word_are_never_closed() {
        let kept = Kept::default();
        for flags in [MsgFlags::empty(), MsgFlags::MSG_OOB] {
            let (mut control, _theirs, reader) = with_descriptor(&kept, flags);
            control.read_messages();
            assert!(
                control.read_messages().is_empty() && control.has_ended() && control.is_to_report(),
                "{flags:?}"
            );
            drop(control);
            assert!(is_open(&reader), "{flags:?}");
            // Also if nothing was heard before the end.
            let (control, _theirs, reader) = with_descriptor(&kept, flags);
            drop(control);
            assert!(is_open(&reader), "{flags:?}");
        }
        assert!(kept.are_many());
    }

    #[test]
    fn a_socket_without_descriptors_is_closed() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let control = ControlSocket::new(ours, &Kept::default()).unwrap();
        (&theirs).write_all(&[b'x'; 1000]).unwrap();
        drop(control);
        assert_eq!(theirs.read(&mut [0]).unwrap(), 0);
    }

    fn words(control: &mut ControlSocket) -> Vec<WorkerMessage> {
        control.read_messages().into_iter().map(|(message, _)| message).collect()
    }

    #[test]
    fn nonsense_is_left_out_at_once_and_ends_the_socket_when_it_is_too_much() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let mut control = ControlSocket::new(ours, &Kept::default()).unwrap();
        (&theirs).write_all(b"xxB\0xR").unwrap();
        assert_eq!(words(&mut control), [WorkerMessage::Busy, WorkerMessage::Ready]);
        assert_eq!(words(&mut control), []);
        (&theirs).write_all(&[b'x'; MOST_NONSENSE - 4]).unwrap();
        assert_eq!(words(&mut control), []);
        assert!(!control.has_ended() && !control.is_to_report());
        assert_eq!(words(&mut control), []);
        (&theirs).write_all(b"xB").unwrap();
        control.read_messages();
        assert!(control.has_ended() && control.is_to_report() && !control.is_to_report());
    }
}
