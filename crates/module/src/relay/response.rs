//! The response of a worker on its way to the client. Its frames are checked here: the worker is a
//! process of the group's user.

use std::os::fd::OwnedFd;
use std::time::Duration;

use httpd::{Flush, Request, SendError, Sendfile};
use wsgi::config::daemon_process::{DEFAULT_HEADER_BUFFER, DEFAULT_RESPONSE_BUFFER};
use wsgi::protocol::frame_decoder::FrameDecoder;
use wsgi::protocol::outcome::Outcome;
use wsgi::protocol::response::ResponseHead;

use super::output::{Client, Output};
use super::{Relay, RelayError, WorkerConnection, client_timeout};
use crate::Wsgi;
use crate::request::file_part::FilePart;
use crate::request::response;

/// How far a response has come.
#[derive(Debug)]
pub(super) struct RelayedResponse {
    head_received: bool,
    /// Bytes of the body that the head has announced and that have not come; `None` if it says
    /// nothing.
    left: Option<u64>,
    output: Output,
    file: SentFile,
    /// The response is dropped, and httpd answers with this status (`WSGIErrorOverride`).
    overridden: Option<u16>,
    error_override: bool,
    sendfile: Sendfile,
    /// How long the client may take outside of this response, where that was changed for it.
    client_timeout: Option<Duration>,
}

/// The file of a response. There is one at most, since httpd keeps its descriptor until the request
/// is over.
#[derive(Debug)]
enum SentFile {
    /// None has come.
    None,
    /// It waits for what comes behind it: if that is the end, httpd gets the response whole, and
    /// can answer for byte ranges.
    Waiting(FilePart),
    /// It was passed on.
    Passed,
}

impl RelayedResponse {
    /// One that has not begun.
    pub(super) fn new(request: &Request<'_>) -> Self {
        let dir = request.dir_config::<Wsgi>();
        Self {
            head_received: false,
            left: None,
            output: Output::default(),
            file: SentFile::None,
            overridden: None,
            error_override: dir.error_override.unwrap_or(false),
            sendfile: response::sendfile(request, dir),
            client_timeout: None,
        }
    }

    /// Whether the worker has sent its head.
    pub(super) fn head_received(&self) -> bool {
        self.head_received
    }

    /// Whether the client may have seen something of it.
    pub(super) fn is_begun(&self) -> bool {
        self.output.is_begun()
    }

    /// Whether a file was received.
    pub(super) fn has_had_file(&self) -> bool {
        !matches!(self.file, SentFile::None)
    }

    /// How the request ends that the worker has ended so.
    pub(super) fn end(&self, outcome: Outcome) -> Outcome {
        self.overridden.map_or(outcome, Outcome::Failed)
    }
}

impl Relay<'_, '_> {
    /// Begins the response, unless httpd is to answer in its place.
    pub(super) fn begin(&mut self, head: &ResponseHead<'_>) -> Result<(), RelayError> {
        let length = head.check()?;
        let limit = match self.route.buffers.header_buffer {
            0 => DEFAULT_HEADER_BUFFER,
            limit => limit,
        };
        for (name, value) in head.headers.clone() {
            let length = name.len() + value.len();
            if length as u64 > limit {
                let name = String::from_utf8_lossy(name).into_owned();
                return Err(RelayError::LongHeader { name, length, limit });
            }
        }
        self.response.head_received = true;
        self.response.left = length;
        if let Some(limit) = client_timeout(self.route) {
            // From now on it is written to; while it was read, httpd's own limit held.
            self.response.client_timeout = self.request.set_client_timeout(limit);
        }
        if self.response.error_override && head.code >= 400 {
            self.response.overridden = Some(head.code);
            response::apply_challenge(self.request, head);
        } else {
            response::apply(self.request, head);
        }
        Ok(())
    }

    /// Takes off what the head has announced. More than that would be the beginning of another
    /// response.
    fn count(&mut self, length: u64) -> Result<(), RelayError> {
        if let Some(left) = &mut self.response.left {
            *left = left.checked_sub(length).ok_or(RelayError::Longer)?;
        }
        Ok(())
    }

    /// Passes a piece of the body on, or has it wait.
    pub(super) fn send(&mut self, piece: &[u8]) -> Result<Result<(), SendError>, RelayError> {
        self.count(piece.len() as u64)?;
        if self.response.overridden.is_some() {
            return Ok(Ok(()));
        }
        let most = match self.route.buffers.response_buffer {
            0 => DEFAULT_RESPONSE_BUFFER,
            most => most,
        };
        // A file that has come before was not the end.
        let sent = self
            .send_file(Flush::Later)
            .and_then(|()| self.response.output.send(self.request, piece, most));
        Ok(sent)
    }

    /// Passes on what the client takes without being waited for.
    pub(super) fn pass_what_is_taken(&mut self) -> Result<(), SendError> {
        self.response.output.pass_what_is_taken(self.request)
    }

    /// Waits for more from the worker, and passes on meanwhile what the client takes. False if the
    /// client does not take the response any more.
    pub(super) fn more(
        &mut self,
        connection: &mut WorkerConnection<'_>,
        decoder: &mut FrameDecoder,
        files: &mut Vec<OwnedFd>,
    ) -> Result<bool, RelayError> {
        let server = self.request.server().timeout();
        let limit = client_timeout(self.route).unwrap_or(server);
        let delay = self.route.buffers.flush_delay;
        while self.response.output.has_more() {
            if connection.receive_available(decoder, files)? {
                return Ok(true);
            }
            if connection.is_readable(delay) {
                continue;
            }
            match self.response.output.serve_client(self.request, limit) {
                Ok(Client::Takes) => {}
                Ok(Client::Waits(left)) => self.wait_for_either(connection, left),
                Err(SendError) => return Ok(false),
            }
        }
        let received = connection.receive(decoder, files);
        received.map(|()| true).map_err(|error| match error {
            RelayError::Silent(_) if !self.route.timeouts.socket.is_zero() => {
                RelayError::Silent("socket-timeout")
            }
            other => other,
        })
    }

    /// Waits until the worker has more, or the client takes something.
    fn wait_for_either(&mut self, connection: &WorkerConnection<'_>, limit: Duration) {
        let Some(client) = self.request.client_socket() else {
            // Without a socket to wait for, httpd waits. The next attempt reports a failure.
            let _ = self.request.flush();
            return;
        };
        if connection.wait_with(client, limit) {
            self.response.output.note_client();
        }
    }

    /// Keeps a file that was received, until it is known what comes behind it.
    pub(super) fn keep_file(&mut self, file: FilePart, length: u64) -> Result<(), RelayError> {
        self.count(length)?;
        self.response.file = SentFile::Waiting(file);
        Ok(())
    }

    /// Passes the file on that has waited for what comes behind it, if there is one.
    fn send_file(&mut self, flush: Flush) -> Result<(), SendError> {
        if !matches!(self.response.file, SentFile::Waiting(_)) {
            return Ok(());
        }
        let file = std::mem::replace(&mut self.response.file, SentFile::Passed);
        let SentFile::Waiting(file) = file else { return Ok(()) };
        self.response.output.drain(self.request)?;
        self.response.output.note_passed();
        file.send(self.request, self.response.sendfile, flush)
    }

    /// The worker has said all: passes on what waits. An error if it has said less than it
    /// announced.
    pub(super) fn complete(&mut self) -> Result<(), RelayError> {
        let missing = self.response.left.unwrap_or(0);
        if missing > 0 && self.request.has_response_body() {
            return Err(RelayError::Shorter { missing });
        }
        // httpd reads the rest of the request before it ends the response, and a client may send
        // that only when it has the last piece.
        let at_once = self.body.may_go_on();
        let passed = match self.response.file {
            SentFile::Waiting(_) => self.send_file(Flush::AtEnd),
            _ => self.response.output.drain(self.request),
        };
        // A client that is gone is of no interest.
        let _ = passed
            .and_then(|()| if at_once { self.response.output.flush(self.request) } else { Ok(()) });
        Ok(())
    }

    /// Passes on what waits, and cuts the response short so that the client can see it.
    pub(super) fn cut_short(&mut self) {
        let sent = self.send_file(Flush::Now);
        let sent = sent.and_then(|()| self.response.output.drain(self.request));
        if sent.is_ok() {
            self.request.cut_short();
        }
    }

    /// From now on the client has httpd's own time again.
    pub(super) fn restore_client_timeout(&mut self) {
        if let Some(before) = self.response.client_timeout.take() {
            self.request.set_client_timeout(before);
        }
    }
}
