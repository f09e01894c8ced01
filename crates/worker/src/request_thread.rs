//! A request thread of a worker: it takes connections when it is its turn, and serves them.

use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

use engine::ServerLog;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use wsgi::control::{Cause, News};
use wsgi::level::Level;

use crate::connection::Service;
use crate::fellows::Place;
use crate::panics::caught;
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
            let Some(stream) = self.next_connection(&held) else { continue };
            let serving = self.requests.begin();
            let placed = self.place.as_ref().map(Place::serving);
            if most > 0 && self.requests.taken() >= most {
                // Nobody else takes one after this.
                self.ending.want(Cause::MaximumRequests);
            }
            if held.pass() && self.elastic && self.requests.busy_is_news() {
                self.tell(News::Busy);
            }
            if let Err(panic) = caught(|| service.serve(stream, &serving)) {
                self.log.line(Level::Error, format!("internal error: {panic}").as_bytes());
            }
            drop((placed, serving));
            self.after_request();
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

    /// The next connection; `None` if it is another thread's, or the process ends.
    fn next_connection(&self, held: &Held<'_>) -> Option<UnixStream> {
        let mut descriptors = [
            PollFd::new(self.listener.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.ending.descriptor(), PollFlags::POLLIN),
        ];
        let waits = |waits| self.place.iter().for_each(|place| place.waits(waits));
        waits(true);
        loop {
            let _ = poll(&mut descriptors, PollTimeout::NONE);
            if !held.begins() {
                return None;
            }
            let is_there = || poll(&mut descriptors[..1], PollTimeout::ZERO) != Ok(0);
            if self.place.as_ref().is_none_or(|place| place.gives_way(is_there)) {
                match self.listener.accept() {
                    // A new socket does not inherit that its listener never blocks.
                    Ok((stream, _)) => {
                        waits(false);
                        return Some(stream);
                    }
                    Err(error) if is_usual(&error) => {}
                    Err(error) => {
                        let text = format!("WSGI0018: no connection: {error}");
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

/// Whether this happens when another process of the group was faster.
fn is_usual(error: &std::io::Error) -> bool {
    use std::io::ErrorKind;
    let usual = [ErrorKind::WouldBlock, ErrorKind::Interrupted, ErrorKind::ConnectionAborted];
    usual.contains(&error.kind())
}
