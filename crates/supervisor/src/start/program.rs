//! Which program is the Python of a process group, and where the pieces of Dormouse are.

use std::path::{Path, PathBuf};

/// Where the system's own Python is looked for, in this order. The search path of the user who
/// started httpd plays no part: it differs between a terminal and a service manager.
const SYSTEM: [&str; 2] = ["/usr/bin/python3", "/usr/local/bin/python3"];

/// Why there is no Python to run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ProgramError {
    #[error("{0:?} does not exist; name a virtual environment or a Python installation")]
    HomeMissing(PathBuf),
    #[error("{0:?} lies in an environment or installation, and {1:?} is its directory; write that")]
    Inside(PathBuf, PathBuf),
    #[error(
        "{0:?} is not a directory; name a virtual environment or a Python installation (what \
         sys.prefix says)"
    )]
    NotADirectory(PathBuf),
    #[error(
        "{0:?} is not a Python: it has neither bin/python nor bin/python3; name a virtual \
         environment or a Python installation (what sys.prefix says)"
    )]
    NotAHome(PathBuf),
    #[error(
        "there is no python3 on this system ({}); install it, or name one in python-home=",
        SYSTEM.join(", ")
    )]
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
    let program = |home: &Path| PROGRAMS.iter().map(|name| home.join(name)).find(exists);
    let found = below(root, home);
    if let Some(program) = program(home).filter(|_| found.is_dir()) {
        return Ok(program);
    }
    // A slip: the program itself, or the directory that it lies in.
    let above = home.ancestors().find(|one| one.ends_with("bin")).and_then(Path::parent);
    if let Some(above) = above.filter(|above| found.exists() && program(above).is_some()) {
        return Err(ProgramError::Inside(home.to_owned(), above.to_owned()));
    }
    let home = home.to_owned();
    Err(if found.is_dir() {
        ProgramError::NotAHome(home)
    } else if found.exists() {
        ProgramError::NotADirectory(home)
    } else {
        ProgramError::HomeMissing(home)
    })
}

/// The programs of which the first that is there is the one, as [`python`] finds it: for a process
/// that looks for itself, because `home` may lie in a file system that does not answer.
pub(crate) fn candidates(home: Option<&Path>) -> Vec<PathBuf> {
    match home {
        Some(home) => PROGRAMS.iter().map(|name| home.join(name)).collect(),
        None => SYSTEM.iter().map(PathBuf::from).collect(),
    }
}

/// The names of the program below a home.
const PROGRAMS: [&str; 2] = ["bin/python", "bin/python3"];

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
        let file = Path::new("/etc/passwd");
        assert_eq!(python(Some(file), None), Err(ProgramError::NotADirectory(file.into())));
        for inside in ["/usr/bin/python3", "/usr/bin"] {
            let error = ProgramError::Inside(inside.into(), "/usr".into());
            assert_eq!(python(Some(Path::new(inside)), None), Err(error));
        }
    }
}
