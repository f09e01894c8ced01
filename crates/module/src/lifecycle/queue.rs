//! The queue of a process group: how a child of httpd hands a request to a worker (see
//! [`wsgi::protocol::queue`]).
//!
//! httpd's parent makes the queue before it forks children. Children keep the sending end, `wsgid`
//! gets the receiving end. A full queue is waited for up to `connect-timeout`.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use wsgi::lock::lock;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, ControlMessage, MsgFlags, Shutdown, SockFlag, SockType, getsockopt, send,
    sendmsg, setsockopt, shutdown, socketpair, sockopt,
};
use wsgi::protocol::queue::{GroupState, KNOCK, send_buffer};

use crate::sys::{self, States};

/// Between two attempts to put a message into a full queue. The kernel wakes a sender only when
/// three quarters of the queue have been taken, so it is tried again before that.
const FULL_PAUSE: u8 = 10;

/// A group that has answered nothing for so long while requests wait is stalled.
pub(crate) const STALL: Duration = Duration::from_secs(3);

/// How many threads are woken at a time: one that was stopped may have several.
const KNOCKS: usize = 16;
/// The most bytes of the queue that a knock takes.
const KNOCK_COST: usize = 1024;

/// Which queue of this process and those that it was forked from; numbers are never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct QueueId(u64);

/// A queue, as httpd's processes hold it.
#[derive(Debug)]
pub(crate) struct Queue {
    id: QueueId,
    sender: OwnedFd,
    /// The capacity of the queue, in bytes.
    room: usize,
    /// For `wsgid`; `None` in children.
    receiver: Mutex<Option<Arc<OwnedFd>>>,
    /// The states of the groups, written by `wsgid`.
    states: Arc<States>,
    /// The place of the group there.
    index: usize,
    /// How many threads of this child may wait for the group while it is stalled.
    share: u32,
    /// How many threads of this child wait for the group or are being served by it.
    in_flight: AtomicU32,
    /// When the group answered this child, or when the first of those in flight came, in
    /// milliseconds of [`now_millis`].
    progress: AtomicU64,
}

/// How many queues were made.
static MADE: AtomicU64 = AtomicU64::new(0);

/// A request that is in flight, counted for as long as this lives.
#[derive(Debug)]
pub(crate) struct QueuedRequest<'q> {
    queue: &'q Queue,
    /// It is counted no more.
    left: bool,
    /// How often it was looked at while no worker had begun it.
    steps: u32,
}

/// Why a message was not put into the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum QueueError {
    /// There was no room in time; the kernel's last word.
    Full(nix::Error),
    /// It cannot be used at all.
    Closed(nix::Error),
}

impl Queue {
    /// A queue with room for `backlog` requests, for the group with the index `index` in `states`.
    /// At most `share` threads of a child may wait for it while it is stalled.
    pub(crate) fn new(
        backlog: u32,
        share: u32,
        states: Arc<States>,
        index: usize,
    ) -> nix::Result<Self> {
        let flags = SockFlag::SOCK_CLOEXEC;
        let (sender, receiver) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, flags)?;
        // Workers cannot send anything back: that would only fill memory.
        shutdown(sender.as_raw_fd(), Shutdown::Read)?;
        // The kernel doubles what it is told.
        let bytes = send_buffer(backlog) / 2;
        if setsockopt(&sender, sockopt::SndBufForce, &bytes).is_err() {
            // Without privileges the kernel has a limit of its own, which it applies without
            // complaint.
            setsockopt(&sender, sockopt::SndBuf, &bytes)?;
        }
        let room = getsockopt(&sender, sockopt::SndBuf)?;
        Ok(Self {
            id: QueueId(MADE.fetch_add(1, Ordering::Relaxed)),
            sender,
            room,
            receiver: Mutex::new(Some(Arc::new(receiver))),
            states,
            index,
            share: share.max(1),
            in_flight: AtomicU32::new(0),
            progress: AtomicU64::new(0),
        })
    }

    /// Which queue it is.
    pub(crate) fn id(&self) -> QueueId {
        self.id
    }

    /// The receiving end; `None` in children.
    pub(crate) fn receiver(&self) -> Option<Arc<OwnedFd>> {
        lock(&self.receiver).clone()
    }

    /// Closes the receiving end, which is of no use to a child.
    pub(crate) fn close_receiver(&self) {
        lock(&self.receiver).take();
    }

    /// The state of the group, from `wsgid`.
    pub(crate) fn state(&self) -> GroupState {
        self.states.get(self.index)
    }

    /// Counts a request as in flight; `None` if this child must not wait for the group.
    pub(crate) fn enter(&self) -> Option<QueuedRequest<'_>> {
        let before = self.in_flight.fetch_add(1, Ordering::Relaxed);
        let entered = QueuedRequest { queue: self, left: false, steps: 0 };
        if before == 0 {
            self.note_progress();
        }
        if before >= self.share && self.is_stalled() { None } else { Some(entered) }
    }

    /// Notes that the group has answered.
    fn note_progress(&self) {
        self.progress.store(now_millis(), Ordering::Relaxed);
    }

    /// Whether requests wait and the group has answered none of this child's for [`STALL`].
    fn is_stalled(&self) -> bool {
        let since = now_millis().saturating_sub(self.progress.load(Ordering::Relaxed));
        since >= u64::try_from(STALL.as_millis()).unwrap_or(u64::MAX)
            && sys::unread(self.sender.as_fd()) > 0
    }

    /// Puts a message into the queue, with the stream that answers come on, and waits until
    /// `deadline` for room. Counts the attempts.
    pub(crate) fn send(
        &self,
        message: &[u8],
        stream: BorrowedFd<'_>,
        deadline: Instant,
        attempts: &mut u32,
    ) -> Result<(), QueueError> {
        use nix::errno::Errno::{EAGAIN, EINTR, ENOBUFS, ENOMEM, ETOOMANYREFS};
        let parts = [std::io::IoSlice::new(message)];
        let files = [stream.as_raw_fd()];
        let attached = [ControlMessage::ScmRights(&files)];
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
        loop {
            *attempts = attempts.saturating_add(1);
            match sendmsg::<()>(self.sender.as_raw_fd(), &parts, &attached, flags, None) {
                Ok(_) => return Ok(()),
                Err(EINTR) => {}
                // The last is the kernel's limit of descriptors that are under way for one user.
                Err(error @ (EAGAIN | ENOBUFS | ENOMEM | ETOOMANYREFS)) => {
                    if self.state() == GroupState::Down || Instant::now() >= deadline {
                        return Err(QueueError::Full(error));
                    }
                    let mut room = [PollFd::new(self.sender.as_fd(), PollFlags::POLLOUT)];
                    if error == EAGAIN {
                        let _ = poll(&mut room, PollTimeout::from(FULL_PAUSE));
                    } else {
                        // The queue itself may have room.
                        std::thread::sleep(Duration::from_millis(u64::from(FULL_PAUSE)));
                    }
                }
                Err(error) => return Err(QueueError::Closed(error)),
            }
        }
    }
}

impl QueuedRequest<'_> {
    /// Notes that the group has answered.
    pub(crate) fn note_progress(&self) {
        self.queue.note_progress();
    }

    /// Wakes workers once more if the request was not begun: the kernel may have woken one that
    /// does not run, because it was stopped. That is rare; as a rule the workers are busy, so
    /// knocks never take much of the queue, and come at longer and longer intervals. `stream` is
    /// the child's end of the request's stream.
    pub(crate) fn knock(&mut self, stream: BorrowedFd<'_>) {
        self.steps += 1;
        let Queue { sender, room, .. } = self.queue;
        let knocks = KNOCKS.min(room / 8 / KNOCK_COST).max(1);
        if !self.steps.is_power_of_two()
            || sys::unread(stream) == 0
            || sys::unread(sender.as_fd()) + knocks * KNOCK_COST > room / 2
        {
            return;
        }
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
        // A queue that is full needs no knocking.
        let knock = |()| send(sender.as_raw_fd(), &KNOCK, flags).is_ok();
        std::iter::repeat_n((), knocks).all(knock);
    }

    /// Gives the request up, true then, if it was not begun, the group is stalled, and more threads
    /// of this child wait for it than may. `stream` is the child's end of the request's stream.
    pub(crate) fn leave_if_too_many(&mut self, stream: BorrowedFd<'_>) -> bool {
        let Queue { in_flight, share, .. } = self.queue;
        if self.left || !self.queue.is_stalled() || sys::unread(stream) == 0 {
            return false;
        }
        // Of several threads that look at the same moment, only as many leave as are too many.
        let fewer = |count: u32| (count > *share).then(|| count - 1);
        self.left = in_flight.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fewer).is_ok();
        self.left
    }
}

impl Drop for QueuedRequest<'_> {
    fn drop(&mut self) {
        if !self.left {
            self.queue.in_flight.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// Milliseconds on a clock that never goes back.
fn now_millis() -> u64 {
    let now = nix::time::ClockId::CLOCK_MONOTONIC_COARSE.now();
    now.map_or(0, |now| u64::try_from(Duration::from(now).as_millis()).unwrap_or(u64::MAX))
}
