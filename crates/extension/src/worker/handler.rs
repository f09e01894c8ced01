//! The handling of a request that was taken: it is read, checked, and handed to the engine.

use std::fmt::Display;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use engine::exchange::Exchange;
use engine::{Control, Engine};
use nix::sys::socket::{getsockopt, setsockopt, sockopt};
use wsgi::codes::{self, Message};
use wsgi::process::control::Cause;
use wsgi::process::plan::WorkerSpec;
use wsgi::protocol::frame::{self, FrameType};
use wsgi::protocol::hook::Question;
use wsgi::protocol::log_line::LogLine;
use wsgi::protocol::outcome::Outcome;
use wsgi::protocol::request::RequestHead;

use crate::clock::now_micros;
use crate::log::ProcessLog;
use crate::queue::Taken;
use crate::worker::connection::ChildConnection;
use crate::worker::in_flight::{InFlight, RequestInfo, Serving};
use crate::worker::receive::{receive, receive_more};
use crate::worker::request_body::RequestBody;
use crate::worker::shutdown::Shutdown;

/// The task that an httpd child sends.
enum RequestOrQuestion<'p> {
    /// A request is to be served.
    Serve(RequestHead<'p>),
    /// A hook is to be asked.
    Answer(Question<'p>),
}

impl<'p> RequestOrQuestion<'p> {
    fn decode(kind: FrameType, payload: &'p [u8]) -> Result<Self, frame::FrameError> {
        match kind {
            FrameType::RequestHead => RequestHead::decode(payload).map(Self::Serve),
            FrameType::Question => Question::decode(payload).map(Self::Answer),
            kind => Err(frame::FrameError::Turn(kind)),
        }
    }

    /// The request that it is about.
    fn request(&self) -> &RequestHead<'p> {
        match self {
            Self::Serve(request) => request,
            Self::Answer(question) => &question.request,
        }
    }
}

/// The objects that serving a connection takes.
#[derive(Clone, Copy)]
pub(crate) struct Service<'s> {
    pub(crate) engine: &'s Engine,
    pub(crate) requests: &'s Arc<InFlight>,
    pub(crate) shutdown: &'s Shutdown,
    pub(crate) log: &'s Arc<ProcessLog>,
    pub(crate) spec: &'s WorkerSpec,
}

impl Service<'_> {
    /// Serves a request, or answers a question, that was taken, and closes its stream.
    pub(crate) fn serve(&self, taken: Taken, serving: &Serving<'_>) {
        if let Err(message) = self.try_serve(taken, serving) {
            self.log.report(message);
        }
    }

    fn try_serve(&self, taken: Taken, serving: &Serving<'_>) -> Result<(), Message> {
        let Taken { stream, mut decoder } = taken;
        self.prepare(&stream)?;
        let unreadable = |error: &dyn Display| codes::request_unreadable(error);
        // Without any, the child has gone away, or has given the request up while it waited.
        if receive_more(&stream, &mut decoder).map_err(|error| unreadable(&error))? == 0 {
            return Ok(());
        }
        let Some((kind, payload)) =
            receive(&stream, &mut decoder).map_err(|error| unreadable(&error))?
        else {
            return Ok(());
        };
        let payload = Arc::new(payload);
        let asked =
            RequestOrQuestion::decode(kind, &payload).map_err(|error| unreadable(&error))?;
        let request = asked.request();
        let control = Arc::new(Control::default());
        let is_activity = !request.ignore_activity;
        serving.set_info(RequestInfo::new(Arc::clone(&payload), Arc::clone(&control)), is_activity);
        let activity = is_activity.then(|| Arc::clone(self.requests));
        let body = RequestBody::receive(&stream, request, decoder.into_rest())
            .map_err(|error| unreadable(&error))?;
        let mut connection = ChildConnection::new(stream, body, self.log.clone(), activity);
        if connection.was_abandoned(waited(request)) {
            return Ok(());
        }
        if let Some(message) = self.waited_too_long(request) {
            let line = message.to_string();
            connection.log(LogLine::new(message.level(), line.as_bytes()));
            connection.finish(Outcome::Failed(QUEUE_TIMED_OUT));
            return Ok(());
        }
        let connection = Box::new(connection);
        let (done, mut exchange) = match &asked {
            RequestOrQuestion::Serve(request) => {
                let (outcome, exchange) = self.engine.handle(request, connection, &control);
                (Err(outcome), exchange)
            }
            RequestOrQuestion::Answer(question) => self.engine.ask(question, connection, &control),
        };
        match done {
            Ok(answer) => exchange.answer(&answer),
            Err(outcome) => {
                if outcome == Outcome::Declined {
                    // First this process stops taking connections, then the child asks again.
                    self.shutdown.request(Cause::Script);
                }
                exchange.finish(outcome);
            }
        }
        Ok(())
    }

    /// Verifies the user that has made the stream, and sets it up.
    fn prepare(&self, stream: &UnixStream) -> Result<(), Message> {
        let peer = getsockopt(stream, sockopt::PeerCredentials)
            .map_err(|error| codes::sender_unknown(&error))?;
        if !self.spec.peers.contains(&peer.uid()) {
            return Err(codes::sender_refused(peer.uid()));
        }
        let timeout = self.spec.socket_timeout.max(Duration::from_millis(1));
        stream
            .set_read_timeout(Some(timeout))
            .and_then(|()| stream.set_write_timeout(Some(timeout)))
            .map_err(|error| codes::no_time_limit(&error))?;
        let bytes = self.spec.group.socket.send_buffer;
        if bytes > 0 {
            let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
            setsockopt(stream, sockopt::SndBuf, &bytes)
                .map_err(|error| codes::send_buffer_not_set(bytes, &error))?;
        }
        Ok(())
    }

    /// The message about a request that has waited for longer than `queue-timeout`.
    fn waited_too_long(&self, request: &RequestHead<'_>) -> Option<Message> {
        let limit = self.spec.group.timeouts.queue;
        let group = &self.spec.group.name;
        (!limit.is_zero() && waited(request) > limit)
            .then(|| codes::waited_too_long(limit.as_secs(), &request.line(), group))
    }
}

/// How long a request has been in the queue, by the clock of the day.
fn waited(request: &RequestHead<'_>) -> Duration {
    Duration::from_micros(now_micros().saturating_sub(request.queue_start))
}

/// Status of a request that has waited too long.
const QUEUE_TIMED_OUT: u16 = 504;
