//! Rounds: all servers run at the same time, and are asked in turn, again and again.
//!
//! One that is not asked costs nothing, and what slows the machine down for a while slows all of
//! them, so ratios within a round say more than figures of one server after another.

use std::time::Duration;

use anyhow::{Error, Result};

use super::Bench;
use super::contender::Contender;
use super::line::Line;
use super::runner::Runner;
use super::schedule::Pace;
use super::workload::Workload;

/// How long all is measured.
#[derive(Clone, Copy, Debug)]
pub(super) struct Effort {
    pub(super) rounds: usize,
    pub(super) length: Duration,
    /// Fewer steps where there are many.
    pub(super) quick: bool,
}

/// Servers that run, and a line about each that does not.
#[derive(Debug, Default)]
pub(super) struct Runners {
    pub(super) all: Vec<Runner>,
    pub(super) missing: String,
}

impl Runners {
    /// Starts those that can answer such requests, and warms them up. One that fails does not keep
    /// the others from it.
    pub(super) fn start(bench: &Bench, contenders: &[Contender], workload: Workload) -> Self {
        let mut runners = Self::default();
        for &contender in contenders.iter().filter(|contender| contender.can_serve(workload)) {
            let started = contender.start(&bench.workdir, workload).and_then(|server| {
                Runner::warm_up(contender, server, workload, bench.effort.length)
            });
            match started {
                Ok(runner) => runners.all.push(runner),
                Err(error) => runners.miss(contender, "not measured", &error),
            }
        }
        runners
    }

    /// Tells people everything, and the report the first line of it.
    fn miss(&mut self, contender: Contender, what: &str, error: &Error) {
        eprintln!("  {}: {error:#}", contender.name());
        let reason = format!("{error:#}");
        let reason = reason.lines().next().unwrap_or_default();
        // A line right behind a table would be a row of it.
        let start = if self.missing.is_empty() { "\n- " } else { "- " };
        for part in [start, contender.name(), ": ", what, ": ", reason, "\n"] {
            self.missing += part;
        }
    }

    /// A line for each server, in their order. Each round begins with another one of them.
    pub(super) fn measure(&mut self, pace: Pace, effort: Effort) -> Result<Vec<Line>> {
        let mut lines: Vec<_> = self.all.iter().map(|runner| Line::new(runner.contender)).collect();
        for round in 0..effort.rounds {
            for step in 0..lines.len() {
                let index = (round + step) % lines.len();
                let (traffic, cost) = self.all[index].measure(pace, effort.length)?;
                lines[index].add(&traffic, cost);
            }
        }
        self.look_for_ended();
        Ok(lines)
    }

    /// Names the servers that have ended by themselves meanwhile.
    fn look_for_ended(&mut self) {
        let look = |runner: &mut Runner| Some((runner.contender, runner.server.check().err()?));
        let ended: Vec<_> = self.all.iter_mut().filter_map(look).collect();
        for (contender, error) in ended {
            self.miss(contender, "ended while it was measured", &error);
        }
    }

    /// Ends all of them. An error where one has left something behind.
    pub(super) fn finish(self) -> Result<()> {
        self.all.into_iter().try_for_each(|runner| runner.server.finish())
    }
}
