//! Receiving from a worker: bytes, and the descriptor that may come with them.

use std::os::fd::{BorrowedFd, OwnedFd};

use sockets::Room;

/// The most descriptors that may wait for their frames: one that belongs to a frame of which a part
/// has arrived, and one that has come with its rest.
const MOST_FILES: usize = 2;

/// Receives bytes, and the descriptor that may come with them. 0 bytes is the end of the stream.
/// With `waits`, something is waited for, as long as a read of the stream may.
///
/// The other end is a process of a group's user, so what it sends beyond the rules does not stay
/// open: with more than one descriptor at a time, or with too many that wait, the error is
/// `EPROTO`.
pub(super) fn receive(
    stream: BorrowedFd<'_>,
    room: &mut [u8],
    files: &mut Vec<OwnedFd>,
    waits: bool,
) -> nix::Result<usize> {
    // With more, the kernel closes those that do not fit, and says so.
    let received = sockets::receive(stream, room, Room { files: 2, sender: false }, waits)?;
    // This process may have no number for the stream's end that comes back, which is no fault and
    // only costs a new stream. A file that is missing is noticed with its frame.
    let is_cut = received.is_cut && !received.files.is_empty();
    if is_cut || received.files.len() > 1 {
        return Err(nix::Error::EPROTO);
    }
    files.extend(received.files);
    if files.len() > MOST_FILES {
        return Err(nix::Error::EPROTO);
    }
    Ok(received.count)
}
