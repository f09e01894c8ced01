//! Which program is the Python of a process group, and where the pieces of Dormouse are.

use std::path::{Path, PathBuf};

/// Where the system's own Python is looked for, in this order. The search path of whoever started
/// httpd plays no part: it differs between a terminal and a service manager.
const SYSTEM: [&str; 2] = ["/usr/bin/python3", "/usr/local/bin/python3"];

/// Why there is no Python to run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ProgramError {
    #[error("{0} does not exist; name a virtual environment or a Python installation")]
    HomeMissing(PathBuf),
    #[error(
        "{0} is not a Python: it has neither bin/python nor bin/python3; name a virtual environment \
         or a Python installation (what sys.prefix says)"
    )]
    NotAHome(PathBuf),
    #[error("there is no python3 on this system ({}); install it, or name one in python-home=", SYSTEM.join(", "))]
    NoSystemPython,
}

/// `path` as it is reached from outside of the root directory `root`.
pub(crate) fn below(root: Option<&Path>, path: &Path) -> PathBuf {
    match root {
        Some(root) => root.join(path.strip_prefix("/").unwrap_or(path)),
        None => path.to_owned(),
    }
}

/// The program below `home`, or the system's, as it is called inside of the root directory `root`.
pub(crate) fn python(home: Option<&Path>, root: Option<&Path>) -> Result<PathBuf, ProgramError> {
    let exists = |program: &PathBuf| {
        // A link may lead to another place below the root.
        std::fs::symlink_metadata(below(root, program)).is_ok()
    };
    let Some(home) = home else {
        let program = SYSTEM.iter().map(PathBuf::from).find(exists);
        return program.ok_or(ProgramError::NoSystemPython);
    };
    if !below(root, home).is_dir() {
        return Err(ProgramError::HomeMissing(home.to_owned()));
    }
    ["bin/python", "bin/python3"]
        .iter()
        .map(|name| home.join(name))
        .find(exists)
        .ok_or_else(|| ProgramError::NotAHome(home.to_owned()))
}

/// The engine, which lies beside this program.
pub(crate) fn engine() -> std::io::Result<PathBuf> {
    Ok(std::env::current_exe()?.with_file_name("_mod_wsgi.abi3.so"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn homes_without_python_are_told_apart() {
        let missing = Path::new("/no/such/venv");
        assert_eq!(python(Some(missing), None), Err(ProgramError::HomeMissing(missing.into())));
        let proc = Path::new("/proc");
        assert_eq!(python(Some(proc), None), Err(ProgramError::NotAHome(proc.into())));
    }
}
