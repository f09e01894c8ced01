//! Looking at the scripts of a group that a template loads: whether they were changed, and what
//! follows.

use std::time::Instant;

use wsgi::codes;
use wsgi::config::daemon_process::Preload;

use super::Group;
use super::templates::PAUSE;
use crate::group::template::Template;
use crate::start::launch::StartError;
use crate::start::look::{Look, Seen};
use crate::start::versions::Versions;

impl Group {
    /// Has the scripts looked at if that is due, and does what follows from what was seen.
    pub(super) fn look_at_scripts(&mut self) {
        if self.templates.next_look().is_some_and(|moment| moment <= Instant::now()) {
            self.begin_look();
        }
        let Some(look) = &mut self.templates.look else { return };
        match look.seen() {
            Seen::NotYet => {}
            Seen::Scripts(versions) => {
                self.templates.look = None;
                self.looked(&versions);
            }
            Seen::Nothing => {
                self.templates.look = None;
                self.templates.look_from = Some(Instant::now() + PAUSE);
            }
        }
    }

    fn begin_look(&mut self) {
        let launch = &self.launch;
        let look = launch.credentials().map_err(StartError::from);
        match look.and_then(|credentials| Ok(Look::start(&launch.spec, credentials)?)) {
            Ok(look) => (self.templates.look, self.templates.look_from) = (Some(look), None),
            Err(error) => {
                self.templates.look_from = Some(Instant::now() + PAUSE);
                self.report(codes::scripts_not_looked_at(&error, PAUSE));
            }
        }
    }

    /// Does what has to be done with the scripts as they are `now`.
    fn looked(&mut self, now: &Versions) {
        let is_said = std::mem::take(&mut self.templates.is_said_to_change);
        let is_waited_for = self.templates.look_at.is_some();
        let has_failed = self.templates.failed.as_ref() == Some(now);
        if is_waited_for {
            self.templates.look_at = has_failed.then(|| Instant::now() + PAUSE);
        }
        self.templates.look_at_loading = Some(Instant::now() + PAUSE);
        if self.templates.next.is_some() && !has_failed {
            return self.replace_outdated_next(now);
        }
        let current = self.templates.current.as_mut().and_then(Template::versions);
        if has_failed || is_said && current.as_ref() == Some(now) {
            // A worker that says so again and again must not keep wsgid busy.
            self.templates.look_from = Some(Instant::now() + PAUSE);
            return;
        }
        if is_said {
            self.info("a script has changed: a new template is started");
        }
        if is_said || is_waited_for {
            self.start_template(self.templates.wanted, self.templates.generation() + 1);
        }
    }

    /// Replaces a template that still loads what has changed meanwhile: it may hang in that for
    /// ever.
    fn replace_outdated_next(&mut self, now: &Versions) {
        let Some(next) = self.templates.next.as_mut().filter(|next| !next.is_given_up()) else {
            return;
        };
        let loads = next.level() == Preload::Application;
        if !loads || next.versions().is_none_or(|loaded| loaded == *now) {
            return;
        }
        let (pid, generation) = (next.pid(), next.generation());
        let text = format!("template {pid} is replaced before it is ready: a script has changed");
        self.info(&text);
        self.templates.next = None;
        self.start_template(self.templates.wanted, generation);
    }

    /// A worker has found a script changed that its template had loaded.
    pub(super) fn script_changed(&mut self) {
        // If one is loading, what that loads is looked at anyway.
        self.templates.is_said_to_change |= self.templates.next.is_none();
    }
}
