//! A request that a worker serves: the httpd child's side of the frames.
//!
//! The child sends the request, and then only does what the worker asks. It asks another worker only
//! where nothing of the request can have been used: the worker declined, or was gone before it had all
//! of the request's head.

use std::io::Write;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use httpd::{Flush, ReadError, Request, SendError, Status};
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, UnixAddr, connect, setsockopt, socket, sockopt,
};
use wsgi::frame::{self, BodyFault, FrameError, FrameType, HEADER, MAX_PAYLOAD};
use wsgi::inbox::Inbox;
use wsgi::level::Level;
use wsgi::log_line::LogLine;
use wsgi::request::Attempts;
use wsgi::response::Head;
use wsgi::wire::Reader;

use crate::routing::Route;
use crate::{log, log_of_script, respond, scoreboard, sys};

/// How long a child waits for a worker to take its connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// Room for the beginning of an answer in bytes: every request that waits for its worker holds it.
const FIRST_ROOM: usize = 1024;
/// Pause between two attempts while nobody listens, as when `wsgid` is started again.
const CONNECT_PAUSE: Duration = Duration::from_millis(50);

/// Why a request could not be served by a worker, and what becomes of it.
#[derive(Debug, thiserror::Error)]
enum RelayError {
    #[error("no connection to its socket within {seconds} seconds ({0})", seconds = CONNECT_TIMEOUT.as_secs())]
    NoWorker(nix::Error),
    #[error("the worker was lost before it answered ({0})")]
    Lost(nix::Error),
    #[error("the worker gave no answer for as long as Timeout allows")]
    Silent,
    #[error("the worker sent {0}")]
    Nonsense(#[from] FrameError),
    #[error("its workers kept being replaced; gave up after {0} attempts")]
    Declined(u32),
}

impl RelayError {
    fn status(&self) -> u16 {
        match self {
            Self::NoWorker(_) | Self::Declined(_) => 503,
            Self::Lost(_) => 502,
            Self::Silent => 504,
            Self::Nonsense(_) => 500,
        }
    }
}

/// How one attempt ended.
enum Attempt {
    /// The worker has answered (or the client is gone): nothing is left to do.
    Done,
    /// The application failed before it sent anything; httpd answers with this status.
    Failed(u16),
    /// Another worker has to be asked; nothing was used up.
    Again,
}

/// Has a worker of a group serve the request whose frame is `frame`.
pub(crate) fn serve(
    request: &mut Request<'_>,
    group: &str,
    route: &Route,
    frame: &mut [u8],
) -> Status {
    let timeout = request.server().timeout();
    let attempts = 2 * route.processes + 1;
    let mut relay =
        Relay { request, head_sent: false, file: None, server_metrics: route.server_metrics };
    let mut tried = Attempts::default();
    for restarts in 0..attempts {
        tried.restarts = restarts;
        match relay.attempt(route, frame, timeout, &mut tried) {
            Ok(Attempt::Done) => return Status::Ok,
            Ok(Attempt::Failed(status)) => return Status::Http(status),
            Ok(Attempt::Again) => {}
            Err(error) => return relay.fail(group, &error),
        }
    }
    relay.fail(group, &RelayError::Declined(attempts))
}

struct Relay<'a, 'r> {
    request: &'a mut Request<'r>,
    head_sent: bool,
    /// A file that was received and waits for what comes behind it: if that is the end, httpd gets
    /// the response whole, and can answer for byte ranges.
    file: Option<FilePart>,
    /// Whether the process group may see the scoreboard. Decided here, where its user cannot.
    server_metrics: bool,
}

/// A part of a file, to be sent.
struct FilePart {
    file: OwnedFd,
    offset: u64,
    length: u64,
}

impl Relay<'_, '_> {
    fn fail(&mut self, group: &str, error: &RelayError) -> Status {
        let text = format!("process group {group}: {error}");
        log(&*self.request, Level::Error, &text);
        if self.head_sent {
            self.request.cut_short();
            return Status::Ok;
        }
        Status::Http(error.status())
    }

    fn attempt(
        &mut self,
        route: &Route,
        frame: &mut [u8],
        timeout: Duration,
        tried: &mut Attempts,
    ) -> Result<Attempt, RelayError> {
        let stream = open(route, &mut tried.connects)?;
        tried.note(&mut frame[HEADER..]);
        let limits = stream
            .set_read_timeout(Some(timeout))
            .and_then(|()| stream.set_write_timeout(Some(timeout)));
        limits.map_err(|error| RelayError::Lost(errno(&error)))?;
        if (&stream).write_all(frame).is_err() {
            // The head did not get through, so nothing was started.
            return Ok(Attempt::Again);
        }
        self.exchange(&stream)
    }

    /// Does what the worker asks until the response is complete.
    fn exchange(&mut self, stream: &UnixStream) -> Result<Attempt, RelayError> {
        let (mut inbox, mut files) = (Inbox::with_room(FIRST_ROOM), Vec::new());
        let mut answered = false;
        loop {
            let Some(frame) = inbox.next_frame()? else {
                match receive(stream, &mut inbox, &mut files) {
                    // A Unix socket is reset when its other end goes away without having been
                    // accepted, or with data in it that was not read. Either way the request's head
                    // was not read to its end, so nothing was started.
                    Err(RelayError::Lost(nix::Error::ECONNRESET)) if !answered => {
                        return Ok(Attempt::Again);
                    }
                    received => received?,
                }
                continue;
            };
            answered = true;
            // Neither of these says what comes behind the file.
            if !matches!(frame.kind, FrameType::Log | FrameType::WantServer) {
                let end = frame.kind == FrameType::End;
                let flush = if end { Flush::AtEnd } else { Flush::Now };
                if let Some(FilePart { file, offset, length }) = self.file.take()
                    && self.request.send_file(file, offset, length, flush) == Err(SendError)
                {
                    return Ok(Attempt::Done);
                }
            }
            match frame.kind {
                FrameType::WantBody => {
                    let mut reader = Reader::new(frame.payload);
                    let wanted = reader.u32().map_err(FrameError::from)?;
                    self.send_body(stream, wanted as usize)?;
                }
                FrameType::WantServer => self.send_server(stream)?,
                FrameType::Head if self.request.is_answered() => return Ok(Attempt::Done),
                FrameType::Head => {
                    let head = Head::decode(frame.payload).map_err(FrameError::from)?;
                    if std::mem::replace(&mut self.head_sent, true) {
                        return Err(FrameError::Turn(FrameType::Head).into());
                    }
                    respond::apply(self.request, &head);
                }
                FrameType::Data if self.head_sent => {
                    // Whether the end has arrived with it is chance, and must not show in the response.
                    let flush = match frame.next {
                        Some(FrameType::End | FrameType::Data) => Flush::Later,
                        _ => Flush::Now,
                    };
                    if self.request.send(frame.payload, flush) == Err(SendError) {
                        return Ok(Attempt::Done);
                    }
                }
                FrameType::File if self.head_sent => {
                    let mut reader = Reader::new(frame.payload);
                    let (offset, length) = reader
                        .u64()
                        .and_then(|offset| Ok((offset, reader.u64()?)))
                        .map_err(FrameError::from)?;
                    if files.is_empty() {
                        return Err(FrameError::Turn(FrameType::File).into());
                    }
                    self.file = Some(FilePart { file: files.remove(0), offset, length });
                }
                FrameType::Log => {
                    let line = LogLine::decode(frame.payload).map_err(FrameError::from)?;
                    log_of_script(self.request, &line);
                }
                FrameType::End => return Ok(Attempt::Done),
                FrameType::Abort => {
                    self.request.cut_short();
                    return Ok(Attempt::Done);
                }
                FrameType::Fail if !self.head_sent => {
                    let status = Reader::new(frame.payload).u16().map_err(FrameError::from)?;
                    return Ok(Attempt::Failed(status.clamp(400, 599)));
                }
                FrameType::Decline if !self.head_sent => return Ok(Attempt::Again),
                kind => return Err(FrameError::Turn(kind).into()),
            }
        }
    }

    /// Answers a `WantBody`.
    fn send_body(&mut self, stream: &UnixStream, wanted: usize) -> Result<(), RelayError> {
        let mut piece = vec![0; wanted.min(MAX_PAYLOAD)];
        let mut answer = Vec::new();
        match self.request.read(&mut piece) {
            Ok(count) => {
                frame::write(&mut answer, FrameType::Body, |payload| {
                    payload.extend_from_slice(&piece[..count]);
                });
            }
            Err(error) => {
                frame::write(&mut answer, FrameType::BodyFailed, |payload| {
                    body_fault(&error).encode(error.text().as_bytes(), payload);
                });
            }
        }
        answer_with(stream, &answer)
    }

    /// Answers a `WantServer`.
    fn send_server(&self, stream: &UnixStream) -> Result<(), RelayError> {
        let mut board = Vec::new();
        if self.server_metrics
            && let Some(snapshot) = scoreboard::snapshot()
        {
            snapshot.encode(&mut board);
        }
        let mut answer = Vec::new();
        // The empty piece is the end.
        for piece in board.chunks(MAX_PAYLOAD).chain([[].as_slice()]) {
            frame::write(&mut answer, FrameType::Server, |payload| {
                payload.extend_from_slice(piece);
            });
        }
        answer_with(stream, &answer)
    }
}

fn answer_with(mut stream: &UnixStream, frames: &[u8]) -> Result<(), RelayError> {
    stream.write_all(frames).map_err(|error| RelayError::Lost(errno(&error)))
}

/// The fault in the terms of the frames.
pub(crate) fn body_fault(error: &ReadError) -> BodyFault {
    match error {
        ReadError::Gone(_) => BodyFault::Gone,
        ReadError::Timeout(_) => BodyFault::Timeout,
        ReadError::TooLarge(_) => BodyFault::TooLarge,
        ReadError::Broken(_) => BodyFault::Broken,
    }
}

/// Connects to a group, and counts the attempts. Waits in its queue while all workers are busy, and
/// for `wsgid` to come back if it is being started again.
fn open(route: &Route, connects: &mut u32) -> Result<UnixStream, RelayError> {
    let deadline = Instant::now() + CONNECT_TIMEOUT;
    loop {
        *connects += 1;
        match connect_once(route, deadline.saturating_duration_since(Instant::now())) {
            Ok(stream) => return Ok(stream.into()),
            Err(nix::Error::EINTR) => {}
            Err(error @ (nix::Error::ECONNREFUSED | nix::Error::ENOENT | nix::Error::EAGAIN)) => {
                if Instant::now() + CONNECT_PAUSE >= deadline {
                    return Err(RelayError::NoWorker(error));
                }
                std::thread::sleep(CONNECT_PAUSE);
            }
            Err(error) => return Err(RelayError::NoWorker(error)),
        }
    }
}

/// One attempt. A full queue makes `connect` wait, for as long as the send time-out says.
fn connect_once(route: &Route, patience: Duration) -> nix::Result<OwnedFd> {
    let flags = SockFlag::SOCK_CLOEXEC;
    let stream = socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
    let seconds = i64::try_from(patience.as_secs()).unwrap_or(i64::MAX);
    let limit = nix::sys::time::TimeVal::new(seconds, 100_000);
    setsockopt(&stream, sockopt::SendTimeout, &limit)?;
    connect(stream.as_raw_fd(), &UnixAddr::new(&route.socket)?)?;
    Ok(stream)
}

fn receive(
    stream: &UnixStream,
    inbox: &mut Inbox,
    files: &mut Vec<OwnedFd>,
) -> Result<(), RelayError> {
    loop {
        match sys::receive(stream.as_fd(), inbox.room(), files) {
            Ok(0) => return Err(RelayError::Lost(nix::Error::EPIPE)),
            Ok(count) => {
                inbox.received(count);
                return Ok(());
            }
            Err(nix::Error::EINTR) => {}
            Err(nix::Error::EAGAIN) => return Err(RelayError::Silent),
            Err(error) => return Err(RelayError::Lost(error)),
        }
    }
}

fn errno(error: &std::io::Error) -> nix::Error {
    error.raw_os_error().map_or(nix::Error::EIO, nix::Error::from_raw)
}
