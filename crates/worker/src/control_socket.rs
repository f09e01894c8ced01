//! The control socket to `wsgid`: a message each way now and then, see [`wsgi::control`].

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use sockets::Room;
use wsgi::control::{SupervisorMessage, WorkerMessage};

/// The control socket. Any thread may send; one receives.
#[derive(Debug)]
pub(crate) struct ControlSocket(UnixStream);

/// What has come over the control socket.
#[derive(Debug)]
pub(crate) enum Incoming {
    /// A message, and the descriptor that belongs to it.
    Message(SupervisorMessage, Option<OwnedFd>),
    /// A message that this version does not know.
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

    /// Waits for a message. Descriptors are looked for, which only templates get.
    pub(crate) fn receive_with_descriptor(&self) -> Incoming {
        let mut byte = [0];
        let room = Room { files: 1, sender: false };
        let received = loop {
            match sockets::receive(self.0.as_fd(), &mut byte, room, true) {
                Err(nix::Error::EINTR) => {}
                received => break received,
            }
        };
        let Ok(received) = received else { return Incoming::End };
        decode(received.count, byte[0], received.files.into_iter().next())
    }

    /// Waits for a message.
    pub(crate) fn receive(&self) -> Incoming {
        let mut byte = [0];
        match (&self.0).read(&mut byte) {
            Ok(count) => decode(count, byte[0], None),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Incoming::Nothing,
            Err(_) => Incoming::End,
        }
    }
}

fn decode(count: usize, byte: u8, descriptor: Option<OwnedFd>) -> Incoming {
    match (count, SupervisorMessage::decode(byte)) {
        (0, _) => Incoming::End,
        (_, Some(message)) => Incoming::Message(message, descriptor),
        (_, None) => Incoming::Nothing,
    }
}

impl AsFd for ControlSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
