//! A connection from an httpd child: the worker's side of the frames.

use std::io::{IoSlice, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use engine::ServerLog;
use engine::exchange::{BodyError, Exchange, Gone};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use wsgi::codes;
use wsgi::protocol::codec::Writer;
use wsgi::protocol::frame::{self, BodyFault, FileRange, FrameType, HEADER, Header, MAX_PAYLOAD};
use wsgi::protocol::frame_decoder::FrameDecoder;
use wsgi::protocol::hook::{Answer, decode_variable};
use wsgi::protocol::log_line::LogLine;
use wsgi::protocol::outcome::Outcome;
use wsgi::protocol::response::{ResponseHead, ResponseStatus};
use wsgi::protocol::scoreboard::ScoreboardSnapshot;

use crate::log::ProcessLog;
use crate::sys;
use crate::worker::in_flight::InFlight;
use crate::worker::receive::{ReceiveError, ReceivedFrame, receive};
use crate::worker::request_body::{Piece, RequestBody};

/// A piece of the response up to this length is copied behind its header, and so is the last one up
/// to [`LAST`], which then leaves with the end.
const SMALL: usize = 2 * 1024;
const LAST: usize = 16 * 1024;

/// A request's way to the httpd child.
pub(crate) struct ChildConnection {
    stream: UnixStream,
    decoder: FrameDecoder,
    /// Frames that were made and not yet sent.
    output: Vec<u8>,
    body: RequestBody,
    /// The child has closed its end.
    gone: bool,
    /// The number of this process's forks when it took the request.
    forks: u32,
    /// Another thread has given the request up, and never waits for the child.
    is_given_up: bool,
    log: Arc<ProcessLog>,
    /// Where activity is noted, if it counts.
    activity: Option<Arc<InFlight>>,
}

/// A request that has waited so long may have been given up by its child meanwhile.
const LONG_WAIT: Duration = Duration::from_millis(500);

impl ChildConnection {
    /// The way of a request to its child: its stream, and its body. Lines that cannot reach the
    /// child go to `log`; activity is noted in `activity`, if it counts.
    pub(crate) fn new(
        stream: UnixStream,
        body: RequestBody,
        log: Arc<ProcessLog>,
        activity: Option<Arc<InFlight>>,
    ) -> Self {
        let decoder = FrameDecoder::with_room(HEADER);
        let (output, forks) = (Vec::new(), sys::forks());
        Self {
            stream,
            decoder,
            output,
            body,
            gone: false,
            forks,
            is_given_up: false,
            log,
            activity,
        }
    }

    /// Whether the child has given the request up while it waited in the queue, for so long:
    /// then it is not begun at all.
    pub(crate) fn was_abandoned(&self, waited: Duration) -> bool {
        let mut descriptors = [PollFd::new(self.stream.as_fd(), PollFlags::empty())];
        waited >= LONG_WAIT && poll(&mut descriptors, PollTimeout::ZERO) != Ok(0)
    }

    /// Makes a frame, to be sent with what follows or by [`Self::send`].
    fn put(&mut self, kind: FrameType, payload: impl FnOnce(&mut Vec<u8>)) {
        frame::write(&mut self.output, kind, payload);
    }

    /// Ends this process if the application has forked it: what it sent would get between what the
    /// worker sends, and it would go on to take requests that `wsgid` knows nothing of.
    fn end_if_forked(&self) {
        let Some(worker) = sys::forked_from() else { return };
        self.log.report(codes::forked_process_ended(worker));
        sys::exit_now(sys::FOREIGN)
    }

    /// Sends the frames that were made.
    fn send(&mut self) -> Result<(), Gone> {
        self.end_if_forked();
        if self.gone {
            self.output.clear();
            return Err(Gone);
        }
        let sent = (&self.stream).write_all(&self.output);
        self.output.clear();
        self.note(sent.is_ok())
    }

    /// Sends the frames that were made, the last of the request, and the stream's end with them, so
    /// that the child can use the stream again. It is kept where another process may hold it, too,
    /// or where the child could not rely on its being empty.
    fn send_last(&mut self) {
        let is_read = self.decoder.is_empty() && !self.body.is_within_piece();
        let is_clean = !self.gone && !self.is_given_up && is_read;
        if is_clean && self.forks == sys::forks() && !self.output.is_empty() {
            self.end_if_forked();
            let files = [self.stream.as_raw_fd()];
            let attached = [ControlMessage::ScmRights(&files)];
            let parts = [IoSlice::new(&self.output)];
            let flags = MsgFlags::MSG_NOSIGNAL;
            let sent =
                sendmsg::<()>(self.stream.as_raw_fd(), &parts, &attached, flags, None).unwrap_or(0);
            self.output.drain(..sent);
            if self.output.is_empty() {
                return;
            }
        }
        // If the child is gone, it does not matter any more.
        let _ = self.send();
    }

    fn note_activity(&self) {
        if let Some(requests) = &self.activity {
            requests.note_activity();
        }
    }

    fn note(&mut self, sent: bool) -> Result<(), Gone> {
        self.gone |= !sent;
        if self.gone { Err(Gone) } else { Ok(()) }
    }

    /// Sends a frame of the body, with the frames that were made in front of it.
    fn send_piece(&mut self, piece: &[u8]) -> Result<(), Gone> {
        if piece.len() <= SMALL {
            self.put(FrameType::Data, |payload| payload.extend_from_slice(piece));
            return self.send();
        }
        let header = Header { kind: FrameType::Data, length: piece.len() }.encode();
        self.output.extend_from_slice(&header);
        if self.gone {
            return self.send();
        }
        self.end_if_forked();
        let sent = write_both(&self.stream, &self.output, piece);
        self.output.clear();
        self.note(sent.is_ok())
    }

    /// Receives the next part of the request's body that the child has.
    fn receive_body(&mut self, place: &mut [u8]) -> Result<Piece, ReceiveError> {
        if self.body.is_within_piece() {
            return self.body.read_on(&self.stream, place).map(Piece::Received);
        }
        let wanted = u32::try_from(place.len().min(MAX_PAYLOAD)).expect("a payload's length");
        self.put(FrameType::WantBody, |payload| {
            Writer::new(payload).u32(wanted);
        });
        self.send().map_err(|Gone| ReceiveError::Closed)?;
        self.body.receive_piece(&self.stream, place)
    }

    /// The frame that the child answers with.
    fn answer_frame(&mut self) -> Result<ReceivedFrame, ReceiveError> {
        let answer = self
            .body
            .finish_piece(&self.stream)
            .and_then(|()| receive(&self.stream, &mut self.decoder))
            .and_then(|frame| frame.ok_or(ReceiveError::Closed));
        self.gone |= answer.is_err();
        answer
    }
}

fn write_both(mut stream: &UnixStream, first: &[u8], second: &[u8]) -> std::io::Result<()> {
    let mut parts = [IoSlice::new(first), IoSlice::new(second)];
    let mut parts = &mut parts[..];
    while !parts.is_empty() {
        match stream.write_vectored(parts) {
            Ok(0) => return Err(std::io::ErrorKind::WriteZero.into()),
            Ok(count) => IoSlice::advance_slices(&mut parts, count),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

impl Exchange for ChildConnection {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, BodyError> {
        self.note_activity();
        let count = self.body.take_arrived(buffer);
        if count > 0 || !(self.body.is_within_piece() || self.body.may_be_asked()) {
            return Ok(count);
        }
        let piece = self.receive_body(buffer).map_err(|error| {
            self.gone = true;
            BodyError { fault: BodyFault::Gone, text: error.to_string() }
        })?;
        Err(match piece {
            Piece::Received(count) => return Ok(count),
            Piece::Other(FrameType::BodyFailed, payload) => match BodyFault::decode(&payload) {
                Ok((fault, text)) => {
                    BodyError { fault, text: String::from_utf8_lossy(text).into_owned() }
                }
                Err(error) => BodyError { fault: BodyFault::Broken, text: error.to_string() },
            },
            Piece::Other(kind, _) => {
                let text = frame::FrameError::Turn(kind).to_string();
                BodyError { fault: BodyFault::Broken, text }
            }
        })
    }

    fn set_nonblocking(&mut self) {
        self.is_given_up = true;
        // It can only fail for a socket that is none.
        let _ = self.stream.set_nonblocking(true);
    }

    fn head(
        &mut self,
        status: &ResponseStatus,
        headers: &[(Vec<u8>, Vec<u8>)],
    ) -> Result<(), Gone> {
        let headers = headers.iter().map(|(name, value)| (name.as_slice(), value.as_slice()));
        // It leaves with the first data: one call to the kernel for both.
        self.put(FrameType::ResponseHead, |payload| ResponseHead::encode(status, headers, payload));
        if self.gone { Err(Gone) } else { Ok(()) }
    }

    fn data(&mut self, bytes: &[u8]) -> Result<(), Gone> {
        self.note_activity();
        bytes.chunks(MAX_PAYLOAD).try_for_each(|piece| self.send_piece(piece))
    }

    fn last_data(&mut self, bytes: &[u8]) -> Result<(), Gone> {
        if bytes.len() > LAST {
            return self.data(bytes);
        }
        self.put(FrameType::Data, |payload| payload.extend_from_slice(bytes));
        if self.gone { Err(Gone) } else { Ok(()) }
    }

    fn file(&mut self, file: BorrowedFd<'_>, offset: u64, length: u64) -> Result<(), Gone> {
        self.send()?;
        let mut frame = Vec::with_capacity(HEADER + 16);
        frame::write(&mut frame, FrameType::File, |payload| {
            FileRange { offset, length }.encode(payload);
        });
        let files = [file.as_raw_fd()];
        let attached = [ControlMessage::ScmRights(&files)];
        let sent = loop {
            let parts = [IoSlice::new(&frame)];
            let flags = MsgFlags::MSG_NOSIGNAL;
            match sendmsg::<()>(self.stream.as_raw_fd(), &parts, &attached, flags, None) {
                Ok(count) => break (&self.stream).write_all(&frame[count..]).is_ok(),
                Err(nix::Error::EINTR) => {}
                Err(_) => break false,
            }
        };
        self.note(sent)
    }

    fn scoreboard(&mut self) -> Option<ScoreboardSnapshot> {
        self.put(FrameType::WantServer, |_| {});
        self.send().ok()?;
        let mut board = Vec::new();
        loop {
            match self.answer_frame() {
                Ok((FrameType::Server, piece)) if piece.is_empty() => break,
                Ok((FrameType::Server, piece)) => board.extend_from_slice(&piece),
                // Whatever this is, the rest of the request cannot be understood either.
                Ok(_) => {
                    self.gone = true;
                    return None;
                }
                Err(_) => return None,
            }
        }
        // Nothing at all means that the group may not see it.
        ScoreboardSnapshot::decode(&board).ok()
    }

    fn tls_variable(&mut self, name: &[u8]) -> Option<Vec<u8>> {
        if name.len() > MAX_PAYLOAD {
            return None;
        }
        self.put(FrameType::WantVariable, |payload| payload.extend_from_slice(name));
        self.send().ok()?;
        if let Ok((FrameType::Variable, payload)) = self.answer_frame() {
            return decode_variable(&payload).ok()?.map(<[u8]>::to_vec);
        }
        // Whatever this is, what follows cannot be understood either.
        self.gone = true;
        None
    }

    fn answer(&mut self, answer: &Answer) {
        self.put(FrameType::Answer, |payload| answer.encode(payload));
        self.send_last();
    }

    fn log(&mut self, mut line: LogLine<'_>) {
        for part in [&mut line.text, &mut line.source.file] {
            *part = &part[..part.len().min(MAX_PAYLOAD / 4)];
        }
        if sys::forked_from().is_some() {
            // A process that the application has forked may say something before it ends.
            return self.log.write(line);
        }
        self.put(FrameType::Log, |payload| line.encode(payload));
        if self.send() == Err(Gone) {
            // The request's own log cannot be reached any more; the process's can.
            self.log.write(line);
        }
    }

    fn finish(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Complete => self.put(FrameType::End, |_| {}),
            Outcome::Aborted => self.put(FrameType::Abort, |_| {}),
            Outcome::Declined => self.put(FrameType::Decline, |_| {}),
            Outcome::Failed(status) => self.put(FrameType::Fail, |payload| {
                Writer::new(payload).u16(status);
            }),
            Outcome::Gone => return self.end_if_forked(),
        }
        if matches!(outcome, Outcome::Complete | Outcome::Failed(_)) {
            return self.send_last();
        }
        // If the child is gone, it does not matter any more.
        let _ = self.send();
    }
}
