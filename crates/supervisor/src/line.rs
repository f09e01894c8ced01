//! The line to a worker or template: a word each way now and then, see [`wsgi::control`].

use std::io::{self, IoSlice, IoSliceMut, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, recvmsg, sendmsg, setsockopt, sockopt,
};
use wsgi::control::{News, Order};

/// The line.
#[derive(Debug)]
pub(crate) struct Line {
    socket: UnixStream,
    /// The other side has closed its end.
    ended: bool,
}

/// How many words of one process are heard before the others have their say: nobody has that much to tell.
pub(crate) const MOST_WORDS: usize = 64;

/// What was heard, and from which process.
pub(crate) type Heard = (News, i32);

impl Line {
    /// Our end of a line.
    pub(crate) fn new(socket: UnixStream) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        // The kernel says who speaks: a process cannot pass itself off as another one.
        setsockopt(&socket, sockopt::PassCred, &true)?;
        Ok(Self { socket, ended: false })
    }

    /// Whether the other side has closed its end.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Hears nothing more: as if the other side had closed its end.
    pub(crate) fn close(&mut self) {
        self.ended = true;
    }

    /// The next word; `None` if there is none now.
    pub(crate) fn hear(&mut self) -> Option<Heard> {
        if self.ended {
            return None;
        }
        loop {
            let mut byte = [0];
            let mut parts = [IoSliceMut::new(&mut byte)];
            // No room for descriptors: the kernel closes those that come along.
            let mut space = nix::cmsg_space!(nix::sys::socket::UnixCredentials);
            let flags = MsgFlags::MSG_CMSG_CLOEXEC;
            let fd = self.socket.as_raw_fd();
            let (count, speaker) = match recvmsg::<()>(fd, &mut parts, Some(&mut space), flags) {
                Ok(message) => {
                    let speaker = message.cmsgs().ok().and_then(|mut all| {
                        all.find_map(|one| match one {
                            ControlMessageOwned::ScmCredentials(who) => Some(who.pid()),
                            _ => None,
                        })
                    });
                    (message.bytes, speaker)
                }
                Err(nix::Error::EINTR) => continue,
                Err(nix::Error::EAGAIN) => return None,
                Err(_) => (0, None),
            };
            if count == 0 {
                self.ended = true;
                return None;
            }
            // What is no word is as good as silence; the kernel says that there is more.
            return News::decode(byte[0]).zip(speaker);
        }
    }

    /// Orders something.
    pub(crate) fn order(&self, order: Order) -> io::Result<()> {
        (&self.socket).write_all(&[order as u8])
    }

    /// Orders something that needs a descriptor.
    pub(crate) fn order_with(&self, order: Order, descriptor: &OwnedFd) -> io::Result<()> {
        let byte = [order as u8];
        let files = [descriptor.as_raw_fd()];
        let attached = [ControlMessage::ScmRights(&files)];
        let flags = MsgFlags::MSG_NOSIGNAL;
        sendmsg::<()>(self.socket.as_raw_fd(), &[IoSlice::new(&byte)], &attached, flags, None)?;
        Ok(())
    }
}

impl AsFd for Line {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn descriptors_that_come_with_a_word_are_not_kept() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let mut line = Line::new(ours).unwrap();
        let (mut reader, writer) = std::io::pipe().unwrap();
        let (bytes, files) = ([News::Busy as u8], [writer.as_raw_fd()]);
        let attached = [ControlMessage::ScmRights(&files)];
        let (parts, flags) = ([IoSlice::new(&bytes)], MsgFlags::empty());
        sendmsg::<()>(theirs.as_raw_fd(), &parts, &attached, flags, None).unwrap();
        line.hear();
        drop(writer);
        // The end: nobody else holds the other side of the pipe.
        assert_eq!(reader.read(&mut [0]).unwrap(), 0);
        (&theirs).write_all(&bytes).unwrap();
        assert_eq!(line.hear().map(|(news, _)| news), Some(News::Busy));
    }
}
