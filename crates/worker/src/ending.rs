//! How a worker ends: whoever wants it to end says so here, and the main thread sees to it.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::eventfd::{EfdFlags, EventFd};

use crate::turn::Turn;

/// The end of this process, once it is wanted, and the requests that are still being served.
#[derive(Debug)]
pub(crate) struct Ending {
    turn: Turn,
    /// Readable once the end is wanted; wakes whoever waits for something else.
    wanted: EventFd,
    active: Mutex<u32>,
    idle: Condvar,
}

impl Ending {
    /// An end that nobody wants yet.
    pub(crate) fn new() -> nix::Result<Self> {
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        let wanted = EventFd::from_value_and_flags(0, flags)?;
        let (turn, active, idle) = (Turn::default(), Mutex::new(0), Condvar::new());
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
    pub(crate) fn request(&self) -> Active<'_> {
        *self.active.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        Active(self)
    }

    /// Waits until no request is being served; false if that takes until `deadline`.
    pub(crate) fn wait_until_idle(&self, deadline: Instant) -> bool {
        let mut active = self.active.lock().unwrap_or_else(PoisonError::into_inner);
        while *active > 0 {
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
pub(crate) struct Active<'e>(&'e Ending);

impl Drop for Active<'_> {
    fn drop(&mut self) {
        let mut active = self.0.active.lock().unwrap_or_else(PoisonError::into_inner);
        *active -= 1;
        if *active == 0 {
            self.0.idle.notify_all();
        }
    }
}
