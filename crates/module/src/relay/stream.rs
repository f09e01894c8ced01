//! The streams on which workers answer, kept from one request to the next.
//!
//! A stream is a pair of sockets. The child sends one of them along with a request and keeps no
//! copy of it, so that the stream breaks when the worker is gone. A worker that has said all sends
//! that end back with its last frame ([`wsgi::protocol::queue`]), and the next request of the same
//! thread for the same group uses the pair again: to make one costs more than everything else that
//! a small request needs from the kernel.
//!
//! The workers of a group are processes of one user, and what one of them keeps or writes of a
//! stream only its own group can meet: a pair is never used for another group.

use std::cell::RefCell;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use nix::sys::socket::{setsockopt, sockopt};
use wsgi::config::daemon_process::SocketSpec;

use crate::lifecycle::queue::QueueId;

/// How many pairs a thread keeps, which is how many groups it can serve in turn without making new
/// ones. Each costs two descriptors of the child, and no memory of its own.
const MOST_KEPT: usize = 4;
/// How many pairs all threads of a child keep: connections of clients need descriptors, too.
const MOST_IN_ALL: usize = 100;

/// How many pairs this process keeps.
static IN_ALL: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// The pairs that this thread keeps, the one used last at the end.
    static KEPT: RefCell<Vec<Kept>> = const { RefCell::new(Vec::new()) };
}

/// A pair that waits for the next request.
struct Kept {
    stream: Stream,
    theirs: OwnedFd,
    _counted: Counted,
}

/// One of the pairs in [`IN_ALL`].
struct Counted;

impl Counted {
    fn one() -> Option<Self> {
        let more = |count: usize| (count < MOST_IN_ALL).then_some(count + 1);
        let counted = IN_ALL.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        counted.is_ok().then_some(Self)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        IN_ALL.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The child's end of a stream.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) socket: UnixStream,
    /// Whose group it is for.
    queue: QueueId,
    /// The kernel's number of the other end.
    their_cookie: u64,
    /// How long a read waits.
    pub(super) step: Duration,
}

impl Stream {
    /// A stream for a request of the group with this queue, and its other end. A read waits for
    /// `step`.
    pub(super) fn open(
        queue: QueueId,
        step: Duration,
        buffers: &SocketSpec,
    ) -> nix::Result<(Self, OwnedFd)> {
        let kept = KEPT.with_borrow_mut(|kept| {
            let place = kept.iter().rposition(|kept| kept.stream.queue == queue)?;
            Some(kept.remove(place))
        });
        let Some(Kept { mut stream, theirs, .. }) = kept else {
            return Self::new(queue, step, buffers);
        };
        stream.set_step(step)?;
        Ok((stream, theirs))
    }

    fn new(queue: QueueId, step: Duration, buffers: &SocketSpec) -> nix::Result<(Self, OwnedFd)> {
        let (socket, theirs) = UnixStream::pair().map_err(|error| errno(&error))?;
        let bytes = buffers.receive_buffer;
        if bytes > 0 {
            // Bytes that a Unix socket receives are held in the buffer of the sender.
            let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
            setsockopt(&socket, sockopt::SndBuf, &bytes)?;
        }
        let their_cookie = sockets::cookie(theirs.as_fd())?;
        let mut stream = Self { socket, queue, their_cookie, step: Duration::ZERO };
        stream.set_step(step)?;
        Ok((stream, theirs.into()))
    }

    fn set_step(&mut self, step: Duration) -> nix::Result<()> {
        if self.step != step {
            self.socket.set_read_timeout(Some(step)).map_err(|error| errno(&error))?;
            self.step = step;
        }
        Ok(())
    }

    /// Keeps the stream for another request of the group. `returned` is what the worker has sent
    /// with its last frame: only the end that it was given is of use.
    pub(super) fn keep(self, returned: OwnedFd) {
        if sockets::cookie(returned.as_fd()) != Ok(self.their_cookie) {
            return;
        }
        let Some(counted) = Counted::one() else { return };
        let forgotten = KEPT.with_borrow_mut(|kept| {
            kept.push(Kept { stream: self, theirs: returned, _counted: counted });
            (kept.len() > MOST_KEPT).then(|| kept.remove(0))
        });
        drop(forgotten);
    }
}

/// The number of the kernel's error.
pub(super) fn errno(error: &std::io::Error) -> nix::Error {
    error.raw_os_error().map_or(nix::Error::EIO, nix::Error::from_raw)
}
