//! Where the request threads of a worker wait, so that the kernel wakes the right one.
//!
//! A worker has an epoll instance for each thread, its levels, and all of them watch the group's
//! queue with `EPOLLEXCLUSIVE`: for each message the kernel walks through the instances in the
//! order in which they were added to the queue, and wakes a thread at the first at which one waits.
//! The first levels of all workers come before the second ones, and so on, and a thread waits at
//! the level that is the number of requests which its process serves ([`wsgi::process::levels`]).
//! So a request goes to the worker that has the least to do. While there is little to do, the same
//! few threads serve it, and only these cost memory, such as stacks and what the application keeps
//! for each thread. No thread is woken in vain, but where more than [`wsgi::process::levels::MOST`]
//! of them share the last level.
//!
//! A worker that starts later adds its instances behind those of the others. [`Levels::line_up`]
//! restores the order, level by level.
//!
//! A thread that is woken for a message and does not take it is the only one that was told of it:
//! `wsgid` has the other workers look ([`wsgi::process::control::SupervisorMessage::Look`]).

use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::eventfd::EventFd;
use wsgi::process::levels::MOST;

use crate::worker::shutdown;

/// Between two levels that line up. Workers of a group begin at the same time, but do not run at
/// the same pace.
pub(crate) const STEP: Duration = Duration::from_millis(5);

/// The epoll instances of a worker.
#[derive(Debug)]
pub(crate) struct Levels {
    epolls: Vec<Epoll>,
    /// Wakes each waiting thread once, whenever it is written to.
    look: EventFd,
    /// Whether the kernel counts a thread as woken for two messages that come together.
    counts_twice: bool,
}

impl Levels {
    /// Levels for so many threads, which watch `queue` and `end`. The latter stays readable once
    /// the threads are to end.
    pub(crate) fn new(
        threads: u32,
        queue: BorrowedFd<'_>,
        end: BorrowedFd<'_>,
    ) -> nix::Result<Self> {
        let look = shutdown::event()?;
        let count = usize::try_from(threads).unwrap_or(MOST).clamp(1, MOST);
        let level = || {
            let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
            watch_queue(&epoll, queue)?;
            epoll.add(end, EpollEvent::new(EpollFlags::EPOLLIN, 0))?;
            epoll.add(&look, EpollEvent::new(EpollFlags::EPOLLIN | EpollFlags::EPOLLET, 0))?;
            Ok(epoll)
        };
        let epolls = (0..count).map(|_| level()).collect::<nix::Result<Vec<_>>>()?;
        Ok(Self { epolls, look, counts_twice: counts_twice() })
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.epolls.len()
    }

    /// Blocks the calling thread at a level until a request may wait, or the thread is to end.
    pub(crate) fn wait(&self, level: usize) {
        // It can only fail because of a signal, and then the caller finds nothing.
        let _ = self.epolls[level].wait(&mut [EpollEvent::empty()], EpollTimeout::NONE);
    }

    /// Has all waiting threads look at the queue.
    pub(crate) fn look(&self) {
        // It can only fail when it was written to very often, and then it is readable.
        let _ = self.look.write(1);
    }

    /// Whether a message may wait although threads do. A thread that has taken one has to look for
    /// more then.
    pub(crate) fn may_miss_messages(&self) -> bool {
        self.counts_twice
    }

    /// Puts a level behind all that are at the queue. To be called for one after the other, with
    /// [`STEP`] between, by all workers of the group.
    pub(crate) fn line_up(&self, level: usize, queue: BorrowedFd<'_>) -> nix::Result<()> {
        let epoll = &self.epolls[level];
        epoll.delete(queue)?;
        watch_queue(epoll, queue)
    }
}

/// Until Linux 5.7 a thread that was woken stays in the list of those that wait until it runs
/// ("epoll: atomically remove wait entry on wake up"), so that a second message wakes it once more
/// instead of another one.
fn counts_twice() -> bool {
    let release = nix::sys::utsname::uname();
    let release = release.as_ref().ok().and_then(|name| name.release().to_str());
    let mut numbers = release.unwrap_or_default().split('.').map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) < (5, 7),
        _ => true,
    }
}

/// A message that came before it is noticed, too.
fn watch_queue(epoll: &Epoll, queue: impl AsFd) -> nix::Result<()> {
    epoll.add(queue, EpollEvent::new(EpollFlags::EPOLLIN | EpollFlags::EPOLLEXCLUSIVE, 0))
}
