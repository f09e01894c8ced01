//! Processes of a group that end: when they should, when they should not, and when they do not.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use wsgi::codes;
use wsgi::config::daemon_process::Timeouts;
use wsgi::process::plan::descriptor;

use super::Group;
use crate::group::memory_kills;
use crate::group::worker::Worker;
use crate::start::launch::StartError;

/// Without `startup-timeout`: after so long a template that has been told to fork and has not is
/// killed, for that is a matter of milliseconds. One that loads for so long is only reported: on a
/// small machine that may take its time.
const TEMPLATE_LIMIT: Duration = Duration::from_mins(1);

/// How much longer than its own limit a worker has until it is killed.
const KILL_DELAY: Duration = Duration::from_secs(1);

impl Group {
    /// The time between the message that a worker is to end and SIGKILL; `None` if there is no
    /// limit.
    pub(super) fn kill_grace(&self) -> Option<Duration> {
        let timeouts = self.launch.spec.group.timeouts;
        let limit = timeouts.graceful.max(timeouts.evict()).saturating_add(timeouts.shutdown);
        (!timeouts.shutdown.is_zero()).then(|| limit + KILL_DELAY)
    }

    pub(super) fn not_started(&mut self, what: &str, error: &StartError) {
        let delay = self.delay(None);
        self.report(codes::cannot_start(what, error, delay));
    }

    /// Notes that a process failed, and when the next one may start.
    pub(super) fn delay(&mut self, served: Option<Duration>) -> Duration {
        let delay = self.backoff.after_failure(served);
        (self.not_before, self.last_delay) = (Some(Instant::now() + delay), delay);
        delay
    }

    /// Notes that a worker that was ready for `served` leaves by itself, without a failure: the
    /// next one may have to wait.
    pub(super) fn pause(&mut self, served: Duration) {
        let group = &self.launch.spec.group;
        let (most, is_usual) = (group.pool().most, group.limits.maximum_requests > 0);
        let delay = self.backoff.after_exit(served, most, is_usual);
        if delay.is_zero() {
            return;
        }
        if is_usual && !self.may_start() {
            // The pause that there is is not begun anew.
            return;
        }
        (self.not_before, self.last_delay) = (Some(Instant::now() + delay), delay);
        if !is_usual {
            self.report(codes::workers_end_early(delay));
        }
    }

    /// A process has ended; false if it is none of this group.
    pub(crate) fn ended(&mut self, pid: i32, status: ExitStatus) -> bool {
        if let Some(index) = self.workers.iter().position(|worker| worker.pid() == Some(pid)) {
            let mut worker = self.workers.swap_remove(index);
            self.launch.queue.pass_on();
            let failure = worker.failure().filter(|_| !self.ending && !worker.is_draining());
            match failure {
                Some(failure) => {
                    let error = self.launch.error(failure);
                    self.not_started("worker", &error);
                }
                None => self.worker_ended(&worker, status),
            }
            return true;
        }
        self.refusals.ended(pid) || self.template_ended(pid, status)
    }

    /// Kills a worker that says what makes no sense, again and again: nothing that it may say can
    /// be believed.
    pub(super) fn end_nonsense(&mut self, index: usize) {
        let worker = &mut self.workers[index];
        if !worker.control_mut().is_to_report() {
            return;
        }
        let pid = worker.name();
        worker.kill();
        let delay = self.delay(None);
        self.note_nonsense("worker", &pid, delay);
    }

    pub(super) fn note_nonsense(&self, what: &str, pid: &str, delay: Duration) {
        let next = if self.launch.kept.are_many() {
            "no more are started until httpd is restarted gracefully, since descriptors have come \
             several times"
                .to_owned()
        } else {
            next_start(delay)
        };
        self.report(codes::control_messages_invalid(what, pid, descriptor::CONTROL, &next));
    }

    fn worker_ended(&mut self, worker: &Worker, status: ExitStatus) {
        let pid = worker.name();
        let ended = format!("worker {pid} has ended");
        if self.ending || worker.is_draining() {
            if worker.has_served() && status.success() {
                // It was well until it was asked to go, and so may the next one be.
                self.backoff.after_success();
            }
            // That wsgid has killed it was said.
            let crashed = status.signal().is_some_and(|signal| {
                signal != Signal::SIGKILL as i32 && signal != Signal::SIGTERM as i32
            });
            return if crashed {
                self.report(codes::worker_crashed(&pid, &status));
            } else {
                self.info(&format!("{ended} ({status})"));
            };
        }
        let is_well = status.success() && worker.has_served();
        if is_well && !self.launch.spec.group.is_service() {
            self.info(&format!("{ended} and is replaced"));
            self.backoff.after_success();
            return self.pause(worker.served().unwrap_or_default());
        }
        let delay = self.delay(worker.served());
        let when =
            if delay.is_zero() { "it is replaced at once".to_owned() } else { next_start(delay) };
        if is_well {
            // A service that has done what it had to do.
            return self.info(&format!("{ended}; {when}"));
        }
        let cause = match status.signal() {
            Some(signal) if signal == Signal::SIGKILL as i32 && memory_kills::is_new() => {
                ", by the kernel for want of memory"
            }
            _ => "",
        };
        let status = format!("{status}{cause}");
        self.report(if worker.has_served() {
            codes::worker_ended(&pid, &status, &when)
        } else {
            codes::ended_before_ready("worker", &pid, &status, &when)
        });
    }

    /// Kills processes that did not end, or did not get ready, in time.
    pub(super) fn enforce(&mut self) {
        let now = Instant::now();
        let timeouts = self.launch.spec.group.timeouts;
        let limit = self.start_limit();
        self.give_up_stuck_template(limit.unwrap_or(TEMPLATE_LIMIT));
        self.give_up_hanging();
        if limit.is_none()
            && let Some(pid) = self.templates.report_late(TEMPLATE_LIMIT)
        {
            let seconds = TEMPLATE_LIMIT.as_secs();
            self.report(codes::template_slow(pid, seconds));
        }
        for index in 0..self.workers.len() {
            let worker = &mut self.workers[index];
            let pid = worker.name();
            if worker.kill_at().is_some_and(|moment| moment <= now) {
                worker.kill();
                let Timeouts { graceful, shutdown, .. } = timeouts;
                self.report(codes::worker_not_ended(&pid, graceful.as_secs(), shutdown.as_secs()));
            } else if worker.is_starting() && limit.is_some_and(|limit| worker.age() >= limit) {
                worker.kill();
                let next = format!("; {}", next_start(self.delay(None)));
                self.report(codes::not_ready("worker", &pid, timeouts.startup.as_secs(), &next));
            }
        }
        // There is no process to kill, and no end to be noticed.
        self.workers.retain(|worker| worker.pid().is_some() || worker.killed().is_none());
        if let Some(limit) = limit
            && let Some(pid) = self.templates.give_up_late(limit)
        {
            let pid = pid.to_string();
            self.report(codes::not_ready("template", &pid, timeouts.startup.as_secs(), ""));
        }
    }

    /// Kills the template if a worker that it was to fork has not said its first word after
    /// `limit`: a hook of `os.register_at_fork` keeps it.
    fn give_up_stuck_template(&mut self, limit: Duration) {
        let is_late = |worker: &Worker| worker.pid().is_none() && worker.age() >= limit;
        let generations: Vec<u64> =
            self.workers.iter().filter(|worker| is_late(worker)).map(Worker::generation).collect();
        // If one comes after all, it finds its control socket closed, and ends.
        self.workers.retain(|worker| !is_late(worker));
        for generation in generations {
            if let Some(pid) = self.templates.give_up_current(generation) {
                let delay = self.delay(None);
                let within = match self.launch.spec.group.timeouts.startup {
                    Duration::ZERO => format!("{} seconds", limit.as_secs()),
                    limit => format!("startup-timeout={}", limit.as_secs()),
                };
                self.report(codes::template_stuck(pid, &within, delay));
            }
        }
    }

    /// How long a process may take to get ready.
    pub(super) fn start_limit(&self) -> Option<Duration> {
        Some(self.launch.spec.group.timeouts.startup).filter(|limit| !limit.is_zero())
    }

    /// When a process that is not ready yet has taken too long.
    pub(super) fn next_start_limit(&self) -> Option<Instant> {
        let hang = self.next_hang();
        let Some(limit) = self.start_limit() else {
            return self.next_template_limit().into_iter().chain(hang).min();
        };
        let workers = self.workers.iter().filter(|one| one.is_starting());
        let template = self.templates.starting_for();
        workers
            .map(Worker::age)
            .chain(template)
            .map(|age| Instant::now() + limit.saturating_sub(age))
            .chain(hang)
            .min()
    }

    /// The same for templates in a group without `startup-timeout`.
    fn next_template_limit(&self) -> Option<Instant> {
        let forked = self.workers.iter().filter(|worker| worker.pid().is_none()).map(Worker::age);
        let ages = forked.chain(self.templates.unreported_for());
        ages.map(|age| Instant::now() + TEMPLATE_LIMIT.saturating_sub(age)).min()
    }
}

/// When the next process starts, for the end of a message.
pub(super) fn next_start(delay: Duration) -> String {
    format!("the next one starts in {delay:.1?}")
}
