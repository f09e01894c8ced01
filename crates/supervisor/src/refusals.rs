//! Refusing the requests that wait for a group without a worker, in a process of its own (`wsgid
//! refuse`).
//!
//! A message in a queue may not be what it looks like. The end of a descriptor that comes along may
//! take as long as a hostile child of httpd likes: of a socket that lingers, or of a file in a file
//! system that does not answer. So `wsgid` receives nothing from a queue. A process that hangs in
//! this keeps requests of its own group waiting.

use std::os::fd::{AsFd, OwnedFd};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::queue::Queue;
use crate::start::credentials::Credentials;
use crate::sys::{Change, Task, begin, inherited, raised};

/// The command that the process is given.
pub(crate) const COMMAND: &str = "refuse";

/// One that has ended by itself is not followed by another one sooner.
const PAUSE: Duration = Duration::from_secs(1);

/// Where the process has the receiving end of the queue, and a pipe whose end ends it.
const QUEUE: i32 = 0;
const STOP: i32 = 1;

/// The refusals of a group.
#[derive(Debug, Default)]
pub(crate) struct Refusals {
    running: Option<Running>,
    /// None is begun before.
    from: Option<Instant>,
}

/// A process that refuses, until its end was noticed.
#[derive(Debug)]
struct Running {
    pid: i32,
    /// The other end of its [`STOP`]; `None` once it is to end.
    stop: Option<OwnedFd>,
    /// The words that it says before it executes its program, which nothing reads.
    _words: OwnedFd,
}

impl Refusals {
    /// Whether there is no process, and one may be started by now.
    pub(crate) fn may_begin(&self) -> bool {
        self.running.is_none() && self.from.is_none_or(|from| from <= Instant::now())
    }

    /// When one may be started, if that is later.
    pub(crate) fn next_begin(&self) -> Option<Instant> {
        self.from.filter(|from| self.running.is_none() && *from > Instant::now())
    }

    /// Starts to refuse what waits in a queue, and what will come.
    pub(crate) fn begin(&mut self, queue: &OwnedFd) -> std::io::Result<()> {
        self.from = Some(Instant::now() + PAUSE);
        let (watched, stop) = nix::unistd::pipe2(OFlag::O_CLOEXEC)?;
        let watched = raised(&watched)?;
        let nothing = raised(&std::fs::File::options().write(true).open("/dev/null")?.into())?;
        let credentials = Credentials::own();
        let change = Change {
            credentials: &credentials,
            standard: [queue, &watched, &nothing],
            descriptors: Vec::new(),
            umask: None,
            priority: None,
            root: None,
            directory: None,
        };
        let programs = vec![std::env::current_exe()?];
        let task = Task { programs, arguments: vec![COMMAND.into()], ..Task::default() };
        let (pid, words) = begin(&change, &task)?;
        self.running = Some(Running { pid, stop: Some(stop), _words: words });
        Ok(())
    }

    /// Has it end. It first answers what it has received.
    pub(crate) fn end(&mut self) {
        if let Some(running) = &mut self.running {
            running.stop = None;
        }
    }

    /// Notes that a process has ended; false if it is none of these.
    pub(crate) fn ended(&mut self, pid: i32) -> bool {
        self.running.take_if(|running| running.pid == pid).is_some()
    }
}

/// Refuses what waits in the queue until it is told to end.
pub(crate) fn run() -> ExitCode {
    let (Ok(queue), Ok(stop)) = (inherited(QUEUE), inherited(STOP)) else {
        return ExitCode::FAILURE;
    };
    let queue = Queue::new(queue);
    loop {
        let mut watched = [
            PollFd::new(queue.receiver().as_fd(), PollFlags::POLLIN),
            // Nothing is written there: its end alone is news.
            PollFd::new(stop.as_fd(), PollFlags::empty()),
        ];
        // An interrupted call is as good as one that returned.
        let _ = poll(&mut watched, PollTimeout::NONE);
        if watched[1].any() == Some(true) || !queue.has_waiting() && queue.is_broken() {
            return ExitCode::SUCCESS;
        }
        queue.refuse_waiting();
    }
}
