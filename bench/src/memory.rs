//! `cargo xtask bench memory`: scenario after scenario. Only times are taken while several servers
//! run.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use crate::machine;
use crate::report;
use crate::scenario::Scenario;
use crate::workdir::Workdir;

#[derive(Args)]
pub(crate) struct Options {
    /// Only these scenarios.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Scenario>,
    /// Requests for each figure that is taken under load.
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u32).range(1..))]
    requests: u32,
    /// Graceful restarts after the first ten.
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u32).range(1..))]
    restarts: u32,
    /// Only Dormouse and a plain httpd; targets that others are part of are missed.
    #[arg(long)]
    ours: bool,
    /// Where the memory is after the load: PSS and private bytes of each mapping.
    #[arg(long)]
    mappings: bool,
}

/// The facts that every scenario needs.
#[derive(Debug)]
pub(crate) struct Bench {
    pub(crate) workdir: Workdir,
    /// The build that every reply of an application must come from.
    pub(crate) python: String,
    pub(crate) requests: usize,
    pub(crate) restarts: u32,
    /// Whether only Dormouse and a plain httpd are measured.
    pub(crate) ours: bool,
    /// Whether mappings are shown.
    pub(crate) mappings: bool,
}

/// Prints everything; success means that each target of the scenarios that ran was reached.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    println!("# Memory\n\n{}{}", machine::describe()?, machine::packages()?);
    println!("MB are 2²⁰ bytes; PSS of all processes, private bytes in parentheses.\n");
    let bench = Bench {
        workdir: Workdir::make()?,
        python: machine::python_build()?,
        requests: usize::try_from(options.requests)?,
        restarts: options.restarts,
        ours: options.ours,
        mappings: options.mappings,
    };
    let mut verdicts = Vec::new();
    for scenario in Scenario::ALL {
        if !options.only.is_empty() && !options.only.contains(&scenario) {
            continue;
        }
        let findings = scenario.run(&bench);
        println!("## {}\n\n{}", scenario.title(), findings.text);
        println!("{}", report::verdicts(&findings.verdicts));
        verdicts.extend(findings.verdicts);
    }
    Ok(report::conclude(&verdicts))
}
