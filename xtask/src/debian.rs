//! The Debian packages that building, running and testing need, and their installation.
//!
//! Not `apache2` but `apache2-bin`: the same server without the system service, which would start
//! at once and take port 80.

use std::io::IsTerminal as _;
use std::os::unix::fs::MetadataExt as _;
use std::process::{Command, Stdio};
use std::{fs, io};

use anyhow::{Result, bail};

use crate::command;

/// A Debian package and what it is for.
pub(crate) struct Package {
    name: &'static str,
    why: &'static str,
}

/// To build the four files.
pub(crate) const BUILD: &[Package] = &[
    Package { name: "apache2-dev", why: "apxs and the headers of httpd" },
    Package { name: "clang", why: "bindgen asks it where the system's headers are" },
    Package { name: "libclang-dev", why: "bindgen reads C headers with it" },
];

/// To run an application.
pub(crate) const RUN: &[Package] = &[
    Package { name: "apache2-bin", why: "httpd and its modules" },
    Package { name: "python3", why: "the system's Python" },
];

/// To test with the system's Python.
pub(crate) const TEST: &[Package] = &[
    Package { name: "libpython3-dev", why: "libpython, for embedded mode and for tests in Rust" },
    Package { name: "curl", why: "speaks HTTP/2 and TLS in tests" },
    Package { name: "openssl", why: "makes certificates for tests" },
    Package { name: "python3-venv", why: "environments for Django and Flask" },
];

/// To fuzz.
pub(crate) const FUZZ: &[Package] =
    &[Package { name: "g++", why: "libFuzzer is compiled from its C++ source" }];

/// To look for wrong uses of memory.
pub(crate) const VALGRIND: &[Package] = &[Package {
    name: "valgrind",
    why: "sees reads and writes of memory that is not to be touched",
}];

/// To measure: the other servers are compiled.
pub(crate) const BENCH: &[Package] = &[
    Package { name: "gcc", why: "compiles mod_wsgi and uWSGI" },
    Package { name: "libpython3-dev", why: "what the two are linked with for the system's Python" },
    Package { name: "python3-venv", why: "the environment of the other servers" },
    Package { name: "strace", why: "counts system calls" },
];

/// To make another Debian in a directory.
pub(crate) const ROOT: &[Package] =
    &[Package { name: "debootstrap", why: "makes a Debian in a directory" }];

/// For what a minimal Debian lacks.
pub(crate) const IN_ROOT: &[Package] = &[
    Package { name: "apache2-dev", why: "apxs, which says where httpd is" },
    Package { name: "ca-certificates", why: "pip speaks TLS" },
    Package { name: "procps", why: "tests ask ps" },
];

/// Installs those packages that are missing, or says which command would.
///
/// Elsewhere than on Debian and its relatives it only names what is needed.
pub(crate) fn install<'a>(packages: impl IntoIterator<Item = &'a Package>) -> Result<()> {
    let packages: Vec<_> = packages.into_iter().collect();
    let Some(missing) = missing(&packages) else {
        eprintln!("note: no dpkg here; make sure that these exist: {}", reasons(&packages));
        return Ok(());
    };
    if missing.is_empty() {
        return Ok(());
    }
    eprintln!("Missing: {}", reasons(&missing));
    let Some(rights) = rights() else {
        bail!(
            "installing needs root, and sudo does not allow it here. Run:\n  sudo apt-get update \
             && sudo apt-get install --yes --no-install-recommends {}",
            names(&missing).join(" ")
        );
    };
    command::run(apt_get(rights).arg("update"))?;
    command::run(
        apt_get(rights).args(["install", "--yes", "--no-install-recommends"]).args(names(&missing)),
    )
}

/// Whether this process runs as root.
pub(crate) fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|metadata| metadata.uid() == 0)
}

/// The packages that are not installed; `None` where there is no dpkg.
fn missing<'a>(packages: &[&'a Package]) -> Option<Vec<&'a Package>> {
    let installed = |package: &&&Package| {
        let output = Command::new("dpkg-query")
            .args(["--show", "--showformat=${db:Status-Status}", package.name])
            .stderr(Stdio::null())
            .output()?;
        Ok::<_, io::Error>(output.stdout == b"installed")
    };
    let mut missing = Vec::new();
    for package in packages {
        if !installed(&package).ok()? {
            missing.push(*package);
        }
    }
    Some(missing)
}

/// The words that give apt-get root's rights: none for root, sudo where it works.
fn rights() -> Option<&'static [&'static str]> {
    if is_root() {
        return Some(&[]);
    }
    let sudo = Command::new("sudo").args(["-n", "true"]).stderr(Stdio::null()).status();
    match sudo {
        Ok(status) if status.success() => Some(&["sudo", "-n"]),
        Ok(_) if io::stdin().is_terminal() => Some(&["sudo"]),
        _ => None,
    }
}

fn apt_get(rights: &[&str]) -> Command {
    let mut words =
        rights.iter().copied().chain(["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]);
    let mut command = Command::new(words.next().unwrap_or("env"));
    command.args(words);
    command
}

pub(crate) fn names<'a>(packages: &[&'a Package]) -> Vec<&'a str> {
    packages.iter().map(|package| package.name).collect()
}

fn reasons(packages: &[&Package]) -> String {
    let reason = |package: &&Package| format!("{} ({})", package.name, package.why);
    packages.iter().map(reason).collect::<Vec<_>>().join(", ")
}
