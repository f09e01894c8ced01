//! A request thread of a worker: it takes requests from the queue, and serves them.

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::{Pid, gettid};
use wsgi::codes;
use wsgi::process::control::{Cause, WorkerMessage};

use crate::panics::caught;
use crate::queue::{TakeError, Taken};
use crate::worker::handler::Service;
use crate::worker::in_flight::Serving;
use crate::worker::shared::Shared;

/// How many milliseconds a thread waits after a shortage before it tries again.
const SHORTAGE: u8 = 100;

impl Shared {
    /// The loop of a request thread: one request after the other, until the process is to end.
    pub(crate) fn serve(&self) {
        let service = Service {
            engine: &self.engine,
            requests: &self.requests,
            shutdown: &self.shutdown,
            log: &self.log,
            spec: &self.spec,
        };
        let most = self.spec.group.limits.maximum_requests;
        let thread = gettid();
        while let Some((taken, serving)) = self.next_request(thread) {
            if most > 0 && serving.count() >= most {
                self.shutdown.request(Cause::MaximumRequests);
            }
            if self.idle.limit().is_some()
                && self.requests.should_report_busy(self.spec.group.threads)
            {
                self.tell(WorkerMessage::Busy);
            }
            let admitted = self.engine.admission().begin();
            if let Err(panic) = caught(|| service.serve(taken, &serving)) {
                self.log.report(codes::internal_error("serving a request", &panic));
            }
            drop((admitted, serving));
            self.after_request();
        }
    }

    /// Checks that are due after a request.
    fn after_request(&self) {
        if self.engine.script_changed() {
            self.tell(WorkerMessage::ScriptChanged);
        }
        if let Some(recycling) = &self.recycling
            && let Some(private) = recycling.reached()
        {
            let text = format!("{private} bytes of private memory have reached recycle-memory");
            self.log.note(&text);
            self.requests.nudge();
        }
    }

    /// The next request, counted; `None` if the process is to end.
    fn next_request(&self, thread: Pid) -> Option<(Taken, Serving<'_>)> {
        let most = self.spec.group.limits.maximum_requests;
        loop {
            let level = self.requests.occupy_level(self.levels.count());
            self.levels.wait(level);
            self.engine.admission().wait(|| self.shutdown.cause().is_some());
            // A request is counted before it is taken: the main thread, which does not end the
            // process while one is counted, overlooks none.
            let reserved = self.requests.reserve(thread, level, most);
            if self.shutdown.cause().is_some() {
                self.pass_on();
                return None;
            }
            // Otherwise another thread is about to take the last one that this process may serve.
            let Some(reserved) = reserved else { continue };
            if !self.queue.has_room() {
                drop(reserved);
                self.pass_on();
                self.wait_for_end(PollTimeout::from(SHORTAGE));
                continue;
            }
            let error = match self.queue.take() {
                Ok(taken) => {
                    if self.levels.may_miss_messages() && self.queue.has_waiting() {
                        self.levels.look();
                        self.tell(WorkerMessage::RequestPassedOn);
                    }
                    return Some((taken, reserved.begin()));
                }
                Err(error) => error,
            };
            drop(reserved);
            match error {
                TakeError::Nothing | TakeError::Shortage { is_known: true, .. } => {}
                // wsgid sees it, too, and says what becomes of this process.
                TakeError::Ended => self.wait_for_end(PollTimeout::NONE),
                TakeError::Nonsense => self.log.report(codes::message_refused()),
                TakeError::Shortage { .. } => {
                    self.log.report(codes::requests_have_to_wait(&error));
                }
                TakeError::Broken(_) => {
                    self.log.report(codes::queue_not_watched(&error));
                    self.shutdown.request(Cause::Broken);
                    self.pass_on();
                    return None;
                }
            }
        }
    }

    /// Has other workers look at the queue if a request waits: this thread may be the only one that
    /// was woken for it.
    fn pass_on(&self) {
        if self.queue.has_waiting() {
            self.tell(WorkerMessage::RequestPassedOn);
        }
    }

    fn wait_for_end(&self, limit: PollTimeout) {
        let _ = poll(&mut [PollFd::new(self.shutdown.descriptor(), PollFlags::POLLIN)], limit);
    }
}
