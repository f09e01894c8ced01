//! A request thread of a worker: it takes requests when it is its turn, and serves them.

use std::os::fd::AsFd;
use std::thread;

use engine::ServerLog;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use wsgi::control::{Cause, News};
use wsgi::level::Level;

use crate::dispatch::Service;
use crate::fellows::{Place, STEP, STEPS};
use crate::panics::caught;
use crate::queue::{TakeError, Taken};
use crate::serve::Shared;
use crate::turn::Held;

impl Shared {
    /// What a request thread does: one request after the other.
    pub(crate) fn serve(&self, number: u32) {
        let service = Service {
            engine: &self.engine,
            requests: &self.requests,
            ending: &self.ending,
            log: &self.log,
            spec: &self.spec,
        };
        let most = self.spec.group.limits.maximum_requests;
        while let Some(held) = self.ending.turn().take(number) {
            let Some(taken) = self.next_request(number, &held) else { continue };
            let serving = self.requests.begin();
            let placed = self.place.as_ref().map(Place::serving);
            if most > 0 && self.requests.taken() >= most {
                // Nobody else takes one after this.
                self.ending.want(Cause::MaximumRequests);
            }
            let mut is_full = false;
            held.pass(|somebody| {
                self.waits(somebody);
                is_full = !somebody;
            });
            if is_full && self.idle.patience().is_some() && self.requests.busy_is_news() {
                self.tell(News::Busy);
            }
            if let Err(panic) = caught(|| service.serve(taken, &serving)) {
                self.log.line(Level::Error, format!("internal error: {panic}").as_bytes());
            }
            drop((placed, serving));
            self.after_request();
        }
        self.waits(false);
    }

    /// Says to the workers of the same template whether a thread is there to take a connection. True already
    /// when one was told to: it may take some time until it runs.
    fn waits(&self, waits: bool) {
        self.place.iter().for_each(|place| place.waits(waits));
    }

    /// Called when a request has arrived: gives a thread with a lower number that has just served a
    /// request the time to take the turn over. So one more thread is used only where one more is needed.
    fn give_way(&self, number: u32, held: &Held<'_>) {
        let lower = usize::try_from(number).unwrap_or(usize::MAX);
        for _ in 0..STEPS {
            if self.requests.count() >= lower || !held.is_still() {
                break;
            }
            thread::sleep(STEP);
        }
    }

    /// What has to be looked at now and then.
    fn after_request(&self) {
        if self.engine.script_changed() {
            self.tell(News::ScriptChanged);
        }
        if let Some(recycling) = &self.recycling
            && let Some(private) = recycling.reached()
        {
            let text = format!("{private} bytes of private memory have reached recycle-memory");
            self.line(Level::Info, &text);
            self.requests.nudge();
        }
    }

    /// The next request; `None` if it is another thread's, or the process ends.
    fn next_request(&self, number: u32, held: &Held<'_>) -> Option<Taken> {
        let mut descriptors = [
            PollFd::new(self.queue.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.ending.descriptor(), PollFlags::POLLIN),
        ];
        self.waits(true);
        let mut is_short = false;
        loop {
            while is_short && !self.queue.has_room() && self.ending.cause().is_none() {
                // Requests that end give descriptors back.
                let _ = poll(&mut descriptors[1..], PollTimeout::from(SHORTAGE));
            }
            let _ = poll(&mut descriptors, PollTimeout::NONE);
            self.give_way(number, held);
            if !held.begins() {
                return None;
            }
            let is_there = || poll(&mut descriptors[..1], PollTimeout::ZERO) != Ok(0);
            if self.place.as_ref().is_none_or(|place| place.gives_way(is_there)) {
                if !held.keeps() {
                    return None;
                }
                match self.queue.take() {
                    Ok(taken) => return Some(taken),
                    Err(TakeError::Nothing) => {}
                    Err(TakeError::Ended) => {
                        // wsgid hears it, too, and says what becomes of this process.
                        let _ = poll(&mut descriptors[1..], PollTimeout::NONE);
                    }
                    Err(TakeError::Nonsense) => {
                        let text = format!("WSGI0033: {} is refused", TakeError::Nonsense);
                        self.log.line(Level::Alert, text.as_bytes());
                    }
                    Err(error @ TakeError::Shortage(_)) => {
                        if !is_short {
                            let text = format!(
                                "WSGI0018: requests have to wait: {error}; the application may leave \
                                 files open, or the limit of open files is too low"
                            );
                            self.log.line(Level::Crit, text.as_bytes());
                        }
                        is_short = true;
                    }
                    Err(error @ TakeError::Broken(_)) => {
                        let text = format!("WSGI0018: no request can be taken: {error}");
                        self.log.line(Level::Crit, text.as_bytes());
                        self.ending.want(Cause::Broken);
                        return None;
                    }
                }
            }
            held.waits_on();
        }
    }
}

/// How many milliseconds a thread waits after a shortage before it tries again.
const SHORTAGE: u8 = 100;
