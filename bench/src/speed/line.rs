//! The measurements of one server: its figures of each round, and its line in a table.

use super::clients::Traffic;
use super::contender::Contender;
use super::cost::Cost;
use super::failure::Failures;
use super::latencies::Latencies;

/// The measurements, with a value for each round.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) contender: Contender,
    rates: Vec<f64>,
    microseconds: Vec<f64>,
    switches: Vec<f64>,
    latencies: Latencies,
    pub(super) failures: Failures,
}

impl Line {
    /// Without a round.
    pub(super) fn new(contender: Contender) -> Self {
        Self {
            contender,
            rates: Vec::new(),
            microseconds: Vec::new(),
            switches: Vec::new(),
            latencies: Latencies::default(),
            failures: Failures::default(),
        }
    }

    /// Adds a round.
    #[expect(clippy::cast_precision_loss, reason = "no measurement has 2^52 requests")]
    pub(super) fn add(&mut self, traffic: &Traffic, cost: Cost) {
        let each = cost.each(traffic.done as f64);
        self.rates.push(traffic.rate());
        self.microseconds.push(each.microseconds);
        self.switches.push(each.switches);
        self.latencies.join(&traffic.latencies);
        self.failures.join(&traffic.failures);
    }

    /// Requests in a second.
    pub(super) fn rate(&self) -> f64 {
        median(&self.rates)
    }

    /// Processor time of a request, in microseconds.
    pub(super) fn processor(&self) -> f64 {
        median(&self.microseconds)
    }

    /// A percentile of the latency in microseconds.
    pub(super) fn latency(&self, share: f64) -> Option<f64> {
        self.latencies.percentile(share)
    }

    /// The same in milliseconds, for a table.
    pub(super) fn millis(&self, share: f64) -> String {
        let found = self.latency(share);
        found.map_or("-".to_owned(), |found| format!("{:.2}", found / 1000.0))
    }

    /// Requests in a second to those of the base: the median of the rounds' ratios. `None` where
    /// one of the two has no figure: a server that is gone would be infinitely slow.
    pub(super) fn ratio(&self, base: &Self) -> Option<f64> {
        self.is_comparable(base).then(|| median(&ratios(&self.rates, &base.rates)))
    }

    /// Processor time of a request to that of the base, likewise.
    pub(super) fn processor_ratio(&self, base: &Self) -> Option<f64> {
        self.is_comparable(base).then(|| median(&ratios(&self.microseconds, &base.microseconds)))
    }

    /// Whether there were answers in each round.
    pub(super) fn is_measured(&self) -> bool {
        !self.rates.is_empty() && self.rates.iter().all(|rate| *rate > 0.0)
    }

    fn is_comparable(&self, base: &Self) -> bool {
        self.is_measured() && base.is_measured()
    }

    /// The cells for [`HEAD`]; dashes where there is no base.
    pub(super) fn cells(&self, base: Option<&Self>) -> Vec<String> {
        let base = base.filter(|base| self.is_comparable(base));
        let ratios = base.map(|base| ratios(&self.rates, &base.rates));
        let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        let measured = |text: String| or_dash(self.is_measured().then_some(text));
        let range = |ratios: &Vec<f64>| {
            let (least, most) = ends(ratios);
            format!("{least:.2}-{most:.2}")
        };
        vec![
            self.contender.name().to_owned(),
            or_dash(ratios.as_ref().map(|ratios| format!("{:.2}", median(ratios)))),
            or_dash(ratios.as_ref().map(range)),
            format!("{:.0}", self.rate()),
            measured(spread(&self.rates)),
            measured(format!("{:.1}", self.processor())),
            or_dash(
                base.and_then(|base| self.processor_ratio(base)).map(|ratio| format!("{ratio:.2}")),
            ),
            measured(format!("{:.1}", median(&self.switches))),
            self.millis(0.5),
            self.millis(0.99),
            self.failures.to_string(),
        ]
    }
}

/// The names of [`Line::cells`].
pub(super) const HEAD: [&str; 11] = [
    "server",
    "ratio",
    "of rounds",
    "requests/s",
    "spread",
    "CPU us",
    "CPU ratio",
    "switches",
    "p50 ms",
    "p99 ms",
    "errors",
];

/// Round by round: what slows the machine down for a while slows both.
fn ratios(values: &[f64], base: &[f64]) -> Vec<f64> {
    values.iter().zip(base).map(|(value, base)| value / base).collect()
}

/// From the least to the most, in hundredths of the median.
fn spread(values: &[f64]) -> String {
    let (least, most) = ends(values);
    let percent = |value: f64| (value / median(values) - 1.0) * 100.0;
    format!("{:+.0} {:+.0} %", percent(least), percent(most))
}

fn ends(values: &[f64]) -> (f64, f64) {
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    (least, values.iter().copied().fold(f64::NEG_INFINITY, f64::max))
}

/// The middle one.
pub(super) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => sorted[count / 2],
        count => f64::midpoint(sorted[count / 2 - 1], sorted[count / 2]),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// A line with rounds of so many answers each.
    fn line(contender: Contender, rounds: &[u64]) -> Line {
        let mut line = Line::new(contender);
        for &done in rounds {
            let mut traffic = Traffic::of(done, Duration::from_secs(1));
            traffic.latencies.add(Duration::from_millis(1));
            line.add(&traffic, Cost { microseconds: 100.0, switches: 1.0 });
        }
        line
    }

    #[test]
    fn a_server_that_has_answered_nothing_in_a_round_has_no_ratio() {
        let ours = line(Contender::Daemon, &[10, 10]);
        let found = ours.ratio(&line(Contender::Granian, &[5, 5]));
        assert!(found.is_some_and(|ratio| (ratio - 2.0).abs() < 1e-9), "{found:?}");
        for rounds in [&[5, 0][..], &[0, 0], &[]] {
            let gone = line(Contender::Granian, rounds);
            assert_eq!((ours.ratio(&gone), gone.ratio(&ours)), (None, None));
            assert_eq!((ours.processor_ratio(&gone), gone.processor_ratio(&ours)), (None, None));
        }
    }

    #[test]
    fn the_median_is_the_middle_one() {
        assert!(median(&[]).is_nan());
        assert!((median(&[3.0, 1.0, 2.0]) - 2.0).abs() < 1e-9);
        assert!((median(&[4.0, 1.0, 2.0, 3.0]) - 2.5).abs() < 1e-9);
    }

    #[test]
    fn ratios_are_those_of_rounds() {
        // Each round is twice as fast, whatever the machine did meanwhile.
        let found = ratios(&[2.0, 200.0, 20.0], &[1.0, 100.0, 10.0]);
        assert!(found.iter().all(|ratio| (ratio - 2.0).abs() < 1e-9), "{found:?}");
        assert_eq!(spread(&[90.0, 100.0, 120.0]), "-10 +20 %");
    }
}
