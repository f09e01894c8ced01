//! The messages of a group's processes, and the actions that follow.

use std::time::Instant;

use wsgi::codes;
use wsgi::process::control::{SupervisorMessage, WorkerMessage};

use super::Group;
use crate::group::worker::Worker;

impl Group {
    /// Hears what its processes have to say.
    pub(crate) fn read_messages(&mut self) {
        self.launch.log.copy();
        for index in 0..self.workers.len() {
            for (message, sender) in self.workers[index].control_mut().read_messages() {
                if !self.workers[index].control().has_ended() {
                    self.received(index, message, sender);
                }
            }
            self.end_nonsense(index);
        }
        // One whose process is not known and whose control socket has ended was never forked.
        let before = self.workers.len();
        self.workers.retain(|worker| worker.pid().is_some() || !worker.control().has_ended());
        if self.workers.len() < before {
            self.delay(None);
        }
        self.read_template_messages();
    }

    /// Hears what a process has said before it ended, if it may be one of the group's. It was not
    /// reaped yet, so that one that says its first word is still known to be a child.
    pub(crate) fn read_last_messages(&mut self, pid: i32) {
        let is_or_may_be = |worker: &Worker| worker.pid().is_none_or(|known| known == pid);
        if self.workers.iter().any(is_or_may_be) || self.templates.include(pid) {
            self.read_messages();
        }
    }

    fn received(&mut self, index: usize, message: WorkerMessage, sender: i32) {
        let worker = &mut self.workers[index];
        match message {
            WorkerMessage::Forked if worker.pid().is_none() && !worker.identify(sender) => {
                self.report(codes::false_worker(sender));
            }
            WorkerMessage::Ready if worker.is_starting() && worker.pid().is_some() => {
                worker.set_ready();
                if self.retired {
                    worker.retire();
                }
                let (pid, milliseconds) = (worker.name(), worker.age().as_millis());
                self.info(&format!("worker {pid} is ready after {milliseconds} ms"));
                self.tell_workers(SupervisorMessage::LineUp);
                // It was not told of what was passed on before.
                self.launch.queue.pass_on();
            }
            WorkerMessage::RequestPassedOn => self.launch.queue.pass_on(),
            WorkerMessage::Idle => self.on_idle(index),
            WorkerMessage::Busy => self.demand.busy(Instant::now()),
            WorkerMessage::ReplacementRequested => worker.request_replacement(),
            WorkerMessage::Draining if worker.is_draining() => self.launch.queue.pass_on(),
            WorkerMessage::Draining => {
                self.launch.queue.pass_on();
                let (served, grace) = (worker.served(), self.kill_grace());
                self.workers[index].leave(grace);
                match served {
                    Some(served) => self.pause(served),
                    // It has served nothing: one that says so again and again must not be replaced
                    // at once.
                    None => drop(self.delay(None)),
                }
            }
            WorkerMessage::ScriptChanged if worker.generation() == self.templates.generation() => {
                self.script_changed();
            }
            _ => {}
        }
    }

    /// A worker has nothing to do: it may go if there are more than there have to be.
    fn on_idle(&mut self, index: usize) {
        let staying = self.workers.iter().filter(|worker| !worker.is_draining()).count();
        let grace = self.kill_grace();
        let worker = &mut self.workers[index];
        if !worker.is_draining() && self.demand.spare(Instant::now(), staying) {
            worker.ask_to_end(Some(SupervisorMessage::StopIdle), grace);
        }
    }
}
