//! How a request begins: the message on the queue of a process group.
//!
//! httpd's parent makes one pair of `SOCK_SEQPACKET` sockets for each process group before it
//! forks. Children hold the sending end, `wsgid` and the workers the receiving end, and neither has
//! a name. A message is the first part of a request or question frame, with one end of a stream
//! pair attached (`SCM_RIGHTS`); the rest of the frame, the part of the request's body that the
//! child has already and the frame does not hold, and everything after it, travel on that stream.
//!
//! The child keeps no copy of the end that it sends, so a stream breaks when the worker that serves
//! the request is gone. A worker that has said all, and has taken all that the child has sent,
//! sends the end back with its last frame, and the child uses the stream for another request of the
//! group.
//!
//! At least one byte of frame or body is on the stream before the message is sent. A worker reads
//! all that is to come unasked before it begins to serve. The kernel resets a stream whose other
//! end is closed with unread bytes in it, so the child always knows whether the request was begun.

/// The longest message in bytes. With the kernel's own record it fills a block of 4 KiB.
pub const MAX_MESSAGE: usize = 3712;

/// A message that is no request, and has no stream: it wakes a worker, which looks at the queue. No
/// frame is so short.
pub const KNOCK: [u8; 1] = [0];

/// The bytes of a socket's send buffer that one message of the longest kind takes.
const MESSAGE_COST: u32 = 4352;

/// The state of a process group that `wsgid` shares with httpd's children: one `u32` for each
/// group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum GroupState {
    /// Workers take requests, or will as soon as one is there.
    Served = 0,
    /// There is no worker, and none will be started for a while: starting one keeps failing.
    Down = 1,
}

impl GroupState {
    /// The meaning of a shared value; an unknown one is no reason to refuse requests.
    #[must_use]
    pub fn from_shared(value: u32) -> Self {
        if value == Self::Down as u32 { Self::Down } else { Self::Served }
    }
}

/// Cuts a frame into the message and what travels on the stream, which is not empty if nothing is
/// to be on the stream behind it.
///
/// # Panics
/// If the frame is empty.
#[must_use]
pub fn split(frame: &[u8], is_alone: bool) -> (&[u8], &[u8]) {
    assert!(!frame.is_empty(), "a frame has a header");
    frame.split_at(MAX_MESSAGE.min(frame.len() - usize::from(is_alone)))
}

/// The send buffer, in bytes, that holds `backlog` messages of any length.
#[must_use]
pub fn send_buffer(backlog: u32) -> usize {
    backlog.clamp(1, 1 << 16).saturating_mul(MESSAGE_COST) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_always_stays_for_the_stream() {
        for length in [1, 2, MAX_MESSAGE, MAX_MESSAGE + 1, 3 * MAX_MESSAGE] {
            let frame = vec![7; length];
            let (message, rest) = split(&frame, true);
            assert!(message.len() <= MAX_MESSAGE && !rest.is_empty(), "{length}");
            assert_eq!(message.len() + rest.len(), length);
            let (message, rest) = split(&frame, false);
            assert_eq!(
                (message.len(), rest.len()),
                (length.min(MAX_MESSAGE), length - message.len())
            );
        }
    }

    #[test]
    fn unknown_states_refuse_nothing() {
        assert_eq!(GroupState::from_shared(1), GroupState::Down);
        assert_eq!(GroupState::from_shared(0), GroupState::Served);
        assert_eq!(GroupState::from_shared(77), GroupState::Served);
    }

    #[test]
    fn buffers_are_bounded() {
        assert_eq!(send_buffer(0), send_buffer(1));
        assert!(send_buffer(u32::MAX) <= 512 << 20);
    }
}
