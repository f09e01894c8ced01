//! Clients: one thread with many kept connections, so that it takes as little as can be from the
//! processors that the server needs. A request costs one send, one receive and one wait, and no
//! allocation.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::Result;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollTimeout};

use super::connection::{Connection, Progress};
use super::failure::{Failure, Failures};
use super::latencies::Latencies;
use super::reply::Seen;
use super::schedule::{Pace, Schedule, TIMER};

/// What was seen.
#[derive(Clone, Debug, Default)]
pub(super) struct Traffic {
    /// All answers, with those that came after the time was over.
    pub(super) done: u64,
    /// Those that came before.
    in_time: u64,
    seconds: f64,
    pub(super) latencies: Latencies,
    pub(super) failures: Failures,
}

impl Traffic {
    /// Answers that came in a second.
    #[expect(clippy::cast_precision_loss, reason = "no measurement has 2^52 requests")]
    pub(super) fn rate(&self) -> f64 {
        self.in_time as f64 / self.seconds
    }

    /// So many answers in that time.
    #[cfg(test)]
    pub(super) fn of(done: u64, length: Duration) -> Self {
        Self { done, in_time: done, seconds: length.as_secs_f64(), ..Self::default() }
    }
}

/// The requests to send, which are all alike, and the answer to expect.
#[derive(Clone, Debug)]
pub(super) struct Order {
    pub(super) request: Vec<u8>,
    /// Bytes of the answer's body.
    pub(super) length: u64,
}

/// A request without an answer has failed after so long.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A client that has failed waits for so long before it tries again, in a closed loop.
const PAUSE: Duration = Duration::from_millis(10);

/// How often requests without an answer are looked for.
const LOOK: Duration = Duration::from_millis(500);

struct Clients<'o> {
    address: SocketAddr,
    order: &'o Order,
    epoll: Epoll,
    schedule: Schedule,
    connections: Vec<Connection>,
    busy: usize,
    /// Connections without a request, the one first that has rested longest.
    idle: VecDeque<usize>,
    /// Those that have failed, and when they may try again.
    paused: VecDeque<(Instant, usize)>,
    traffic: Traffic,
    buffer: Vec<u8>,
}

/// Sends requests for so long on that many connections, and waits for the answers.
pub(super) fn run(
    address: SocketAddr,
    order: &Order,
    connections: usize,
    pace: Pace,
    length: Duration,
) -> Result<Traffic> {
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
    let mut all: Vec<_> = (0..connections).map(|_| Connection::default()).collect();
    for (number, connection) in (0..).zip(&mut all) {
        // One that is refused is tried again, and counted, with its first request.
        let _ = connection.open(address, &epoll, number);
    }
    let schedule = Schedule::begin(pace, length, &epoll)?;
    let mut clients = Clients {
        address,
        order,
        epoll,
        schedule,
        connections: all,
        busy: 0,
        idle: (0..connections).collect(),
        paused: VecDeque::new(),
        traffic: Traffic { seconds: length.as_secs_f64(), ..Traffic::default() },
        buffer: vec![0; 256 * 1024],
    };
    clients.run()?;
    Ok(clients.traffic)
}

impl Clients<'_> {
    fn run(&mut self) -> Result<()> {
        let end = self.schedule.end();
        let mut look = Instant::now() + LOOK;
        let mut events = [EpollEvent::empty(); 64];
        loop {
            let now = Instant::now();
            self.start(now)?;
            if now >= look {
                self.give_up(now);
                look = now + LOOK;
            }
            let is_over = now >= end && self.busy == 0 && self.schedule.waiting() == 0;
            if is_over || now >= end + TIMEOUT {
                break;
            }
            // Up to a millisecond late: an open loop has a timer for its requests.
            let next = if now < end { look.min(end) } else { look };
            let next = self.paused.front().map_or(next, |(at, _)| next.min(*at));
            let wait = next.saturating_duration_since(now).as_millis() + 1;
            let wait = EpollTimeout::from(u16::try_from(wait).unwrap_or(u16::MAX));
            let count = match self.epoll.wait(&mut events, wait) {
                Err(nix::Error::EINTR) => continue,
                count => count?,
            };
            for event in &events[..count] {
                if event.data() != TIMER {
                    let index = usize::try_from(event.data())?;
                    let (request, buffer) = (&self.order.request, &mut self.buffer);
                    let progress = self.connections[index].serve(request, buffer, event.events());
                    self.go_on(index, progress);
                }
            }
        }
        // Those that have waited for the server until the limit, and those that it never saw.
        for _ in 0..self.busy + self.schedule.waiting() {
            self.traffic.failures.add(Failure::Timeout);
        }
        Ok(())
    }

    /// Begins the requests that are due now.
    fn start(&mut self, now: Instant) -> Result<()> {
        while self.paused.front().is_some_and(|(at, _)| *at <= now) {
            self.idle.extend(self.paused.pop_front().map(|(_, index)| index));
        }
        self.schedule.advance(now)?;
        while let Some(&index) = self.idle.front()
            && let Some(due) = self.schedule.take(now)
        {
            self.idle.pop_front();
            self.begin(index, due, now);
        }
        Ok(())
    }

    fn begin(&mut self, index: usize, due: Instant, now: Instant) {
        self.busy += 1;
        let connection = &mut self.connections[index];
        let progress = match connection.open(self.address, &self.epoll, index as u64) {
            Ok(()) => connection.begin(&self.order.request, due, now),
            Err(_) => Progress::Failed(Failure::Refused),
        };
        self.go_on(index, progress);
    }

    /// Counts what has come of a request, and begins the next one where there is one to begin.
    fn go_on(&mut self, index: usize, progress: Progress) {
        let now = match progress {
            Progress::Waiting => return,
            Progress::Failed(failure) => return self.fail(index, failure),
            Progress::Lost(due) => {
                self.busy -= 1;
                self.traffic.failures.add_resent();
                return self.begin(index, due, Instant::now());
            }
            Progress::Answered(due, seen) => {
                let now = Instant::now();
                if let Some(failure) = self.flaw(seen) {
                    return self.fail(index, failure);
                }
                self.traffic.done += 1;
                self.traffic.in_time += u64::from(now < self.schedule.end());
                self.traffic.latencies.add(now.saturating_duration_since(due));
                now
            }
        };
        self.busy -= 1;
        match self.schedule.take(now) {
            Some(due) => self.begin(index, due, now),
            None => self.idle.push_back(index),
        }
    }

    /// The difference between an answer and what was expected.
    fn flaw(&self, seen: Seen) -> Option<Failure> {
        if seen.status != 200 {
            Some(Failure::Status(seen.status))
        } else if seen.length != self.order.length {
            Some(Failure::Length(seen.length))
        } else {
            None
        }
    }

    fn fail(&mut self, index: usize, failure: Failure) {
        self.busy -= 1;
        self.traffic.failures.add(failure);
        self.paused.push_back((Instant::now() + PAUSE, index));
    }

    fn give_up(&mut self, now: Instant) {
        let Some(before) = now.checked_sub(TIMEOUT) else { return };
        for index in 0..self.connections.len() {
            let progress = self.connections[index].give_up(before);
            self.go_on(index, progress);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::{Shutdown, TcpListener, TcpStream};
    use std::os::fd::AsRawFd as _;
    use std::thread;

    use nix::sys::socket::{
        AddressFamily, SockFlag, SockType, SockaddrIn, bind, getsockname, socket,
    };

    use super::*;

    const LENGTH: Duration = Duration::from_millis(50);
    const HELLO: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

    /// Answers each request of each connection by that function, until it says no more.
    fn serve(answer: fn(&mut TcpStream) -> bool) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                thread::spawn(move || {
                    let mut place = [0; 1024];
                    while stream.read(&mut place).is_ok_and(|count| count > 0) {
                        if !answer(&mut stream) {
                            return;
                        }
                    }
                });
            }
        });
        address
    }

    fn order() -> Order {
        Order { request: b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(), length: 5 }
    }

    fn failures(address: SocketAddr) -> String {
        let traffic = run(address, &order(), 2, Pace::Closed, LENGTH).unwrap();
        assert_eq!(traffic.done, 0);
        let kinds = traffic.failures.to_string();
        kinds.split(", ").map(|kind| kind.split_once(" x ").unwrap().1).collect()
    }

    #[test]
    fn a_closed_loop_has_one_request_on_each_connection() {
        let address = serve(|stream| stream.write_all(HELLO.as_bytes()).is_ok());
        let traffic = run(address, &order(), 3, Pace::Closed, LENGTH).unwrap();
        assert_eq!(traffic.failures.sum(), 0, "{}", traffic.failures);
        assert!(traffic.done >= 3 && traffic.rate() > 0.0);
    }

    #[test]
    fn an_open_loop_sends_what_is_due_however_slow_the_answers_are() {
        let address = serve(|stream| {
            thread::sleep(Duration::from_millis(20));
            stream.write_all(HELLO.as_bytes()).is_ok()
        });
        // 50 ms with 20 requests for one connection, which takes 20 ms for each.
        let traffic = run(address, &order(), 1, Pace::Rate(400.0), LENGTH).unwrap();
        assert_eq!((traffic.done, traffic.failures.sum()), (20, 0));
        assert!(traffic.latencies.percentile(1.0).unwrap() > 300_000.0);
    }

    #[test]
    fn failures_have_kinds() {
        // Bound, so that no other test has it, but nothing listens.
        let deaf = socket(AddressFamily::Inet, SockType::Stream, SockFlag::empty(), None).unwrap();
        bind(deaf.as_raw_fd(), &SockaddrIn::new(127, 0, 0, 1, 0)).unwrap();
        let bound: SockaddrIn = getsockname(deaf.as_raw_fd()).unwrap();
        assert_eq!(failures(SocketAddr::V4(bound.into())), "refused");
        assert_eq!(failures(serve(|_| false)), "closed");
        let longer = serve(|stream| {
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello!").is_ok()
        });
        assert_eq!(failures(longer), "6 bytes");
        let missing = serve(|stream| {
            stream.write_all(b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n").is_ok()
        });
        assert_eq!(failures(missing), "status 404");
        assert_eq!(failures(serve(|stream| stream.write_all(b"no\r\n\r\n").is_ok())), "unreadable");
    }

    #[test]
    fn a_server_may_say_that_it_closes() {
        let address = serve(|stream| {
            let text = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello";
            let _ = stream.write_all(text);
            false
        });
        let traffic = run(address, &order(), 2, Pace::Closed, LENGTH).unwrap();
        assert_eq!(traffic.failures.sum(), 0, "{}", traffic.failures);
        assert!(traffic.done > 2);
    }

    #[test]
    fn a_server_may_close_a_kept_connection() {
        // It has read the second request, which a client cannot know.
        let address = serve(|stream| {
            let _ = stream.write_all(HELLO.as_bytes());
            let _ = stream.read(&mut [0; 1024]);
            false
        });
        let traffic = run(address, &order(), 1, Pace::Closed, LENGTH).unwrap();
        assert_eq!(traffic.failures.sum(), 0, "{}", traffic.failures);
        assert!(traffic.done > 1 && traffic.failures.to_string().ends_with("x sent again"));
    }

    #[test]
    fn an_end_that_comes_with_an_answer_is_seen() {
        // A request that is sent behind the end would never be answered: the other side reads on.
        let address = serve(|stream| {
            let _ = stream.write_all(HELLO.as_bytes());
            let _ = stream.shutdown(Shutdown::Write);
            true
        });
        let traffic = run(address, &order(), 1, Pace::Rate(100.0), LENGTH).unwrap();
        assert_eq!((traffic.done, traffic.failures.sum()), (5, 0), "{}", traffic.failures);
    }
}
