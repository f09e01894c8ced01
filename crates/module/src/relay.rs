//! A request that a worker serves: the httpd child's side of the frames.
//!
//! The child puts the request into the group's queue, and then only does what the worker asks. It
//! asks another worker only where nothing of the request can have been used: the worker declined,
//! or was gone before it had all of the request's head.

mod attempts;
pub(crate) mod log_budget;

use std::os::fd::OwnedFd;
use std::time::Duration;

use httpd::{Request, SendError, Status};
use wsgi::codes;
use wsgi::config::daemon_process::Timeouts;
use wsgi::protocol::frame::{
    self, FileRange, FrameError, FrameType, HEADER, MAX_PAYLOAD, decode_failure, decode_want_body,
};
use wsgi::protocol::frame_decoder::FrameDecoder;
use wsgi::protocol::log_line::LogLine;
use wsgi::protocol::outcome::Outcome;
use wsgi::protocol::request::Attempts;
use wsgi::protocol::response::ResponseHead;

use crate::lifecycle::route::Route;
use crate::log;
use crate::log_of_script;
use crate::relay::log_budget::{LogBudget, Verdict};
use crate::request::body::BodyRead;
use crate::request::file_part::FilePart;
use crate::scoreboard;

mod body;
mod connection;
mod error;
mod output;
mod receive;
mod response;
mod stream;

pub(crate) use attempts::{Attempt, ask_workers, was_not_begun};
pub(crate) use connection::{HandOver, WorkerConnection, socket_timeout};
pub(crate) use error::RelayError;
use response::RelayedResponse;

/// Room for the beginning of an answer in bytes: every request that waits for its worker holds it.
pub(crate) const FIRST_ROOM: usize = 1024;

/// Has a worker of a group serve the request whose frame is `frame`, and whose body goes on with
/// `body`.
pub(crate) fn serve(
    request: &mut Request<'_>,
    group: &str,
    route: &Route,
    frame: &mut [u8],
    body: BodyRead,
) -> Status {
    let response = RelayedResponse::new(request);
    let mut relay = Relay {
        request,
        route,
        response,
        body,
        body_taken: false,
        piece: Vec::new(),
        log_budget: LogBudget::new(),
    };
    let status = relay.run(group, frame);
    relay.end();
    status
}

/// How long a write to the client may take, if the group says so.
fn client_timeout(route: &Route) -> Option<Duration> {
    let Timeouts { response_socket, socket, .. } = route.timeouts;
    [response_socket, socket].into_iter().find(|limit| !limit.is_zero())
}

struct Relay<'a, 'r> {
    request: &'a mut Request<'r>,
    /// The group's settings. Decided here, where its user cannot.
    route: &'a Route,
    response: RelayedResponse,
    /// The part of the request's body that was read before a worker was asked for, beyond what its
    /// head holds.
    body: BodyRead,
    /// A worker has asked for some of the body, so no other one can be asked.
    body_taken: bool,
    /// The room that pieces of the body pass through.
    piece: Vec<u8>,
    log_budget: LogBudget,
}

impl Relay<'_, '_> {
    /// Asks one worker after the other, until one serves the request.
    fn run(&mut self, group: &str, frame: &mut [u8]) -> Status {
        let mut tried = Attempts::default();
        let served = ask_workers(self.route, |restarts| {
            tried.restarts = restarts;
            self.attempt(frame, &mut tried)
        });
        served.unwrap_or_else(|error| self.fail(group, &error))
    }

    fn fail(&mut self, group: &str, error: &RelayError) -> Status {
        let line = String::from_utf8_lossy(self.request.request_line());
        let context = format_args!("process group {group:?}, {line}");
        log(&*self.request, &error.message().within(&context));
        if self.response.is_begun() {
            self.cut_short();
            return Status::Ok;
        }
        Status::Http(error.status())
    }

    /// Ends the response once it is complete.
    fn end(&mut self) {
        self.restore_client_timeout();
        let left_out = self.log_budget.left_out();
        if left_out > 0 {
            log(&*self.request, &codes::lines_left_out(left_out));
        }
    }

    fn attempt(
        &mut self,
        frame: &mut [u8],
        tried: &mut Attempts,
    ) -> Result<Attempt<Status>, RelayError> {
        let timeout = socket_timeout(self.request, self.route);
        // The frame tells of the attempt that it is sent with.
        let connects = tried.connects.saturating_add(1);
        Attempts { connects, ..*tried }.note(&mut frame[HEADER..]);
        let (_, behind) = self.body.first_parts();
        let mut connection = match WorkerConnection::open(
            self.route,
            frame,
            behind,
            timeout,
            &mut tried.connects,
        )? {
            HandOver::Sent(connection) => connection,
            HandOver::Again => return Ok(Attempt::Again),
        };
        let (outcome, returned) = self.exchange(&mut connection)?;
        // The worker may go on, however long the client takes for the rest.
        connection.keep(returned);
        match outcome {
            Outcome::Complete => self.complete()?,
            Outcome::Aborted => self.cut_short(),
            Outcome::Gone => {}
            Outcome::Failed(status) => return Ok(Attempt::Done(Status::Http(status))),
            Outcome::Declined => return Ok(Attempt::Again),
        }
        Ok(Attempt::Done(Status::Ok))
    }

    /// Does what the worker asks until it has said all; gives what it has sent with its last frame,
    /// too.
    fn exchange(
        &mut self,
        connection: &mut WorkerConnection<'_>,
    ) -> Result<(Outcome, Option<OwnedFd>), RelayError> {
        let (mut decoder, mut files) = (FrameDecoder::from_worker(FIRST_ROOM), Vec::new());
        let mut answered = false;
        loop {
            let Some(frame) = decoder.next_frame()? else {
                match self.more(connection, &mut decoder, &mut files) {
                    Ok(true) => {}
                    // The client does not take the response any more.
                    Ok(false) => return Ok((Outcome::Gone, None)),
                    Err(error) if !answered && was_not_begun(&error) => {
                        return Ok((Outcome::Declined, None));
                    }
                    Err(error) => return Err(error),
                }
                continue;
            };
            answered = true;
            let begun = self.response.head_received();
            let passed = match frame.kind {
                FrameType::WantBody => {
                    let wanted = decode_want_body(frame.payload).map_err(FrameError::from)?;
                    let passed = self.pass_what_is_taken();
                    if passed.is_ok() {
                        self.send_body(connection, wanted as usize)?;
                    }
                    passed
                }
                FrameType::WantServer => {
                    self.send_server(connection)?;
                    Ok(())
                }
                FrameType::ResponseHead if self.request.is_answered() => Err(SendError),
                FrameType::ResponseHead if !begun => {
                    let head = ResponseHead::decode(frame.payload).map_err(FrameError::from)?;
                    self.begin(&head)?;
                    Ok(())
                }
                FrameType::Data if begun => self.send(frame.payload)?,
                FrameType::File if begun => {
                    let FileRange { offset, length } =
                        FileRange::decode(frame.payload).map_err(FrameError::from)?;
                    if files.is_empty() || self.response.has_had_file() {
                        return Err(FrameError::Turn(FrameType::File).into());
                    }
                    self.keep_file(FilePart::new(files.remove(0), offset, length)?, length)?;
                    Ok(())
                }
                FrameType::Log => {
                    let line = LogLine::decode(frame.payload).map_err(FrameError::from)?;
                    self.log(&line);
                    Ok(())
                }
                FrameType::End if begun => {
                    let returned = files.pop().filter(|_| decoder.is_empty());
                    return Ok((self.response.end(Outcome::Complete), returned));
                }
                FrameType::Abort => return Ok((self.response.end(Outcome::Aborted), None)),
                FrameType::Fail if !begun => {
                    let status = decode_failure(frame.payload).map_err(FrameError::from)?;
                    let returned = files.pop().filter(|_| decoder.is_empty());
                    return Ok((Outcome::Failed(status), returned));
                }
                FrameType::Decline if !begun && !self.body_taken => {
                    return Ok((Outcome::Declined, None));
                }
                FrameType::Unavailable if !begun => return Err(RelayError::Unavailable),
                kind => return Err(FrameError::Turn(kind).into()),
            };
            if passed == Err(SendError) {
                return Ok((Outcome::Gone, None));
            }
        }
    }

    /// Writes a line of the worker's, if the request may write so much.
    fn log(&mut self, line: &LogLine<'_>) {
        match self.log_budget.decide(line.text.len() + line.source.file.len()) {
            Verdict::Write => log_of_script(self.request, line),
            Verdict::LeaveOutAndSay => log(self.request, &codes::too_many_lines()),
            Verdict::LeaveOut => {}
        }
    }

    /// Answers a `WantServer`.
    fn send_server(&self, connection: &WorkerConnection<'_>) -> Result<(), RelayError> {
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
