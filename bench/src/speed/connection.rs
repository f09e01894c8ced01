//! A kept connection of a client: the request that it has, as far as it is sent and answered.
//!
//! Nothing blocks, nor does connecting: all connections share a thread.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsRawFd as _;
use std::time::Instant;

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollEvent, EpollFlags};
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrStorage, connect, setsockopt, socket, sockopt,
};

use super::failure::Failure;
use super::reply::{Reply, Seen};

/// The connection, which is opened when it is needed.
#[derive(Debug, Default)]
pub(super) struct Connection {
    stream: Option<TcpStream>,
    request: Option<Request>,
    reply: Reply,
    /// Whether an answer has come on it. A server may close it then, and need not know that a
    /// request is under way.
    is_used: bool,
}

/// A request without an answer.
#[derive(Clone, Copy, Debug)]
struct Request {
    /// When it was to be sent.
    due: Instant,
    /// When the first attempt to send was made.
    begun: Instant,
    /// Bytes that are sent.
    sent: usize,
}

/// What has come of a look at the connection.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Progress {
    /// Nothing yet, or nothing that matters.
    Waiting,
    /// The answer to the request that was due then.
    Answered(Instant, Seen),
    /// The request that was due then is to be sent again, as browsers do: the server closed a used
    /// connection before it answered anything.
    Lost(Instant),
    /// The request has failed, and the connection is gone.
    Failed(Failure),
}

impl Connection {
    /// Connects, if it is not connected; `number` comes with the events.
    pub(super) fn open(
        &mut self,
        address: SocketAddr,
        epoll: &Epoll,
        number: u64,
    ) -> io::Result<()> {
        if self.stream.is_some() {
            return Ok(());
        }
        let family = if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
        let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
        let socket = socket(family, SockType::Stream, flags, None)?;
        setsockopt(&socket, sockopt::TcpNoDelay, &true)?;
        match connect(socket.as_raw_fd(), &SockaddrStorage::from(address)) {
            Ok(()) | Err(Errno::EINPROGRESS) => {}
            Err(error) => return Err(error.into()),
        }
        let events = EpollFlags::EPOLLIN | EpollFlags::EPOLLOUT | EpollFlags::EPOLLRDHUP;
        epoll.add(&socket, EpollEvent::new(events | EpollFlags::EPOLLET, number))?;
        self.stream = Some(socket.into());
        self.reply = Reply::default();
        self.is_used = false;
        Ok(())
    }

    /// Gives it a request, and sends what there is room for.
    pub(super) fn begin(&mut self, bytes: &[u8], due: Instant, now: Instant) -> Progress {
        self.request = Some(Request { due, begun: now, sent: 0 });
        self.send(bytes)
    }

    /// Takes what has come into the buffer, and sends what there is room for. The end of a
    /// connection is no event of its own where it comes with the last bytes.
    pub(super) fn serve(
        &mut self,
        bytes: &[u8],
        buffer: &mut [u8],
        events: EpollFlags,
    ) -> Progress {
        let is_over = events.intersects(EpollFlags::EPOLLRDHUP | EpollFlags::EPOLLHUP);
        let progress = if is_over { Progress::Waiting } else { self.send(bytes) };
        if progress != Progress::Waiting {
            return progress;
        }
        loop {
            let Some(stream) = &mut self.stream else { return Progress::Waiting };
            let count = match stream.read(buffer) {
                Ok(0) => return self.fail(Failure::Closed),
                Ok(count) => count,
                Err(error) => return self.stop(&error),
            };
            match self.reply.take(&buffer[..count]) {
                // The rest is an event of its own.
                Ok(None) if count < buffer.len() && !is_over => return Progress::Waiting,
                Ok(None) => {}
                Ok(Some(seen)) => return self.end(seen, is_over),
                Err(_) => return self.fail(Failure::Unreadable),
            }
        }
    }

    /// Gives up a request that was begun before this moment.
    pub(super) fn give_up(&mut self, before: Instant) -> Progress {
        match self.request {
            Some(request) if request.begun < before => self.fail(Failure::Timeout),
            _ => Progress::Waiting,
        }
    }

    fn send(&mut self, bytes: &[u8]) -> Progress {
        let (Some(stream), Some(request)) = (&mut self.stream, &mut self.request) else {
            return Progress::Waiting;
        };
        while request.sent < bytes.len() {
            match stream.write(&bytes[request.sent..]) {
                Ok(count) => request.sent += count,
                Err(error) => return self.stop(&error),
            }
        }
        Progress::Waiting
    }

    fn end(&mut self, seen: Seen, is_over: bool) -> Progress {
        self.is_used = true;
        if seen.closes || is_over {
            self.stream = None;
        }
        match self.request.take() {
            Some(request) => Progress::Answered(request.due, seen),
            None => self.fail(Failure::Unreadable),
        }
    }

    /// Waits where that is all there is to it.
    fn stop(&mut self, error: &io::Error) -> Progress {
        match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::Interrupted => Progress::Waiting,
            ErrorKind::ConnectionRefused | ErrorKind::TimedOut => self.fail(Failure::Refused),
            _ => self.fail(Failure::Closed),
        }
    }

    /// Closes it. A server may end a connection that has no request.
    fn fail(&mut self, failure: Failure) -> Progress {
        self.stream = None;
        match self.request.take() {
            Some(request)
                if failure == Failure::Closed && self.is_used && self.reply.is_empty() =>
            {
                Progress::Lost(request.due)
            }
            Some(_) => Progress::Failed(failure),
            None => Progress::Waiting,
        }
    }
}
