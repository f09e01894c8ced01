//! The control socket to `wsgid`: a message each way now and then, see [`wsgi::process::control`].

use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use sockets::{Received, Room};
use wsgi::process::control::{SupervisorMessage, WorkerMessage};

/// The control socket. Any thread may send; one receives.
#[derive(Debug)]
pub(crate) struct ControlSocket(UnixStream);

/// An arrival on the control socket.
#[derive(Debug)]
pub(crate) enum Incoming {
    /// A message, and the descriptor that belongs to it; only templates get some that have one.
    Message(SupervisorMessage, Option<OwnedFd>),
    /// A message that this version does not know, or a signal.
    Nothing,
    /// `wsgid` is gone.
    End,
}

impl ControlSocket {
    /// Takes the control socket over that this process was started with.
    pub(crate) fn new(socket: OwnedFd) -> Self {
        Self(socket.into())
    }

    /// Sends a message.
    pub(crate) fn send(&self, message: WorkerMessage) -> io::Result<()> {
        (&self.0).write_all(&[message as u8])
    }

    /// Waits for a message, or a signal.
    pub(crate) fn receive(&self) -> Incoming {
        let mut byte = [0];
        let room = Room { files: 1, sender: false };
        match sockets::receive(self.0.as_fd(), &mut byte, room, true) {
            Err(nix::Error::EINTR) => Incoming::Nothing,
            Err(_) | Ok(Received { count: 0, .. }) => Incoming::End,
            Ok(received) => match SupervisorMessage::decode(byte[0]) {
                Some(message) => Incoming::Message(message, received.files.into_iter().next()),
                None => Incoming::Nothing,
            },
        }
    }
}

impl AsFd for ControlSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
