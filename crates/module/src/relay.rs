//! A request that a worker serves: the httpd child's side of the frames.
//!
//! The child puts the request into the group's queue, and then only does what the worker asks. It asks
//! another worker only where nothing of the request can have been used: the worker declined, or was gone
//! before it had all of the request's head.

use std::os::fd::OwnedFd;
use std::time::Duration;

use httpd::{Flush, ReadError, Request, SendError, Sendfile, Status};
use wsgi::daemon::{DEFAULT_HEADER_BUFFER, DEFAULT_RESPONSE_BUFFER, Timeouts};
use wsgi::frame::{self, BodyFault, FrameError, FrameType, HEADER, MAX_PAYLOAD};
use wsgi::inbox::Inbox;
use wsgi::level::Level;
use wsgi::log_line::LogLine;
use wsgi::request::Attempts;
use wsgi::response::Head;
use wsgi::wire::Reader;

use crate::file_part::FilePart;
use crate::respond::sendfile;
use crate::routing::Route;
use crate::{Wsgi, log, log_of_script, respond, scoreboard};

mod connection;
mod error;

pub(crate) use connection::{Connection, HandOver, socket_timeout};
pub(crate) use error::RelayError;

/// Room for the beginning of an answer in bytes: every request that waits for its worker holds it.
const FIRST_ROOM: usize = 1024;
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
    let attempts = 2 * route.processes + 1;
    let mut relay = Relay::new(request, route);
    let status = relay.run(group, attempts, frame);
    if let Some(before) = relay.client_timeout {
        relay.request.set_client_timeout(before);
    }
    status
}

/// How long a write to the client may take, if the group says so.
fn client_timeout(route: &Route) -> Option<Duration> {
    let Timeouts { response_socket, socket, .. } = route.timeouts;
    let seconds = if response_socket > 0 { response_socket } else { socket };
    (seconds > 0).then(|| Duration::from_secs(seconds))
}

struct Relay<'a, 'r> {
    request: &'a mut Request<'r>,
    /// What the group says. Decided here, where its user cannot.
    route: &'a Route,
    head_sent: bool,
    /// How long the client may take outside of this response, where that was changed for it.
    client_timeout: Option<Duration>,
    /// Bytes that were passed on and may not have left yet.
    under_way: u64,
    /// A file that was received and waits for what comes behind it: if that is the end, httpd gets
    /// the response whole, and can answer for byte ranges.
    file: Option<FilePart>,
    /// A file was received: httpd keeps its descriptor until the request is over, so there is one at most.
    had_file: bool,
    /// The response is dropped, and httpd answers with this status (`WSGIErrorOverride`).
    overridden: Option<u16>,
    error_override: bool,
    sendfile: Sendfile,
}

impl<'a, 'r> Relay<'a, 'r> {
    fn new(request: &'a mut Request<'r>, route: &'a Route) -> Self {
        let dir = request.dir_config::<Wsgi>();
        let error_override = dir.error_override.unwrap_or(false);
        let sendfile = sendfile(request, dir);
        Self {
            request,
            route,
            head_sent: false,
            client_timeout: None,
            under_way: 0,
            file: None,
            had_file: false,
            overridden: None,
            error_override,
            sendfile,
        }
    }

    /// Asks one worker after the other, until one serves the request.
    fn run(&mut self, group: &str, attempts: u32, frame: &mut [u8]) -> Status {
        let mut tried = Attempts::default();
        for restarts in 0..attempts {
            tried.restarts = restarts;
            match self.attempt(frame, &mut tried) {
                Ok(Attempt::Done) => return Status::Ok,
                Ok(Attempt::Failed(status)) => return Status::Http(status),
                Ok(Attempt::Again) => {}
                Err(error) => return self.fail(group, &error),
            }
        }
        self.fail(group, &RelayError::Declined(attempts))
    }

    fn fail(&mut self, group: &str, error: &RelayError) -> Status {
        let line = String::from_utf8_lossy(self.request.request_line());
        let text = format!("process group {group}: {error}: {line}");
        log(&*self.request, Level::Error, &text);
        if self.head_sent && self.overridden.is_none() {
            self.request.cut_short();
            return Status::Ok;
        }
        Status::Http(error.status())
    }

    fn attempt(&mut self, frame: &mut [u8], tried: &mut Attempts) -> Result<Attempt, RelayError> {
        let timeout = socket_timeout(self.request, self.route);
        // The frame tells of the attempt that it is sent with.
        let connects = tried.connects.saturating_add(1);
        Attempts { connects, ..*tried }.note(&mut frame[HEADER..]);
        match Connection::open(self.route, frame, timeout, &mut tried.connects)? {
            HandOver::Sent(mut connection) => self.exchange(&mut connection),
            HandOver::Again => Ok(Attempt::Again),
        }
    }

    /// Waits for more from the worker. What was passed on leaves first, unless more comes at once.
    fn more(
        &mut self,
        connection: &mut Connection<'_>,
        inbox: &mut Inbox,
        files: &mut Vec<OwnedFd>,
    ) -> Result<bool, RelayError> {
        if self.under_way > 0 && !connection.is_readable(self.route.buffers.flush_delay) {
            self.under_way = 0;
            if self.request.flush().is_err() {
                return Ok(false);
            }
        }
        connection.receive(inbox, files).map(|()| true).map_err(|error| match error {
            RelayError::Silent(_) if self.route.timeouts.socket > 0 => {
                RelayError::Silent("socket-timeout")
            }
            other => other,
        })
    }

    /// Does what the worker asks until the response is complete.
    fn exchange(&mut self, connection: &mut Connection<'_>) -> Result<Attempt, RelayError> {
        let (mut inbox, mut files) = (Inbox::with_room(FIRST_ROOM), Vec::new());
        let mut answered = false;
        loop {
            let Some(frame) = inbox.next_frame()? else {
                match self.more(connection, &mut inbox, &mut files) {
                    // The client does not take the response any more.
                    Ok(false) => return Ok(Attempt::Done),
                    // A Unix socket is reset when its other end is closed with data in it that was not
                    // read: the request's head was not read to its end, so nothing was begun.
                    Err(RelayError::Lost(nix::Error::ECONNRESET)) if !answered => {
                        return Ok(Attempt::Again);
                    }
                    received => {
                        received?;
                    }
                }
                continue;
            };
            answered = true;
            // Neither of these says what comes behind the file.
            if !matches!(frame.kind, FrameType::Log | FrameType::WantServer) {
                let end = frame.kind == FrameType::End;
                let flush = if end { Flush::AtEnd } else { Flush::Now };
                if self.send_file(flush) == Err(SendError) {
                    return Ok(Attempt::Done);
                }
            }
            match frame.kind {
                FrameType::WantBody => {
                    let mut reader = Reader::new(frame.payload);
                    let wanted = reader.u32().map_err(FrameError::from)?;
                    if std::mem::take(&mut self.under_way) > 0 && self.request.flush().is_err() {
                        return Ok(Attempt::Done);
                    }
                    self.send_body(connection, wanted as usize)?;
                }
                FrameType::WantServer => self.send_server(connection)?,
                FrameType::Head if self.request.is_answered() => return Ok(Attempt::Done),
                FrameType::Head => {
                    let head = Head::decode(frame.payload).map_err(FrameError::from)?;
                    if std::mem::replace(&mut self.head_sent, true) {
                        return Err(FrameError::Turn(FrameType::Head).into());
                    }
                    self.begin(&head)?;
                }
                FrameType::Data if self.overridden.is_some() => {}
                FrameType::Data if self.head_sent => {
                    if self.send(frame.payload) == Err(SendError) {
                        return Ok(Attempt::Done);
                    }
                }
                FrameType::File if self.head_sent => {
                    let mut reader = Reader::new(frame.payload);
                    let (offset, length) = reader
                        .u64()
                        .and_then(|offset| Ok((offset, reader.u64()?)))
                        .map_err(FrameError::from)?;
                    if files.is_empty() || std::mem::replace(&mut self.had_file, true) {
                        return Err(FrameError::Turn(FrameType::File).into());
                    }
                    self.file = Some(FilePart::new(files.remove(0), offset, length)?);
                }
                FrameType::Log => {
                    let line = LogLine::decode(frame.payload).map_err(FrameError::from)?;
                    log_of_script(self.request, &line);
                }
                FrameType::End | FrameType::Abort if self.overridden.is_some() => {
                    return Ok(Attempt::Failed(self.overridden.unwrap_or(500)));
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
                FrameType::Unavailable if !self.head_sent => return Err(RelayError::Unavailable),
                kind => return Err(FrameError::Turn(kind).into()),
            }
        }
    }

    /// Begins the response, unless httpd is to answer in its place.
    fn begin(&mut self, head: &Head<'_>) -> Result<(), RelayError> {
        let limit = match self.route.buffers.header_buffer {
            0 => DEFAULT_HEADER_BUFFER,
            limit => limit,
        };
        for (name, value) in head.headers.clone() {
            let length = name.len() + value.len();
            if length as u64 > limit {
                let name = String::from_utf8_lossy(name).into_owned();
                // Nothing has left, so that httpd may answer.
                self.head_sent = false;
                return Err(RelayError::LongHeader { name, length, limit });
            }
        }
        if let Some(limit) = client_timeout(self.route) {
            // From now on it is written to; while it was read, httpd's own limit held.
            self.client_timeout = self.request.set_client_timeout(limit);
        }
        if self.error_override && head.code >= 400 {
            self.overridden = Some(head.code);
            respond::apply_challenge(self.request, head);
        } else {
            respond::apply(self.request, head);
        }
        Ok(())
    }

    /// Passes a piece of the body on. It leaves with what follows, or when nothing follows for a moment,
    /// or when too much is under way.
    fn send(&mut self, piece: &[u8]) -> Result<(), SendError> {
        let most = match self.route.buffers.response_buffer {
            0 => DEFAULT_RESPONSE_BUFFER,
            most => most,
        };
        self.under_way += piece.len() as u64;
        let flush = if self.under_way >= most { Flush::Now } else { Flush::Later };
        if flush == Flush::Now {
            self.under_way = 0;
        }
        self.request.send(piece, flush)
    }

    /// Passes the file on that has waited for what comes behind it, if there is one.
    fn send_file(&mut self, flush: Flush) -> Result<(), SendError> {
        match self.file.take().filter(|_| self.overridden.is_none()) {
            Some(file) => file.send(self.request, self.sendfile, flush),
            None => Ok(()),
        }
    }

    /// Answers a `WantBody`.
    fn send_body(&mut self, connection: &Connection<'_>, wanted: usize) -> Result<(), RelayError> {
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
        connection.answer(&answer)
    }

    /// Answers a `WantServer`.
    fn send_server(&self, connection: &Connection<'_>) -> Result<(), RelayError> {
        let mut board = Vec::new();
        if self.route.server_metrics
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
        connection.answer(&answer)
    }
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
