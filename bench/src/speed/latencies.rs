//! Latencies, counted in steps that grow with them.

use std::time::Duration;

/// Steps of each power of two: figures are right to 1 %.
const STEPS: u64 = 128;
const STEP_BITS: u32 = STEPS.trailing_zeros();

/// How often each latency was met.
#[derive(Clone, Debug, Default)]
pub(super) struct Latencies {
    counts: Vec<u64>,
    total: u64,
}

impl Latencies {
    /// Adds one.
    pub(super) fn add(&mut self, latency: Duration) {
        let place = place(u64::try_from(latency.as_micros()).unwrap_or(u64::MAX));
        if self.counts.len() <= place {
            self.counts.resize(place + 1, 0);
        }
        self.counts[place] += 1;
        self.total += 1;
    }

    /// Adds those of another measurement.
    pub(super) fn join(&mut self, other: &Self) {
        self.counts.resize(self.counts.len().max(other.counts.len()), 0);
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        self.total += other.total;
    }

    /// The latency that `share` of all do not exceed, in microseconds; `None` without any.
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    pub(super) fn percentile(&self, share: f64) -> Option<f64> {
        let wanted = ((self.total as f64 * share).ceil() as u64).max(1);
        let mut seen = 0;
        let place = self.counts.iter().position(|count| {
            seen += count;
            seen >= wanted
        })?;
        Some(value(place) as f64)
    }
}

fn place(value: u64) -> usize {
    let bits = u64::BITS - value.leading_zeros();
    let shift = bits.saturating_sub(STEP_BITS + 1);
    let place = u64::from(shift) * STEPS + (value >> shift);
    usize::try_from(place).expect("there are fewer than 8192 places")
}

/// The least value of a place.
fn value(place: usize) -> u64 {
    let place = place as u64;
    let shift = (place / STEPS).saturating_sub(1);
    (place - shift * STEPS) << shift
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_is_near_its_place() {
        for given in (0..5000).chain([1 << 20, (1 << 33) + 12345, u64::MAX]) {
            let found = value(place(given));
            assert!(found <= given && given - found <= given / STEPS, "{given}: {found}");
        }
        assert!((1..4000).all(|given| place(given) >= place(given - 1)));
    }

    #[test]
    fn percentiles_count_from_the_smallest() {
        let mut latencies = Latencies::default();
        assert_eq!(latencies.percentile(0.5), None);
        for millis in 1..=100 {
            latencies.add(Duration::from_micros(millis));
        }
        let mut slow = Latencies::default();
        slow.add(Duration::from_secs(1));
        latencies.join(&slow);
        assert_eq!(latencies.percentile(0.5), Some(51.0));
        assert!(latencies.percentile(0.99).unwrap() <= 100.0);
        assert!(latencies.percentile(1.0).unwrap() > 900_000.0);
    }
}
