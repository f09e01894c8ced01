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
pub(super) struct Failures {
    counts: BTreeMap<Failure, u64>,
    /// Requests that were sent again, which is no failure: a server may close a kept connection
    /// that has no request, and one may be under way in this moment.
    resent: u64,
}

impl Failures {
    /// Adds one.
    pub(super) fn add(&mut self, failure: Failure) {
        *self.counts.entry(failure).or_default() += 1;
    }

    /// Adds a request that was sent again.
    pub(super) fn add_resent(&mut self) {
        self.resent += 1;
    }

    /// Adds those of another measurement.
    pub(super) fn join(&mut self, other: &Self) {
        for (failure, count) in &other.counts {
            *self.counts.entry(*failure).or_default() += count;
        }
        self.resent += other.resent;
    }

    /// All of them, without requests that were sent again.
    #[cfg(test)]
    pub(super) fn sum(&self) -> u64 {
        self.counts.values().sum()
    }

    /// Those that the other measurement has not, kind by kind: one of another kind excuses none.
    pub(super) fn beyond(&self, other: &Self) -> u64 {
        let of_other = |kind| other.counts.get(kind).copied().unwrap_or_default();
        self.counts.iter().map(|(kind, count)| count.saturating_sub(of_other(kind))).sum()
    }
}

impl fmt::Display for Failures {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds = self.counts.iter().map(|(kind, count)| format!("{count} x {kind}"));
        let mut kinds: Vec<_> = kinds.collect();
        if kinds.is_empty() {
            kinds.push("none".to_owned());
        }
        if self.resent > 0 {
            kinds.push(format!("{} x sent again", self.resent));
        }
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

    #[test]
    fn a_failure_of_another_kind_excuses_none() {
        let (mut ours, mut plain) = (Failures::default(), Failures::default());
        (0..3).for_each(|_| plain.add(Failure::Refused));
        (0..2).for_each(|_| ours.add(Failure::Refused));
        assert_eq!((ours.beyond(&plain), plain.beyond(&ours)), (0, 1));
        ours.add(Failure::Status(503));
        assert_eq!((ours.beyond(&plain), ours.beyond(&Failures::default())), (1, 3));
    }

    #[test]
    fn what_was_sent_again_is_told_but_is_no_failure() {
        let mut failures = Failures::default();
        failures.add_resent();
        failures.join(&failures.clone());
        assert_eq!((failures.sum(), failures.to_string().as_str()), (0, "none, 2 x sent again"));
    }
}
