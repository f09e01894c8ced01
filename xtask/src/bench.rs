//! `cargo xtask bench`: builds and installs what is compared, and runs the program `bench`.
//!
//! Everything is built as users get it. The figures, the rows and the contenders are the program's.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};

use crate::pythons::{self, Python};
use crate::reach::Reach;
use crate::{command, debian, dist, project, venv};

#[derive(Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Memory of Dormouse, mod_wsgi, gunicorn, uWSGI and plain httpd; fails if a target is missed.
    Memory(Memory),
}

#[derive(Args)]
struct Memory {
    /// The Python of all contenders, a path or a version (3.13, else the system's).
    #[arg(long)]
    python: Option<String>,
    /// Only these rows: apache, hello, django, django16, library, embedded, sites, replacement, restarts.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Requests for each figure that is taken under load (2000).
    #[arg(long)]
    requests: Option<u32>,
    /// Graceful restarts of the row restarts (300).
    #[arg(long)]
    restarts: Option<u32>,
    /// Only Dormouse and a plain httpd; targets that others are part of are missed.
    #[arg(long)]
    ours: bool,
    /// Show where the memory is after the load: PSS and private bytes of each mapping.
    #[arg(long)]
    mappings: bool,
}

/// The Python that the targets are meant for.
const USUAL: &str = "3.13";

/// Gives the program's own end: failure where a target was missed.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let What::Memory(memory) = &options.what;
    debian::install(debian::BUILD.iter().chain(debian::RUN).chain(debian::BENCH))?;
    let (pythons, _) = pythons::find()?;
    let python = choose(&pythons, memory.python.as_deref())?;
    let folder = dist::build(&[])?;
    let program = program()?;
    let venv = venv::make(&python, &venv::BENCH)?;

    let prefix = pythons::prefix(&python.binary)?;
    let reach = Reach::of([project::root(), &folder, &venv, &program, prefix]);
    reach.check()?;
    let mut command = reach.around(&program)?;
    command
        .arg("memory")
        .env("DORMOUSE_DIST", &folder)
        .env("DORMOUSE_PYTHON", &python.binary)
        .env("DORMOUSE_VENV", &venv)
        .env("DORMOUSE_MPM", "event");
    if !memory.only.is_empty() {
        command.arg("--only").arg(memory.only.join(","));
    }
    for (name, value) in [("--requests", memory.requests), ("--restarts", memory.restarts)] {
        if let Some(value) = value {
            command.arg(name).arg(value.to_string());
        }
    }
    for (name, wanted) in [("--ours", memory.ours), ("--mappings", memory.mappings)] {
        command.args(wanted.then_some(name));
    }
    eprintln!("→ {}", command::line(&command));
    let status = command.status().with_context(|| format!("cannot run {}", program.display()))?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn choose(pythons: &[Python], word: Option<&str>) -> Result<Python> {
    let usual = || pythons::choose(pythons, &[USUAL.to_owned()]).unwrap_or_default();
    let chosen = match word {
        Some(word) => pythons::choose(pythons, &[word.to_owned()])?,
        None => usual(),
    };
    let python = chosen.first().or(pythons.first()).context("there is no Python")?;
    if !python.embeddable {
        bail!(
            "{} has no libpython, which mod_wsgi and embedded mode need",
            python.binary.display()
        );
    }
    Ok(python.clone())
}

fn program() -> Result<PathBuf> {
    let mut build = command::cargo("build");
    command::run(build.args(["--profile", dist::PROFILE, "--package", "bench"]))?;
    Ok(project::target().join(dist::PROFILE).join("bench"))
}
