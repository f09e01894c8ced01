//! The connection of a child of httpd to a worker.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use httpd::Request;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, UnixAddr, connect, setsockopt, socket, sockopt,
};
use wsgi::inbox::Inbox;

use super::RelayError;
use crate::routing::Route;
use crate::sys;

/// Pause between two attempts while nobody listens, as when `wsgid` is started again.
const CONNECT_PAUSE: Duration = Duration::from_millis(50);

/// How long a worker may be silent.
pub(crate) fn socket_timeout(request: &Request<'_>, route: &Route) -> Duration {
    match route.timeouts.socket {
        0 => request.server().timeout(),
        seconds => Duration::from_secs(seconds),
    }
}

/// Connects to a group, and counts the attempts. Waits in its queue while all workers are busy, and
/// for `wsgid` to come back if it is being started again.
pub(crate) fn open(route: &Route, connects: &mut u32) -> Result<UnixStream, RelayError> {
    let seconds = route.timeouts.connect;
    let deadline = Instant::now() + Duration::from_secs(seconds);
    loop {
        *connects += 1;
        match connect_once(route, deadline.saturating_duration_since(Instant::now())) {
            Ok(stream) => return Ok(stream.into()),
            Err(nix::Error::EINTR) => {}
            Err(error @ (nix::Error::ECONNREFUSED | nix::Error::ENOENT | nix::Error::EAGAIN)) => {
                if Instant::now() + CONNECT_PAUSE >= deadline {
                    return Err(RelayError::NoWorker { seconds, error });
                }
                std::thread::sleep(CONNECT_PAUSE);
            }
            Err(error) => return Err(RelayError::NoSocket(error)),
        }
    }
}

/// One attempt. A full queue makes `connect` wait, for as long as the send time-out says.
fn connect_once(route: &Route, patience: Duration) -> nix::Result<OwnedFd> {
    let flags = SockFlag::SOCK_CLOEXEC;
    let stream = socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
    let seconds = i64::try_from(patience.as_secs()).unwrap_or(i64::MAX);
    let limit = nix::sys::time::TimeVal::new(seconds, 100_000);
    setsockopt(&stream, sockopt::SendTimeout, &limit)?;
    connect(stream.as_raw_fd(), &UnixAddr::new(&route.socket)?)?;
    Ok(stream)
}

/// Whether something comes within so many milliseconds.
pub(crate) fn is_readable(stream: &UnixStream, milliseconds: u64) -> bool {
    let patience = PollTimeout::try_from(milliseconds).unwrap_or(PollTimeout::MAX);
    let mut descriptors = [PollFd::new(stream.as_fd(), PollFlags::POLLIN)];
    poll(&mut descriptors, patience).is_ok_and(|ready| ready > 0)
}

/// Reads what has come, and waits for it if nothing has.
pub(crate) fn receive(
    stream: &UnixStream,
    inbox: &mut Inbox,
    files: &mut Vec<OwnedFd>,
) -> Result<(), RelayError> {
    loop {
        match sys::receive(stream.as_fd(), inbox.room(), files) {
            Ok(0) => return Err(RelayError::Lost(nix::Error::EPIPE)),
            Ok(count) => {
                inbox.received(count);
                return Ok(());
            }
            Err(nix::Error::EINTR) => {}
            Err(nix::Error::EAGAIN) => return Err(RelayError::Silent("Timeout")),
            Err(error) => return Err(RelayError::Lost(error)),
        }
    }
}

/// The number of the kernel's error.
pub(crate) fn errno(error: &std::io::Error) -> nix::Error {
    error.raw_os_error().map_or(nix::Error::EIO, nix::Error::from_raw)
}
