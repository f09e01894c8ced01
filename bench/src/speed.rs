//! `cargo xtask bench speed`: requests in a second, processor time, context switches and latencies,
//! of all servers in one run.

mod calls;
mod clients;
mod connection;
mod connections;
mod contender;
mod cost;
mod failure;
mod groups;
mod latencies;
mod latency;
mod line;
mod reply;
mod rounds;
mod runner;
mod schedule;
mod shapes;
mod targets;
mod workload;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clap::{Args, ValueEnum};

use self::contender::Contender;
use self::rounds::{Effort, Runners};
use self::schedule::Pace;
use self::workload::Workload;
use crate::machine;
use crate::report::{self, Findings};
use crate::workdir::Workdir;

#[derive(Args)]
pub(crate) struct Options {
    /// Only these scenarios.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Scenario>,
    /// Fewer and shorter rounds: less than five minutes.
    #[arg(long)]
    quick: bool,
    /// Only Dormouse and mod_wsgi's daemon mode; targets that others are part of are missed.
    #[arg(long)]
    ours: bool,
    /// Rounds of each workload (7; 3 with --quick).
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: Option<u16>,
    /// Seconds of each server in a round (2; 0.4 with --quick).
    #[arg(long)]
    seconds: Option<f64>,
}

/// A part of the measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Scenario {
    Hello,
    Ten,
    Pieces,
    Echo,
    Upload,
    Django,
    File,
    Alone,
    /// Latencies at fixed rates.
    Latency,
    /// 256 connections.
    Connections,
    /// Numbers of processes and threads.
    Shapes,
    /// Numbers of groups and aliases.
    Groups,
    /// System calls of a request.
    Calls,
}

impl Scenario {
    fn workload(self) -> Option<Workload> {
        Some(match self {
            Self::Hello => workload::HELLO,
            Self::Ten => workload::TEN,
            Self::Pieces => workload::PIECES,
            Self::Echo => workload::ECHO,
            Self::Upload => workload::UPLOAD,
            Self::Django => workload::DJANGO,
            Self::File => workload::FILE,
            Self::Alone => workload::ALONE,
            _ => return None,
        })
    }

    fn title(self) -> &'static str {
        match self {
            Self::Latency => "Latency at fixed rates",
            Self::Connections => "256 connections",
            Self::Shapes => "Processes and threads",
            Self::Groups => "Groups and aliases",
            Self::Calls => "System calls of a hello",
            _ => self.workload().map_or("", |workload| workload.name),
        }
    }
}

/// The facts that every scenario needs.
struct Bench {
    workdir: Workdir,
    contenders: Vec<Contender>,
    effort: Effort,
}

/// Prints everything; success means that each target of the scenarios that ran was reached.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    println!("# Speed\n\n{}{}", machine::describe()?, machine::packages()?);
    let (rounds, seconds) = if options.quick { (3, 0.4) } else { (7, 2.0) };
    let length = Duration::try_from_secs_f64(options.seconds.unwrap_or(seconds));
    let length = length.context("--seconds")?;
    ensure!(!length.is_zero(), "--seconds is to be more than nothing");
    let effort =
        Effort { rounds: options.rounds.map_or(rounds, usize::from), length, quick: options.quick };
    println!(
        "Ratios to mod_wsgi's daemon mode: the median of {} rounds of {:.1} s, and the least and \
         the most of them. 4 processes of 4 threads, 2 children of httpd, 16 connections.\n",
        effort.rounds,
        effort.length.as_secs_f64()
    );
    let workdir = Workdir::make()?;
    std::fs::write(workdir.path().join("file"), vec![b'f'; 8 << 20])?;
    let contenders = Contender::ALL.into_iter().filter(|one| !options.ours || one.is_ours());
    let bench = Bench { workdir, contenders: contenders.collect(), effort };
    let mut verdicts = Vec::new();
    for &scenario in Scenario::value_variants() {
        if !options.only.is_empty() && !options.only.contains(&scenario) {
            continue;
        }
        eprintln!("-> {}", scenario.title());
        let findings = bench.measure(scenario)?;
        println!("## {}\n\n{}", scenario.title(), findings.text);
        if !findings.verdicts.is_empty() {
            println!("{}", report::verdicts(&findings.verdicts));
        }
        verdicts.extend(findings.verdicts);
    }
    Ok(report::conclude(&verdicts))
}

impl Bench {
    fn measure(&self, scenario: Scenario) -> Result<Findings> {
        match scenario {
            Scenario::Latency => latency::run(self),
            Scenario::Connections => connections::run(self),
            Scenario::Shapes => shapes::run(self),
            Scenario::Groups => groups::run(self),
            Scenario::Calls => calls::run(self),
            _ => self.closed(scenario.workload().context("a scenario without requests")?),
        }
    }

    /// Closed loops of a workload.
    fn closed(&self, workload: Workload) -> Result<Findings> {
        let mut runners = Runners::start(self, &self.contenders, workload);
        let lines = runners.measure(Pace::Closed, self.effort)?;
        let base = targets::find(&lines, Contender::ModWsgiDaemon);
        let rows: Vec<_> = lines.iter().map(|line| line.cells(base)).collect();
        let text = report::table(&line::HEAD, &rows) + &runners.missing;
        runners.finish()?;
        Ok(Findings { text, verdicts: targets::of(workload, &lines) })
    }
}
