//! When requests are sent: as answers come, or at fixed moments.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use nix::sys::epoll::{Epoll, EpollEvent, EpollFlags};
use nix::sys::time::{TimeSpec, TimeValLike as _};
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};

/// The rule by which requests become due.
#[derive(Clone, Copy, Debug)]
pub(super) enum Pace {
    /// Each connection sends the next one as soon as it has an answer.
    Closed,
    /// So many in a second, whatever the answers do. A latency counts from the moment at which the
    /// request was to be sent, so that a server that stalls is not spared the requests meanwhile.
    Rate(f64),
}

/// The number of the timer among those of connections.
pub(super) const TIMER: u64 = u64::MAX;

/// The requests of a measurement that are due.
#[derive(Debug)]
pub(super) struct Schedule {
    pace: Pace,
    timer: TimerFd,
    began: Instant,
    end: Instant,
    /// Requests of an open loop that have become due.
    count: u32,
    /// Those of them that wait for a connection.
    queue: VecDeque<Instant>,
}

impl Schedule {
    /// Begins now, and lasts for so long. An open loop wakes the epoll instance for each request.
    pub(super) fn begin(pace: Pace, length: Duration, epoll: &Epoll) -> Result<Self> {
        let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, flags)?;
        // An edge for each time that it goes off: nothing need be read.
        let events = EpollFlags::EPOLLIN | EpollFlags::EPOLLET;
        epoll.add(&timer, EpollEvent::new(events, TIMER))?;
        let began = Instant::now();
        Ok(Self { pace, timer, began, end: began + length, count: 0, queue: VecDeque::new() })
    }

    /// When no more requests become due.
    pub(super) fn end(&self) -> Instant {
        self.end
    }

    /// Requests that are due and wait for a connection.
    pub(super) fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// Looks which requests of an open loop are due now, and sets the timer for the next one.
    pub(super) fn advance(&mut self, now: Instant) -> Result<()> {
        let Pace::Rate(rate) = self.pace else { return Ok(()) };
        let mut next = self.next(rate);
        while next <= now && next < self.end {
            self.queue.push_back(next);
            self.count += 1;
            next = self.next(rate);
        }
        if next < self.end { self.wake_at(next) } else { Ok(()) }
    }

    /// Gives a connection that is idle now a request: the moment when it was due.
    pub(super) fn take(&mut self, now: Instant) -> Option<Instant> {
        match self.pace {
            Pace::Closed => (now < self.end).then_some(now),
            Pace::Rate(_) => self.queue.pop_front(),
        }
    }

    fn next(&self, rate: f64) -> Instant {
        self.began + Duration::from_secs_f64(f64::from(self.count) / rate)
    }

    fn wake_at(&self, moment: Instant) -> Result<()> {
        let length = moment.saturating_duration_since(Instant::now());
        // A length of nothing would stop it.
        let nanoseconds = i64::try_from(length.as_nanos()).unwrap_or(i64::MAX).max(1);
        let expiration = Expiration::OneShot(TimeSpec::nanoseconds(nanoseconds));
        self.timer.set(expiration, TimerSetTimeFlags::empty()).context("timerfd_settime")
    }
}

#[cfg(test)]
mod tests {
    use nix::sys::epoll::EpollCreateFlags;

    use super::*;

    const LENGTH: Duration = Duration::from_secs(1);

    #[test]
    fn an_open_loop_has_its_requests_whenever_it_is_looked_at() {
        let epoll = Epoll::new(EpollCreateFlags::empty()).unwrap();
        let mut schedule = Schedule::begin(Pace::Rate(100.0), LENGTH, &epoll).unwrap();
        let began = schedule.began;
        schedule.advance(began + Duration::from_millis(35)).unwrap();
        assert_eq!(schedule.waiting(), 4);
        assert_eq!(schedule.take(began), Some(began));
        assert_eq!(schedule.take(began), Some(began + Duration::from_millis(10)));
        schedule.advance(began + LENGTH * 2).unwrap();
        assert_eq!(schedule.waiting(), 98);
    }

    #[test]
    fn a_closed_loop_has_one_at_each_time_until_its_end() {
        let epoll = Epoll::new(EpollCreateFlags::empty()).unwrap();
        let mut schedule = Schedule::begin(Pace::Closed, LENGTH, &epoll).unwrap();
        let now = schedule.began;
        assert_eq!((schedule.take(now), schedule.take(now)), (Some(now), Some(now)));
        assert_eq!((schedule.take(schedule.end()), schedule.waiting()), (None, 0));
    }
}
