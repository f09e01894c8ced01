//! Frames: what travels on the stream socket between an Apache child and a worker.
//!
//! A frame is a type byte, a payload length and the payload. The exchange is pull-based: the child
//! sends one [`FrameType::RequestHead`] (or [`FrameType::Question`]), which begins on the group's
//! queue (see [`crate::protocol::queue`]), and from then on only answers what the worker asks for,
//! so at any time one side speaks and no dead-lock is possible.

use crate::protocol::codec::{CodecError, Reader, Writer};

/// The version of the protocol; both ends come from one build, and this finds out if they don't.
pub const VERSION: u8 = 6;

/// Bytes of a frame in front of its payload.
pub const HEADER: usize = 5;

/// The longest payload of a request or question frame in bytes. httpd's own limits keep real ones
/// far below.
pub const MAX_REQUEST: usize = 16 << 20;

/// The longest payload of any other frame in bytes; most types allow less.
pub const MAX_PAYLOAD: usize = 1 << 20;

/// The meaning of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum FrameType {
    /// Child → worker: a [`crate::protocol::request::RequestHead`].
    RequestHead = 1,
    /// Child → worker: the answer to `WantBody`; an empty payload is the end of the body.
    Body = 2,
    /// Child → worker: the client's body cannot be read; a [`BodyFault`] and a text.
    BodyFailed = 3,
    /// Child → worker: a piece of the answer to `WantServer`, a
    /// [`crate::protocol::scoreboard::ScoreboardSnapshot`]; an empty payload is its end, and all of
    /// it where the process group may not see one.
    Server = 4,
    /// Child → worker: a [`crate::protocol::hook::Question`], in place of a request.
    Question = 5,
    /// Child → worker: the answer to `WantVariable` (see
    /// [`crate::protocol::hook::decode_variable`]).
    Variable = 6,
    /// Worker → child: send up to n bytes of the client's body (a `u32`).
    WantBody = 16,
    /// Worker → child: status and headers, a [`crate::protocol::response::ResponseHead`].
    ResponseHead = 17,
    /// Worker → child: a piece of the response's body, to be passed on and flushed.
    Data = 18,
    /// Worker → child: offset and length (two `u64`) of a file whose descriptor comes along. A
    /// response has one at most.
    File = 19,
    /// Worker → child: a line for the request's error log, a
    /// [`crate::protocol::log_line::LogLine`].
    Log = 20,
    /// Worker → child: the response is complete. The stream's end may come along.
    End = 21,
    /// Worker → child: the response is cut short, and the client must see that.
    Abort = 22,
    /// Worker → child: the application failed before its head was sent; the status for the client
    /// (a `u16`), whose error document is Apache's. The stream's end may come along.
    Fail = 23,
    /// Worker → child: nothing was consumed; ask another worker (this one is being replaced).
    Decline = 24,
    /// Worker → child: send what the scoreboard says.
    WantServer = 25,
    /// Worker → child: the [`crate::protocol::hook::Answer`] to the question; nothing follows. The
    /// stream's end may come along.
    Answer = 26,
    /// Worker → child: send the value of the variable of mod_ssl's with this name.
    WantVariable = 27,
    /// `wsgid` → child, in place of a worker: the group has no worker, and none is started for a
    /// while.
    Unavailable = 28,
}

impl FrameType {
    fn from_byte(byte: u8) -> Option<Self> {
        Some(match byte {
            1 => Self::RequestHead,
            2 => Self::Body,
            3 => Self::BodyFailed,
            4 => Self::Server,
            5 => Self::Question,
            6 => Self::Variable,
            16 => Self::WantBody,
            17 => Self::ResponseHead,
            18 => Self::Data,
            19 => Self::File,
            20 => Self::Log,
            21 => Self::End,
            22 => Self::Abort,
            23 => Self::Fail,
            24 => Self::Decline,
            25 => Self::WantServer,
            26 => Self::Answer,
            27 => Self::WantVariable,
            28 => Self::Unavailable,
            _ => return None,
        })
    }

    /// Whether a worker, or `wsgid` in place of one, sends it.
    #[must_use]
    pub fn is_from_worker(self) -> bool {
        self as u8 >= Self::WantBody as u8
    }

    /// The longest payload in bytes. Where all payloads have one length, a longer one is refused
    /// before it is received.
    fn limit(self) -> usize {
        match self {
            Self::RequestHead | Self::Question => MAX_REQUEST,
            Self::WantBody => size_of::<u32>(),
            Self::File => 2 * size_of::<u64>(),
            Self::Fail => size_of::<u16>(),
            Self::End | Self::Abort | Self::Decline | Self::WantServer | Self::Unavailable => 0,
            _ => MAX_PAYLOAD,
        }
    }
}

/// Why a frame was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The type byte is not one of [`FrameType`].
    #[error("a frame of the unknown type {0}")]
    Type(u8),
    /// The payload is longer than its type allows.
    #[error("a frame of type {kind:?} with {length} bytes")]
    Length {
        /// The frame's type.
        kind: FrameType,
        /// The length that it claims, in bytes.
        length: usize,
    },
    /// A frame that this side never gets, or not now.
    #[error("a frame of type {0:?} out of turn")]
    Turn(FrameType),
    /// The other side comes from another build.
    #[error("the other side speaks version {0} of the protocol, this one version {VERSION}")]
    Version(u8),
    /// The payload is not what its type promises.
    #[error("a frame that cannot be read: {0}")]
    Payload(#[from] CodecError),
}

/// The fixed part of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The meaning of the frame.
    pub kind: FrameType,
    /// Bytes of payload that follow.
    pub length: usize,
}

impl Header {
    /// Reads a header.
    pub fn decode(bytes: [u8; HEADER]) -> Result<Self, FrameError> {
        let [kind, a, b, c, d] = bytes;
        let kind = FrameType::from_byte(kind).ok_or(FrameError::Type(kind))?;
        let length = u32::from_le_bytes([a, b, c, d]) as usize;
        if length > kind.limit() {
            return Err(FrameError::Length { kind, length });
        }
        Ok(Self { kind, length })
    }

    /// The header's bytes.
    ///
    /// # Panics
    /// If `length` is beyond what the frame's type allows: the sender splits before it comes here.
    pub fn encode(self) -> [u8; HEADER] {
        assert!(self.length <= self.kind.limit(), "{self:?} is too long");
        let length = u32::try_from(self.length).expect("the limits are below 4 GiB");
        let [a, b, c, d] = length.to_le_bytes();
        [self.kind as u8, a, b, c, d]
    }
}

/// Appends a whole frame to `buffer`; `payload` appends the payload.
///
/// # Panics
/// If the payload is longer than [`FrameType`] allows.
pub fn write(buffer: &mut Vec<u8>, kind: FrameType, payload: impl FnOnce(&mut Vec<u8>)) {
    let start = buffer.len();
    buffer.extend_from_slice(&[0; HEADER]);
    payload(buffer);
    complete(&mut buffer[start..], kind);
}

/// Writes the header of a frame whose payload is there already, behind room for the header.
///
/// # Panics
/// If there is no such room, or the payload is longer than [`FrameType`] allows.
pub fn complete(frame: &mut [u8], kind: FrameType) {
    let header = Header { kind, length: frame.len() - HEADER }.encode();
    frame[..HEADER].copy_from_slice(&header);
}

/// Why a request body could not be read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum BodyFault {
    /// The client closed the connection or broke off.
    Gone = 1,
    /// The client sent nothing for as long as Apache waits.
    Timeout = 2,
    /// The body is longer than `LimitRequestBody` allows.
    TooLarge = 3,
    /// Anything else: malformed chunks, a failing input filter.
    Broken = 4,
}

impl BodyFault {
    /// Appends the payload of a [`FrameType::BodyFailed`] frame.
    pub fn encode(self, text: &[u8], buffer: &mut Vec<u8>) {
        Writer::new(buffer).u8(self as u8).bytes(text);
    }

    /// Reads the payload of a [`FrameType::BodyFailed`] frame.
    pub fn decode(payload: &[u8]) -> Result<(Self, &[u8]), CodecError> {
        let mut reader = Reader::new(payload);
        let fault = match reader.u8()? {
            1 => Self::Gone,
            2 => Self::Timeout,
            3 => Self::TooLarge,
            4 => Self::Broken,
            _ => return Err(CodecError::Value("body fault")),
        };
        let text = reader.bytes()?;
        reader.end()?;
        Ok((fault, text))
    }
}

/// A part of a file: the payload of a [`FrameType::File`] frame. The process that opens the file
/// checks whether it has that part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileRange {
    /// Its first byte.
    pub offset: u64,
    /// Its bytes.
    pub length: u64,
}

impl FileRange {
    /// Appends the payload.
    pub fn encode(self, buffer: &mut Vec<u8>) {
        Writer::new(buffer).u64(self.offset).u64(self.length);
    }

    /// Reads the payload.
    pub fn decode(payload: &[u8]) -> Result<Self, CodecError> {
        let mut reader = Reader::new(payload);
        let range = Self { offset: reader.u64()?, length: reader.u64()? };
        reader.end()?;
        Ok(range)
    }
}

/// The payload of a [`FrameType::WantBody`] frame: bytes that are wanted at most.
pub fn decode_want_body(payload: &[u8]) -> Result<u32, CodecError> {
    let mut reader = Reader::new(payload);
    let wanted = reader.u32()?;
    reader.end()?;
    Ok(wanted)
}

/// The payload of a [`FrameType::Fail`] frame: a status for the client. One that is no error is
/// none that a failure may have, and becomes the nearest that is.
pub fn decode_failure(payload: &[u8]) -> Result<u16, CodecError> {
    let mut reader = Reader::new(payload);
    let status = reader.u16()?;
    reader.end()?;
    Ok(status.clamp(400, 599))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_frame_round_trips() {
        let mut buffer = Vec::new();
        write(&mut buffer, FrameType::Data, |payload| payload.extend_from_slice(b"hello"));
        let header = Header::decode(*buffer.first_chunk().unwrap()).unwrap();
        assert_eq!(header, Header { kind: FrameType::Data, length: 5 });
        assert_eq!(&buffer[HEADER..], b"hello");
    }

    #[test]
    fn limits_hold() {
        assert_eq!(Header::decode([99, 0, 0, 0, 0]), Err(FrameError::Type(99)));
        let bytes = [18, 1, 0, 16, 0];
        let refused = FrameError::Length { kind: FrameType::Data, length: MAX_PAYLOAD + 1 };
        assert_eq!(Header::decode(bytes), Err(refused));
        // A frame of the type End has no payload.
        let refused = FrameError::Length { kind: FrameType::End, length: 1 };
        assert_eq!(Header::decode([21, 1, 0, 0, 0]), Err(refused));
        for (kind, length) in [(16, 4), (19, 16), (23, 2), (22, 0), (24, 0), (25, 0), (28, 0)] {
            assert!(Header::decode([kind, length, 0, 0, 0]).is_ok(), "{kind}");
            assert!(Header::decode([kind, length + 1, 0, 0, 0]).is_err(), "{kind}");
        }
    }

    #[test]
    fn each_side_has_its_frames() {
        for byte in 0..=u8::MAX {
            let Some(kind) = FrameType::from_byte(byte) else { continue };
            assert_eq!(kind.is_from_worker(), byte >= 16, "{kind:?}");
            // Only what a child sends may be that long: children wait for many workers at a time.
            assert!(kind.limit() <= MAX_PAYLOAD || !kind.is_from_worker(), "{kind:?}");
        }
    }

    #[test]
    fn body_faults_round_trip() {
        let mut buffer = Vec::new();
        BodyFault::Timeout.encode(b"slow", &mut buffer);
        assert_eq!(BodyFault::decode(&buffer), Ok((BodyFault::Timeout, b"slow".as_slice())));
    }

    /// A worker that says more than the frame's type has room for is not understood, and not half
    /// understood.
    #[test]
    fn numbers_are_the_whole_payload() {
        let mut buffer = Vec::new();
        let range = FileRange { offset: 7, length: u64::MAX };
        range.encode(&mut buffer);
        assert_eq!(FileRange::decode(&buffer), Ok(range));
        assert_eq!(FileRange::decode(&buffer[1..]), Err(CodecError::Short));
        buffer.push(0);
        assert_eq!(FileRange::decode(&buffer), Err(CodecError::Trailing(1)));
        assert_eq!(decode_want_body(&[1, 2, 0, 0]), Ok(513));
        assert_eq!(decode_want_body(&[1, 2, 0, 0, 0]), Err(CodecError::Trailing(1)));
        assert_eq!(decode_failure(&[0xf7, 1]), Ok(503));
        assert_eq!((decode_failure(&[0, 0]), decode_failure(&[255, 255])), (Ok(400), Ok(599)));
        assert_eq!(decode_failure(&[0xf7, 1, 0]), Err(CodecError::Trailing(1)));
    }

    proptest! {
        #[test]
        fn headers_decode_or_are_refused(bytes: [u8; HEADER]) {
            if let Ok(header) = Header::decode(bytes) {
                prop_assert_eq!(header.encode(), bytes);
            }
        }

        #[test]
        fn body_faults_never_panic(payload: Vec<u8>) {
            let _ = BodyFault::decode(&payload);
        }
    }
}
