//! The Pythons of this machine: found, asked what they are, told apart.
//!
//! The system's Python comes first. Only CPython 3.10 and later counts; a free-threaded build is
//! listed as left out, because the engine is one library on the stable ABI.

use std::collections::BTreeSet;
use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::command;

/// A Python to test with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Python {
    /// The real binary, no link and no shim.
    pub(crate) binary: PathBuf,
    pub(crate) version: String,
    /// Whether there is a shared libpython, which embedded mode needs.
    pub(crate) embeddable: bool,
}

impl Python {
    /// The minor version: 13 of 3.13.0.
    fn minor(&self) -> Option<u32> {
        self.version.split('.').nth(1)?.parse().ok()
    }
}

/// Minor versions that a run should not lack without saying so.
const STANDARD: std::ops::RangeInclusive<u32> = 10..=14;

const SYSTEM: &str = "/usr/bin/python3";

/// All Pythons, the system's first, and a line about each thing that people should know.
pub(crate) fn find() -> Result<(Vec<Python>, Vec<String>)> {
    let Some(Answer::Usable(system)) = ask(Path::new(SYSTEM)) else {
        bail!("{SYSTEM} is missing or older than 3.10: the system's Python is always tested");
    };
    let mut pythons = vec![system];
    let mut notes = Vec::new();
    for candidate in candidates() {
        match ask(&candidate) {
            Some(Answer::Usable(python)) => pythons.push(python),
            Some(Answer::FreeThreaded(binary)) => {
                notes.push(format!("left out, free-threaded: {}", binary.display()));
            }
            None => {}
        }
    }
    let mut seen = BTreeSet::new();
    pythons.retain(|python| seen.insert(python.binary.clone()));
    notes.sort();
    notes.dedup();
    notes.extend(lacking(&pythons));
    Ok((pythons, notes))
}

/// Those that the words name, by path or by the start of their version.
pub(crate) fn choose(pythons: &[Python], words: &[String]) -> Result<Vec<Python>> {
    let mut chosen = Vec::new();
    for word in words {
        if word.contains('/') {
            match ask(Path::new(word)) {
                Some(Answer::Usable(python)) => chosen.push(python),
                _ => bail!("--python {word}: not a CPython 3.10 or later with a GIL"),
            }
            continue;
        }
        let named = |python: &&Python| {
            python.version == *word || python.version.starts_with(&format!("{word}."))
        };
        let found: Vec<_> = pythons.iter().filter(named).cloned().collect();
        if found.is_empty() {
            bail!("--python {word}: no such Python here; give its path");
        }
        chosen.extend(found);
    }
    Ok(chosen)
}

enum Answer {
    Usable(Python),
    FreeThreaded(PathBuf),
}

const QUESTION: &str = "
import os, sys, sysconfig
if sys.implementation.name == 'cpython' and sys.version_info >= (3, 10):
    var = sysconfig.get_config_var
    names = {var('INSTSONAME'), 'libpython%d.%d.so.1.0' % sys.version_info[:2]}
    places = [var('LIBDIR'), var('LIBPL'), os.path.join(sys.base_prefix, 'lib')]
    places.append(os.path.join('/usr/lib', var('MULTIARCH') or ''))
    shared = any(os.path.exists(os.path.join(place, name)) for place in places if place
                 for name in names if name and '.so' in name)
    print(os.path.realpath(getattr(sys, '_base_executable', sys.executable)))
    print('.'.join(map(str, sys.version_info[:3])))
    print(int(shared))
    print(int(bool(var('Py_GIL_DISABLED'))))
";

/// `None` where there is no Python, or one that we do not serve.
fn ask(binary: &Path) -> Option<Answer> {
    // Isolated, so that no setting of the caller's changes the answer.
    let text = command::output(Command::new(binary).args(["-I", "-c", QUESTION])).ok()?;
    let mut lines = text.lines();
    let python = Python {
        binary: lines.next()?.into(),
        version: lines.next()?.into(),
        embeddable: lines.next()? == "1",
    };
    if lines.next()? == "1" {
        return Some(Answer::FreeThreaded(python.binary));
    }
    Some(Answer::Usable(python))
}

/// Every file that has the name of a Python 3 in the usual places.
fn candidates() -> BTreeSet<PathBuf> {
    let mut places: Vec<PathBuf> =
        env::var_os("PATH").map(|path| env::split_paths(&path).collect()).unwrap_or_default();
    places.push("/usr/local/bin".into());
    places.extend(children(Path::new("/opt")).map(|path| path.join("bin")));
    if let Some(home) = env::home_dir() {
        places.extend(children(&home.join(".pyenv/versions")).map(|path| path.join("bin")));
    }
    let is_python = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let Some(rest) = name.strip_prefix("python3") else { return false };
        rest.is_empty()
            || rest.strip_prefix('.').is_some_and(|minor| {
                minor.trim_end_matches('t').parse().is_ok_and(|minor: u32| minor >= 10)
            })
    };
    places.iter().flat_map(|place| children(place)).filter(is_python).collect()
}

fn children(directory: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let entries = directory.read_dir().into_iter().flatten();
    entries.filter_map(Result::ok).map(|entry| entry.path())
}

fn lacking(pythons: &[Python]) -> Option<String> {
    let present: BTreeSet<_> = pythons.iter().filter_map(Python::minor).collect();
    let lacking: Vec<_> = STANDARD
        .filter(|minor| !present.contains(minor))
        .map(|minor| format!("3.{minor}"))
        .collect();
    (!lacking.is_empty()).then(|| format!("not on this machine: {}", lacking.join(", ")))
}

/// The directory that a venv or an installation of this Python lives in, for
/// [`crate::mount_namespace`].
pub(crate) fn prefix(binary: &Path) -> Result<&Path> {
    binary
        .parent()
        .and_then(Path::parent)
        .with_context(|| format!("{} is not in a bin directory", binary.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn python(version: &str) -> Python {
        Python {
            binary: format!("/opt/{version}/bin/python3").into(),
            version: version.into(),
            embeddable: true,
        }
    }

    #[test]
    fn a_python_is_chosen_by_the_start_of_its_version() {
        let pythons = [python("3.11.2"), python("3.1.1"), python("3.11.7")];
        let chosen = choose(&pythons, &["3.11".into()]).unwrap();
        assert_eq!(chosen, [python("3.11.2"), python("3.11.7")]);
        assert!(choose(&pythons, &["3.12".into()]).is_err());
    }

    #[test]
    fn a_missing_standard_version_is_named() {
        let pythons = [python("3.10.1"), python("3.11.2"), python("3.13.0"), python("3.14.0")];
        assert_eq!(lacking(&pythons).unwrap(), "not on this machine: 3.12");
    }
}
