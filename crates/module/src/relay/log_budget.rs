//! How much a worker may write into the error log on behalf of one request.
//!
//! Lines come from a process of the group's user, and the log is httpd's: without a bound a worker
//! fills its disk with one request.

use std::time::Instant;

/// Bytes that may be written at once.
const BURST: u64 = 1 << 20;
/// Bytes that may be written in each second besides.
const RATE: u64 = 64 << 10;
/// The bytes that a line costs besides its text: httpd's prefix.
const PREFIX: u64 = 128;

/// The bytes that one request may still write.
#[derive(Debug)]
pub(crate) struct LogBudget {
    left: u64,
    filled: Instant,
    left_out: u64,
}

/// The treatment of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is written.
    Write,
    /// It is left out, and that is said, for it is the first.
    LeaveOutAndSay,
    /// It is left out.
    LeaveOut,
}

impl LogBudget {
    /// A whole budget.
    pub(crate) fn new() -> Self {
        Self { left: BURST, filled: Instant::now(), left_out: 0 }
    }

    /// Decides about a line with so many bytes.
    pub(crate) fn decide(&mut self, length: usize) -> Verdict {
        let cost = length as u64 + PREFIX;
        if self.left < cost {
            let seconds = self.filled.elapsed().as_secs();
            if seconds > 0 {
                self.left = self.left.saturating_add(seconds.saturating_mul(RATE)).min(BURST);
                self.filled = Instant::now();
            }
        }
        if let Some(left) = self.left.checked_sub(cost) {
            self.left = left;
            return Verdict::Write;
        }
        self.left_out += 1;
        if self.left_out == 1 { Verdict::LeaveOutAndSay } else { Verdict::LeaveOut }
    }

    /// How many lines were left out.
    pub(crate) fn left_out(&self) -> u64 {
        self.left_out
    }
}
