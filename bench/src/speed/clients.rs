//! Clients: one thread with many kept connections, so that it takes as little as can be from the
//! processors that the server needs.

use std::collections::{BTreeMap, VecDeque};
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::time::{TimeSpec, TimeValLike as _};
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};

use super::latencies::Latencies;
use super::reply::{Reply, Seen};

/// When requests are sent.
#[derive(Clone, Copy, Debug)]
pub(super) enum Pace {
    /// Each connection sends the next one as soon as it has an answer.
    Closed,
    /// So many in a second, whatever the answers do. A latency counts from the moment at which the
    /// request was to be sent, so that a server that stalls is not spared the requests meanwhile.
    Rate(f64),
}

/// What was seen.
#[derive(Clone, Debug, Default)]
pub(super) struct Traffic {
    pub(super) done: u64,
    pub(super) seconds: f64,
    pub(super) latencies: Latencies,
    pub(super) errors: BTreeMap<String, u64>,
}

impl Traffic {
    /// Answers that came in a second.
    #[expect(clippy::cast_precision_loss, reason = "no measurement has 2^52 requests")]
    pub(super) fn rate(&self) -> f64 {
        self.done as f64 / self.seconds
    }

    /// All errors.
    pub(super) fn failed(&self) -> u64 {
        self.errors.values().sum()
    }
}

/// The requests to send, which are all alike, and the answer to expect.
#[derive(Clone, Debug)]
pub(super) struct Order {
    pub(super) request: Vec<u8>,
    pub(super) length: Option<u64>,
}

struct Connection {
    stream: TcpStream,
    /// When the request was to be sent that it has; `None` while it has none.
    due: Option<Instant>,
    sent: usize,
    reply: Reply,
    /// It has had an answer before. A server may close it then while nothing is under way, and a
    /// client that has just sent a request sends it again on another one, as browsers do.
    is_used: bool,
}

/// A connection that was silent for so long has failed.
const TIMEOUT: Duration = Duration::from_secs(20);

const TIMER: u64 = u64::MAX;

struct Clients<'o> {
    address: SocketAddr,
    order: &'o Order,
    epoll: Epoll,
    connections: Vec<Option<Connection>>,
    idle: Vec<usize>,
    traffic: Traffic,
    place: Vec<u8>,
}

/// Sends requests for so long on that many connections.
pub(super) fn run(
    address: SocketAddr,
    order: &Order,
    connections: usize,
    pace: Pace,
    length: Duration,
) -> Result<Traffic> {
    let mut clients = Clients {
        address,
        order,
        epoll: Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?,
        connections: (0..connections).map(|_| None).collect(),
        idle: (0..connections).rev().collect(),
        traffic: Traffic::default(),
        place: vec![0; 256 * 1024],
    };
    clients.run(pace, length)?;
    Ok(clients.traffic)
}

impl Clients<'_> {
    fn run(&mut self, pace: Pace, length: Duration) -> Result<()> {
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_NONBLOCK)?;
        self.epoll.add(&timer, EpollEvent::new(EpollFlags::EPOLLIN, TIMER))?;
        let began = Instant::now();
        let end = began + length;
        let mut next = began;
        let mut waiting = VecDeque::new();
        let mut events = [EpollEvent::empty(); 64];
        loop {
            let now = Instant::now();
            if now >= end {
                break;
            }
            match pace {
                Pace::Closed => {
                    while let Some(index) = self.idle.pop() {
                        self.begin(index, Instant::now());
                    }
                    set(&timer, end - now)?;
                }
                Pace::Rate(rate) => {
                    while next <= now {
                        waiting.push_back(next);
                        next += Duration::from_secs_f64(1.0 / rate);
                    }
                    while let Some(due) = waiting.pop_front() {
                        let Some(index) = self.idle.pop() else {
                            waiting.push_front(due);
                            break;
                        };
                        self.begin(index, due);
                    }
                    set(&timer, next.min(end).saturating_duration_since(Instant::now()))?;
                }
            }
            let count = match self.epoll.wait(&mut events, EpollTimeout::NONE) {
                Err(nix::Error::EINTR) => continue,
                count => count?,
            };
            for event in &events[..count] {
                if event.data() == TIMER {
                    let _ = timer.wait();
                } else {
                    self.serve(usize::try_from(event.data())?);
                }
            }
        }
        self.traffic.seconds = began.elapsed().as_secs_f64();
        let late = Instant::now();
        for connection in self.connections.iter().flatten() {
            if connection.due.is_some_and(|due| late.saturating_duration_since(due) > TIMEOUT) {
                *self.traffic.errors.entry("no answer in time".to_owned()).or_default() += 1;
            }
        }
        Ok(())
    }

    fn begin(&mut self, index: usize, due: Instant) {
        if self.connections[index].is_none() {
            match self.open(index) {
                Ok(connection) => self.connections[index] = Some(connection),
                Err(error) => return self.fail(index, &format!("not connected: {error}")),
            }
        }
        if let Some(connection) = &mut self.connections[index] {
            (connection.due, connection.sent) = (Some(due), 0);
        }
        self.send(index);
    }

    fn open(&self, index: usize) -> Result<Connection> {
        let stream = TcpStream::connect_timeout(&self.address, TIMEOUT).context("connect")?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let flags = EpollFlags::EPOLLIN | EpollFlags::EPOLLOUT | EpollFlags::EPOLLET;
        self.epoll.add(&stream, EpollEvent::new(flags, u64::try_from(index)?))?;
        Ok(Connection { stream, due: None, sent: 0, reply: Reply::default(), is_used: false })
    }

    fn send(&mut self, index: usize) {
        let Some(connection) = &mut self.connections[index] else { return };
        while connection.due.is_some() && connection.sent < self.order.request.len() {
            match connection.stream.write(&self.order.request[connection.sent..]) {
                Ok(count) => connection.sent += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) => return self.closed(index, &format!("not sent: {error}")),
            }
        }
    }

    /// The server has closed the connection: sends the request again if that was no fault.
    fn closed(&mut self, index: usize, what: &str) {
        let Some(connection) = self.connections[index].take() else { return };
        match connection.due {
            Some(due) if connection.is_used && connection.reply.is_empty() => {
                self.begin(index, due);
            }
            Some(_) => self.fail(index, what),
            // It is idle, and is opened again for the next request.
            None => {}
        }
    }

    /// Takes what has come, and sends what there is room for.
    fn serve(&mut self, index: usize) {
        self.send(index);
        loop {
            let Some(connection) = &mut self.connections[index] else { return };
            let count = match connection.stream.read(&mut self.place) {
                Ok(0) => return self.closed(index, "closed"),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) => return self.closed(index, &format!("not received: {error}")),
            };
            match connection.reply.take(&self.place[..count]) {
                Ok(None) if count < self.place.len() => return,
                Ok(None) => {}
                Ok(Some(seen)) => return self.end(index, seen),
                Err(_) => return self.fail(index, "no readable answer"),
            }
        }
    }

    fn end(&mut self, index: usize, seen: Seen) {
        let Some(connection) = &mut self.connections[index] else { return };
        let Some(due) = connection.due.take() else { return };
        connection.is_used = true;
        if seen.status != 200 {
            return self.fail(index, &format!("status {}", seen.status));
        }
        if self.order.length.is_some_and(|length| length != seen.length) {
            return self.fail(index, &format!("{} bytes", seen.length));
        }
        self.traffic.done += 1;
        self.traffic.latencies.add(due.elapsed());
        self.idle.push(index);
    }

    /// Counts an error, and gives the connection up.
    fn fail(&mut self, index: usize, what: &str) {
        *self.traffic.errors.entry(what.to_owned()).or_default() += 1;
        self.connections[index] = None;
        self.idle.push(index);
    }
}

/// Has the timer end after so long, and at once if that is nothing.
fn set(timer: &TimerFd, length: Duration) -> Result<()> {
    let nanoseconds = i64::try_from(length.as_nanos()).unwrap_or(i64::MAX).max(1);
    let expiration = Expiration::OneShot(TimeSpec::nanoseconds(nanoseconds));
    timer.set(expiration, TimerSetTimeFlags::empty()).context("timerfd_settime")
}
