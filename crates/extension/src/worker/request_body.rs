//! The body of a request that a worker serves, from the httpd child.
//!
//! A short one comes with the request, behind its frame. For more, a worker asks for as much as the
//! application has room for, and the child answers with what has come, up to that: the room is the
//! credit that it may use. Bytes are received where the application wants them.

use std::io::{Cursor, IoSliceMut, Read};
use std::os::unix::net::UnixStream;

use wsgi::protocol::frame::{FrameError, FrameType, HEADER, Header};
use wsgi::protocol::request::{BodyRest, RequestHead};

use super::receive::{ReceiveError, receive_exactly, retry};

/// How much of the body has arrived.
#[derive(Debug)]
pub(crate) struct RequestBody {
    /// More may be asked for.
    may_be_asked: bool,
    /// Bytes that have arrived before they were wanted.
    arrived: Cursor<Vec<u8>>,
    /// Bytes of a piece that has begun to arrive.
    piece_left: usize,
}

/// The answer to a question for a piece.
pub(super) enum Piece {
    /// So many bytes of it are in the place for them; 0 is the end of the body.
    Received(usize),
    /// It is none: the frame, whole.
    Other(FrameType, Vec<u8>),
}

impl RequestBody {
    /// The body of this request, behind the bytes that have come in its head. The part that is on
    /// the stream behind the frame, of which `arrived` has come, is received now: a request is not
    /// begun as long as something of it is on the stream ([`wsgi::protocol::queue`]).
    pub(crate) fn receive(
        stream: &UnixStream,
        request: &RequestHead<'_>,
        mut arrived: Vec<u8>,
    ) -> Result<Self, ReceiveError> {
        let behind = usize::try_from(request.body_behind).unwrap_or(usize::MAX);
        let missing = behind.checked_sub(arrived.len());
        let missing = missing.ok_or(FrameError::Turn(FrameType::Body))?;
        receive_exactly(stream, &mut arrived, missing)?;
        let may_be_asked = request.body_rest == BodyRest::Pull;
        Ok(Self { may_be_asked, arrived: Cursor::new(arrived), piece_left: 0 })
    }

    /// Takes bytes that have arrived before they were wanted.
    pub(super) fn take_arrived(&mut self, place: &mut [u8]) -> usize {
        // Reading from memory does not fail.
        self.arrived.read(place).unwrap_or(0)
    }

    /// Receives the rest of the piece that has begun to arrive, for later: something else is to
    /// come behind it.
    pub(super) fn finish_piece(&mut self, stream: &UnixStream) -> Result<(), ReceiveError> {
        receive_exactly(stream, self.arrived.get_mut(), std::mem::take(&mut self.piece_left))
    }

    /// Whether the child may have more.
    pub(super) fn may_be_asked(&self) -> bool {
        self.may_be_asked
    }

    /// Whether a piece has begun to arrive that was not read to its end.
    pub(super) fn is_within_piece(&self) -> bool {
        self.piece_left > 0
    }

    /// Receives more of the piece that has begun to arrive.
    pub(super) fn read_on(
        &mut self,
        mut stream: &UnixStream,
        place: &mut [u8],
    ) -> Result<usize, ReceiveError> {
        let room = self.piece_left.min(place.len());
        let count = retry(|| stream.read(&mut place[..room]))?;
        if count == 0 && room > 0 {
            return Err(ReceiveError::Closed);
        }
        self.piece_left -= count;
        Ok(count)
    }

    /// Receives the child's answer to a question for as much as there is room for.
    pub(super) fn receive_piece(
        &mut self,
        mut stream: &UnixStream,
        place: &mut [u8],
    ) -> Result<Piece, ReceiveError> {
        let (mut header, mut received) = ([0; HEADER], 0);
        while received < HEADER {
            let rest = &mut header[received..];
            let mut parts = [IoSliceMut::new(rest), IoSliceMut::new(place)];
            match retry(|| stream.read_vectored(&mut parts))? {
                0 => return Err(ReceiveError::Closed),
                count => received += count,
            }
        }
        let Header { kind, length } = Header::decode(header)?;
        let arrived = received - HEADER;
        if arrived > length {
            // The child says one thing at a time.
            return Err(FrameError::Turn(kind).into());
        }
        if kind != FrameType::Body {
            let mut payload = place[..arrived].to_vec();
            payload.resize(length, 0);
            stream.read_exact(&mut payload[arrived..])?;
            return Ok(Piece::Other(kind, payload));
        }
        if length > place.len() {
            return Err(FrameError::Length { kind, length }.into());
        }
        self.piece_left = length - arrived;
        if arrived == 0 && length > 0 {
            return self.read_on(stream, place).map(Piece::Received);
        }
        Ok(Piece::Received(arrived))
    }
}
