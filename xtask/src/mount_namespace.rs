//! Paths below a closed directory, made reachable for httpd's user without changing anything for
//! other users.
//!
//! As root, httpd's children run as another user, who cannot enter a 0700 directory such as /root.
//! A program started [`MountNamespace::around`] sees each closed directory covered, in a mount
//! namespace of its own, by an open one with the same entries. Every path stays valid, each entry
//! keeps its own permissions, and everything is gone when the program ends. What the program
//! creates directly in a covered directory is gone then, too; what it creates below one of its
//! entries stays.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{self, Command, Stdio};
use std::{env, io};

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::{command, debian};

/// The directories that have to be covered.
pub(crate) struct MountNamespace {
    /// Sorted, so an outer directory comes before those in it.
    closed: BTreeSet<PathBuf>,
}

impl MountNamespace {
    /// The directories that the given paths need covered. Nothing, unless this process is root.
    pub(crate) fn of<P: AsRef<Path>>(paths: impl IntoIterator<Item = P>) -> Self {
        let mut closed = BTreeSet::new();
        if debian::is_root() {
            for path in paths {
                closed.extend(closed_directories(path.as_ref()));
                // The target of a link on the way must be reachable, too.
                if let Ok(real) = path.as_ref().canonicalize() {
                    closed.extend(closed_directories(&real));
                }
            }
        }
        Self { closed }
    }

    /// An error that says what to do, where something is to be covered and that is refused.
    pub(crate) fn check(&self) -> Result<()> {
        let Some(first) = self.closed.first() else { return Ok(()) };
        let mut trial = namespace();
        trial.args(["mount", "-t", "tmpfs", "tmpfs"]).arg(first).stdout(Stdio::null());
        let output = trial.output().context("cannot run unshare (Debian package util-linux)")?;
        if output.status.success() {
            return Ok(());
        }
        bail!(
            "httpd's user cannot enter {}, and a private mount namespace is refused here ({}). Use \
             a copy at a place open to everybody (such as /srv), or run this as an ordinary user",
            self.list(),
            String::from_utf8_lossy(&output.stderr).trim()
        )
    }

    /// The program, to be run with the closed directories covered.
    pub(crate) fn around(&self, program: &Path) -> Result<Command> {
        if self.closed.is_empty() {
            return Ok(Command::new(program));
        }
        let mut command = namespace();
        command.arg(env::current_exe().context("where is this program?")?).arg("within");
        for directory in &self.closed {
            command.arg("--cover").arg(directory);
        }
        command.arg("--").arg(program);
        Ok(command)
    }

    /// The closed directories, for people.
    pub(crate) fn list(&self) -> String {
        self.closed.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
    }

    pub(crate) fn is_needed(&self) -> bool {
        !self.closed.is_empty()
    }
}

/// The arguments that [`MountNamespace::around`] passes to this program inside the new namespace.
#[derive(Args)]
pub(crate) struct Within {
    #[arg(long)]
    cover: Vec<PathBuf>,
    #[arg(last = true, required = true)]
    program: Vec<OsString>,
}

/// Covers the directories and becomes the program; returns only with an error.
pub(crate) fn within(options: &Within) -> Result<process::ExitCode> {
    for directory in &options.cover {
        cover(directory).with_context(|| format!("cannot cover {}", directory.display()))?;
    }
    // The working directory may be a covered one: enter it again, by its name.
    if let Ok(directory) = env::current_dir() {
        env::set_current_dir(&directory)
            .with_context(|| format!("cannot enter {} again", directory.display()))?;
    }
    let (program, arguments) = options.program.split_first().context("no program")?;
    let error = Command::new(program).args(arguments).exec();
    Err(error).with_context(|| format!("cannot run {}", program.display()))
}

fn namespace() -> Command {
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private", "--"]);
    command
}

/// Those directories on the way to the path that not all users may pass.
fn closed_directories(path: &Path) -> impl Iterator<Item = PathBuf> {
    path.ancestors()
        .filter(|directory| {
            fs::metadata(directory).is_ok_and(|metadata| {
                metadata.is_dir() && metadata.permissions().mode() & 0o001 == 0
            })
        })
        .map(Path::to_owned)
}

/// Builds an open directory with the same entries and moves it over the closed one.
fn cover(directory: &Path) -> Result<()> {
    let stage = stage()?;
    mount(["-t", "tmpfs", "-o", "mode=0755,size=16m", "tmpfs"], &[&stage])?;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let (from, to) = (entry.path(), stage.join(entry.file_name()));
        let kind = entry.file_type()?;
        if kind.is_symlink() {
            symlink(fs::read_link(&from)?, &to)?;
        } else if kind.is_dir() {
            fs::create_dir(&to)?;
            mount(["--rbind"], &[&from, &to])?;
        } else {
            File::create(&to)?;
            mount(["--bind"], &[&from, &to])?;
        }
    }
    mount(["--move"], &[&stage, directory])?;
    fs::remove_dir(&stage).with_context(|| format!("cannot remove {}", stage.display()))
}

/// A new directory that only root can see into.
fn stage() -> Result<PathBuf> {
    let place = if Path::new("/run").is_dir() { "/run" } else { "/tmp" };
    for number in 0_u32.. {
        let path = Path::new(place).join(format!("dormouse-namespace-{}-{number}", process::id()));
        match fs::create_dir(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            outcome => {
                outcome.with_context(|| format!("cannot make {}", path.display()))?;
                return Ok(path);
            }
        }
    }
    bail!("no free name in {place}")
}

fn mount<const N: usize>(options: [&str; N], paths: &[&Path]) -> Result<()> {
    command::output(Command::new("mount").args(options).args(paths)).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closed_directories_are_found_from_the_top() {
        let top = env::temp_dir().join(format!("dormouse-namespace-test-{}", process::id()));
        let inner = top.join("a/b");
        fs::create_dir_all(&inner).unwrap();
        for (path, mode) in [(top.clone(), 0o700), (top.join("a"), 0o755), (inner.clone(), 0o750)] {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        }
        let found: BTreeSet<_> = closed_directories(&inner.join("file")).collect();
        fs::remove_dir_all(&top).unwrap();
        assert_eq!(found.into_iter().collect::<Vec<_>>(), [top, inner]);
    }
}
