//! A hook that is asked in a process group: the httpd child's side of the frames.
//!
//! The worker says log lines and asks for variables of mod_ssl's, and then gives the answer.
//! Another worker is asked where one declines (it has to be replaced first) or was gone before it
//! had the question.

use std::os::fd::OwnedFd;
use std::time::Duration;

use httpd::Request;
use wsgi::codes;
use wsgi::protocol::frame::{self, FrameError, FrameType, HEADER, MAX_PAYLOAD, MAX_REQUEST};
use wsgi::protocol::frame_decoder::FrameDecoder;
use wsgi::protocol::hook::encode_variable;
use wsgi::protocol::log_line::LogLine;

use super::route::HookTarget;
use crate::lifecycle::route::Route;
use crate::log;
use crate::log_of;
use crate::relay::log_budget::{LogBudget, Verdict};
use crate::relay::{
    Attempt, FIRST_ROOM, HandOver, RelayError, WorkerConnection, ask_workers, socket_timeout,
    was_not_begun,
};

/// Asks a worker the question whose frame's payload is `payload`; gives the payload of the answer's
/// frame, or `None` if there is none, which the log has been told.
pub(super) fn ask(
    request: &mut Request<'_>,
    script: &[u8],
    target: &HookTarget,
    payload: &[u8],
) -> Option<Vec<u8>> {
    let HookTarget { group, route } = target;
    let name = String::from_utf8_lossy(script);
    if payload.len() > MAX_REQUEST {
        log(request, &codes::question_too_long(&name, MAX_REQUEST));
        return None;
    }
    let mut question = Vec::with_capacity(payload.len() + HEADER);
    frame::write(&mut question, FrameType::Question, |frame| frame.extend_from_slice(payload));
    let timeout = socket_timeout(request, route);
    let mut asking = Asking { request, script };
    let answer = ask_workers(route, |_| asking.attempt(route, &question, timeout));
    answer.unwrap_or_else(|error| {
        let context = format_args!("process group {group:?}, which was asked for {name:?}");
        log(request, &error.message().within(&context));
        None
    })
}

/// The payload of an answer's frame; `None` if there is none, which the log has been told.
type Answered = Option<Vec<u8>>;

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
    ) -> Result<Attempt<Answered>, RelayError> {
        match WorkerConnection::open(route, question, &[], timeout, &mut 0)? {
            HandOver::Sent(mut connection) => {
                let (outcome, returned) = self.exchange(&mut connection)?;
                connection.keep(returned);
                Ok(outcome)
            }
            HandOver::Again => Ok(Attempt::Again),
        }
    }

    /// Does what the worker asks until it has answered; `None` if it could not, which it has
    /// logged. Gives what it has sent with its last frame, too.
    fn exchange(
        &mut self,
        connection: &mut WorkerConnection<'_>,
    ) -> Result<(Attempt<Answered>, Option<OwnedFd>), RelayError> {
        let (mut decoder, mut files) = (FrameDecoder::from_worker(FIRST_ROOM), Vec::new());
        let mut heard = false;
        let mut budget = LogBudget::new();
        loop {
            let Some(frame) = decoder.next_frame()? else {
                match connection.receive(&mut decoder, &mut files) {
                    Err(error) if !heard && was_not_begun(&error) => {
                        return Ok((Attempt::Again, None));
                    }
                    received => received?,
                }
                continue;
            };
            heard = true;
            match frame.kind {
                FrameType::Log => {
                    let line = LogLine::decode(frame.payload).map_err(FrameError::from)?;
                    match budget.decide(line.text.len() + line.source.file.len()) {
                        Verdict::Write => log_of(self.request, self.script, &line),
                        Verdict::LeaveOutAndSay => log(self.request, &codes::too_many_lines()),
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
                FrameType::Answer => {
                    let answer = Attempt::Done(Some(frame.payload.to_vec()));
                    return Ok((answer, files.pop().filter(|_| decoder.is_empty())));
                }
                FrameType::Fail => {
                    let returned = files.pop().filter(|_| decoder.is_empty());
                    return Ok((Attempt::Done(None), returned));
                }
                FrameType::Decline => return Ok((Attempt::Again, None)),
                FrameType::Unavailable => return Err(RelayError::Unavailable),
                kind => return Err(FrameError::Turn(kind).into()),
            }
        }
    }
}
