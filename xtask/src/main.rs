//! `cargo xtask …`: everything that is done with this project, one command each.
//!
//! A command installs what it needs, builds what it uses and says what it does. Nothing here is
//! part of what users run: that is the `dist` folder.
#![forbid(unsafe_code)]

mod bench;
mod check;
mod command;
mod debian;
mod debian_root;
mod dist;
mod fuzz;
mod mount_namespace;
mod pages;
mod project;
mod pythons;
mod serve;
mod tally;
mod test;
mod times;
mod valgrind;
mod venv;
mod width;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Build, run and check Dormouse.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Builds the folder `target/dist`: the module, the engine, the supervisor and the command.
    Dist(dist::Options),
    /// Builds the folder and runs an application at <http://localhost:8000/>.
    Serve(serve::Options),
    /// Runs every test: unit tests, then a real httpd with each MPM and each Python.
    Test(test::Options),
    /// Shows arbitrary bytes to each reader of what a less trusted side has written, for a minute
    /// each.
    Fuzz(fuzz::Options),
    /// Looks for wrong uses of memory with Valgrind: tests of the crates that touch Python, then a
    /// server.
    Valgrind,
    /// Measures Dormouse beside mod_wsgi, gunicorn, uWSGI, granian and plain httpd: memory, speed,
    /// reliability, leaks.
    Bench(bench::Options),
    /// Writes the pages of `docs` that are made from the catalogues in the code.
    Reference,
    /// Format, lints, documentation, spelling, generated pages and licences, as CI checks them.
    Check,
    #[command(hide = true)]
    Within(mount_namespace::Within),
    #[command(hide = true)]
    WithinRoot(debian_root::WithinRoot),
    #[command(hide = true)]
    TestBuilt(test::Built),
    #[command(hide = true)]
    BenchBuilt(bench::Built),
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Dist(options) => dist::run(&options).map(|()| ExitCode::SUCCESS),
        Command::Serve(options) => serve::run(&options),
        Command::Test(options) => test::run(&options),
        Command::Fuzz(options) => fuzz::run(&options).map(|()| ExitCode::SUCCESS),
        Command::Valgrind => valgrind::run(),
        Command::Bench(options) => bench::run(&options),
        Command::Reference => pages::write().map(|()| ExitCode::SUCCESS),
        Command::Check => check::run().map(|()| ExitCode::SUCCESS),
        Command::Within(options) => mount_namespace::within(&options),
        Command::WithinRoot(options) => debian_root::within(&options),
        Command::TestBuilt(options) => test::run_built(&options),
        Command::BenchBuilt(options) => bench::run_built(&options),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}
