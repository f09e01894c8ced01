//! The templates of a group: the one that workers are forked from, and the one that will follow it.

use std::process::ExitStatus;
use std::time::{Duration, Instant};

use wsgi::control::News;
use wsgi::daemon::Preload;
use wsgi::level::Level;

use super::Group;
use crate::line::{Line, MOST_WORDS};
use crate::template::{Template, Versions};

/// How often scripts are looked at that could not be preloaded.
const PAUSE: Duration = Duration::from_secs(2);

/// The templates of a group.
#[derive(Debug)]
pub(super) struct Templates {
    /// What the configuration wants loaded.
    wanted: Preload,
    /// What can be loaded, as far as is known.
    level: Preload,
    current: Option<Template>,
    /// It was started and is not ready.
    next: Option<Template>,
    /// The generation of new workers.
    generation: u64,
    /// The scripts with which loading has failed: there is no use in trying the same again.
    failed: Option<Versions>,
    /// When the scripts are looked at again, while less is loaded than is wanted.
    look_at: Option<Instant>,
    /// When the scripts are looked at again that a template is just loading.
    look_at_loading: Option<Instant>,
}

impl Templates {
    pub(super) fn new(wanted: Preload) -> Self {
        Self {
            wanted,
            level: wanted,
            current: None,
            next: None,
            generation: 0,
            failed: None,
            look_at: None,
            look_at_loading: None,
        }
    }

    /// What new templates load; `Off` if workers have to start by themselves.
    pub(super) fn level(&self) -> Preload {
        self.level
    }

    /// The template that is ready.
    pub(super) fn current(&self) -> Option<&Template> {
        self.current.as_ref()
    }

    /// The generation of new workers.
    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    /// The lines to the templates.
    pub(super) fn lines(&self) -> impl Iterator<Item = &Line> {
        self.current.iter().chain(&self.next).map(Template::listens)
    }

    /// Kills the template that is not ready after `limit`; gives its process id.
    pub(super) fn give_up_late(&mut self, limit: Duration) -> Option<i32> {
        let late = self.next.as_mut().filter(|next| next.age() >= limit && !next.is_given_up())?;
        late.give_up();
        Some(late.pid())
    }

    /// The template that is not ready after `limit`, if that was not reported; it is from now on.
    pub(super) fn report_late(&mut self, limit: Duration) -> Option<i32> {
        let late = self.next.as_mut().filter(|next| next.age() >= limit && !next.is_given_up())?;
        late.report().then(|| late.pid())
    }

    /// How long the template has been starting that is not ready yet, unless that was reported.
    pub(super) fn unreported_for(&self) -> Option<Duration> {
        let next = self.next.as_ref().filter(|next| !next.is_given_up() && !next.is_reported());
        next.map(Template::age)
    }

    /// Kills the template that is ready if its workers are of this generation; gives its process id.
    pub(super) fn give_up_current(&mut self, generation: u64) -> Option<i32> {
        let same = |template: &&mut Template| template.generation() == generation;
        let stuck = self.current.as_mut().filter(same).filter(|current| !current.is_given_up())?;
        stuck.give_up();
        Some(stuck.pid())
    }

    /// How long the template has been starting that is not ready yet.
    pub(super) fn starting_for(&self) -> Option<Duration> {
        self.next.as_ref().filter(|next| !next.is_given_up()).map(Template::age)
    }

    /// Whether one is on its way.
    pub(super) fn is_starting(&self) -> bool {
        self.next.is_some()
    }

    /// When scripts are looked at again.
    pub(super) fn next_look(&self) -> Option<Instant> {
        let loading = self.look_at_loading.filter(|_| self.next.is_some());
        self.look_at.into_iter().chain(loading).min()
    }

    /// Ends them.
    pub(super) fn end(&mut self) {
        (self.current, self.next) = (None, None);
    }

    /// Loading did not work with the scripts as they are. Without a template that does work, workers
    /// get by with less.
    fn failed(&mut self, template: &Template) {
        self.failed = Some(template.versions().clone());
        if self.current.is_none() {
            self.level = match template.level() {
                Preload::Application => Preload::Interpreter,
                _ => Preload::Off,
            };
        }
        if self.level < self.wanted {
            self.look_at = Some(Instant::now() + PAUSE);
        }
    }
}

impl Group {
    /// Starts the template that is missing; looks whether one can load more by now.
    pub(super) fn tend_templates(&mut self) {
        if self.templates.look_at.is_some_and(|moment| moment <= Instant::now()) {
            let now = Versions::of(&self.launch.spec.applications);
            let same = self.templates.failed.as_ref() == Some(&now);
            self.templates.look_at = same.then(|| Instant::now() + PAUSE);
            if !same && self.templates.next.is_none() {
                self.start_template(self.templates.wanted, self.templates.generation + 1);
            }
        }
        self.replace_outdated_next();
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

    fn start_template(&mut self, level: Preload, generation: u64) {
        let started = self.launch.with(level, |start| {
            Ok((Template::start(start, generation)?, start.identity.name.clone()))
        });
        match started {
            Ok((template, user)) => {
                let pid = template.pid();
                self.note(Level::Info, &format!("template {pid} starts as user {user:?}"));
                self.templates.next = Some(template);
                self.templates.look_at_loading = Some(Instant::now() + PAUSE);
            }
            Err(error) => self.not_started("template", &error),
        }
    }

    /// Replaces a template that still loads what has changed meanwhile: it may hang in that for ever.
    fn replace_outdated_next(&mut self) {
        let is_due = self.templates.look_at_loading.is_none_or(|moment| moment <= Instant::now());
        let Some(next) = self.templates.next.as_ref().filter(|next| is_due && !next.is_given_up())
        else {
            return;
        };
        self.templates.look_at_loading = Some(Instant::now() + PAUSE);
        let now = Versions::of(&self.launch.spec.applications);
        let loads = next.level() == Preload::Application;
        if !loads || *next.versions() == now || self.templates.failed.as_ref() == Some(&now) {
            return;
        }
        let (pid, generation) = (next.pid(), next.generation());
        let text = format!("template {pid} is replaced before it is ready: a script has changed");
        self.note(Level::Info, &text);
        self.templates.next = None;
        self.start_template(self.templates.wanted, generation);
    }

    /// A worker has found a script changed that its template had loaded.
    pub(super) fn script_changed(&mut self) {
        if self.templates.next.is_some() {
            return;
        }
        let now = Versions::of(&self.launch.spec.applications);
        if self.templates.failed.as_ref() == Some(&now) {
            return;
        }
        self.note(Level::Info, "a script has changed: a new template is started");
        self.start_template(self.templates.wanted, self.templates.generation + 1);
    }

    /// Hears what the templates have to say.
    pub(super) fn hear_templates(&mut self) {
        if let Some(current) = &mut self.templates.current {
            // It has nothing more to say; its end comes as a signal.
            (0..MOST_WORDS).take_while(|_| current.line().hear().is_some()).for_each(drop);
        }
        let Some(next) = &mut self.templates.next else { return };
        let Some((news, _)) = next.line().hear() else { return };
        let (pid, milliseconds) = (next.pid(), next.age().as_millis());
        match news {
            News::Ready => {
                let text = format!("template {pid} is ready after {milliseconds} ms");
                self.note(Level::Info, &text);
                self.backoff.after_success();
                if let Some(next) = self.templates.next.take() {
                    self.templates.generation = next.generation();
                    self.templates.level = next.level();
                    if next.level() == self.templates.wanted {
                        (self.templates.failed, self.templates.look_at) = (None, None);
                    }
                    self.templates.current = Some(next);
                }
            }
            News::NotLoaded | News::Threads => {
                let text = match (news, &self.templates.current) {
                    (_, Some(_)) => {
                        "the changed script cannot be preloaded: the workers that there are serve \
                         on, until it changes again"
                    }
                    (News::Threads, _) => "its workers load by themselves what cannot be preloaded",
                    _ => {
                        "an application cannot be preloaded: its workers load it by themselves, \
                         until its script changes"
                    }
                };
                self.note(Level::Warning, text);
                if let Some(next) = self.templates.next.take() {
                    self.templates.failed(&next);
                }
            }
            _ => {}
        }
    }

    /// A process has ended; false if it was no template of this group.
    pub(super) fn template_ended(&mut self, pid: i32, status: ExitStatus) -> bool {
        let is =
            |template: &Option<Template>| template.as_ref().is_some_and(|one| one.pid() == pid);
        let (current, next) = (is(&self.templates.current), is(&self.templates.next));
        for template in [&mut self.templates.current, &mut self.templates.next] {
            template.iter_mut().filter(|one| one.pid() == pid).for_each(Template::set_reaped);
        }
        if current {
            let text = format!("template {pid} has ended ({status}); its workers go on");
            self.note(Level::Error, &text);
            let ended = self.templates.current.take();
            let now = Versions::of(&self.launch.spec.applications);
            if ended.is_some_and(|template| *template.versions() != now) {
                // What the next one loads is not what these workers have.
                self.templates.generation += 1;
            }
        } else if next {
            let delay = self.delay(None);
            let text = format!(
                "template {pid} ended before it was ready ({status}); the next one starts in \
                 {delay:.1?}"
            );
            self.note(Level::Error, &text);
            self.templates.next = None;
        }
        current || next
    }
}
