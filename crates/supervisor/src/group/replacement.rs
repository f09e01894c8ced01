//! Workers that make room for others: which ones, and when.
//!
//! Another one is ready before one ends that could serve on.

use wsgi::codes;
use wsgi::process::control::SupervisorMessage;

use super::Group;
use crate::group::worker::Worker;

/// So many workers may be draining at a time in any group; in a large one, twice as many as it may
/// have.
const MOST_DRAINING: usize = 8;

impl Group {
    /// Whether a worker is to be replaced while it serves on.
    fn is_outdated(&self, worker: &Worker) -> bool {
        worker.generation() != self.templates.generation() || worker.wants_replacement()
    }

    fn fresh(&self) -> impl Iterator<Item = &Worker> {
        self.workers.iter().filter(|worker| !worker.is_draining() && !self.is_outdated(worker))
    }

    /// Starts the workers that are missing, if it is time.
    pub(super) fn start_missing(&mut self) {
        // Of those that have asked for it one is replaced at a time.
        let wants_replacement = |worker: &&Worker| {
            worker.wants_replacement()
                && !worker.is_draining()
                && worker.generation() == self.templates.generation()
        };
        let kept = self.workers.iter().filter(wants_replacement).count().saturating_sub(1);
        let wanted = self.demand.wanted().saturating_sub(kept);
        while self.fresh().count() < wanted && self.may_start() {
            if self.is_too_crowded() || !self.start_worker() {
                break;
            }
        }
    }

    /// Whether so many workers are draining that no more are started until one of them has ended. A
    /// group whose workers say that they leave and do not would fill the machine.
    fn is_too_crowded(&mut self) -> bool {
        let draining = self.workers.iter().filter(|worker| worker.is_draining()).count();
        let most = (2 * self.launch.spec.group.pool().most as usize).max(MOST_DRAINING);
        let was_crowded = std::mem::replace(&mut self.is_crowded, draining >= most);
        if self.is_crowded && !was_crowded {
            self.report(codes::too_many_drain(draining));
        }
        self.is_crowded
    }

    /// Ends outdated workers for which others are ready.
    pub(super) fn end_replaced(&mut self) {
        let ready = self.fresh().filter(|worker| worker.is_ready()).count();
        let generation = self.templates.generation();
        let grace = self.kill_grace();
        let mut surplus = {
            let outdated =
                self.workers.iter().filter(|one| !one.is_draining() && self.is_outdated(one));
            (outdated.count() + ready).saturating_sub(self.demand.wanted())
        };
        let mut replaced = Vec::new();
        for worker in &mut self.workers {
            let old = worker.generation() != generation;
            if surplus > 0 && !worker.is_draining() && (old || worker.wants_replacement()) {
                let why = if old {
                    SupervisorMessage::StopForScript
                } else {
                    SupervisorMessage::StopReplaced
                };
                worker.ask_to_end(Some(why), grace);
                surplus -= 1;
                replaced.extend(worker.served().filter(|_| !old));
            }
        }
        // One that wants to be replaced as soon as it is ready wants that of the next one, too.
        for served in replaced {
            self.pause(served);
        }
    }
}
