//! `cargo xtask bench reliability`: the outcome of requests while a server restarts, loses
//! processes, or has slow clients, dead groups and slow Pythons.
//!
//! Every answer is looked at. The behaviour of a plain httpd in the same situation is measured in
//! the same run, since it loses requests as well: those of a child that is killed, for example.

mod dead;
mod faults;
mod generations;
mod pause;
mod slow;
mod supervisor;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::{Args, ValueEnum};
use testkit::{Httpd, Mpm, Setup};

use crate::machine;
use crate::report::{self, Findings, Verdict};

#[derive(Args)]
pub(crate) struct Options {
    /// Only these scenarios.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Scenario>,
    /// Fewer of everything, for a glance of less than three minutes.
    #[arg(long)]
    quick: bool,
}

/// A question and its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Scenario {
    /// Restarts, changes of the script, kills of each kind.
    Faults,
    /// How long nothing is answered while httpd restarts with slow and hanging Pythons.
    Pause,
    /// Static files while a group is dead.
    Dead,
    /// Other requests beside slow uploads and slow readers.
    Slow,
    /// Memory of generations that slow downloads keep.
    Generations,
    /// `wsgid` killed twice in a row.
    Supervisor,
}

impl Scenario {
    const ALL: [Self; 6] =
        [Self::Faults, Self::Pause, Self::Dead, Self::Slow, Self::Generations, Self::Supervisor];

    /// For people.
    fn title(self) -> &'static str {
        match self {
            Self::Faults => "Restarts, changes and kills under load",
            Self::Pause => "A graceful restart with 20 slow Pythons and one that hangs",
            Self::Dead => "A static file beside a dead group",
            Self::Slow => "60 slow uploads and 60 slow readers",
            Self::Generations => "Five graceful restarts with five slow downloads",
            Self::Supervisor => "`wsgid` killed twice within 5 seconds",
        }
    }

    fn run(self, amount: &Amount) -> Result<Findings> {
        match self {
            Self::Faults => Ok(faults::run(amount)),
            Self::Pause => pause::run(amount),
            Self::Dead => dead::run(amount),
            Self::Slow => slow::run(amount),
            Self::Generations => generations::run(),
            Self::Supervisor => supervisor::run(amount),
        }
    }
}

/// How much of everything.
#[derive(Clone, Copy, Debug)]
struct Amount {
    /// Graceful restarts, and changes of the script.
    restarts: u32,
    /// Kills of each kind.
    kills: u32,
    /// Repetitions of what is repeated for a better figure.
    rounds: u32,
    /// How long a load lasts of which times are taken.
    load: Duration,
}

impl Amount {
    const FULL: Self = Self { restarts: 100, kills: 30, rounds: 5, load: Duration::from_secs(10) };
    const QUICK: Self = Self { restarts: 10, kills: 4, rounds: 2, load: Duration::from_secs(3) };
}

/// Prints everything; success means that each target of the scenarios that ran was reached.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    println!("# Reliability\n\n{}", machine::describe()?);
    let amount = if options.quick { Amount::QUICK } else { Amount::FULL };
    let mut verdicts = Vec::new();
    for scenario in Scenario::ALL {
        if !options.only.is_empty() && !options.only.contains(&scenario) {
            continue;
        }
        eprintln!("→ {}", scenario.title());
        let findings = measured(scenario, &amount);
        println!("## {}\n\n{}", scenario.title(), findings.text);
        println!("{}", report::verdicts(&findings.verdicts));
        verdicts.extend(findings.verdicts);
    }
    Ok(report::conclude(&verdicts))
}

/// A server that fails makes `testkit` panic: that is the end of its scenario, and a target missed.
fn measured(scenario: Scenario, amount: &Amount) -> Findings {
    let outcome = catch_unwind(AssertUnwindSafe(|| scenario.run(amount)));
    let reason = match outcome {
        Ok(Ok(findings)) => return findings,
        Ok(Err(error)) => format!("{error:#}"),
        Err(_) => "the server failed, see above".to_owned(),
    };
    Findings {
        text: format!("Not measured: {reason}\n"),
        verdicts: vec![Verdict::at_most(scenario.title(), 0.0, "", None)],
    }
}

/// An httpd with a static file, and the log lines that every one may have: a measurement judges
/// figures.
fn server(name: &str) -> Setup {
    Httpd::new(name).mpm(Mpm::Event).conf("LogLevel notice").file(STATIC.0, STATIC.1).allow_log("")
}

/// The file and its content.
const STATIC: (&str, &str) = ("htdocs/static.txt", "A file that does not change.\n");

/// Where it is.
const STATIC_TARGET: &str = "/static.txt";

/// Seconds for a table, as milliseconds.
fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// The middle one.
fn middle(mut figures: Vec<f64>) -> Option<f64> {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied()
}
