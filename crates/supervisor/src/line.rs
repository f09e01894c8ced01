//! The line to a worker or template: a word each way now and then, see [`wsgi::control`].

use std::io::{self, IoSlice, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg, setsockopt, sockopt};
use sockets::{Room, receive};
use wsgi::control::{News, Order};

/// The line.
#[derive(Debug)]
pub(crate) struct Line {
    socket: UnixStream,
    /// The other side has closed its end.
    ended: bool,
    /// So many bytes were no words.
    nonsense: usize,
    /// That were too many.
    is_nonsense: bool,
    is_reported: bool,
}

/// How many words of one process are heard before the others have their say: nobody has that much to tell.
const MOST_WORDS: usize = 64;

/// How many bytes that are no words a process may say: another version may know other words.
const MOST_NONSENSE: usize = 64;

/// What was heard, and from which process.
pub(crate) type Heard = (News, i32);

impl Line {
    /// Our end of a line.
    pub(crate) fn new(socket: UnixStream) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        // The kernel says who speaks: a process cannot pass itself off as another one.
        setsockopt(&socket, sockopt::PassCred, &true)?;
        Ok(Self { socket, ended: false, nonsense: 0, is_nonsense: false, is_reported: false })
    }

    /// Whether the other side has closed its end.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Hears nothing more: as if the other side had closed its end.
    pub(crate) fn close(&mut self) {
        self.ended = true;
    }

    /// Whether it was closed because the other side says what makes no sense, again and again; true once.
    pub(crate) fn is_to_report(&mut self) -> bool {
        self.is_nonsense && !std::mem::replace(&mut self.is_reported, true)
    }

    /// The next words, of which there may be more: nobody is heard for longer than the others. What is no word is
    /// left out, unless it becomes too much: then the line is closed.
    pub(crate) fn hear(&mut self) -> Vec<Heard> {
        if self.ended {
            return Vec::new();
        }
        let mut bytes = [0; MOST_WORDS];
        // No room for descriptors: the kernel closes those that come along. It does not join words of two
        // senders.
        let room = Room { files: 0, sender: true };
        let received = loop {
            match receive(self.socket.as_fd(), &mut bytes, room, false) {
                Err(nix::Error::EINTR) => {}
                Err(nix::Error::EAGAIN) => return Vec::new(),
                received => break received,
            }
        };
        let Some(received) = received.ok().filter(|received| received.count > 0) else {
            self.ended = true;
            return Vec::new();
        };
        let bytes = &bytes[..received.count];
        let words = bytes.iter().filter_map(|byte| News::decode(*byte).zip(received.sender));
        let words: Vec<Heard> = words.collect();
        // No descriptor belongs to a word.
        self.nonsense += bytes.len() - words.len() + usize::from(received.is_cut);
        if self.nonsense > MOST_NONSENSE {
            (self.ended, self.is_nonsense) = (true, true);
        }
        words
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
        assert_eq!(words(&mut line), [News::Busy]);
    }

    fn words(line: &mut Line) -> Vec<News> {
        line.hear().into_iter().map(|(news, _)| news).collect()
    }

    #[test]
    fn nonsense_is_left_out_at_once_and_ends_the_line_when_it_is_too_much() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let mut line = Line::new(ours).unwrap();
        (&theirs).write_all(b"xxB\0xR").unwrap();
        assert_eq!(words(&mut line), [News::Busy, News::Ready]);
        assert_eq!(words(&mut line), []);
        (&theirs).write_all(&[b'x'; MOST_NONSENSE - 4]).unwrap();
        assert_eq!(words(&mut line), []);
        assert!(!line.has_ended() && !line.is_to_report());
        assert_eq!(words(&mut line), []);
        (&theirs).write_all(b"xB").unwrap();
        line.hear();
        assert!(line.has_ended() && line.is_to_report() && !line.is_to_report());
    }
}
