//! The cost of Dormouse beside others that do the same, and its reliability, in one run: started by
//! `cargo xtask bench`, which builds and installs what is compared.
//!
//! Everything is a real server on loopback, and is gone when the measurement ends. Nothing here is
//! a test: a figure depends on the machine, so figures are compared within a run only.
#![forbid(unsafe_code)]

mod leaks;
mod load;
mod machine;
mod mappings;
mod memory;
mod process_snapshot;
mod program;
mod reliability;
mod report;
mod scenario;
mod server;
mod server_kind;
mod speed;
mod wait;
mod workdir;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Measure Dormouse and other servers.
#[derive(Parser)]
#[command(name = "cargo xtask bench", bin_name = "cargo xtask bench")]
#[command(disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Memory of the whole process tree, and of each kind of process.
    Memory(memory::Options),
    /// The outcome of requests in restarts, kills and shortages.
    Reliability(reliability::Options),
    /// Requests in a second, processor time and latencies, of all servers in one run.
    Speed(speed::Options),
    /// The resources that many requests leave behind in each process.
    Leaks(leaks::Options),
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Memory(options) => memory::run(&options),
        Command::Reliability(options) => reliability::run(&options),
        Command::Leaks(options) => leaks::run(&options),
        Command::Speed(options) => speed::run(&options),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}
