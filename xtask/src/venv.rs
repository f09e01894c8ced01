//! A virtual environment with what `tests/requirements.txt` lists, for a Python, kept until that changes.

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash as _, Hasher as _};
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::pythons::Python;
use crate::{command, project};

/// The environment's directory below `target/venvs`, made or made anew where needed.
pub(crate) fn make(python: &Python) -> Result<PathBuf> {
    let requirements = project::root().join("tests/requirements.txt");
    let pins = fs::read_to_string(&requirements)
        .with_context(|| format!("cannot read {}", requirements.display()))?;
    let venv = project::target().join("venvs").join(name(python));
    // Written last, so half an environment is never taken for a whole one.
    let stamp = venv.join("made-for");
    let made_for = format!("{}\n{pins}", python.binary.display());
    if fs::read_to_string(&stamp).is_ok_and(|text| text == made_for) {
        return Ok(venv);
    }

    let mut make = Command::new(&python.binary);
    command::run(make.args(["-m", "venv", "--clear"]).arg(&venv))?;
    let mut install = Command::new(venv.join("bin/python"));
    install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]);
    command::run(install.arg("--requirement").arg(&requirements))?;
    fs::write(&stamp, made_for).with_context(|| format!("cannot write {}", stamp.display()))?;
    Ok(venv)
}

/// Readable, and different for two installations of the same version.
fn name(python: &Python) -> String {
    let mut hasher = DefaultHasher::new();
    python.binary.hash(&mut hasher);
    format!("{}-{:08x}", python.version, hasher.finish() & 0xffff_ffff)
}
