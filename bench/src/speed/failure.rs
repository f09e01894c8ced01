//! The kinds of requests that fail, and how often each was met.

use std::collections::BTreeMap;
use std::fmt;

/// The reason why a request failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Failure {
    /// The server took no connection.
    Refused,
    /// The connection ended before the answer did.
    Closed,
    /// Another status than 200.
    Status(u16),
    /// A body of another length than was expected.
    Length(u64),
    /// No HTTP, or bytes that belong to no answer.
    Unreadable,
    /// No answer in time.
    Timeout,
}

/// Counts by kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Failures(BTreeMap<Failure, u64>);

impl Failures {
    /// Adds one.
    pub(super) fn add(&mut self, failure: Failure) {
        *self.0.entry(failure).or_default() += 1;
    }

    /// Adds those of another measurement.
    pub(super) fn join(&mut self, other: &Self) {
        for (failure, count) in &other.0 {
            *self.0.entry(*failure).or_default() += count;
        }
    }

    /// All of them.
    pub(super) fn sum(&self) -> u64 {
        self.0.values().sum()
    }
}

impl fmt::Display for Failures {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return formatter.write_str("none");
        }
        let kinds: Vec<_> =
            self.0.iter().map(|(kind, count)| format!("{count} x {kind}")).collect();
        formatter.write_str(&kinds.join(", "))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused => formatter.write_str("refused"),
            Self::Closed => formatter.write_str("closed"),
            Self::Status(status) => write!(formatter, "status {status}"),
            Self::Length(length) => write!(formatter, "{length} bytes"),
            Self::Unreadable => formatter.write_str("unreadable"),
            Self::Timeout => formatter.write_str("timeout"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_counted() {
        let mut failures = Failures::default();
        assert_eq!((failures.sum(), failures.to_string().as_str()), (0, "none"));
        failures.add(Failure::Status(503));
        let mut other = Failures::default();
        other.add(Failure::Status(503));
        other.add(Failure::Closed);
        failures.join(&other);
        assert_eq!(failures.sum(), 3);
        assert_eq!(failures.to_string(), "1 x closed, 2 x status 503");
    }
}
