//! Processes that hang where nothing ends them: in the kernel, in a file system that does not
//! answer.
//!
//! They are killed, and the group goes on as if they had ended: when they do, or whether, is not
//! waited for.

use std::time::{Duration, Instant};

use wsgi::codes;

use super::Group;
use super::exits::next_start;
use super::templates::Lost;
use crate::group::worker::Worker;

/// How long a process may take to execute its program, which is a matter of milliseconds, if
/// `startup-timeout` does not say less.
const BIRTH_LIMIT: Duration = Duration::from_mins(1);

/// The end of a template that was killed is waited for so long, and that of a worker when the group
/// ends.
const LOST: Duration = Duration::from_secs(5);

impl Group {
    /// Kills processes that have not executed their program in time, and looks at scripts that take
    /// as long; leaves behind what was killed and does not end.
    pub(super) fn give_up_hanging(&mut self) {
        let limit = self.birth_limit();
        while let Some((what, pid, doing)) = self.templates.give_up_unborn(limit) {
            let next = match what {
                Lost::Template => Some(self.delay(None)),
                Lost::Look => None,
            };
            self.note_hanging(what.name(), &pid.to_string(), &doing, next);
        }
        for index in 0..self.workers.len() {
            let worker = &mut self.workers[index];
            if worker.age() < limit || worker.killed().is_some() {
                continue;
            }
            let Some(doing) = worker.unborn() else { continue };
            worker.kill();
            let pid = worker.name();
            let next = self.delay(None);
            self.note_hanging("worker", &pid, &doing, Some(next));
        }
        while let Some(pid) = self.templates.leave_behind(LOST) {
            self.report(codes::process_left_behind("template", &pid.to_string()));
        }
        if self.ending {
            let is_lost = |worker: &Worker| worker.killed().is_some_and(|at| at.elapsed() >= LOST);
            for worker in self.workers.iter().filter(|worker| is_lost(worker)) {
                self.report(codes::process_left_behind("worker", &worker.name()));
            }
            self.workers.retain(|worker| !is_lost(worker));
        }
    }

    fn note_hanging(&self, what: &str, pid: &str, doing: &str, next: Option<Duration>) {
        let seconds = self.birth_limit().as_secs();
        let next = next.map_or_else(String::new, |delay| format!("; {}", next_start(delay)));
        self.report(codes::process_hangs(what, pid, doing, seconds, &next));
    }

    /// When a worker that was killed is left behind by a group that ends.
    pub(super) fn next_lost_worker(&self) -> Option<Instant> {
        self.workers.iter().filter_map(Worker::killed).map(|killed| killed + LOST).min()
    }

    /// How long a process may take to execute its program.
    fn birth_limit(&self) -> Duration {
        self.start_limit().map_or(BIRTH_LIMIT, |limit| limit.min(BIRTH_LIMIT))
    }

    /// When something of this is due, as far as is known.
    pub(super) fn next_hang(&self) -> Option<Instant> {
        let is_unborn = |worker: &&Worker| worker.may_be_unborn() && worker.killed().is_none();
        let workers = self.workers.iter().filter(is_unborn).map(Worker::age);
        let limit = self.birth_limit();
        let ages = workers.chain(self.templates.unborn_for());
        let moments = ages.map(|age| Instant::now() + limit.saturating_sub(age));
        moments.chain(self.templates.next_lost(LOST)).min()
    }
}
