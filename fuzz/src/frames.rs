//! The stream between an Apache child and a worker: frames out of bytes as they arrive.

use wsgi::protocol::frame::{FrameError, FrameType, HEADER, Header, write};
use wsgi::protocol::frame_decoder::FrameDecoder;

/// A stream of frames, in pieces as long as the first byte says. Frames come out the same however
/// the stream is cut, and are written again as they were.
///
/// # Panics
/// Where that does not hold.
pub(crate) fn frames(bytes: &[u8]) {
    let Some((&cut, stream)) = bytes.split_first() else { return };
    let whole = received(stream, stream.len());
    let pieces = received(stream, usize::from(cut) + 1);
    assert_eq!(whole, pieces, "frames depend on how the stream is cut");
    let mut again = Vec::new();
    for (kind, payload) in &whole.0 {
        write(&mut again, *kind, |buffer| buffer.extend_from_slice(payload));
    }
    assert!(stream.starts_with(&again), "frames are written otherwise than they were read");
    if let Some(start) = stream.first_chunk::<HEADER>()
        && let Ok(header) = Header::decode(*start)
    {
        assert_eq!(header.encode(), *start);
    }
}

type Frames = (Vec<(FrameType, Vec<u8>)>, Option<FrameError>);

/// The frames of a stream up to its end, or to the fault in it.
fn received(stream: &[u8], step: usize) -> Frames {
    let (mut inbox, mut frames) = (FrameDecoder::default(), Vec::new());
    let mut rest = stream;
    while !rest.is_empty() {
        let room = inbox.room();
        assert!(!room.is_empty(), "there is always room");
        let count = rest.len().min(room.len()).min(step);
        room[..count].copy_from_slice(&rest[..count]);
        inbox.received(count);
        rest = &rest[count..];
        loop {
            match inbox.next_frame() {
                Ok(Some(frame)) => frames.push((frame.kind, frame.payload.to_vec())),
                Ok(None) => break,
                Err(error) => return (frames, Some(error)),
            }
        }
    }
    (frames, None)
}
