//! The applications, copied to where every server's user can read them, with a filled database and
//! compiled modules, so that no server pays for what another has done.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;
use testkit::installation;

/// An application that is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum App {
    /// One line of text.
    Hello,
    /// A Django project as `django-admin startproject` makes it, with one small application.
    Polls,
    /// A Django project that does more for each request.
    Library,
    /// Short and long answers, bodies, a file.
    Traffic,
}

impl App {
    /// The script, below the working directory.
    pub(crate) fn script(self) -> &'static str {
        match self {
            Self::Hello => "hello.py",
            Self::Polls => "polls/wsgi.py",
            Self::Library => "library/wsgi.py",
            Self::Traffic => "traffic.py",
        }
    }

    /// The URLs that are asked for, in turn.
    pub(crate) fn targets(self) -> &'static [&'static str] {
        match self {
            Self::Hello => &["/"],
            Self::Traffic => &["/hello"],
            Self::Polls => &["/", "/3/", "/3/results/", "/admin/login/", "/7/", "/7/results/"],
            Self::Library => &[
                "/",
                "/books/3/",
                "/?page=4",
                "/authors.json",
                "/books/118/",
                "/admin/login/",
                "/?page=2",
                "/books/57/",
            ],
        }
    }
}

/// The directory; it is removed with this.
#[derive(Debug)]
pub(crate) struct Workdir {
    directory: TempDir,
}

impl Workdir {
    /// Copies, fills and compiles.
    pub(crate) fn make() -> Result<Self> {
        let directory = open_directory("dm-bench-")?;
        copy(&installation::project().join("bench/apps"), directory.path())?;
        let workdir = Self { directory };
        for arguments in [
            ["-m", "library.populate"].as_slice(),
            &["-m", "polls.populate"],
            &["-m", "compileall", "-q", "."],
        ] {
            let mut command = Command::new(installation::venv()?.join("bin/python"));
            command.args(arguments).current_dir(workdir.path());
            let output = command.output().with_context(|| format!("cannot run {command:?}"))?;
            let said = String::from_utf8_lossy(&output.stderr);
            ensure!(output.status.success(), "{command:?}: {}\n{said}", output.status);
        }
        Ok(workdir)
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The script of the application.
    pub(crate) fn script(&self, app: App) -> PathBuf {
        self.path().join(app.script())
    }
}

/// A directory in /tmp, since socket paths are short, that all users may enter.
pub(crate) fn open_directory(prefix: &str) -> Result<TempDir> {
    let directory = tempfile::Builder::new()
        .prefix(prefix)
        .tempdir_in("/tmp")
        .context("no directory in /tmp")?;
    fs::set_permissions(directory.path(), Permissions::from_mode(0o755))
        .with_context(|| format!("cannot open {}", directory.path().display()))?;
    Ok(directory)
}

/// Copies what is in the directory, but for compiled modules.
fn copy(from: &Path, to: &Path) -> Result<()> {
    let entries = fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))?;
    for entry in entries {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_name() == "__pycache__" {
            continue;
        }
        if entry.file_type()?.is_dir() {
            fs::create_dir(&target).with_context(|| format!("cannot make {}", target.display()))?;
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target)
                .with_context(|| format!("cannot write {}", target.display()))?;
        }
    }
    Ok(())
}
