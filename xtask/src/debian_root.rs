//! Another Debian in a directory, with its own httpd and Pythons.
//!
//! What is tested in it is built outside, and so is this program; the project's directory has the
//! same path inside. It is made once, with debootstrap, and kept until the packages that it needs
//! change. The environments for its Pythons lie in it.

use std::fs;
use std::os::unix::fs::chroot;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::{env, io};

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};

use crate::debian::{self, Package};
use crate::{command, project};

/// A Debian that a root is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Suite {
    /// Debian 13.
    Trixie,
    /// The Debian that is to come, with Pythons that others do not have yet.
    Testing,
}

/// Where packages come from; `DORMOUSE_MIRROR` names another place.
const MIRROR: &str = "http://deb.debian.org/debian";
const MIRROR_VARIABLE: &str = "DORMOUSE_MIRROR";
/// What a root sees of this machine as it is.
const SHARED: [&str; 4] = ["/proc", "/sys", "/dev", "/etc/resolv.conf"];
/// The certificates of this machine's network, once the root's own packages are installed.
const CERTIFICATES: &str = "/etc/ssl/certs";
/// Where an environment variable may name a directory that pip looks into.
const LINKS: &str = "PIP_FIND_LINKS";
/// The target directory inside: environments lie there.
const TARGET: &str = "/var/tmp/target";

impl Suite {
    fn name(self) -> &'static str {
        match self {
            Self::Trixie => "trixie",
            Self::Testing => "testing",
        }
    }

    /// The root's directory.
    fn directory(self) -> PathBuf {
        project::target().join("roots").join(self.name())
    }

    /// Makes the root, unless it is there as it should be.
    pub(crate) fn make(self) -> Result<()> {
        if !debian::is_root() {
            bail!("--root {}: only root can make and enter another root directory", self.name());
        }
        let directory = self.directory();
        let mirror = env::var(MIRROR_VARIABLE).unwrap_or_else(|_| MIRROR.to_owned());
        let made_of = format!("{mirror}\n{}", debian::names(&packages()).join("\n"));
        // Written last, so half a root is never taken for a whole one.
        let stamp = directory.join("made-of");
        if fs::read_to_string(&stamp).is_ok_and(|text| text == made_of) {
            return Ok(());
        }
        debian::install(debian::ROOT)?;
        match fs::remove_dir_all(&directory) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(error)
                    .with_context(|| format!("cannot remove {}", directory.display()));
            }
            _ => fs::create_dir_all(&directory)?,
        }
        let mut bootstrap = Command::new("debootstrap");
        bootstrap.args(["--variant=minbase", self.name()]).arg(&directory).arg(&mirror);
        command::run(&mut bootstrap)?;
        command::run(self.apt("apt-get")?.args(OPTIONS).arg("update"))?;
        let pythons = self.pythons()?;
        let mut install = self.apt("apt-get")?;
        install.args(OPTIONS).args(["install", "--yes", "--no-install-recommends"]);
        command::run(install.args(debian::names(&packages())).args(pythons))?;
        fs::write(&stamp, made_of).with_context(|| format!("cannot write {}", stamp.display()))
    }

    /// The packages of the Pythons that this Debian has.
    fn pythons(self) -> Result<Vec<String>> {
        let names =
            |prefix: &str| command::output(self.apt("apt-cache")?.args(["pkgnames", prefix]));
        let known = names("python3.")? + "\n" + &names("libpython3.")?;
        let known: Vec<&str> = known.lines().collect();
        let wanted = known
            .iter()
            .filter(|name| is_python(name))
            .flat_map(|name| [(*name).to_owned(), format!("{name}-venv"), format!("lib{name}")]);
        Ok(wanted.filter(|name| known.contains(&name.as_str())).collect())
    }

    /// The program, to be run in the root with the environments that lie there.
    pub(crate) fn around(self, program: &Path) -> Result<Command> {
        let mut command = self.with(&[CERTIFICATES])?;
        command.arg("--").arg(program).env("CARGO_TARGET_DIR", TARGET);
        Ok(command)
    }

    /// A command of apt's, to be run in the root.
    fn apt(self, program: &str) -> Result<Command> {
        let mut command = self.with(&[])?;
        command.args(["--", program]).env("DEBIAN_FRONTEND", "noninteractive");
        Ok(command)
    }

    /// This program, to show something of this machine in the root and then become another one in
    /// it, whose name is to follow.
    fn with(self, also: &[&str]) -> Result<Command> {
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private", "--"]);
        command.arg(env::current_exe().context("where is this program?")?);
        command.args(["within-root", "--root"]).arg(self.directory());
        for path in SHARED.iter().chain(also) {
            command.args(["--show", path]);
        }
        Ok(command)
    }
}

/// Those that tests need, beside the Pythons.
fn packages() -> Vec<&'static Package> {
    [debian::RUN, debian::TEST, debian::IN_ROOT].into_iter().flatten().collect()
}

/// A release that is not kept up by the mirror is taken as well.
const OPTIONS: [&str; 2] = ["-o", "Acquire::Check-Valid-Until=false"];

/// Whether a package is a Python: `python3.14`.
fn is_python(name: &str) -> bool {
    let minor = name.strip_prefix("python3.").and_then(|minor| minor.parse().ok());
    minor.is_some_and(|minor: u32| minor >= 10)
}

/// The arguments that [`Suite::around`] passes to this program inside the new mount namespace.
#[derive(Args)]
pub(crate) struct WithinRoot {
    #[arg(long)]
    root: PathBuf,
    #[arg(long)]
    show: Vec<PathBuf>,
    #[arg(last = true, required = true)]
    program: Vec<std::ffi::OsString>,
}

/// Makes the root's directories what they are to be, enters it, and becomes the program; returns
/// only with an error.
pub(crate) fn within(options: &WithinRoot) -> Result<process::ExitCode> {
    let root = &options.root;
    let links = env::var_os(LINKS).map(PathBuf::from).filter(|path| path.is_absolute());
    let shown = options.show.iter().cloned().chain(links).chain([project::root().to_owned()]);
    for path in shown.filter(|path| path.exists()) {
        show(&path, root)?;
    }
    chroot(root).with_context(|| format!("cannot enter {}", root.display()))?;
    env::set_current_dir(project::root())?;
    let (program, arguments) = options.program.split_first().context("no program")?;
    let error = Command::new(program).args(arguments).exec();
    Err(error).with_context(|| format!("cannot run {} in {}", program.display(), root.display()))
}

/// Shows what lies at the path at the same one in the root.
fn show(path: &Path, root: &Path) -> Result<()> {
    let place = root.join(path.strip_prefix("/")?);
    if path.is_dir() {
        fs::create_dir_all(&place)?;
    } else if !place.exists() {
        fs::create_dir_all(place.parent().context("no directory")?)?;
        fs::write(&place, "")?;
    }
    command::output(Command::new("mount").arg("--rbind").args([path, &place])).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pythons_are_told_from_their_parts() {
        let all = ["python3.13", "python3.14-venv", "python3.9", "python3.15", "python3.x"];
        assert_eq!(all.map(is_python), [true, false, false, true, false]);
    }
}
