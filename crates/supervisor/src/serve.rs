//! `wsgid serve`: the main loop.

use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitCode, ExitStatus};
use std::rc::Rc;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid};
use wsgi::process::plan::{Plan, supervisor_descriptor};

use crate::group::Group;
use crate::group::log::GroupLog;
use crate::group::memory_kills;
use crate::log::{Log, is_open};
use crate::sys::{States, close_inherited, inherited};

/// Runs the groups of a plan until no process can send them work any more.
pub(crate) fn run(plan: &Plan) -> ExitCode {
    let log = Log::new(plan.log_level);
    match Supervisor::new(plan, log) {
        Ok(mut supervisor) => {
            supervisor.run();
            ExitCode::SUCCESS
        }
        Err(error) => {
            // httpd's parent reads it from there and logs it once.
            tell(&error);
            ExitCode::FAILURE
        }
    }
}

/// Says to httpd's parent how the start went; an empty text is good news.
fn tell(text: &str) {
    let mut ready = std::io::stdout();
    // If the parent has gone, the lifeline will say so.
    let _ = ready.write_all(text.as_bytes()).and_then(|()| ready.flush());
    crate::sys::close_ready();
}

/// For so long nothing must have happened before pages are given back: what happens comes in
/// bursts.
const QUIET: Duration = Duration::from_millis(200);

struct Supervisor {
    groups: Vec<Group>,
    /// `None` once it has ended.
    lifeline: Option<OwnedFd>,
    signals: SignalFd,
    log: Log,
    ending: bool,
    /// Something has happened since pages were given back.
    touched: bool,
}

impl Supervisor {
    fn new(plan: &Plan, log: Log) -> Result<Self, String> {
        let groups = plan.groups.iter();
        let last = groups.flat_map(|group| [group.queue, group.log.unwrap_or(0)]).max();
        close_inherited(1 + last.unwrap_or(0).max(supervisor_descriptor::STATES));
        // Ctrl-C in httpd's terminal is httpd's to answer, and no process of a group may have that
        // terminal. It fails only if this process leads a session or a process group already.
        let _ = nix::unistd::setsid();
        let lifeline = inherited(supervisor_descriptor::LIFELINE)
            .map_err(|error| format!("wsgid has no lifeline: {error}"))?;
        // Workers that a template forks become children of this process.
        nix::sys::prctl::set_child_subreaper(true)
            .map_err(|error| format!("wsgid cannot take in workers: {error}"))?;
        memory_kills::begin();
        let signals = signals().map_err(|error| format!("wsgid cannot get signals: {error}"))?;
        let states = inherited(supervisor_descriptor::STATES)
            .and_then(|file| Ok(States::new(&file, plan.groups.len())?))
            .map_err(|error| format!("wsgid cannot publish the states of groups: {error}"))?;
        let states = Rc::new(states);
        let (mut groups, mut problems) = (Vec::new(), Vec::new());
        for (index, group) in plan.groups.iter().cloned().enumerate() {
            let (name, place) = (group.spec.name.clone(), group.place.clone());
            // A log that was closed meanwhile is no reason to have no group.
            let log_file = group.log.and_then(|number| inherited(number).ok());
            let log_file = log_file.filter(|file| is_open(file.as_fd()));
            let ends =
                inherited(group.queue).and_then(|queue| Ok((queue, GroupLog::new(log_file)?)));
            match ends {
                Ok((queue, group_log)) => {
                    let state = (Rc::clone(&states), index);
                    groups.push(Group::new(plan, group, queue, group_log, log, state));
                }
                Err(error) => {
                    let text = "has no queue, or no pipe for its log";
                    problems.push(format!("process group {name:?} ({place}) {text}: {error}"));
                }
            }
        }
        // The other groups go on in any case; httpd's parent decides whether that is enough.
        tell(&problems.join("\n"));
        Ok(Self { groups, lifeline: Some(lifeline), signals, log, ending: false, touched: true })
    }

    fn run(&mut self) {
        loop {
            for group in &mut self.groups {
                group.read_messages();
            }
            self.reap();
            for group in &mut self.groups {
                group.reconcile();
            }
            if self.ending && self.groups.iter().all(Group::is_empty) {
                self.groups.iter_mut().for_each(|group| group.log().finish());
                return;
            }
            self.wait();
        }
    }

    /// Takes leave of the processes that have ended. Workers are children of this process also if a
    /// template has forked them; so are processes that an application has left behind, which are of
    /// no further interest.
    fn reap(&mut self) {
        let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG;
        while let Ok(WaitStatus::Exited(pid, _) | WaitStatus::Signaled(pid, ..)) =
            waitid(Id::All, flags | WaitPidFlag::WNOWAIT)
        {
            // A worker may have become ready, served and left since its group was last heard.
            self.groups.iter_mut().for_each(|group| group.read_last_messages(pid.as_raw()));
            let status = match waitpid(pid, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(_, code)) => code << 8,
                Ok(WaitStatus::Signaled(_, signal, _)) => signal as i32,
                _ => return,
            };
            let status = ExitStatus::from_raw(status);
            // The group that it belongs to looks no further.
            self.groups.iter_mut().any(|group| group.ended(pid.as_raw(), status));
        }
    }

    /// Sleeps until something happens or is due, and takes notice of signals and of the end.
    fn wait(&mut self) {
        let mut descriptors = vec![PollFd::new(self.signals.as_fd(), PollFlags::POLLIN)];
        let lifeline = self.lifeline.as_ref();
        // Nothing is written to the lifeline: its end alone is news.
        let lifeline_index = descriptors.len();
        descriptors.extend(lifeline.map(|end| PollFd::new(end.as_fd(), PollFlags::empty())));
        for group in &self.groups {
            let all = group.descriptors().into_iter();
            descriptors.extend(all.map(|one| PollFd::new(one, PollFlags::POLLIN)));
        }
        let moment = self.groups.iter().filter_map(Group::next_moment).min();
        let left = moment.map(|moment| moment.saturating_duration_since(Instant::now()));
        let quiet = self.touched.then_some(QUIET);
        let is_quiet_first = quiet.is_some_and(|quiet| left.is_none_or(|left| quiet < left));
        let timeout = left.into_iter().chain(quiet).min().map_or(PollTimeout::NONE, |left| {
            // Rounded up, so that the moment has come when we wake.
            PollTimeout::try_from(left.as_millis() + 1).unwrap_or(PollTimeout::MAX)
        });
        // An interrupted call is as good as one that returned: everything is looked at anyway.
        let count = poll(&mut descriptors, timeout);
        self.touched = count != Ok(0) || !is_quiet_first;
        if !self.touched {
            // Most of what starting and ending processes has touched is not needed until the next
            // one.
            pages::give_back();
        }
        let happened = |descriptor: &PollFd<'_>| descriptor.any().unwrap_or(false);
        let lifeline_ended =
            lifeline.is_some() && descriptors.get(lifeline_index).is_some_and(happened);
        drop(descriptors);
        let asked = self.hear_signals();
        if (lifeline_ended || asked) && !self.ending {
            self.end(if asked { "it was asked to" } else { "the last httpd process is gone" });
        }
    }

    /// Takes the signals that have come; true if one of them asks for the end.
    fn hear_signals(&mut self) -> bool {
        let mut asked = false;
        while let Ok(Some(info)) = self.signals.read_signal() {
            asked |= info.ssi_signo == Signal::SIGTERM as u32;
            if info.ssi_signo == Signal::SIGUSR2 as u32 {
                let text =
                    "httpd uses another configuration: only connections from before are served";
                self.log.info(text);
                self.groups.iter_mut().for_each(Group::retire);
            }
        }
        asked
    }

    fn end(&mut self, why: &str) {
        self.ending = true;
        self.log.info(&format!("wsgid ends: {why}"));
        for group in &mut self.groups {
            group.end();
        }
        // Its end was heard; polled further it would only wake us without pause.
        self.lifeline = None;
    }
}

/// The signals that wsgid acts upon, as a descriptor; those of httpd's terminal are left to httpd.
fn signals() -> nix::Result<SignalFd> {
    let mut wanted = SigSet::empty();
    for signal in [Signal::SIGCHLD, Signal::SIGTERM, Signal::SIGUSR2] {
        wanted.add(signal);
    }
    wanted.thread_block()?;
    for signal in [Signal::SIGINT, Signal::SIGHUP, Signal::SIGUSR1, Signal::SIGPIPE] {
        crate::sys::ignore(signal)?;
    }
    SignalFd::with_flags(&wanted, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)
}
