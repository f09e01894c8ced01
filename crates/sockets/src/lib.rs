//! Receiving from a Unix socket whose other end may be hostile: bytes, descriptors, and the process
//! that has sent them.
//!
//! nix gives up the control messages of a message that was cut off (`MSG_CTRUNC`), and the
//! descriptors that the kernel has passed beside the cut stay open for ever. Here each descriptor
//! that has come is owned at once.
#![allow(unsafe_code, reason = "the kernel's control messages are read where they lie")]

use std::mem::offset_of;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::errno::Errno;

/// The most descriptors that the kernel passes with one message (`SCM_MAX_FD`).
pub const MOST_FILES: usize = 253;

/// The result of one call.
#[derive(Debug)]
pub struct Received {
    /// How many bytes; 0 is the end of a stream, or a message without bytes.
    pub count: usize,
    /// The descriptors that have come along, closed for programs that are executed.
    pub files: Vec<OwnedFd>,
    /// More has come along than there was room for, or than this process may open. The kernel has
    /// closed it.
    pub is_cut: bool,
    /// The process that has sent it, where the socket passes that on (`SO_PASSCRED`).
    pub sender: Option<i32>,
}

/// The room for data beside the bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Room {
    /// So many descriptors, at most [`MOST_FILES`], and one more where alignment makes room for it.
    pub files: usize,
    /// The process that has sent it. Only for sockets that pass that on: others use the room for
    /// descriptors.
    pub sender: bool,
}

/// Receives bytes into `place`, and what there is `room` for. With `waits`, a socket that blocks is
/// waited for.
///
/// # Errors
/// Those of `recvmsg`; nothing was received then.
pub fn receive(
    socket: BorrowedFd<'_>,
    place: &mut [u8],
    room: Room,
    waits: bool,
) -> nix::Result<Received> {
    receive_with(socket, place, room, if waits { 0 } else { libc::MSG_DONTWAIT })
}

/// Looks at what [`receive`] would receive, and leaves it where it is. Descriptors for which there
/// is no room are not closed by this, but left, too: `is_cut` says that there are some. Does not
/// wait.
///
/// # Errors
/// Those of `recvmsg`.
pub fn peek(socket: BorrowedFd<'_>, place: &mut [u8], room: Room) -> nix::Result<Received> {
    receive_with(socket, place, room, libc::MSG_DONTWAIT | libc::MSG_PEEK)
}

/// The kernel's number of a socket, which no other socket has or had (`SO_COOKIE`).
///
/// # Errors
/// Those of `getsockopt`: it is no socket.
pub fn cookie(socket: BorrowedFd<'_>) -> nix::Result<u64> {
    let mut cookie = 0_u64;
    let mut length = libc::socklen_t::try_from(size_of_val(&cookie)).unwrap_or_default();
    // SAFETY: the place has the length that is said, and lives during the call.
    let done = unsafe {
        let place = (&raw mut cookie).cast();
        let (level, name) = (libc::SOL_SOCKET, libc::SO_COOKIE);
        libc::getsockopt(socket.as_raw_fd(), level, name, place, &raw mut length)
    };
    Errno::result(done).map(|_| cookie)
}

/// Room for a descriptor or two and the sender. The stacks of httpd's threads have to hold it.
const FEW: usize = 8;

fn receive_with(
    socket: BorrowedFd<'_>,
    place: &mut [u8],
    room: Room,
    flags: libc::c_int,
) -> nix::Result<Received> {
    if room.words() <= FEW {
        receive_into(socket, place, &mut [0; FEW][..room.words()], flags)
    } else {
        receive_many(socket, place, room, flags)
    }
}

/// A function of its own, so that only its callers need the stack for so much.
#[inline(never)]
fn receive_many(
    socket: BorrowedFd<'_>,
    place: &mut [u8],
    room: Room,
    flags: libc::c_int,
) -> nix::Result<Received> {
    receive_into(socket, place, &mut [0; MOST_ROOM / size_of::<u64>()][..room.words()], flags)
}

/// `ancillary` is made of words, because control messages are aligned like them.
fn receive_into(
    socket: BorrowedFd<'_>,
    place: &mut [u8],
    ancillary: &mut [u64],
    flags: libc::c_int,
) -> nix::Result<Received> {
    let mut part = libc::iovec { iov_base: place.as_mut_ptr().cast(), iov_len: place.len() };
    let flags = libc::MSG_CMSG_CLOEXEC | flags;
    // SAFETY: all fields of the structure are numbers or pointers, for which zero is a value. Both
    // buffers are at least as long as is said, aligned as control messages have to be, and live
    // during the call.
    unsafe {
        let mut message: libc::msghdr = std::mem::zeroed();
        message.msg_iov = &raw mut part;
        message.msg_iovlen = 1;
        message.msg_control = ancillary.as_mut_ptr().cast();
        message.msg_controllen = size_of_val(ancillary) as _;
        let count = libc::recvmsg(socket.as_raw_fd(), &raw mut message, flags);
        let count = usize::try_from(Errno::result(count)?).unwrap_or_default();
        let (files, sender) = attached(&message);
        Ok(Received { count, files, is_cut: message.msg_flags & libc::MSG_CTRUNC != 0, sender })
    }
}

const FILE: usize = size_of::<RawFd>();
const CREDENTIALS: usize = size_of::<libc::ucred>();
/// The room of the most descriptors, and the sender.
const MOST_ROOM: usize = space(MOST_FILES * FILE) + space(CREDENTIALS);

/// The room that a control message with so many bytes takes.
const fn space(bytes: usize) -> usize {
    let aligned = (size_of::<libc::cmsghdr>() + bytes).next_multiple_of(size_of::<usize>());
    // The kernel's own arithmetic, which the C library has as a macro.
    assert!(size_of::<libc::cmsghdr>().is_multiple_of(size_of::<usize>()));
    aligned
}

impl Room {
    fn bytes(self) -> usize {
        let files = if self.files > 0 { space(self.files.min(MOST_FILES) * FILE) } else { 0 };
        files + if self.sender { space(CREDENTIALS) } else { 0 }
    }

    fn words(self) -> usize {
        self.bytes() / size_of::<u64>()
    }
}

/// The data that has come with a message, that beside a cut included.
///
/// # Safety
/// The kernel has just filled in the message, and its descriptors have no owner yet.
unsafe fn attached(message: &libc::msghdr) -> (Vec<OwnedFd>, Option<i32>) {
    let (mut files, mut sender) = (Vec::new(), None);
    // SAFETY: the kernel has written control messages into the buffer that the message names, each
    // no longer than the rest of it, and new descriptors of this process into those of this type.
    unsafe {
        let mut header = libc::CMSG_FIRSTHDR(message);
        while !header.is_null() {
            let length = ((*header).cmsg_len as usize).saturating_sub(libc::CMSG_LEN(0) as usize);
            let bytes = std::slice::from_raw_parts(libc::CMSG_DATA(header), length);
            match ((*header).cmsg_level, (*header).cmsg_type) {
                (libc::SOL_SOCKET, libc::SCM_RIGHTS) => {
                    let (numbers, _) = bytes.as_chunks();
                    let own =
                        |number: &[u8; FILE]| OwnedFd::from_raw_fd(RawFd::from_ne_bytes(*number));
                    files.extend(numbers.iter().map(own));
                }
                (libc::SOL_SOCKET, libc::SCM_CREDENTIALS) => {
                    let pid =
                        bytes.get(offset_of!(libc::ucred, pid)..).and_then(<[u8]>::first_chunk);
                    sender = pid.map(|pid| i32::from_ne_bytes(*pid));
                }
                _ => {}
            }
            header = libc::CMSG_NXTHDR(message, header);
        }
    }
    (files, sender)
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg, setsockopt, sockopt};
    use std::fs::File;
    use std::io::{IoSlice, Read};
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    fn send(to: &UnixStream, files: &[RawFd]) {
        let attached = [ControlMessage::ScmRights(files)];
        let (parts, flags) = ([IoSlice::new(b"x")], MsgFlags::empty());
        sendmsg::<()>(to.as_raw_fd(), &parts, &attached, flags, None).unwrap();
    }

    #[test]
    fn a_socket_has_one_number_under_all_its_descriptors() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let (first, second) = (cookie(ours.as_fd()).unwrap(), cookie(theirs.as_fd()).unwrap());
        assert_ne!(first, second);
        assert_eq!(cookie(ours.try_clone().unwrap().as_fd()), Ok(first));
        let file = File::open("/dev/null").unwrap();
        assert_eq!(cookie(file.as_fd()), Err(Errno::ENOTSOCK));
    }

    #[test]
    fn descriptors_beside_a_cut_are_closed_and_not_lost() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let (mut reader, writer) = std::io::pipe().unwrap();
        send(&theirs, &[writer.as_raw_fd(); 5]);
        let mut place = [0; 8];
        let room = Room { files: 2, sender: false };
        let received = receive(ours.as_fd(), &mut place, room, true).unwrap();
        assert_eq!((received.count, received.files.len(), received.is_cut), (1, 2, true));
        drop((received, writer));
        assert_eq!(reader.read(&mut [0]).unwrap(), 0, "the other end is closed");
    }

    #[test]
    fn what_is_looked_at_stays_open() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let (mut reader, writer) = std::io::pipe().unwrap();
        send(&theirs, &[writer.as_raw_fd()]);
        drop(writer);
        let seen = peek(ours.as_fd(), &mut [0; 8], Room::default()).unwrap();
        assert_eq!((seen.count, seen.files.len(), seen.is_cut), (1, 0, true));
        let mut watched = [PollFd::new(reader.as_fd(), PollFlags::POLLIN)];
        assert_eq!(poll(&mut watched, PollTimeout::ZERO), Ok(0), "the other end is open");
        receive(ours.as_fd(), &mut [0; 8], Room::default(), true).unwrap();
        assert_eq!(reader.read(&mut [0]).unwrap(), 0, "and is not, once it was received");
    }

    #[test]
    fn as_many_as_the_kernel_passes_have_room() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let file = File::open("/dev/null").unwrap();
        send(&theirs, &[file.as_raw_fd(); MOST_FILES]);
        let room = Room { files: MOST_FILES, sender: false };
        let received = receive(ours.as_fd(), &mut [0], room, false).unwrap();
        assert_eq!((received.files.len(), received.is_cut), (MOST_FILES, false));
        let nothing = receive(ours.as_fd(), &mut [0], room, false);
        assert_eq!(nothing.unwrap_err(), Errno::EAGAIN);
    }

    #[test]
    fn the_sender_is_known_and_its_descriptors_are_not_taken() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        setsockopt(&ours, sockopt::PassCred, &true).unwrap();
        let (mut reader, writer) = std::io::pipe().unwrap();
        send(&theirs, &[writer.as_raw_fd()]);
        let room = Room { files: 0, sender: true };
        let received = receive(ours.as_fd(), &mut [0], room, true).unwrap();
        let own = i32::try_from(std::process::id()).unwrap();
        assert_eq!((received.files.len(), received.is_cut), (0, true));
        assert_eq!(received.sender, Some(own));
        drop(writer);
        assert_eq!(reader.read(&mut [0]).unwrap(), 0, "the other end is closed");
    }
}
