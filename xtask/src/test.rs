//! `cargo xtask test`: unit tests, a glance at each fuzz target, then the integration tests under
//! each MPM and each Python.
//!
//! Everything is built before the first test runs. The last lines are the slowest tests and the sum
//! over all runs.

mod plan;

use std::env;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;

use anyhow::{Context, Result};
use clap::Args;
use serde_json::Value;

use crate::debian_root::Suite;
use crate::mount_namespace::MountNamespace;
use crate::pythons::{self, Python};
use crate::tally::{self, Tally};
use crate::{command, debian, dist, fuzz, project, times, venv};

pub(crate) use plan::Options;
use plan::{LONG, Mpm, Run, plan, title};

/// Prints the sum; fails if a test failed, a run could not be made, or nothing ran.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    if let Some(suite) = options.root {
        return run_in_root(suite, options);
    }
    debian::install(debian::BUILD.iter().chain(debian::RUN).chain(debian::TEST))?;
    let (pythons, mut notes) = pythons::find()?;
    introduce(&pythons, &notes);
    let runs = plan(options, &pythons)?;
    let mut arguments = options.filter.clone();
    if options.quick {
        arguments.extend(LONG.iter().flat_map(|module| ["--skip".into(), format!("{module}::")]));
        notes.push(format!(
            "left out by --quick: the modules {} of the integration tests, the other MPMs and \
             Pythons, and what the fuzz targets do beyond their seeds",
            LONG.join(", ")
        ));
    }

    let folder = dist::build(&["panic-hook".to_owned()])?;
    let mut sum = Tally::default();
    let mut summary = Vec::new();
    if options.mpm.is_empty() && options.python.is_empty() {
        let tally = unit_tests(&options.filter)?;
        summary.push(format!("{UNIT_TESTS}: {tally}"));
        sum += tally;
        if !options.quick {
            let tally = fuzz::glance(&options.filter)?;
            summary.push(format!("fuzz targets: {tally}"));
            sum += tally;
        }
    }
    let program = test_program()?;
    let filter = &options.filter;
    sum += integration_runs(&runs, &pythons, &program, &folder, &arguments, filter, &mut summary);
    summary.extend(notes);
    Ok(report(&sum, &summary, filter))
}

/// The integration tests in another root directory.
fn run_in_root(suite: Suite, options: &Options) -> Result<ExitCode> {
    debian::install(debian::BUILD.iter().chain(debian::RUN).chain(debian::TEST))?;
    let folder = dist::build(&["panic-hook".to_owned()])?;
    let program = test_program()?;
    suite.make()?;
    let mut command = suite.around(&env::current_exe().context("where is this program?")?)?;
    command.arg("test-built").arg("--folder").arg(folder).arg("--program").arg(program);
    for mpm in &options.mpm {
        command.args(["--mpm", mpm.name()]);
    }
    for python in &options.python {
        command.args(["--python", python]);
    }
    command.args(&options.filter);
    let status = command.status().context("cannot run unshare (Debian package util-linux)")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What was built elsewhere, and is tested in another root directory.
#[derive(Args)]
pub(crate) struct Built {
    #[arg(long)]
    folder: PathBuf,
    #[arg(long)]
    program: PathBuf,
    #[arg(long, value_enum)]
    mpm: Vec<Mpm>,
    #[arg(long)]
    python: Vec<String>,
    filter: Vec<String>,
}

/// Leaves out what asks cargo, which runs outside alone.
const OUTSIDE: [&str; 2] = ["--skip", "architecture::"];

/// As [`run`], but the integration tests alone, and each Python with the event MPM, unless the
/// caller chooses.
pub(crate) fn run_built(built: &Built) -> Result<ExitCode> {
    let (pythons, mut notes) = pythons::find()?;
    introduce(&pythons, &notes);
    let chosen = match built.python.as_slice() {
        [] => pythons.clone(),
        words => pythons::choose(&pythons, words)?,
    };
    let mpms = if built.mpm.is_empty() { &[Mpm::Event][..] } else { &built.mpm };
    let runs = plan::pairs(&chosen, mpms);
    let mut summary = Vec::new();
    let Built { folder, program, filter, .. } = built;
    let arguments: Vec<String> =
        filter.iter().map(String::as_str).chain(OUTSIDE).map(ToOwned::to_owned).collect();
    let sum = integration_runs(&runs, &pythons, program, folder, &arguments, filter, &mut summary);
    summary.append(&mut notes);
    summary.push("left out: what asks cargo, which this root does not have".to_owned());
    Ok(report(&sum, &summary, &built.filter))
}

/// All runs; a line about each goes to the summary.
fn integration_runs(
    runs: &[Run],
    pythons: &[Python],
    program: &Path,
    folder: &Path,
    arguments: &[String],
    filter: &[String],
    summary: &mut Vec<String>,
) -> Tally {
    let mut sum = Tally::default();
    for run in runs {
        let tally = integration(run, pythons, program, folder, arguments);
        let tally = tally.unwrap_or_else(|error| {
            eprintln!("error: {error:#}");
            summary.push(format!("could not be run: {error:#}"));
            Tally { failed: 1, ..Tally::default() }
        });
        let mut line = format!("{}: {tally}", title(run));
        if tally == Tally::default() && filter.is_empty() {
            line.push_str(" (nothing ran, counted as failed)");
            sum.failed += 1;
        }
        summary.push(line);
        sum += tally;
    }
    sum
}

fn report(sum: &Tally, summary: &[String], filter: &[String]) -> ExitCode {
    println!();
    for line in sum.times.slowest().iter().chain(summary) {
        println!("{line}");
    }
    if *sum == Tally::default() {
        println!("no test has a name with {}", filter.join(" or "));
    }
    println!("{sum}");
    if sum.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs the tests of this name that are left out otherwise, with the system's Python and the event
/// MPM.
pub(crate) fn ignored(name: &str) -> Result<Tally> {
    let (pythons, _) = pythons::find()?;
    let folder = dist::build(&["panic-hook".to_owned()])?;
    let program = test_program()?;
    let run =
        Run { python: pythons.first().context("there is no Python")?.clone(), mpm: Mpm::Event };
    integration(&run, &pythons, &program, &folder, &[name.to_owned(), "--ignored".to_owned()])
}

fn introduce(pythons: &[Python], notes: &[String]) {
    for python in pythons {
        let remark = if python.embeddable { "" } else { " (no libpython: daemon mode only)" };
        println!("Python {} {}{remark}", python.version, python.binary.display());
    }
    for note in notes {
        println!("{note}");
    }
}

fn unit_tests(filter: &[String]) -> Result<Tally> {
    const WORKSPACE: [&str; 4] = ["--workspace", "--exclude", "integration", "--no-fail-fast"];
    let mut test = command::cargo("test");
    test.args(WORKSPACE).args(["--lib", "--bins", "--tests", "--examples"]);
    // Not set for cargo itself, for which it would be a reason to build everything anew.
    let (variable, value) = times::VARIABLE;
    let runner = format!("target.'cfg(all())'.runner = ['env', '{variable}={value}']");
    test.args(["--config", &runner, "--"]).args(times::ARGUMENTS).args(filter);
    let mut sum = tally::run(&mut test, UNIT_TESTS)?;
    // rustdoc runs these, and reports no times.
    let mut examples = command::cargo("test");
    examples.args(WORKSPACE).args(["--doc", "--"]).args(filter);
    sum += tally::run(&mut examples, UNIT_TESTS)?;
    // A workspace of its own; its tests run the seeds.
    let mut seeds = command::cargo("test");
    seeds.args(["--manifest-path", fuzz::MANIFEST, "--"]).args(filter);
    sum += tally::run(&mut seeds, UNIT_TESTS)?;
    Ok(sum)
}

/// The name of their run.
const UNIT_TESTS: &str = "unit tests";

/// Builds the integration tests and gives the path of their program.
fn test_program() -> Result<PathBuf> {
    let mut build = command::cargo("test");
    build.args(["--package", "integration", "--test", "http", "--no-run"]);
    build.arg("--message-format=json-render-diagnostics");
    eprintln!("→ {}", command::line(&build));
    let messages = command::output(&mut build)?;
    let executable = |line: &str| {
        let message: Value = serde_json::from_str(line).ok()?;
        let is_test = message.pointer("/target/name")?.as_str()? == "http";
        let path = message.get("executable")?.as_str()?;
        is_test.then(|| PathBuf::from(path))
    };
    messages.lines().find_map(executable).context("cargo did not say where the tests are")
}

fn integration(
    run: &Run,
    pythons: &[Python],
    program: &Path,
    folder: &Path,
    arguments: &[String],
) -> Result<Tally> {
    let title = title(run);
    println!("\n{title}");
    let venv = venv::make(&run.python, &venv::TESTS)?;
    let prefixes = prefixes(pythons)?;
    let python = venv::program(&run.python)?;
    let needed = [project::root(), folder, &venv, program, &python];
    let others = prefixes.iter().map(|(_, prefix)| prefix.as_path());
    let namespace = MountNamespace::of(needed.into_iter().chain(others));
    namespace
        .check()
        .with_context(|| format!("{} is out of reach", run.python.binary.display()))?;
    let mut command = namespace.around(program)?;
    command
        .args(arguments)
        .args(times::ARGUMENTS)
        .env(times::VARIABLE.0, times::VARIABLE.1)
        .current_dir(project::root().join("tests"))
        .env("DORMOUSE_DIST", folder)
        .env("DORMOUSE_PYTHON", &python)
        .env("DORMOUSE_PYTHONS", list(&prefixes))
        .env("DORMOUSE_VENV", &venv)
        .env("DORMOUSE_MPM", run.mpm.name());
    if env::var_os(THREADS).is_none() {
        command.env(THREADS, (THREADS_PER_CORE * cores()).to_string());
    }
    if !run.python.embeddable {
        command.args(["--skip", "::embedded"]);
    }
    tally::run(&mut command, &title)
}

/// The variable by which libtest is told how many tests run at a time.
const THREADS: &str = "RUST_TEST_THREADS";

/// Integration tests mostly wait: for processes that start and end, and for limits that run out.
/// With one for each core, half of the processors' time is unused; with six, starts take so long
/// that limits are missed.
const THREADS_PER_CORE: usize = 3;

fn cores() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get)
}

/// Version and prefix of each Python.
fn prefixes(pythons: &[Python]) -> Result<Vec<(&str, PathBuf)>> {
    let mut prefixes = Vec::new();
    for python in pythons {
        let prefix = pythons::prefix(&venv::program(python)?)?.to_owned();
        prefixes.push((python.version.as_str(), prefix));
    }
    Ok(prefixes)
}

/// The same as the value of a variable.
fn list(prefixes: &[(&str, PathBuf)]) -> String {
    let entries =
        prefixes.iter().map(|(version, prefix)| format!("{version}={}", prefix.display()));
    entries.collect::<Vec<_>>().join(":")
}
