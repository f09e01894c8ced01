//! How many workers a group wants, as requests come and go.
//!
//! A group of fixed size wants that many. An elastic one (`processes=MIN..MAX`) gets another worker
//! when a request waits in its queue and no worker takes it, which is looked at twice: one that has
//! just come in is there for a moment, too. The queue is watched only while all threads of a worker
//! were busy lately, or while there is no worker.

use std::time::{Duration, Instant};

use wsgi::config::daemon_process::Processes;

/// Between two looks at the queue.
const PAUSE: Duration = Duration::from_millis(20);
/// After so many looks at requests that were taken at once, the workers are not that busy any more.
/// A worker says within this time if it is.
const ALARMS: u32 = 50;

/// How many workers are wanted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Demand {
    pool: Processes,
    wanted: usize,
    /// The group has no worker, and none is on its way.
    resting: bool,
    watch: Watch,
}

/// The facts about requests that wait.
#[derive(Clone, Copy, Debug)]
enum Watch {
    /// No worker is busy.
    Off,
    /// A request is noticed from `from` on; so many were taken at once.
    On { from: Instant, alarms: u32 },
    /// A request waited; whether that is still so is looked at then.
    Suspicion { at: Instant, alarms: u32 },
}

impl Demand {
    /// The demand of a group that has had no request.
    pub(crate) fn new(pool: Processes) -> Self {
        let resting = pool.least == 0;
        Self { pool, wanted: pool.least as usize, resting, watch: Watch::Off }
    }

    /// How many workers there have to be.
    pub(crate) fn wanted(&self) -> usize {
        self.wanted
    }

    /// From now on there may be no worker at all while there is nothing to do.
    pub(crate) fn retire(&mut self) {
        self.pool.least = 0;
    }

    /// Notes that all threads of a worker are busy.
    pub(crate) fn busy(&mut self, now: Instant) {
        if self.wanted < self.pool.most as usize && !matches!(self.watch, Watch::Suspicion { .. }) {
            self.watch = Watch::On { from: now, alarms: 0 };
        }
    }

    /// A worker has nothing to do, one of `staying`; true if it may go, which is then counted.
    pub(crate) fn spare(&mut self, now: Instant, staying: usize) -> bool {
        let spare = staying > self.pool.least as usize;
        if spare {
            self.wanted = staying - 1;
            if self.wanted > 0 {
                // Those that stay may have been busy all along, and said so when it did not matter.
                self.watch = Watch::On { from: now, alarms: 0 };
            }
        }
        spare
    }

    /// Whether a request is to wake us.
    pub(crate) fn listens(&self, now: Instant) -> bool {
        self.resting || matches!(self.watch, Watch::On { from, .. } if from <= now)
    }

    /// Whether it matters now if a request waits.
    pub(crate) fn looks(&self, now: Instant) -> bool {
        self.listens(now) || self.next_look().is_some_and(|at| at <= now)
    }

    /// When it will matter next.
    pub(crate) fn next_look(&self) -> Option<Instant> {
        match self.watch {
            Watch::Off => None,
            Watch::On { from, .. } => Some(from).filter(|from| *from > Instant::now()),
            Watch::Suspicion { at, .. } => Some(at),
        }
    }

    /// Takes in what there is now: whether a request is `waiting`, how many workers are `staying`,
    /// and whether one of them is still `starting`.
    pub(crate) fn look(&mut self, now: Instant, waiting: bool, staying: usize, starting: bool) {
        if !self.pool.is_elastic() {
            return;
        }
        if self.resting {
            if waiting {
                (self.wanted, self.resting) = (1, false);
            }
            return;
        }
        if self.wanted == 0 && staying == 0 {
            (self.resting, self.watch) = (true, Watch::Off);
            return;
        }
        if self.wanted >= self.pool.most as usize {
            self.watch = Watch::Off;
            return;
        }
        self.watch = match self.watch {
            Watch::On { from, alarms } if waiting && from <= now => {
                Watch::Suspicion { at: now + PAUSE, alarms }
            }
            Watch::Suspicion { at, .. } if at <= now && waiting => {
                // One that is on its way may be enough.
                if !starting {
                    self.wanted = (staying + 1).min(self.pool.most as usize);
                }
                Watch::Suspicion { at: now + PAUSE, alarms: 0 }
            }
            Watch::Suspicion { at, alarms } if at <= now => {
                if alarms < ALARMS {
                    Watch::On { from: now + PAUSE, alarms: alarms + 1 }
                } else {
                    Watch::Off
                }
            }
            same => same,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ELASTIC: Processes = Processes { least: 0, most: 2 };

    #[test]
    fn a_fixed_group_wants_what_it_wants() {
        let mut demand = Demand::new(Processes { least: 3, most: 3 });
        let now = Instant::now();
        demand.busy(now);
        demand.look(now, true, 3, false);
        assert_eq!((demand.wanted(), demand.listens(now), demand.spare(now, 3)), (3, false, false));
    }

    #[test]
    fn a_resting_group_wakes_with_a_request_and_rests_again() {
        let (mut demand, now) = (Demand::new(ELASTIC), Instant::now());
        assert!(demand.listens(now));
        demand.look(now, false, 0, false);
        assert_eq!(demand.wanted(), 0);
        demand.look(now, true, 0, false);
        assert_eq!((demand.wanted(), demand.listens(now)), (1, false));
        demand.look(now, true, 1, true);
        assert!(demand.spare(now, 1));
        demand.look(now, false, 1, false);
        assert!(!demand.listens(now), "its last worker is still there");
        demand.look(now, false, 0, false);
        assert!(demand.listens(now));
    }

    #[test]
    fn a_worker_is_added_when_a_request_keeps_waiting() {
        let (mut demand, now) = (Demand::new(ELASTIC), Instant::now());
        demand.look(now, true, 0, false);
        demand.look(now, true, 1, false);
        assert_eq!(demand.wanted(), 1, "no worker has said that all its threads are busy");
        demand.busy(now);
        assert!(demand.listens(now));
        demand.look(now, true, 1, false);
        assert!(!demand.listens(now), "it may be taken in the next moment");
        demand.look(now + PAUSE, false, 1, false);
        assert_eq!(demand.wanted(), 1);
        let later = now + PAUSE * 2;
        demand.look(later, true, 1, false);
        demand.look(later + PAUSE, true, 1, false);
        assert_eq!(demand.wanted(), 2);
        demand.look(later + PAUSE * 2, true, 2, true);
        assert!(!demand.looks(later + PAUSE * 9), "there are as many as there may be");
    }

    #[test]
    fn a_worker_that_goes_leaves_no_request_behind_a_busy_one() {
        let (mut demand, now) = (Demand::new(ELASTIC), Instant::now());
        demand.look(now, true, 0, false);
        demand.busy(now);
        demand.look(now, true, 1, false);
        demand.look(now + PAUSE, true, 1, false);
        assert_eq!(demand.wanted(), 2);
        demand.look(now + PAUSE, false, 2, false);
        // The first one is still busy, and will not say so again.
        assert!(demand.spare(now + PAUSE, 2));
        let later = now + PAUSE * 2;
        assert!(demand.listens(later));
        demand.look(later, true, 1, false);
        demand.look(later + PAUSE, true, 1, false);
        assert_eq!(demand.wanted(), 2);
    }

    #[test]
    fn alarms_for_nothing_are_not_heard_for_ever() {
        let (mut demand, mut now) = (Demand::new(ELASTIC), Instant::now());
        demand.look(now, true, 0, false);
        demand.busy(now);
        for _ in 0..=ALARMS {
            demand.look(now, true, 1, false);
            now += PAUSE;
            demand.look(now, false, 1, false);
            now += PAUSE;
        }
        assert!(!demand.listens(now));
        demand.busy(now);
        assert!(demand.listens(now));
    }
}
