//! Counting: runs a test program, shows its output as it comes, and adds up what it reports, with
//! the times of its tests.

use std::io::{BufRead as _, BufReader};
use std::ops::AddAssign;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use crate::command;
use crate::times::Times;

/// Passed and failed tests. A program that ends badly without naming a failed test counts as one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    /// Of the tests of programs that report them.
    pub(crate) times: Times,
}

impl Tally {
    /// Whether anything ran and nothing failed.
    pub(crate) fn is_good(&self) -> bool {
        self.passed > 0 && self.failed == 0
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.times.merge(other.times);
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} passed, {} failed", self.passed, self.failed)
    }
}

/// Runs the program (a test binary or `cargo test`) to its end; `run` names it beside its times.
pub(crate) fn run(command: &mut Command, run: &str) -> Result<Tally> {
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
        tally.times.read(&line, run);
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
    Some(Tally { passed: count("passed")?, failed: count("failed")?, times: Times::default() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::times;

    #[test]
    fn a_result_line_is_read() {
        let line = "test result: FAILED. 12 passed; 3 failed; 1 ignored; 0 measured; \
                    9 filtered out; finished in 0.01s";
        let tally = result(line).unwrap();
        assert_eq!((tally.passed, tally.failed), (12, 3));
        assert_eq!(result("test environ::embedded ... ok"), None);
    }

    #[test]
    fn a_program_that_dies_counts_as_failed() {
        let script = "echo 'test result: ok. 2 passed; 0 failed; 0 ignored'; exit 7";
        let tally = run(Command::new("sh").args(["-c", script]), "").unwrap();
        assert_eq!((tally.passed, tally.failed), (2, 1));
        assert!(!tally.is_good());
    }

    #[test]
    fn a_program_of_this_toolchain_reports_times() {
        // This very program, and a test of it that is quick.
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.arg("tally::tests::nothing_run_is_not_good").args(times::ARGUMENTS);
        command.env(times::VARIABLE.0, times::VARIABLE.1);
        let tally = run(&mut command, "this one").unwrap();
        let [_, line] = &tally.times.slowest()[..] else { panic!("{tally:?}") };
        assert!(line.ends_with("nothing_run_is_not_good (this one)"), "{line}");
    }

    #[test]
    fn nothing_run_is_not_good() {
        assert!(!Tally::default().is_good());
    }
}
