//! How long a phase of requests has taken: mean, extremes and a histogram.

use std::time::Duration;

/// Buckets of the histogram: below 1 ms and up to 1.25 ms, then four to an octave, and from
/// 65.536 s on.
pub(super) const BUCKETS: usize = OCTAVES * STEPS + 1;
const OCTAVES: usize = 16;
const STEPS: usize = 4;

/// Durations of one phase.
#[derive(Clone, Copy, Debug)]
pub(super) struct Phase {
    count: u32,
    sum: Duration,
    shortest: Duration,
    longest: Duration,
    pub(super) buckets: [u64; BUCKETS],
}

impl Default for Phase {
    fn default() -> Self {
        let (count, sum, longest) = (0, Duration::ZERO, Duration::ZERO);
        Self { count, sum, shortest: Duration::MAX, longest, buckets: [0; BUCKETS] }
    }
}

impl Phase {
    /// Adds one duration.
    pub(super) fn add(&mut self, time: Duration) {
        self.count = self.count.saturating_add(1);
        self.sum = self.sum.saturating_add(time);
        self.shortest = self.shortest.min(time);
        self.longest = self.longest.max(time);
        self.buckets[bucket(time)] += 1;
    }

    /// The mean; zero without a sample.
    pub(super) fn mean(&self) -> Duration {
        self.sum.checked_div(self.count).unwrap_or_default()
    }

    /// The shortest and the longest; `None` without a sample.
    pub(super) fn extremes(&self) -> Option<(Duration, Duration)> {
        (self.count > 0).then_some((self.shortest, self.longest))
    }
}

fn bucket(time: Duration) -> usize {
    let microseconds = time.as_micros();
    let milliseconds = microseconds / 1000;
    let Some(octave) = milliseconds.checked_ilog2() else { return 0 };
    if octave as usize >= OCTAVES {
        return BUCKETS - 1;
    }
    let width = 250u128 << octave;
    let step = microseconds / width - STEPS as u128;
    octave as usize * STEPS + usize::try_from(step).unwrap_or(STEPS - 1)
}
