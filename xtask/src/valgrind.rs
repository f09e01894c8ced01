//! `cargo xtask valgrind`: Memcheck over the tests of the crates that touch Python, and over a
//! server.
//!
//! Errors count, leaks do not: CPython keeps much until its process ends.

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Result, ensure};
use serde_json::Value;

use crate::{command, debian, project, test};

/// The crates, each with one program of tests that has its name.
const CRATES: [&str; 2] = ["python", "engine"];

/// The reports that CPython and Valgrind cause by themselves, below the root.
const SUPPRESSIONS: &str = "tests/valgrind.supp";

/// Fails at the first program in which something was found.
pub(crate) fn run() -> Result<ExitCode> {
    let packages = debian::BUILD.iter().chain(debian::RUN).chain(debian::TEST);
    debian::install(packages.chain(debian::VALGRIND))?;
    for program in programs()? {
        let mut valgrind = Command::new("valgrind");
        valgrind.args(["--quiet", "--error-exitcode=99", "--error-limit=no", "--num-callers=40"]);
        valgrind.arg(format!("--suppressions={}", project::root().join(SUPPRESSIONS).display()));
        // Each block of its own, so that Valgrind knows where it ends.
        valgrind.arg(&program).args(["--test-threads", "1"]).env("PYTHONMALLOC", "malloc");
        command::run(&mut valgrind)?;
    }
    let tally = test::ignored("valgrind::")?;
    println!("{tally}");
    Ok(if tally.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Builds the tests of the crates, and gives their programs.
fn programs() -> Result<Vec<PathBuf>> {
    let mut build = command::cargo("test");
    for name in CRATES {
        build.args(["--package", name]);
    }
    build.args(["--no-run", "--message-format=json-render-diagnostics"]);
    eprintln!("→ {}", command::line(&build));
    let messages = command::output(&mut build)?;
    let executable = |line: &str| {
        let message: Value = serde_json::from_str(line).ok()?;
        Some(PathBuf::from(message.get("executable")?.as_str()?))
    };
    let programs: Vec<PathBuf> = messages.lines().filter_map(executable).collect();
    ensure!(programs.len() >= CRATES.len(), "cargo did not say where the tests are");
    Ok(programs)
}
