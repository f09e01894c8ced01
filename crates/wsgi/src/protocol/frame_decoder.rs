//! Frames out of a stream: bytes go in as they arrive, whole frames come out.
//!
//! Pieces of a response that have arrived together come out as one, so that they go on together.

use crate::protocol::frame::{FrameError, FrameType, HEADER, Header};

/// Collects received bytes until they make up frames.
#[derive(Debug)]
pub struct FrameDecoder {
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Only frames that a worker sends are taken.
    from_worker: bool,
    /// The last bytes that came have filled the room, so there are probably more.
    was_filled: bool,
}

/// A frame that has arrived whole, borrowed from its [`FrameDecoder`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'i> {
    /// The meaning of the frame.
    pub kind: FrameType,
    /// Its payload.
    pub payload: &'i [u8],
}

/// Room in bytes that a request with its usual headers fits into.
const ROOM: usize = 8 * 1024;
/// Room in bytes that is made at once where a frame promises to fill it, or others have filled what
/// there was: for 64 KiB in a few pieces.
const LARGE_ROOM: usize = 64 * 1024 + 16 * HEADER;

impl Default for FrameDecoder {
    /// An inbox that a request with its usual headers fits into.
    fn default() -> Self {
        Self::with_room(ROOM)
    }
}

impl FrameDecoder {
    /// An inbox whose first room is that many bytes, at least as many as a header has. It is all
    /// touched, so where many wait at a time for little, little room saves memory.
    pub fn with_room(bytes: usize) -> Self {
        let buffer = vec![0; bytes.max(HEADER)];
        Self { buffer, start: 0, end: 0, from_worker: false, was_filled: false }
    }

    /// An inbox for what a worker sends: other frames are refused before any room is made for them.
    pub fn from_worker(bytes: usize) -> Self {
        Self { from_worker: true, ..Self::with_room(bytes) }
    }

    /// Where the next bytes have to be put; never empty. The buffer grows as far as the frame that
    /// is arriving says it will, in steps, so that a false promise costs little, and where it was
    /// filled.
    pub fn room(&mut self) -> &mut [u8] {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
        let wanted = match self.header() {
            Some(Ok(header)) => HEADER + header.length,
            _ => HEADER,
        };
        let has_more = self.was_filled && self.buffer.len() < LARGE_ROOM;
        if self.start + wanted > self.buffer.len() || self.end == self.buffer.len() || has_more {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
            let step = (self.end * 4).max(LARGE_ROOM);
            let more = if has_more { (self.buffer.len() * 4).min(LARGE_ROOM) } else { 0 };
            let length = wanted.min(step).max(self.end + 1).max(more);
            if length > self.buffer.len() {
                self.buffer.resize(length, 0);
            }
        }
        &mut self.buffer[self.end..]
    }

    /// Says that `count` bytes were put into the room.
    pub fn received(&mut self, count: usize) {
        self.was_filled = count >= self.buffer.len() - self.end;
        self.end = (self.end + count).min(self.buffer.len());
    }

    /// The next frame, once all of it has arrived. The payloads of [`FrameType::Data`] frames that
    /// have arrived whole, one behind the other, are one payload.
    pub fn next_frame(&mut self) -> Result<Option<Frame<'_>>, FrameError> {
        let Some(header) = self.header() else { return Ok(None) };
        let Header { kind, length } = header?;
        let from = self.start + HEADER;
        let mut to = from + length;
        if to > self.end {
            return Ok(None);
        }
        self.start = to;
        while kind == FrameType::Data
            && let Some(Ok(Header { kind: FrameType::Data, length })) = self.header()
            && self.start + HEADER + length <= self.end
        {
            let piece = self.start + HEADER;
            self.buffer.copy_within(piece..piece + length, to);
            self.start = piece + length;
            to += length;
        }
        Ok(Some(Frame { kind, payload: &self.buffer[from..to] }))
    }

    /// The bytes that have arrived behind the frames that were taken, and are none.
    #[must_use]
    pub fn into_rest(mut self) -> Vec<u8> {
        self.buffer.truncate(self.end);
        self.buffer.drain(..self.start);
        self.buffer
    }

    /// Whether nothing has arrived behind the frames that were taken.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    fn header(&self) -> Option<Result<Header, FrameError>> {
        let bytes = self.buffer[self.start..self.end].first_chunk()?;
        Some(Header::decode(*bytes).and_then(|header| {
            let is_taken = !self.from_worker || header.kind.is_from_worker();
            if is_taken { Ok(header) } else { Err(FrameError::Turn(header.kind)) }
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::frame::{MAX_PAYLOAD, write};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn frames_survive_any_cutting(
            payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20_000), 0..4),
            cuts in prop::collection::vec(1usize..20_000, 1..50),
        ) {
            let mut stream = Vec::new();
            for payload in &payloads {
                write(&mut stream, FrameType::Data, |buffer| buffer.extend_from_slice(payload));
            }
            let (mut inbox, mut got) = (FrameDecoder::default(), Vec::new());
            let mut rest = stream.as_slice();
            let mut cuts = cuts.iter().cycle();
            while !rest.is_empty() {
                let room = inbox.room();
                prop_assert!(!room.is_empty());
                let count = rest.len().min(room.len()).min(*cuts.next().unwrap());
                room[..count].copy_from_slice(&rest[..count]);
                inbox.received(count);
                rest = &rest[count..];
                while let Some(frame) = inbox.next_frame().unwrap() {
                    got.push(frame.payload.to_vec());
                }
            }
            // Some have come out together.
            prop_assert!(got.len() <= payloads.len());
            prop_assert_eq!(got.concat(), payloads.concat());
        }

        #[test]
        fn nonsense_is_refused_or_waited_for(bytes: Vec<u8>) {
            let mut inbox = FrameDecoder::default();
            let room = inbox.room();
            let count = bytes.len().min(room.len());
            room[..count].copy_from_slice(&bytes[..count]);
            inbox.received(count);
            while let Ok(Some(_)) = inbox.next_frame() {}
        }
    }

    #[test]
    fn a_promise_costs_nothing() {
        for mut inbox in [FrameDecoder::default(), FrameDecoder::from_worker(64)] {
            let header = Header { kind: FrameType::Data, length: MAX_PAYLOAD }.encode();
            inbox.room()[..HEADER].copy_from_slice(&header);
            inbox.received(HEADER);
            assert!(inbox.room().len() <= LARGE_ROOM);
        }
    }

    #[test]
    fn a_worker_cannot_have_room_made_for_a_request() {
        let mut inbox = FrameDecoder::from_worker(64);
        let header = Header { kind: FrameType::RequestHead, length: 16 << 20 }.encode();
        inbox.room()[..HEADER].copy_from_slice(&header);
        inbox.received(HEADER);
        assert_eq!(inbox.next_frame(), Err(FrameError::Turn(FrameType::RequestHead)));
        assert!(inbox.room().len() <= LARGE_ROOM);
    }

    #[test]
    fn pieces_that_have_arrived_together_are_one() {
        let mut stream = Vec::new();
        write(&mut stream, FrameType::Log, |buffer| buffer.push(0));
        for byte in 1..=3 {
            write(&mut stream, FrameType::Data, |buffer| buffer.push(byte));
        }
        write(&mut stream, FrameType::Log, |buffer| buffer.push(4));
        write(&mut stream, FrameType::Data, |buffer| buffer.extend([5; 9]));
        let mut inbox = FrameDecoder::default();
        let last = stream.len() - 1;
        inbox.room()[..last].copy_from_slice(&stream[..last]);
        inbox.received(last);
        for (kind, payload) in [
            (FrameType::Log, [0].as_slice()),
            (FrameType::Data, &[1, 2, 3]),
            (FrameType::Log, &[4]),
        ] {
            assert_eq!(inbox.next_frame(), Ok(Some(Frame { kind, payload })));
        }
        assert_eq!(inbox.next_frame(), Ok(None), "the last one has not arrived whole");
        assert_eq!(inbox.into_rest().len(), HEADER + 8);
    }

    #[test]
    fn a_room_that_was_filled_grows() {
        let mut stream = Vec::new();
        for _ in 0..100 {
            write(&mut stream, FrameType::Data, |buffer| buffer.extend([7; 4096]));
        }
        let (mut inbox, mut most, mut rest) = (FrameDecoder::with_room(1024), 0, stream.as_slice());
        while !rest.is_empty() {
            let room = inbox.room();
            let count = rest.len().min(room.len());
            room[..count].copy_from_slice(&rest[..count]);
            inbox.received(count);
            rest = &rest[count..];
            most = most.max(count);
            while let Some(frame) = inbox.next_frame().unwrap() {
                assert!(frame.payload.iter().all(|byte| *byte == 7));
            }
        }
        assert!((LARGE_ROOM - 4096..=LARGE_ROOM).contains(&most), "{most}");
    }
}
