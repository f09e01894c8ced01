//! Receiving frames from an httpd child.

use std::io::Read as _;
use std::os::unix::net::UnixStream;

use wsgi::protocol::frame::{self, FrameType};
use wsgi::protocol::frame_decoder::FrameDecoder;

/// The type and the payload of a frame.
pub(crate) type ReceivedFrame = (FrameType, Vec<u8>);

/// Why no frame came.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReceiveError {
    /// The child has closed its end.
    #[error("the connection to httpd is closed")]
    Closed,
    /// The stream broke, or the child was silent for too long.
    #[error("{0}")]
    Stream(#[from] std::io::Error),
    /// The bytes that came are no frame.
    #[error("{0}")]
    Frame(#[from] frame::FrameError),
}

/// The next frame of the stream; `None` at its end.
pub(crate) fn receive(
    stream: &UnixStream,
    decoder: &mut FrameDecoder,
) -> Result<Option<ReceivedFrame>, ReceiveError> {
    loop {
        if let Some(frame) = decoder.next_frame()? {
            return Ok(Some((frame.kind, frame.payload.to_vec())));
        }
        if receive_more(stream, decoder)? == 0 {
            return Ok(None);
        }
    }
}

/// Receives what has come, and waits for it if nothing has; 0 is the end of the stream.
pub(crate) fn receive_more(
    stream: &UnixStream,
    decoder: &mut FrameDecoder,
) -> Result<usize, ReceiveError> {
    let count = retry(|| { stream }.read(decoder.room()))?;
    decoder.received(count);
    Ok(count)
}

/// Receives so many bytes more, and waits for them.
pub(super) fn receive_exactly(
    stream: &UnixStream,
    bytes: &mut Vec<u8>,
    count: usize,
) -> Result<(), ReceiveError> {
    bytes.reserve_exact(count);
    let received = stream.take(count as u64).read_to_end(bytes)?;
    if received == count { Ok(()) } else { Err(ReceiveError::Closed) }
}

/// Does what a signal may interrupt until none does.
pub(super) fn retry(mut receive: impl FnMut() -> std::io::Result<usize>) -> std::io::Result<usize> {
    loop {
        match receive() {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}
