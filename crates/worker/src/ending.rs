//! How a worker ends: whoever wants it to end says so here, and the main thread sees to it.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::eventfd::{EfdFlags, EventFd};

use crate::turn::Turn;

/// The end of this process, once it is wanted, and the requests that are still being served.
#[derive(Debug)]
pub(crate) struct Ending {
    turn: Turn,
    /// Readable once the end is wanted; wakes whoever waits for something else.
    wanted: EventFd,
    active: Mutex<Active>,
    idle: Condvar,
}

/// Requests that are being served.
#[derive(Debug)]
struct Active {
    count: u32,
    /// When the last one ended.
    last: Instant,
    /// When it was last told that all threads are busy.
    told: Option<Instant>,
}

/// Being busy is no news again before this is over.
const PAUSE: Duration = Duration::from_millis(50);

impl Ending {
    /// An end that nobody wants yet.
    pub(crate) fn new() -> nix::Result<Self> {
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        let wanted = EventFd::from_value_and_flags(0, flags)?;
        let active = Active { count: 0, last: Instant::now(), told: None };
        let (turn, active, idle) = (Turn::default(), Mutex::new(active), Condvar::new());
        Ok(Self { turn, wanted, active, idle })
    }

    /// Whose turn it is to take a connection.
    pub(crate) fn turn(&self) -> &Turn {
        &self.turn
    }

    /// Takes no connection any more, and has the main thread end the process.
    pub(crate) fn want(&self) {
        self.turn.close();
        // It can only fail when it is readable already.
        let _ = self.wanted.write(1);
    }

    /// Becomes readable when the end is wanted.
    pub(crate) fn descriptor(&self) -> BorrowedFd<'_> {
        self.wanted.as_fd()
    }

    /// Counts a request for as long as the guard lives.
    pub(crate) fn request(&self) -> Serving<'_> {
        self.active().count += 1;
        Serving(self)
    }

    /// How much of `patience` is left until the process has served nothing for so long; `None` if it
    /// has. Then, and while a request is being served, `patience` begins anew.
    pub(crate) fn idle_for(&self, patience: Duration) -> Option<Duration> {
        let mut active = self.active();
        if active.count > 0 {
            return Some(patience);
        }
        let left = patience.saturating_sub(active.last.elapsed());
        if left > Duration::ZERO {
            return Some(left);
        }
        active.last = Instant::now();
        None
    }

    /// Whether it is worth telling that all threads are busy.
    pub(crate) fn busy_is_news(&self) -> bool {
        let mut active = self.active();
        let news = active.told.is_none_or(|told| told.elapsed() >= PAUSE);
        if news {
            active.told = Some(Instant::now());
        }
        news
    }

    fn active(&self) -> MutexGuard<'_, Active> {
        // Nothing that panics is done under the lock.
        self.active.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until no request is being served; false if that takes until `deadline`.
    pub(crate) fn wait_until_idle(&self, deadline: Instant) -> bool {
        let mut active = self.active();
        while active.count > 0 {
            let left = deadline.saturating_duration_since(Instant::now());
            if left == Duration::ZERO {
                return false;
            }
            let waited = self.idle.wait_timeout(active, left);
            active = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }
}

/// A request that is being served.
#[derive(Debug)]
pub(crate) struct Serving<'e>(&'e Ending);

impl Drop for Serving<'_> {
    fn drop(&mut self) {
        let mut active = self.0.active();
        active.count -= 1;
        if active.count == 0 {
            active.last = Instant::now();
            self.0.idle.notify_all();
        }
    }
}
