//! The stream between an Apache child and a worker: frames out of bytes as they arrive.

use wsgi::protocol::frame::{FrameError, FrameType, HEADER, Header, write};
use wsgi::protocol::frame_decoder::FrameDecoder;

/// A stream of frames, in pieces as long as the first byte says. However the stream is cut, those
/// frames come out that its headers bound; only pieces of a response may come out as one. Frames
/// are written as they were read.
///
/// # Panics
/// Where that does not hold.
pub(crate) fn frames(bytes: &[u8]) {
    let Some((&cut, stream)) = bytes.split_first() else { return };
    let (bounded, error) = bounded(stream);
    let mut again = Vec::new();
    for (kind, payload) in &bounded {
        write(&mut again, *kind, |buffer| buffer.extend_from_slice(payload));
    }
    assert!(stream.starts_with(&again), "frames are written otherwise than they were read");
    let expected = joined(bounded);
    for step in [stream.len(), usize::from(cut) + 1] {
        let (frames, found) = received(stream, step);
        assert!(joined(frames) == expected, "in pieces of {step} bytes other frames come out");
        assert_eq!(found, error, "in pieces of {step} bytes another fault is found");
    }
    if let Some(start) = stream.first_chunk::<HEADER>()
        && let Ok(header) = Header::decode(*start)
    {
        assert_eq!(header.encode(), *start);
    }
}

type Frames = Vec<(FrameType, Vec<u8>)>;

/// The frames of a stream as their headers say, up to its end, or to the fault in it.
fn bounded(mut stream: &[u8]) -> (Frames, Option<FrameError>) {
    let mut frames = Vec::new();
    while let Some((header, rest)) = stream.split_first_chunk::<HEADER>() {
        let Header { kind, length } = match Header::decode(*header) {
            Ok(header) => header,
            Err(error) => return (frames, Some(error)),
        };
        let Some((payload, rest)) = rest.split_at_checked(length) else { break };
        frames.push((kind, payload.to_vec()));
        stream = rest;
    }
    (frames, None)
}

/// The frames, with the pieces of a response that follow each other as one.
fn joined(frames: Frames) -> Frames {
    let mut joined: Frames = Vec::new();
    for (kind, payload) in frames {
        match joined.last_mut() {
            Some((FrameType::Data, before)) if kind == FrameType::Data => before.extend(payload),
            _ => joined.push((kind, payload)),
        }
    }
    joined
}

/// The frames that come out of a stream that arrives in such pieces, up to its end, or to the fault
/// in it.
fn received(stream: &[u8], step: usize) -> (Frames, Option<FrameError>) {
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
