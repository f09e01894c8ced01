//! Receiving from a worker: bytes, and the descriptor that may come with them.

use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// The most descriptors that may wait for their frames: one that belongs to a frame of which a part has
/// arrived, and one that has come with its rest.
const MOST_FILES: usize = 2;

/// Receives bytes, and the descriptor that may come with them. 0 bytes is the end of the stream.
///
/// The other end is a process of a group's user, so what it sends beyond the rules does not stay open:
/// with more than one descriptor at a time, or with too many that wait, the error is `EPROTO`.
pub(crate) fn receive(
    stream: BorrowedFd<'_>,
    place: &mut [u8],
    files: &mut Vec<OwnedFd>,
) -> nix::Result<usize> {
    let mut part = libc::iovec { iov_base: place.as_mut_ptr().cast(), iov_len: place.len() };
    // Room for two descriptors or so: with more, the kernel closes those that do not fit, and says so.
    let mut ancillary = [0_u64; 3];
    // SAFETY: all fields of the structure are numbers or pointers, for which zero is a value. Both buffers
    // are as long as is said, aligned as control messages have to be, and live during the call.
    let (count, flags, received) = unsafe {
        let mut message: libc::msghdr = core::mem::zeroed();
        message.msg_iov = &raw mut part;
        message.msg_iovlen = 1;
        message.msg_control = ancillary.as_mut_ptr().cast();
        message.msg_controllen = size_of_val(&ancillary);
        let flags = libc::MSG_CMSG_CLOEXEC;
        let count = libc::recvmsg(stream.as_raw_fd(), &raw mut message, flags);
        let count = nix::errno::Errno::result(count)?;
        (count, message.msg_flags, received_descriptors(&message))
    };
    if flags & libc::MSG_CTRUNC != 0 || received.len() > 1 {
        return Err(nix::Error::EPROTO);
    }
    files.extend(received);
    if files.len() > MOST_FILES {
        return Err(nix::Error::EPROTO);
    }
    Ok(usize::try_from(count).unwrap_or_default())
}

/// The descriptors that have come with a message, those beside a truncation included.
///
/// # Safety
/// The kernel has just filled in the message, and nobody has taken its descriptors.
unsafe fn received_descriptors(message: &libc::msghdr) -> Vec<OwnedFd> {
    let mut descriptors = Vec::new();
    // SAFETY: the kernel has written whole control messages into the buffer that the message names, and new
    // descriptors of this process into those of this type.
    unsafe {
        let mut header = libc::CMSG_FIRSTHDR(message);
        while !header.is_null() {
            if (*header).cmsg_level == libc::SOL_SOCKET && (*header).cmsg_type == libc::SCM_RIGHTS {
                let length = (*header).cmsg_len - libc::CMSG_LEN(0) as usize;
                let bytes = core::slice::from_raw_parts(libc::CMSG_DATA(header), length);
                let (numbers, _) = bytes.as_chunks();
                let own = |number: &[u8; 4]| OwnedFd::from_raw_fd(RawFd::from_ne_bytes(*number));
                descriptors.extend(numbers.iter().map(own));
            }
            header = libc::CMSG_NXTHDR(message, header);
        }
    }
    descriptors
}
