//! Preloading: a group keeps the template that its workers are forked from, and hears what becomes
//! of it.

use std::process::ExitStatus;
use std::time::Instant;

use wsgi::codes;
use wsgi::config::daemon_process::Preload;
use wsgi::process::control::WorkerMessage;

use super::Group;
use super::exits::next_start;
use super::templates::{PAUSE, Templates};
use crate::group::template::Template;

impl Group {
    /// Starts the template that is missing; looks whether one can load more by now.
    pub(super) fn reconcile_templates(&mut self) {
        self.look_at_scripts();
        let keep = self.launch.spec.group.idle_template
            || self.demand.wanted() > 0
            || !self.workers.is_empty();
        if !keep {
            self.templates.end();
        }
        let missing = self.templates.level != Preload::Off
            && self.templates.current.is_none()
            && self.templates.next.is_none();
        if keep && missing && self.may_start() {
            self.start_template(self.templates.level, self.templates.generation);
        }
    }

    pub(super) fn start_template(&mut self, level: Preload, generation: u64) {
        let started = self.launch.with(level, |start| {
            Ok((Template::start(start, generation)?, start.credentials.name.clone()))
        });
        match started {
            Ok((template, user)) => {
                let pid = template.pid();
                self.info(&format!("template {pid} starts as user {user:?}"));
                self.templates.next = Some(template);
                self.templates.look_at_loading = Some(Instant::now() + PAUSE);
            }
            Err(error) => self.not_started("template", &error),
        }
    }

    /// Hears what the templates have to say.
    pub(super) fn read_template_messages(&mut self) {
        if let Some(current) = &mut self.templates.current {
            // It has nothing more to say; its end comes as a signal.
            current.control_mut().read_messages();
        }
        let next = self.templates.next.as_mut();
        let words = next.map(|next| next.control_mut().read_messages()).unwrap_or_default();
        self.end_nonsense_of_templates();
        let Some(next) = self.templates.next.as_ref().filter(|next| !next.is_given_up()) else {
            return;
        };
        // It sends one message that matters.
        let matters = |message: &WorkerMessage| {
            use WorkerMessage::{NotLoaded, Ready, Threads};
            matches!(message, Ready | NotLoaded | Threads)
        };
        let Some(message) = words.into_iter().map(|(message, _)| message).find(matters) else {
            return;
        };
        let (pid, milliseconds) = (next.pid(), next.age().as_millis());
        match message {
            WorkerMessage::Ready => {
                let text = format!("template {pid} is ready after {milliseconds} ms");
                self.info(&text);
                self.backoff.after_success();
                if let Some(mut next) = self.templates.next.take() {
                    let before = self.templates.before.take();
                    let is_same = next.generation() == self.templates.generation;
                    if is_same && before.is_some() && before != next.versions() {
                        // The scripts that it has loaded are not those that the present workers
                        // have.
                        next.set_generation(self.templates.generation + 1);
                    }
                    self.templates.generation = next.generation();
                    self.templates.level = next.level();
                    if next.level() == self.templates.wanted {
                        (self.templates.failed, self.templates.look_at) = (None, None);
                    }
                    self.templates.current = Some(next);
                }
            }
            WorkerMessage::NotLoaded | WorkerMessage::Threads => {
                self.report(match (message, &self.templates.current) {
                    (_, Some(_)) => codes::change_not_preloaded(),
                    (WorkerMessage::Threads, _) => codes::preloading_given_up(),
                    _ => codes::application_not_preloaded(),
                });
                if let Some(mut next) = self.templates.next.take() {
                    self.templates.failed(&mut next);
                }
            }
            _ => {}
        }
    }

    /// Kills templates that say what makes no sense, again and again.
    fn end_nonsense_of_templates(&mut self) {
        let Templates { current, next, .. } = &mut self.templates;
        let mut said = Vec::new();
        for template in current.iter_mut().chain(next) {
            if template.control_mut().is_to_report() {
                template.give_up();
                said.push(template.pid());
            }
        }
        for pid in said {
            let delay = self.delay(None);
            self.note_nonsense("template", &pid.to_string(), delay);
        }
    }

    /// A process has ended; false if it was no template of this group.
    pub(super) fn template_ended(&mut self, pid: i32, status: ExitStatus) -> bool {
        let is =
            |template: &Option<Template>| template.as_ref().is_some_and(|one| one.pid() == pid);
        let (current, next) = (is(&self.templates.current), is(&self.templates.next));
        let lost = self.templates.lost.len();
        self.templates.lost.retain(|one| *one != pid);
        if let Some(look) = self.templates.look.as_mut().filter(|look| look.pid() == pid) {
            look.set_reaped();
            return true;
        }
        for template in [&mut self.templates.current, &mut self.templates.next] {
            template.iter_mut().filter(|one| one.pid() == pid).for_each(Template::set_reaped);
        }
        if current {
            self.report(codes::template_ended(pid, &status));
            let ended = self.templates.current.take();
            self.templates.before = ended.and_then(|mut template| template.versions());
        } else if next {
            let failure = self.templates.next.as_mut().and_then(Template::failure);
            if let Some(failure) = failure {
                self.templates.next = None;
                let error = self.launch.error(failure);
                self.not_started("template", &error);
                return true;
            }
            let delay = self.delay(None);
            let (pid, status) = (pid.to_string(), status.to_string());
            let next = next_start(delay);
            self.report(codes::ended_before_ready("template", &pid, &status, &next));
            self.templates.next = None;
        }
        current || next || self.templates.lost.len() < lost
    }
}
