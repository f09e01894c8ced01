//! Frames out of a stream: bytes go in as they arrive, whole frames come out.

use crate::protocol::frame::{FrameError, FrameType, HEADER, Header};

/// Collects received bytes until they make up frames.
#[derive(Debug)]
pub struct FrameDecoder {
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Only frames that a worker sends are taken.
    from_worker: bool,
}

/// A frame that has arrived whole, borrowed from its [`FrameDecoder`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'i> {
    /// The meaning of the frame.
    pub kind: FrameType,
    /// Its payload.
    pub payload: &'i [u8],
    /// The type of the frame behind it, if that one's beginning has arrived too.
    pub next: Option<FrameType>,
}

/// Room in bytes that an inbox grows by at least.
const ROOM: usize = 8 * 1024;

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
        Self { buffer: vec![0; bytes.max(HEADER)], start: 0, end: 0, from_worker: false }
    }

    /// An inbox for what a worker sends: other frames are refused before any room is made for them.
    pub fn from_worker(bytes: usize) -> Self {
        Self { from_worker: true, ..Self::with_room(bytes) }
    }

    /// Where the next bytes have to be put; never empty. The buffer grows as far as the frame that
    /// is arriving says it will, in steps, so that a false promise costs nothing.
    pub fn room(&mut self) -> &mut [u8] {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
        let wanted = match self.header() {
            Some(Ok(header)) => HEADER + header.length,
            _ => HEADER,
        };
        if self.start + wanted > self.buffer.len() || self.end == self.buffer.len() {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
            let step = (self.end * 4).max(ROOM);
            let length = wanted.min(step).max(self.end + 1);
            if length > self.buffer.len() {
                self.buffer.resize(length, 0);
            }
        }
        &mut self.buffer[self.end..]
    }

    /// Says that `count` bytes were put into the room.
    pub fn received(&mut self, count: usize) {
        self.end = (self.end + count).min(self.buffer.len());
    }

    /// The next frame, once all of it has arrived.
    pub fn next_frame(&mut self) -> Result<Option<Frame<'_>>, FrameError> {
        let Some(header) = self.header() else { return Ok(None) };
        let header = header?;
        let (from, to) = (self.start + HEADER, self.start + HEADER + header.length);
        if to > self.end {
            return Ok(None);
        }
        self.start = to;
        let next = self.header().and_then(Result::ok).map(|header| header.kind);
        Ok(Some(Frame { kind: header.kind, payload: &self.buffer[from..to], next }))
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
            prop_assert_eq!(got, payloads);
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
            assert!(inbox.room().len() <= 2 * ROOM);
        }
    }

    #[test]
    fn a_worker_cannot_have_room_made_for_a_request() {
        let mut inbox = FrameDecoder::from_worker(64);
        let header = Header { kind: FrameType::RequestHead, length: 16 << 20 }.encode();
        inbox.room()[..HEADER].copy_from_slice(&header);
        inbox.received(HEADER);
        assert_eq!(inbox.next_frame(), Err(FrameError::Turn(FrameType::RequestHead)));
        assert!(inbox.room().len() <= 2 * ROOM);
    }

    #[test]
    fn the_next_frame_is_announced() {
        let mut stream = Vec::new();
        write(&mut stream, FrameType::Data, |buffer| buffer.push(1));
        write(&mut stream, FrameType::End, |_| {});
        let mut inbox = FrameDecoder::default();
        inbox.room()[..stream.len()].copy_from_slice(&stream);
        inbox.received(stream.len());
        let data = Frame { kind: FrameType::Data, payload: &[1], next: Some(FrameType::End) };
        assert_eq!(inbox.next_frame(), Ok(Some(data)));
        let end = Frame { kind: FrameType::End, payload: &[], next: None };
        assert_eq!(inbox.next_frame(), Ok(Some(end)));
        assert_eq!(inbox.next_frame(), Ok(None));
    }
}
