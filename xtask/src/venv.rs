//! A virtual environment with what a list of requirements names, for a Python, kept until that
//! changes.

use std::collections::hash_map::DefaultHasher;
use std::env;
use std::ffi::OsString;
use std::fs;
use std::hash::{Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::pythons::{self, Python};
use crate::{command, project};

/// The purpose of an environment.
pub(crate) struct Purpose {
    /// The lists of requirements, below the root.
    requirements: &'static [&'static str],
    /// The directory of such environments, below the target directory.
    directory: &'static str,
    /// Whether some of it is compiled. pip would take what it compiled for another build of the
    /// same version of Python for the same thing, so it is told not to keep any.
    compiles: bool,
}

/// The applications of the tests.
pub(crate) const TESTS: Purpose =
    Purpose { requirements: &["tests/requirements.txt"], directory: "venvs", compiles: false };

/// The applications of the measurements.
const APPLICATIONS: &str = "bench/applications.txt";

/// The servers and applications of the measurements.
pub(crate) const BENCH: Purpose = Purpose {
    requirements: &[APPLICATIONS, "bench/requirements.txt"],
    directory: "venvs-bench",
    compiles: true,
};

/// The applications alone, for Dormouse.
pub(crate) const BENCH_OURS: Purpose =
    Purpose { requirements: &[APPLICATIONS], directory: "venvs-bench-ours", compiles: false };

/// The environment's directory, made or made anew where needed.
pub(crate) fn make(python: &Python, purpose: &Purpose) -> Result<PathBuf> {
    let lists: Vec<_> =
        purpose.requirements.iter().map(|list| project::root().join(list)).collect();
    let mut pins = String::new();
    for list in &lists {
        pins +=
            &fs::read_to_string(list).with_context(|| format!("cannot read {}", list.display()))?;
    }
    let venv = project::target().join(purpose.directory).join(name(python));
    // Written last, so half an environment is never taken for a whole one.
    let stamp = venv.join("made-for");
    let made_for = format!("{}\n{pins}", python.binary.display());
    if fs::read_to_string(&stamp).is_ok_and(|text| text == made_for) {
        return Ok(venv);
    }

    let mut make = Command::new(&python.binary);
    command::run(make.args(["-m", "venv", "--clear"]).arg(&venv))?;
    let mut install = Command::new(venv.join("bin/python"));
    install.env("PATH", path(&venv, python)?);
    install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]);
    if purpose.compiles {
        install.arg("--no-cache-dir");
    }
    for list in &lists {
        install.arg("--requirement").arg(list);
    }
    command::run(&mut install)?;
    fs::write(&stamp, made_for).with_context(|| format!("cannot write {}", stamp.display()))?;
    Ok(venv)
}

/// The program of this Python whose prefix is its own, as a value for `python-home=`: several of
/// Debian's share one, where `bin/python3` is a single one of them. Each other one gets an empty
/// environment.
pub(crate) fn program(python: &Python) -> Result<PathBuf> {
    let usual = pythons::prefix(&python.binary)?.join("bin/python3");
    if fs::canonicalize(usual).is_ok_and(|path| path == python.binary) {
        return Ok(python.binary.clone());
    }
    let home = project::target().join("homes").join(name(python));
    let program = home.join("bin/python3");
    if !program.exists() {
        let mut make = Command::new(&python.binary);
        command::run(make.args(["-m", "venv", "--clear", "--without-pip"]).arg(&home))?;
    }
    Ok(program)
}

/// The environment's programs first, then its Python's: what is compiled may ask a `python` or a
/// `python-config` for its flags, and another Python's would link it to another libpython.
fn path(venv: &Path, python: &Python) -> Result<OsString> {
    let own = [venv.join("bin"), pythons::prefix(&python.binary)?.join("bin")];
    let inherited = env::var_os("PATH").unwrap_or_default();
    env::join_paths(own.into_iter().chain(env::split_paths(&inherited))).context("PATH")
}

/// Readable, and different for two installations of the same version.
fn name(python: &Python) -> String {
    let mut hasher = DefaultHasher::new();
    python.binary.hash(&mut hasher);
    format!("{}-{:08x}", python.version, hasher.finish() & 0xffff_ffff)
}
