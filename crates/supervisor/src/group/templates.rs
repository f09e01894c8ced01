//! The templates of a group: the one that workers are forked from, and the one that will follow it.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use wsgi::config::daemon_process::Preload;

use crate::control_socket::ControlSocket;
use crate::group::template::Template;
use crate::start::look::{Look, Seen};
use crate::start::versions::Versions;

/// How often scripts are looked at that could not be preloaded.
pub(super) const PAUSE: Duration = Duration::from_secs(2);

/// So many processes may hang in the kernel, where nothing ends them, before no more are started.
const MOST_LOST: usize = 4;

/// The templates of a group.
#[derive(Debug)]
pub(super) struct Templates {
    /// The level that the configuration wants loaded.
    pub(super) wanted: Preload,
    /// The level that can be loaded, as far as is known.
    pub(super) level: Preload,
    pub(super) current: Option<Template>,
    /// It was started and is not ready.
    pub(super) next: Option<Template>,
    /// The generation of new workers.
    pub(super) generation: u64,
    /// The scripts with which loading has failed: there is no use in trying the same again.
    pub(super) failed: Option<Versions>,
    /// When the scripts are looked at again, while less is loaded than is wanted.
    pub(super) look_at: Option<Instant>,
    /// When the scripts are looked at again that a template is just loading.
    pub(super) look_at_loading: Option<Instant>,
    /// A worker has said that a script has changed, which was not looked at yet.
    pub(super) is_said_to_change: bool,
    /// A process that looks at the scripts.
    pub(super) look: Option<Look>,
    /// No look is begun before: the last one could not be.
    pub(super) look_from: Option<Instant>,
    /// The scripts of a template that has ended by itself: its workers go on with those.
    pub(super) before: Option<Versions>,
    /// Processes that were killed while they hung before their program was executed.
    pub(super) lost: Vec<i32>,
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
            is_said_to_change: false,
            look: None,
            look_from: None,
            before: None,
            lost: Vec::new(),
        }
    }

    /// The level that new templates load; `Off` if workers have to start by themselves.
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

    /// Whether this process is one of the templates.
    pub(super) fn include(&self, pid: i32) -> bool {
        self.current.iter().chain(&self.next).any(|template| template.pid() == pid)
    }

    /// The control sockets to the templates.
    pub(super) fn controls(&self) -> impl Iterator<Item = &ControlSocket> {
        self.current.iter().chain(&self.next).map(Template::control)
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

    /// Kills the template that is ready if its workers are of this generation; gives its process
    /// id.
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
        if self.look.is_some() || self.are_many_lost() {
            return None;
        }
        let loading = self.look_at_loading.filter(|_| self.next.is_some());
        let said = self.is_said_to_change.then(Instant::now);
        let due = self.look_at.into_iter().chain(loading).chain(said).min()?;
        Some(self.look_from.map_or(due, |from| from.max(due)))
    }

    /// The descriptor that becomes readable when scripts were looked at.
    pub(super) fn looks(&self) -> Option<BorrowedFd<'_>> {
        self.look.as_ref().map(AsFd::as_fd)
    }

    /// How long something has been hanging, as far as is known, that must not hang longer than a
    /// process may take to execute its program.
    pub(super) fn unborn_for(&self) -> Option<Duration> {
        let next = self.next.as_ref().filter(|next| next.may_be_unborn()).map(Template::age);
        next.into_iter().chain(self.look.as_ref().map(Look::age)).max()
    }

    /// Kills what has not executed its program after `limit`, or not looked at the scripts, without
    /// waiting for its end: says which process it is, and what it was doing.
    pub(super) fn give_up_unborn(&mut self, limit: Duration) -> Option<(Lost, i32, String)> {
        if let Some(look) =
            self.look.take_if(|look| look.age() >= limit && look.seen() == Seen::NotYet)
        {
            self.look_from = Some(Instant::now() + PAUSE);
            self.lost.push(look.pid());
            return Some((Lost::Look, look.pid(), "looking at the scripts".to_owned()));
        }
        let next = self.next.as_mut().filter(|next| next.age() >= limit && !next.is_given_up())?;
        let (pid, doing) = (next.pid(), next.unborn()?);
        self.next = None;
        self.lost.push(pid);
        Some((Lost::Template, pid, doing))
    }

    /// When the end of one that was killed is waited for no longer, which is `limit` after that.
    pub(super) fn next_lost(&self, limit: Duration) -> Option<Instant> {
        let killed = self.current.iter().chain(&self.next).filter_map(Template::given_up);
        killed.map(|killed| killed + limit).min()
    }

    /// Forgets the template that was killed and has not ended within `limit`; gives its process id.
    pub(super) fn leave_behind(&mut self, limit: Duration) -> Option<i32> {
        let is_lost = |template: &mut Template| {
            template.given_up().is_some_and(|killed| killed.elapsed() >= limit)
        };
        let template = match self.next.take_if(is_lost) {
            Some(next) => next,
            None => self.current.take_if(is_lost)?,
        };
        self.lost.push(template.pid());
        Some(template.pid())
    }

    /// Whether so many processes hang that no more are started.
    pub(super) fn are_many_lost(&self) -> bool {
        self.lost.len() >= MOST_LOST
    }

    /// Ends them.
    pub(super) fn end(&mut self) {
        (self.current, self.next, self.look) = (None, None, None);
    }

    /// Loading did not work with the scripts as they are. Without a template that does work,
    /// workers get by with less.
    pub(super) fn failed(&mut self, template: &mut Template) {
        self.failed = template.versions();
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

/// The process that was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lost {
    Template,
    Look,
}

impl Lost {
    /// Its name in the log.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Template => "template",
            Self::Look => "process",
        }
    }
}
