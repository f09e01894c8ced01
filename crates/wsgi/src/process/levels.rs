//! The levels at which the threads of a worker wait for requests: which of them are occupied.
//!
//! The kernel serves the first levels of all workers before the second ones, and so on. A thread
//! waits at the first level that is free, but leaves one free for each request that its process
//! serves. So of two processes the one with less to do is woken.

/// The most levels of a worker. Threads beyond share the last one.
pub const MOST: usize = 32;

/// The occupied levels of a worker.
#[derive(Clone, Copy, Debug, Default)]
pub struct Occupied(u32);

impl Occupied {
    /// Occupies a level, of `count`, for a thread of a process that serves `busy` requests.
    ///
    /// # Panics
    /// If there are no levels, or more than [`MOST`].
    pub fn occupy(&mut self, busy: usize, count: usize) -> usize {
        assert!((1..=MOST).contains(&count), "{count} levels");
        let free = |level: &usize| self.0 & (1 << level) == 0;
        let level = (busy..count).find(free).unwrap_or(count - 1);
        self.0 |= 1 << level;
        level
    }

    /// The thread does not wait at this level any more.
    pub fn leave(&mut self, level: usize) {
        self.0 &= !(1 << level);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_waits_behind_one_level_for_each_request() {
        let mut occupied = Occupied::default();
        assert_eq!([0, 1, 2].map(|_| occupied.occupy(0, 4)), [0, 1, 2]);
        // The thread at the third level serves a request, and another one comes back.
        occupied.leave(2);
        assert_eq!(occupied.occupy(1, 4), 2);
        occupied.leave(0);
        assert_eq!(occupied.occupy(1, 4), 3, "the first level stays free");
        assert_eq!(Occupied::default().occupy(0, 1), 0);
    }

    #[test]
    fn threads_beyond_share_the_last_level() {
        let mut occupied = Occupied::default();
        let levels: Vec<usize> = (0..MOST + 2).map(|_| occupied.occupy(0, MOST)).collect();
        assert_eq!(levels[MOST - 1..], [MOST - 1; 3]);
        occupied.leave(MOST - 1);
        assert_eq!(occupied.occupy(MOST + 5, MOST), MOST - 1);
    }
}
