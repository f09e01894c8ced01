//! A hook that is asked in a process group: the httpd child's side of the frames.
//!
//! The worker says log lines and asks for variables of mod_ssl's, and then gives the answer. Another
//! worker is asked where one declines (it has to be replaced first) or was gone before it had the
//! question.

use std::time::Duration;

use httpd::Request;
use wsgi::level::Level;
use wsgi::protocol::frame::{self, FrameError, FrameType, HEADER, MAX_PAYLOAD, MAX_REQUEST};
use wsgi::protocol::frame_decoder::FrameDecoder;
use wsgi::protocol::hook::encode_variable;
use wsgi::protocol::log_line::LogLine;

use super::route::HookTarget;
use crate::config::servers::Route;
use crate::log;
use crate::log_of;
use crate::relay::log_budget::{LogBudget, Verdict};
use crate::relay::{
    FIRST_ROOM, HandOver, RelayError, TOO_TALKATIVE, WorkerConnection, pause, socket_timeout,
};

/// Asks a worker the question whose frame's payload is `payload`; gives the payload of the answer's
/// frame, or `None` if there is none, which the log has been told.
pub(super) fn ask(
    request: &mut Request<'_>,
    script: &[u8],
    place: &HookTarget,
    payload: &[u8],
) -> Option<Vec<u8>> {
    let HookTarget { group, route } = place;
    let name = String::from_utf8_lossy(script);
    if payload.len() > MAX_REQUEST {
        let text = format!("the question to {name:?} is longer than {MAX_REQUEST} bytes");
        log(request, Level::Error, &text);
        return None;
    }
    let mut question = Vec::with_capacity(payload.len() + HEADER);
    frame::write(&mut question, FrameType::Question, |place| place.extend_from_slice(payload));
    let timeout = socket_timeout(request, route);
    let attempts = route.processes.saturating_mul(2).saturating_add(1);
    for restarts in 0..attempts {
        pause(restarts);
        match (Asking { request, script }).attempt(route, &question, timeout) {
            Ok(Attempt::Answered(answer)) => return Some(answer),
            // The worker has logged why.
            Ok(Attempt::Failed) => return None,
            Ok(Attempt::Again) => {}
            Err(error) => {
                let text =
                    format!("process group {group:?}, which was asked for {name:?}: {error}");
                log(request, Level::Error, &text);
                return None;
            }
        }
    }
    let error = RelayError::Declined(attempts);
    log(request, Level::Error, &format!("process group {group:?}, asked for {name:?}: {error}"));
    None
}

/// How one attempt ended.
enum Attempt {
    /// With this answer.
    Answered(Vec<u8>),
    /// Without an answer.
    Failed,
    /// Another worker has to be asked.
    Again,
}

struct Asking<'a, 'r> {
    request: &'a mut Request<'r>,
    script: &'a [u8],
}

impl Asking<'_, '_> {
    fn attempt(
        &mut self,
        route: &Route,
        question: &[u8],
        timeout: Duration,
    ) -> Result<Attempt, RelayError> {
        match WorkerConnection::open(route, question, timeout, &mut 0)? {
            HandOver::Sent(mut connection) => self.exchange(&mut connection),
            HandOver::Again => Ok(Attempt::Again),
        }
    }

    fn exchange(&mut self, connection: &mut WorkerConnection<'_>) -> Result<Attempt, RelayError> {
        let (mut inbox, mut files) = (FrameDecoder::from_worker(FIRST_ROOM), Vec::new());
        let mut heard = false;
        let mut budget = LogBudget::new();
        loop {
            let Some(frame) = inbox.next_frame()? else {
                match connection.receive(&mut inbox, &mut files) {
                    // As for requests: the question was not read to its end.
                    Err(RelayError::Lost(nix::Error::ECONNRESET)) if !heard => {
                        return Ok(Attempt::Again);
                    }
                    received => received?,
                }
                // Nobody here takes files.
                files.clear();
                continue;
            };
            heard = true;
            match frame.kind {
                FrameType::Log => {
                    let line = LogLine::decode(frame.payload).map_err(FrameError::from)?;
                    match budget.decide(line.text.len() + line.source.file.len()) {
                        Verdict::Write => log_of(self.request, self.script, &line),
                        Verdict::LeaveOutAndSay => log(self.request, Level::Warning, TOO_TALKATIVE),
                        Verdict::LeaveOut => {}
                    }
                }
                FrameType::WantVariable => {
                    let value = self.request.tls_variable(frame.payload);
                    let value = value.filter(|value| value.len() < MAX_PAYLOAD / 2);
                    let mut answer = Vec::new();
                    frame::write(&mut answer, FrameType::Variable, |payload| {
                        encode_variable(value, payload);
                    });
                    connection.answer(&answer)?;
                }
                FrameType::Answer => return Ok(Attempt::Answered(frame.payload.to_vec())),
                FrameType::Fail => return Ok(Attempt::Failed),
                FrameType::Decline => return Ok(Attempt::Again),
                FrameType::Unavailable => return Err(RelayError::Unavailable),
                kind => return Err(FrameError::Turn(kind).into()),
            }
        }
    }
}
