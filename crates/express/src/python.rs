//! Which Python: the directory for `python-home=`.
//!
//! Found by looking at files only. A Python is never run here, since this program may be root and
//! the Python another user's.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

const SYSTEM: &str = "/usr/bin/python3";

/// The home of the given binary or environment, else of the active environment, else of the system.
pub(crate) fn home(given: Option<&Path>, environment: Option<PathBuf>) -> Result<PathBuf> {
    match (given, environment) {
        (Some(given), _) => home_of(given).with_context(|| format!("--python {}", given.display())),
        (None, Some(active)) => {
            home_of(&active).with_context(|| format!("VIRTUAL_ENV={}", active.display()))
        }
        (None, None) => home_of(Path::new(SYSTEM))
            .context("the system has no Python: install python3, or name one with --python"),
    }
}

fn home_of(path: &Path) -> Result<PathBuf> {
    let path = std::path::absolute(path)?;
    if path.is_dir() {
        let binaries = ["bin/python", "bin/python3"].map(|name| path.join(name));
        if let Some(binary) = binaries.iter().find(|binary| binary.exists()) {
            check(binary)?;
            return Ok(path);
        }
        if let Some(link) = binaries.iter().find(|binary| binary.is_symlink()) {
            let target = link.read_link().unwrap_or_default();
            bail!(
                "the environment is broken: {} points to {}, which is not there",
                link.display(),
                target.display()
            );
        }
        bail!("no bin/python there: give a Python binary or a virtual environment");
    }
    if !path.exists() {
        bail!("no such file or directory");
    }
    check(&path)?;
    let environment = path.ancestors().nth(2);
    if let Some(environment) = environment.filter(|home| home.join("pyvenv.cfg").is_file()) {
        return Ok(environment.to_owned());
    }
    let real = path.canonicalize()?;
    let home =
        real.ancestors().nth(2).filter(|_| real.parent().is_some_and(|d| d.ends_with("bin")));
    home.map(Path::to_owned).context("it is not in a `bin` directory, so its home is unknown")
}

/// A shim (a script that starts some other Python) cannot be used.
fn check(binary: &Path) -> Result<()> {
    let mut magic = [0; 4];
    let read = File::open(binary).and_then(|mut file| file.read_exact(&mut magic));
    if read.is_err() || &magic != b"\x7fELF" {
        bail!("{} is not a program: give the Python itself, not a script", binary.display());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    fn installation() -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for name in ["py/bin", "venv/bin"] {
            fs::create_dir_all(directory.path().join(name)).unwrap();
        }
        fs::write(directory.path().join("py/bin/python3"), b"\x7fELF").unwrap();
        fs::write(directory.path().join("venv/pyvenv.cfg"), "").unwrap();
        symlink(directory.path().join("py/bin/python3"), directory.path().join("venv/bin/python"))
            .unwrap();
        directory
    }

    #[test]
    fn an_environment_is_its_own_home() {
        let root = installation();
        let venv = root.path().join("venv");
        assert_eq!(home(Some(&venv), None).unwrap(), venv);
        assert_eq!(home(Some(&venv.join("bin/python")), None).unwrap(), venv);
        assert_eq!(home(None, Some(venv.clone())).unwrap(), venv);
    }

    #[test]
    fn a_link_leads_to_the_home_of_the_binary() {
        let root = installation();
        let link = root.path().join("link");
        symlink("py/bin/python3", &link).unwrap();
        let expected = root.path().join("py").canonicalize().unwrap();
        assert_eq!(home(Some(&link), None).unwrap(), expected);
    }

    #[test]
    fn what_is_no_python_is_refused_with_the_reason() {
        let root = installation();
        let reason =
            |name: &str| format!("{:#}", home(Some(&root.path().join(name)), None).unwrap_err());
        assert!(reason("none").contains("no such file"), "{}", reason("none"));
        assert!(reason("py/bin").contains("no bin/python there"), "{}", reason("py/bin"));
        fs::write(root.path().join("py/bin/shim"), "#!/bin/sh\n").unwrap();
        assert!(reason("py/bin/shim").contains("not a program"), "{}", reason("py/bin/shim"));
        fs::remove_file(root.path().join("py/bin/python3")).unwrap();
        assert!(reason("venv").contains("broken"), "{}", reason("venv"));
    }
}
