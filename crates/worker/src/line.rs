//! The line to `wsgid`: a word each way now and then, see [`wsgi::control`].

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use sockets::{Room, receive};
use wsgi::control::{SupervisorMessage, WorkerMessage};

/// The line. Any thread may speak; one listens.
#[derive(Debug)]
pub(crate) struct Line(UnixStream);

/// What has come over the line.
#[derive(Debug)]
pub(crate) enum Word {
    /// Something to do, and what is needed for it.
    SupervisorMessage(SupervisorMessage, Option<OwnedFd>),
    /// Nothing that this version knows.
    Nothing,
    /// `wsgid` is gone.
    End,
}

impl Line {
    /// Takes the line over that this process was started with.
    pub(crate) fn new(socket: OwnedFd) -> Self {
        Self(socket.into())
    }

    /// Says something.
    pub(crate) fn tell(&self, news: WorkerMessage) -> io::Result<()> {
        (&self.0).write_all(&[news as u8])
    }

    /// Waits for an order. Descriptors are looked for, which only templates get.
    pub(crate) fn order_with_descriptor(&self) -> Word {
        let mut byte = [0];
        let room = Room { files: 1, sender: false };
        let received = loop {
            match receive(self.0.as_fd(), &mut byte, room, true) {
                Err(nix::Error::EINTR) => {}
                received => break received,
            }
        };
        let Ok(received) = received else { return Word::End };
        word(received.count, byte[0], received.files.into_iter().next())
    }

    /// Waits for an order.
    pub(crate) fn order(&self) -> Word {
        let mut byte = [0];
        match (&self.0).read(&mut byte) {
            Ok(count) => word(count, byte[0], None),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Word::Nothing,
            Err(_) => Word::End,
        }
    }
}

fn word(count: usize, byte: u8, descriptor: Option<OwnedFd>) -> Word {
    match (count, SupervisorMessage::decode(byte)) {
        (0, _) => Word::End,
        (_, Some(order)) => Word::SupervisorMessage(order, descriptor),
        (_, None) => Word::Nothing,
    }
}

impl AsFd for Line {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
