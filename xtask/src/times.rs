//! The times of tests, as libtest reports them, and the slowest of them.
//!
//! libtest tells the time of each test only with an unstable option. On a stable toolchain it
//! accepts that when `RUSTC_BOOTSTRAP` is set while the test program runs; nothing is compiled with
//! it.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

/// The variable that lets a test program accept unstable options.
pub(crate) const VARIABLE: (&str, &str) = ("RUSTC_BOOTSTRAP", "1");

/// The arguments of a test program that make it report times.
pub(crate) const ARGUMENTS: [&str; 3] = ["-Z", "unstable-options", "--report-time"];

/// How many of the slowest tests are named.
const NAMED: usize = 10;

/// The longest time of each test, and the run that it is from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Times(BTreeMap<String, (Duration, String)>);

impl Times {
    /// Takes in a line such as `test limits::a_limit ... ok <0.123s>`; other lines are ignored.
    pub(crate) fn read(&mut self, line: &str, run: &str) {
        if let Some((name, time)) = time_of(line) {
            self.insert(name.to_owned(), (time, run.to_owned()));
        }
    }

    /// Takes in the times of other runs.
    pub(crate) fn merge(&mut self, other: Self) {
        for (name, time) in other.0 {
            self.insert(name, time);
        }
    }

    /// A line for each of the slowest tests, the slowest first, below a title; none without tests.
    pub(crate) fn slowest(&self) -> Vec<String> {
        let mut tests: Vec<_> = self.0.iter().collect();
        tests.sort_by_key(|(_, (time, _))| Reverse(*time));
        let title = (!tests.is_empty()).then(|| "slowest tests:".to_owned());
        let line = |(name, (time, run)): (&String, &(Duration, String))| {
            format!("{:8.2} s  {name} ({run})", time.as_secs_f64())
        };
        title.into_iter().chain(tests.into_iter().take(NAMED).map(line)).collect()
    }

    fn insert(&mut self, name: String, new: (Duration, String)) {
        let kept = self.0.entry(name).or_default();
        if new.0 >= kept.0 {
            *kept = new;
        }
    }
}

fn time_of(line: &str) -> Option<(&str, Duration)> {
    let (name, outcome) = line.strip_prefix("test ")?.split_once(" ... ")?;
    let seconds = outcome.trim_end().strip_suffix("s>")?.rsplit_once('<')?.1.parse().ok()?;
    Some((name, Duration::try_from_secs_f64(seconds).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_a_test_is_read() {
        let millis = Duration::from_millis;
        assert_eq!(time_of("test a::b ... ok <0.123s>"), Some(("a::b", millis(123))));
        assert_eq!(time_of("test a::b ... FAILED <12.345s>"), Some(("a::b", millis(12_345))));
        for other in ["test a::b ... ok", "test a::b ... ignored, takes minutes", "a <1.0s>"] {
            assert_eq!(time_of(other), None, "{other}");
        }
    }

    #[test]
    fn each_of_the_slowest_is_named_once_with_the_run_that_took_longest() {
        let mut sum = Times::default();
        for run in [1, 3, 2] {
            let mut times = Times::default();
            for test in 0..20 {
                times.read(&format!("test number_{test} ... ok <{test}.{run}s>"), &run.to_string());
            }
            sum.merge(times);
        }
        let lines = sum.slowest();
        assert_eq!(lines.len(), 1 + NAMED);
        assert_eq!(lines[1], "   19.30 s  number_19 (3)");
        assert_eq!(lines[2], "   18.30 s  number_18 (3)");
        assert!(Times::default().slowest().is_empty());
    }
}
