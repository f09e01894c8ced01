//! `cargo xtask bench`: builds and installs what is compared, and runs the program `bench`.
//!
//! Everything is built as users get it. The figures, the scenarios and the servers are the
//! program's.

use std::env;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};

use crate::debian_root::Suite;
use crate::mount_namespace::MountNamespace;
use crate::pythons::{self, Python};
use crate::venv::Purpose;
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
    /// The outcome of requests in restarts, kills and shortages, beside a plain httpd; fails if a
    /// target is missed.
    Reliability(Reliability),
    /// The resources that many requests leave behind in each process; fails if something grows.
    Leaks(Leaks),
    /// Speed of Dormouse, mod_wsgi, uWSGI, granian and plain httpd; fails if a target is missed.
    Speed(Speed),
}

#[derive(Args)]
struct Memory {
    /// The Python of all servers, a path or a version (3.13, else the system's).
    #[arg(long)]
    python: Option<String>,
    /// Only these scenarios: apache, hello, django, django16, library, embedded, sites,
    /// replacement, restarts.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Requests for each figure that is taken under load (2000).
    #[arg(long)]
    requests: Option<u32>,
    /// Graceful restarts of the scenario restarts (300).
    #[arg(long)]
    restarts: Option<u32>,
    /// Only Dormouse and a plain httpd; targets that others are part of are missed.
    #[arg(long)]
    ours: bool,
    /// Show where the memory is after the load: PSS and private bytes of each mapping.
    #[arg(long)]
    mappings: bool,
    /// With a Python of another Debian, in a root directory below `target/roots` that is made with
    /// debootstrap; for root only.
    #[arg(long, value_enum, requires = "ours")]
    root: Option<Suite>,
}

#[derive(Args)]
struct Reliability {
    /// The Python of the groups, a path or a version (3.13, else the system's).
    #[arg(long)]
    python: Option<String>,
    /// Only these scenarios: faults, pause, dead, slow, generations, supervisor.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Fewer of everything: less than three minutes.
    #[arg(long)]
    quick: bool,
}

#[derive(Args)]
struct Leaks {
    /// The Python of the groups, a path or a version (3.13, else the system's).
    #[arg(long)]
    python: Option<String>,
    /// Only these kinds of requests: plain, files, exceptions, aborted, uploads, reloads, hooks.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Only these places of the application: embedded, daemon, template.
    #[arg(long, value_delimiter = ',')]
    place: Vec<String>,
    /// Requests of each scenario (100000), after five thousand to warm up.
    #[arg(long)]
    requests: Option<u32>,
}

#[derive(Args)]
struct Speed {
    /// The Python of all servers, a path or a version (3.13, else the system's).
    #[arg(long)]
    python: Option<String>,
    /// Only these scenarios: hello, ten, pieces, echo, upload, django, file, alone, latency,
    /// connections, shapes, groups, calls.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Fewer and shorter rounds: less than five minutes.
    #[arg(long)]
    quick: bool,
    /// Only Dormouse and mod_wsgi's daemon mode; targets that others are part of are missed.
    #[arg(long)]
    ours: bool,
    /// Rounds of each workload (7; 3 with --quick).
    #[arg(long)]
    rounds: Option<u32>,
    /// Seconds of each server in a round (2; 0.4 with --quick).
    #[arg(long)]
    seconds: Option<f64>,
}

/// The Python that the targets are meant for.
const USUAL: &str = "3.13";

/// Gives the program's own end: failure where a target was missed.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    match &options.what {
        What::Memory(memory) => match memory.root {
            Some(suite) => measure_in_root(suite, memory.python.as_deref(), memory.arguments()),
            None => measure(memory.python.as_deref(), Some(&venv::BENCH), memory.arguments()),
        },
        What::Reliability(reliability) => {
            measure(reliability.python.as_deref(), None, reliability.arguments())
        }
        What::Leaks(leaks) => measure(leaks.python.as_deref(), None, leaks.arguments()),
        What::Speed(speed) => {
            measure(speed.python.as_deref(), Some(&venv::BENCH), speed.arguments())
        }
    }
}

impl Memory {
    fn arguments(&self) -> Vec<String> {
        let mut words = vec!["memory".to_owned()];
        words.extend(list("--only", &self.only));
        words.extend(number("--requests", self.requests));
        words.extend(number("--restarts", self.restarts));
        for (name, wanted) in [("--ours", self.ours), ("--mappings", self.mappings)] {
            words.extend(wanted.then(|| name.to_owned()));
        }
        words
    }
}

impl Reliability {
    fn arguments(&self) -> Vec<String> {
        let mut words = vec!["reliability".to_owned()];
        words.extend(list("--only", &self.only));
        words.extend(self.quick.then(|| "--quick".to_owned()));
        words
    }
}

impl Leaks {
    fn arguments(&self) -> Vec<String> {
        let mut words = vec!["leaks".to_owned()];
        words.extend(list("--only", &self.only));
        words.extend(list("--place", &self.place));
        words.extend(number("--requests", self.requests));
        words
    }
}

impl Speed {
    fn arguments(&self) -> Vec<String> {
        let mut words = vec!["speed".to_owned()];
        words.extend(list("--only", &self.only));
        words.extend(number("--rounds", self.rounds));
        for (name, wanted) in [("--quick", self.quick), ("--ours", self.ours)] {
            words.extend(wanted.then(|| name.to_owned()));
        }
        words.extend(number("--seconds", self.seconds));
        words
    }
}

/// The option and its values; nothing without any.
fn list(option: &str, values: &[String]) -> Vec<String> {
    if values.is_empty() { Vec::new() } else { vec![option.to_owned(), values.join(",")] }
}

/// The option and its value; nothing without one.
fn number(option: &str, value: Option<impl ToString>) -> Vec<String> {
    value.map_or_else(Vec::new, |value| vec![option.to_owned(), value.to_string()])
}

/// Runs the program with the arguments. The servers are installed for a measurement that has
/// any.
fn measure(
    python: Option<&str>,
    servers: Option<&Purpose>,
    arguments: Vec<String>,
) -> Result<ExitCode> {
    debian::install(debian::BUILD.iter().chain(debian::RUN).chain(debian::BENCH))?;
    let built = Built {
        folder: dist::build(&[])?,
        program: program()?,
        python: python.map(ToOwned::to_owned),
        arguments,
    };
    start(&built, servers)
}

/// The same in another root directory, where there are no servers but Dormouse and httpd.
fn measure_in_root(suite: Suite, python: Option<&str>, arguments: Vec<String>) -> Result<ExitCode> {
    debian::install(debian::BUILD.iter().chain(debian::RUN))?;
    let (folder, program) = (dist::build(&[])?, program()?);
    suite.make()?;
    let mut command = suite.around(&env::current_exe().context("where is this program?")?)?;
    command.arg("bench-built").arg("--folder").arg(folder).arg("--program").arg(program);
    if let Some(python) = python {
        command.args(["--python", python]);
    }
    let status = command.arg("--").args(arguments).status();
    let status = status.context("cannot run unshare (Debian package util-linux)")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What was built, and what is measured with it.
#[derive(Args)]
pub(crate) struct Built {
    #[arg(long)]
    folder: PathBuf,
    #[arg(long)]
    program: PathBuf,
    #[arg(long)]
    python: Option<String>,
    #[arg(last = true)]
    arguments: Vec<String>,
}

/// Measures what was built elsewhere, in this root directory.
pub(crate) fn run_built(built: &Built) -> Result<ExitCode> {
    start(built, Some(&venv::BENCH_OURS))
}

fn start(built: &Built, servers: Option<&Purpose>) -> Result<ExitCode> {
    let (pythons, _) = pythons::find()?;
    let python = choose(&pythons, built.python.as_deref())?;
    let venv = servers.map(|purpose| venv::make(&python, purpose)).transpose()?;
    let Built { folder, program, .. } = built;
    let prefix = pythons::prefix(&python.binary)?;
    let needed = [project::root(), folder, program, prefix];
    let namespace = MountNamespace::of(needed.into_iter().chain(venv.as_deref()));
    namespace.check()?;
    let mut command = namespace.around(program)?;
    command
        .args(&built.arguments)
        .env("DORMOUSE_DIST", folder)
        .env("DORMOUSE_PYTHON", venv::program(&python)?)
        .env("DORMOUSE_MPM", "event");
    if let Some(venv) = venv {
        command.env("DORMOUSE_VENV", venv);
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
