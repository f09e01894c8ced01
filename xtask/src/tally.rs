//! Counting: runs a test program, shows its output as it comes, and adds up what it reports.

use std::io::{BufRead as _, BufReader};
use std::ops::AddAssign;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use crate::command;

/// Passed and failed tests. A program that ends badly without naming a failed test counts as one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
}

impl Tally {
    /// Whether anything ran and nothing failed.
    pub(crate) fn is_good(self) -> bool {
        self.passed > 0 && self.failed == 0
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} passed, {} failed", self.passed, self.failed)
    }
}

/// Runs the program (a test binary or `cargo test`) to its end.
pub(crate) fn run(command: &mut Command) -> Result<Tally> {
    eprintln!("→ {}", command::line(command));
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run {}", command::line(command)))?;
    let mut tally = Tally::default();
    let output = child.stdout.take().expect("standard output is a pipe");
    for line in BufReader::new(output).split(b'\n') {
        let line = line.context("cannot read the output of the tests")?;
        let line = String::from_utf8_lossy(&line);
        println!("{line}");
        tally += result(&line).unwrap_or_default();
    }
    let status = child.wait().context("cannot wait for the tests")?;
    if !status.success() && tally.failed == 0 {
        eprintln!("{} ended badly: {status}", command::line(command));
        tally.failed = 1;
    }
    Ok(tally)
}

/// Reads `test result: ok. 3 passed; 0 failed; …`.
fn result(line: &str) -> Option<Tally> {
    let counts = line.strip_prefix("test result: ")?.split_once(". ")?.1;
    let count = |word: &str| {
        counts.split("; ").find_map(|part| part.strip_suffix(word)?.trim().parse().ok())
    };
    Some(Tally { passed: count("passed")?, failed: count("failed")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_line_is_read() {
        let line = "test result: FAILED. 12 passed; 3 failed; 1 ignored; 0 measured; 9 filtered out; finished in 0.01s";
        assert_eq!(result(line), Some(Tally { passed: 12, failed: 3 }));
        assert_eq!(result("test environ::embedded ... ok"), None);
    }

    #[test]
    fn a_program_that_dies_counts_as_failed() {
        let script = "echo 'test result: ok. 2 passed; 0 failed; 0 ignored'; exit 7";
        let tally = run(Command::new("sh").args(["-c", script])).unwrap();
        assert_eq!(tally, Tally { passed: 2, failed: 1 });
        assert!(!tally.is_good());
    }

    #[test]
    fn nothing_run_is_not_good() {
        assert!(!Tally::default().is_good());
    }
}
