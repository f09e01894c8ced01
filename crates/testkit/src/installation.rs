//! The installation under test: httpd, its modules and MPM, the `dist` folder, the Python.
//!
//! | variable | meaning | default |
//! |---|---|---|
//! | `DORMOUSE_DIST` | folder with `mod_wsgi.so` and the rest | `target/dist-test` |
//! | `DORMOUSE_PYTHON` | the Python binary | `/usr/bin/python3` |
//! | `DORMOUSE_PYTHONS` | all Pythons, `version=prefix` with `:` between | the one under test |
//! | `DORMOUSE_VENV` | that Python's environment with Django and Flask | none |
//! | `DORMOUSE_MPM` | `event`, `worker` or `prefork` | `event` |
//! | `DORMOUSE_APXS` | the apxs that knows httpd | `apxs` |
//!
//! `cargo xtask test` sets them all.

use std::collections::BTreeMap;
use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context as _, Result, anyhow, bail};

/// How httpd divides its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mpm {
    /// Processes of threads, one thread for many idle connections.
    Event,
    /// Processes of threads.
    Worker,
    /// Processes of one thread.
    Prefork,
}

impl Mpm {
    /// The MPM under test.
    pub fn from_environment() -> Result<Self> {
        match env::var("DORMOUSE_MPM").as_deref() {
            Ok("event") | Err(env::VarError::NotPresent) => Ok(Self::Event),
            Ok("worker") => Ok(Self::Worker),
            Ok("prefork") => Ok(Self::Prefork),
            other => bail!("DORMOUSE_MPM is {other:?}: use event, worker or prefork"),
        }
    }

    /// Its name in module and directive names.
    pub fn name(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Worker => "worker",
            Self::Prefork => "prefork",
        }
    }
}

/// The installed httpd.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) binary: PathBuf,
    pub(crate) modules: PathBuf,
    /// Modules that are part of the binary, such as `mod_unixd`.
    built_in: Vec<String>,
}

impl Server {
    /// Asks apxs once for each test process.
    pub(crate) fn installed() -> Result<&'static Self> {
        static SERVER: OnceLock<Result<Server, String>> = OnceLock::new();
        let server = SERVER.get_or_init(|| Self::ask().map_err(|error| format!("{error:#}")));
        server.as_ref().map_err(|error| anyhow!("{error}"))
    }

    fn ask() -> Result<Self> {
        let apxs = env::var_os("DORMOUSE_APXS").unwrap_or_else(|| "apxs".into());
        let query = |name: &str| output(Command::new(&apxs).args(["-q", name]));
        let binary = Path::new(&query("SBINDIR")?).join(query("PROGNAME")?);
        let listed = output(Command::new(&binary).arg("-l"))?;
        let built_in = listed
            .lines()
            .filter_map(|line| Some(line.trim().strip_suffix(".c")?.to_owned()))
            .collect();
        Ok(Self { binary, modules: query("LIBEXECDIR")?.into(), built_in })
    }

    /// The `LoadModule` line for `mod_NAME.so`, empty where it is built in.
    pub(crate) fn load_module(&self, name: &str) -> String {
        if self.built_in.contains(&format!("mod_{name}")) {
            return String::new();
        }
        let file = self.modules.join(format!("mod_{name}.so"));
        format!("LoadModule {name}_module \"{}\"\n", file.display())
    }
}

/// The folder with `mod_wsgi.so`, `_mod_wsgi.abi3.so`, `wsgid` and `dormouse`.
///
/// An error where it is not there, saying how it is made.
pub fn dist() -> Result<PathBuf> {
    let folder = match env::var_os("DORMOUSE_DIST") {
        Some(folder) => PathBuf::from(folder),
        None => match env::var_os("CARGO_TARGET_DIR") {
            Some(target) => PathBuf::from(target).join("dist-test"),
            None => project().join("target/dist-test"),
        },
    };
    if !folder.join("mod_wsgi.so").is_file() {
        bail!(
            "no mod_wsgi.so in {}: run `cargo xtask dist --features panic-hook`, or set \
             DORMOUSE_DIST",
            folder.display()
        );
    }
    Ok(folder)
}

/// The program httpd.
pub fn httpd() -> Result<PathBuf> {
    Server::installed().map(|server| server.binary.clone())
}

/// The Python binary under test.
pub fn python() -> PathBuf {
    env::var_os("DORMOUSE_PYTHON").map_or_else(|| "/usr/bin/python3".into(), PathBuf::from)
}

/// The value for `python-home=`: `sys.prefix` of the Python under test.
pub fn python_home() -> Result<PathBuf> {
    static HOME: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let ask = || {
        let question = "import sys; print(sys.prefix)";
        output(Command::new(python()).args(["-I", "-c", question]))
    };
    let home = HOME.get_or_init(|| ask().map(PathBuf::from).map_err(|error| format!("{error:#}")));
    home.clone().map_err(|error| anyhow!("{error}"))
}

/// The environment with Django and Flask.
pub fn venv() -> Result<PathBuf> {
    env::var_os("DORMOUSE_VENV")
        .map(PathBuf::from)
        .context("DORMOUSE_VENV is not set: it names an environment with tests/requirements.txt")
}

/// All Pythons of the machine: version (such as 3.11.2) and prefix.
///
/// # Panics
/// When the list is malformed, or the Python under test does not answer.
pub fn pythons() -> BTreeMap<String, PathBuf> {
    let Some(list) = env::var_os("DORMOUSE_PYTHONS") else {
        let question = "import platform; print(platform.python_version())";
        let version = output(Command::new(python()).args(["-I", "-c", question]));
        let home = version.and_then(|version| Ok((version, python_home()?)));
        return BTreeMap::from([home.expect("the Python under test answers")]);
    };
    let list = list.into_string().expect("versions and prefixes are UTF-8");
    list.split(':')
        .map(|entry| entry.split_once('=').expect("each entry is version=prefix"))
        .map(|(version, prefix)| (version.to_owned(), PathBuf::from(prefix)))
        .collect()
}

/// The directory with the applications of the tests.
pub fn apps() -> PathBuf {
    project().join("tests/apps")
}

/// The root of the workspace.
///
/// # Panics
/// Never: this crate lies two directories below it.
pub fn project() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).expect("testkit is crates/testkit of the workspace")
}

fn output(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("cannot run {command:?}"))?;
    if !output.status.success() {
        bail!("{command:?}: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
}
