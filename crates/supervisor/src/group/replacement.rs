//! Workers that make room for others: which ones, and when.
//!
//! Another one is ready before one ends that could serve on.

use wsgi::control::Order;

use super::Group;
use crate::worker::Worker;

impl Group {
    /// Whether a worker is to be replaced while it serves on.
    fn is_outdated(&self, worker: &Worker) -> bool {
        worker.generation() != self.templates.generation() || worker.is_outworn()
    }

    fn fresh(&self) -> impl Iterator<Item = &Worker> {
        self.workers.iter().filter(|worker| !worker.is_leaving() && !self.is_outdated(worker))
    }

    /// Starts the workers that are missing, if it is time.
    pub(super) fn fill(&mut self) {
        // Of those that have asked for it one is replaced at a time.
        let outworn = |worker: &&Worker| {
            worker.is_outworn()
                && !worker.is_leaving()
                && worker.generation() == self.templates.generation()
        };
        let kept = self.workers.iter().filter(outworn).count().saturating_sub(1);
        let wanted = self.demand.wanted().saturating_sub(kept);
        while self.fresh().count() < wanted && self.may_start() {
            if !self.start_worker() {
                break;
            }
        }
    }

    /// Ends outdated workers for which others are ready.
    pub(super) fn relieve(&mut self) {
        let ready = self.fresh().filter(|worker| worker.is_ready()).count();
        let generation = self.templates.generation();
        let grace = self.patience();
        let mut surplus = {
            let outdated =
                self.workers.iter().filter(|one| !one.is_leaving() && self.is_outdated(one));
            (outdated.count() + ready).saturating_sub(self.demand.wanted())
        };
        for worker in &mut self.workers {
            let old = worker.generation() != generation;
            if surplus > 0 && !worker.is_leaving() && (old || worker.is_outworn()) {
                let why = if old { Order::EndForScript } else { Order::EndForReplacement };
                worker.ask_to_end(Some(why), grace);
                surplus -= 1;
            }
        }
    }
}
