//! The connection of a child of httpd to a worker: the stream that goes along with a request.

use std::io::IoSlice;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use httpd::Request;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{MsgFlags, send, sendmsg};
use wsgi::protocol::frame::{FrameType, Header};
use wsgi::protocol::frame_decoder::FrameDecoder;
use wsgi::protocol::queue::{GroupState, split};

use super::RelayError;
use super::receive::receive;
use super::stream::Stream;
use crate::lifecycle::queue::{QueueError, QueuedRequest, STALL};
use crate::lifecycle::route::Route;

/// As much of a frame and of what is behind it is on the stream before the request can be taken. A
/// stream's buffer has room for it.
const AHEAD: usize = 64 * 1024;

/// How long a worker may be silent.
pub(crate) fn socket_timeout(request: &Request<'_>, route: &Route) -> Duration {
    match route.timeouts.socket {
        Duration::ZERO => request.server().timeout(),
        limit => limit,
    }
}

/// How the hand-over of a frame to a worker ended.
pub(crate) enum HandOver<'r> {
    /// The whole frame is on its way; answers come on this connection.
    Sent(WorkerConnection<'r>),
    /// A worker was lost before it had the whole frame, so nothing was begun.
    Again,
}

/// The child's end of the stream of one request.
pub(crate) struct WorkerConnection<'r> {
    stream: Stream,
    in_flight: QueuedRequest<'r>,
    /// How long a worker may be silent.
    timeout: Duration,
    /// How long it has been silent.
    silent: Duration,
    /// The group has answered.
    is_answered: bool,
}

impl<'r> WorkerConnection<'r> {
    /// Puts the request or question whose frame is `frame` into the group's queue, with the part of
    /// the body that comes `behind` it. Counts the attempts.
    pub(crate) fn open(
        route: &'r Route,
        frame: &[u8],
        behind: &[u8],
        timeout: Duration,
        attempts: &mut u32,
    ) -> Result<HandOver<'r>, RelayError> {
        if route.queue.state() == GroupState::Down {
            return Err(RelayError::Unavailable);
        }
        let in_flight = route.queue.enter().ok_or(RelayError::Stalled)?;
        let (stream, theirs) = Stream::open(route.queue.id(), step(timeout), &route.buffers)
            .map_err(RelayError::NoStream)?;
        let (message, rest) = split(frame, behind.is_empty());
        let first = &rest[..rest.len().min(AHEAD)];
        let second = &behind[..behind.len().min(AHEAD - first.len())];
        let ahead = send_both(&stream.socket, first, second).map_err(RelayError::NoStream)?;
        let limit = route.timeouts.connect;
        let deadline = Instant::now() + limit;
        route.queue.send(message, theirs.as_fd(), deadline, attempts).map_err(
            |error| match error {
                QueueError::Full(_) if route.queue.state() == GroupState::Down => {
                    RelayError::Unavailable
                }
                QueueError::Full(error) => RelayError::NoWorker { limit, error },
                QueueError::Closed(error) => RelayError::NoQueue(error),
            },
        )?;
        drop(theirs);
        let connection =
            Self { stream, in_flight, timeout, silent: Duration::ZERO, is_answered: false };
        if let Err(error) = connection.write_both(rest, behind, ahead) {
            return match error {
                nix::Error::EAGAIN => Err(RelayError::Silent("Timeout")),
                // The frame did not get through, so nothing was begun.
                _ => Ok(HandOver::Again),
            };
        }
        Ok(HandOver::Sent(connection))
    }

    /// Whether something comes within `limit`.
    pub(crate) fn is_readable(&self, limit: Duration) -> bool {
        let timeout = PollTimeout::try_from(limit).unwrap_or(PollTimeout::MAX);
        let mut descriptors = [PollFd::new(self.stream.socket.as_fd(), PollFlags::POLLIN)];
        poll(&mut descriptors, timeout).is_ok_and(|ready| ready > 0)
    }

    /// Waits until the worker has sent something, or `client` can be written to, but no longer than
    /// `limit`; gives whether the latter is so.
    pub(crate) fn wait_with(&self, client: BorrowedFd<'_>, limit: Duration) -> bool {
        let mut descriptors = [
            PollFd::new(self.stream.socket.as_fd(), PollFlags::POLLIN),
            PollFd::new(client, PollFlags::POLLOUT),
        ];
        let limit = PollTimeout::try_from(limit).unwrap_or(PollTimeout::MAX);
        let _ = poll(&mut descriptors, limit);
        descriptors[1].any().unwrap_or(false)
    }

    /// Reads what has come, and waits for it if nothing has.
    pub(crate) fn receive(
        &mut self,
        decoder: &mut FrameDecoder,
        files: &mut Vec<OwnedFd>,
    ) -> Result<(), RelayError> {
        while !self.receive_once(decoder, files, true)? {
            self.wait_on()?;
        }
        Ok(())
    }

    /// Reads what has come; false if nothing has.
    pub(crate) fn receive_available(
        &mut self,
        decoder: &mut FrameDecoder,
        files: &mut Vec<OwnedFd>,
    ) -> Result<bool, RelayError> {
        self.receive_once(decoder, files, false)
    }

    /// Reads what has come; false if nothing has come for as long as it waits.
    fn receive_once(
        &mut self,
        decoder: &mut FrameDecoder,
        files: &mut Vec<OwnedFd>,
        waits: bool,
    ) -> Result<bool, RelayError> {
        loop {
            match receive(self.stream.socket.as_fd(), decoder.room(), files, waits) {
                Ok(0) => return Err(RelayError::Lost(nix::Error::EPIPE)),
                Ok(count) => {
                    decoder.received(count);
                    self.note_answer();
                    return Ok(true);
                }
                Err(nix::Error::EINTR) => {}
                Err(nix::Error::EAGAIN) => return Ok(false),
                Err(nix::Error::EPROTO) => return Err(RelayError::Descriptors),
                Err(error) => return Err(RelayError::Lost(error)),
            }
        }
    }

    /// Nothing has come for as long as a read waits.
    fn wait_on(&mut self) -> Result<(), RelayError> {
        if !self.is_answered {
            if self.in_flight.leave_if_too_many(self.stream.socket.as_fd()) {
                return Err(RelayError::Stalled);
            }
            self.in_flight.knock(self.stream.socket.as_fd());
        }
        self.silent += self.stream.step;
        if self.silent < self.timeout { Ok(()) } else { Err(RelayError::Silent("Timeout")) }
    }

    fn note_answer(&mut self) {
        self.silent = Duration::ZERO;
        if !self.is_answered {
            self.is_answered = true;
            self.in_flight.note_progress();
        }
    }

    /// Sends frames that answer the worker.
    pub(crate) fn answer(&self, frames: &[u8]) -> Result<(), RelayError> {
        self.write(frames).map_err(RelayError::Lost)
    }

    /// Sends a frame whose payload lies elsewhere.
    pub(crate) fn answer_with(&self, kind: FrameType, payload: &[u8]) -> Result<(), RelayError> {
        let header = Header { kind, length: payload.len() }.encode();
        let sent = match send_both(&self.stream.socket, &header, payload) {
            Ok(count) => count,
            Err(nix::Error::EINTR | nix::Error::EAGAIN) => 0,
            Err(error) => return Err(RelayError::Lost(error)),
        };
        self.write_both(&header, payload, sent).map_err(RelayError::Lost)
    }

    /// Writes everything of both that is behind `sent` bytes.
    fn write_both(&self, first: &[u8], second: &[u8], sent: usize) -> nix::Result<()> {
        self.write(first.get(sent..).unwrap_or_default())?;
        self.write(&second[sent.saturating_sub(first.len())..])
    }

    /// Writes everything. A write that has to wait does so no longer than the worker may be silent.
    fn write(&self, mut bytes: &[u8]) -> nix::Result<()> {
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
        let mut deadline = None;
        while !bytes.is_empty() {
            match send(self.stream.socket.as_raw_fd(), bytes, flags) {
                Ok(count) => (bytes, deadline) = (&bytes[count..], None),
                Err(nix::Error::EINTR) => {}
                Err(nix::Error::EAGAIN) => {
                    let deadline = *deadline.get_or_insert_with(|| Instant::now() + self.timeout);
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return Err(nix::Error::EAGAIN);
                    }
                    let limit = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
                    let _ = poll(
                        &mut [PollFd::new(self.stream.socket.as_fd(), PollFlags::POLLOUT)],
                        limit,
                    );
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// The worker has said all: keeps the stream for another request, if it has sent its end of it
    /// back.
    pub(crate) fn keep(self, returned: Option<OwnedFd>) {
        if let Some(returned) = returned {
            self.stream.keep(returned);
        }
    }
}

/// Sends as much of both as there is room for.
fn send_both(stream: &UnixStream, first: &[u8], second: &[u8]) -> nix::Result<usize> {
    let parts = [IoSlice::new(first), IoSlice::new(second)];
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
    sendmsg::<()>(stream.as_raw_fd(), &parts, &[], flags, None)
}

/// How long a read waits at a time, of `timeout` in all: no longer than until a request that no
/// worker has taken is looked at.
fn step(timeout: Duration) -> Duration {
    let steps = timeout.as_nanos().div_ceil(STALL.as_nanos()).max(1);
    timeout / u32::try_from(steps).unwrap_or(u32::MAX)
}
