//! The description of a server, and its start.

use std::fs::{self, File, OpenOptions, Permissions};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;

use super::{Httpd, Mode, SERVING, State, config};
use crate::installation::{Mpm, Server};
use crate::log::Log;
use crate::port;
use crate::tree::Tree;
use crate::wait::{LIMIT, holds_within};

/// A server that does not run yet.
#[derive(Clone, Debug)]
#[must_use = "nothing runs before `start`"]
#[expect(clippy::struct_excessive_bools, reason = "each is a choice of its own")]
pub struct Setup {
    pub(super) name: String,
    pub(super) wsgi: bool,
    pub(super) access_log: bool,
    pub(super) mode: Option<Mode>,
    pub(super) app: Option<String>,
    pub(super) daemon_options: String,
    pub(super) python_home: Option<PathBuf>,
    pub(super) mpm: Option<Mpm>,
    pub(super) one_child: bool,
    single: bool,
    wrapper: Vec<String>,
    pub(super) modules: Vec<String>,
    pub(super) conf: Vec<String>,
    files: Vec<(String, Vec<u8>)>,
    programs: Vec<String>,
    defines: Vec<String>,
    environment: Vec<(String, String)>,
    allowed: Vec<String>,
    end_limit: Duration,
}

/// The outcome of `httpd -t`.
#[derive(Debug)]
pub struct Checked {
    /// How it ended.
    pub status: ExitStatus,
    /// Everything it printed.
    pub output: String,
}

impl Checked {
    /// Checks that the configuration was refused with this text.
    ///
    /// # Panics
    /// When it was accepted, or the text is not there.
    #[track_caller]
    pub fn assert_refused(&self, part: &str) {
        assert!(!self.status.success(), "accepted, but should not be:\n{}", self.output);
        assert!(self.output.contains(part), "refused, but without {part:?}:\n{}", self.output);
    }

    /// Checks that the configuration was accepted.
    ///
    /// # Panics
    /// When it was refused.
    #[track_caller]
    pub fn assert_accepted(&self) {
        assert!(self.status.success(), "refused:\n{}", self.output);
    }
}

impl Setup {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            wsgi: true,
            access_log: true,
            mode: None,
            app: None,
            daemon_options: "processes=1 threads=3".to_owned(),
            python_home: None,
            mpm: None,
            one_child: false,
            single: false,
            wrapper: Vec::new(),
            modules: Vec::new(),
            conf: Vec::new(),
            files: Vec::new(),
            programs: Vec::new(),
            defines: Vec::new(),
            environment: Vec::new(),
            allowed: Vec::new(),
            end_limit: LIMIT,
        }
    }

    /// Does not load `wsgi_module`.
    pub fn without_wsgi(mut self) -> Self {
        self.wsgi = false;
        self
    }

    /// Writes no line about each request, for measurements.
    pub fn without_access_log(mut self) -> Self {
        self.access_log = false;
        self
    }

    /// Mounts an application of `tests/apps` at `/`.
    pub fn app(mut self, file: &str) -> Self {
        self.app = Some(file.to_owned());
        self
    }

    /// Runs everything with the Python under test, embedded or in the group `test`.
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = Some(mode);
        self
    }

    /// The options of the group `test`, in place of `processes=1 threads=3`.
    pub fn daemon(mut self, options: &str) -> Self {
        options.clone_into(&mut self.daemon_options);
        self
    }

    /// Another home than that of the Python under test, such as [`crate::installation::venv`].
    pub fn python_home(mut self, home: impl Into<PathBuf>) -> Self {
        self.python_home = Some(home.into());
        self
    }

    /// Another MPM than that under test.
    pub fn mpm(mut self, mpm: Mpm) -> Self {
        self.mpm = Some(mpm);
        self
    }

    /// Lets one child serve everything, so that all embedded requests meet in one process.
    pub fn one_child(mut self) -> Self {
        self.one_child = true;
        // Which prefork notices as soon as that one is busy.
        self.allow_log("server reached MaxRequestWorkers setting")
    }

    /// Loads one more of httpd's modules, such as `rewrite`.
    pub fn module(mut self, name: &str) -> Self {
        self.modules.push(name.to_owned());
        self
    }

    /// Adds lines to the end of the configuration. `{root}` (the `ServerRoot`), `{port}`, `{apps}`
    /// (`tests/apps`), `{home}` (of the Python under test), `{venv}` and `{dist}` are filled in.
    pub fn conf(mut self, lines: &str) -> Self {
        self.conf.push(lines.to_owned());
        self
    }

    /// Writes a file below the `ServerRoot`; `htdocs` is the document root.
    pub fn file(mut self, path: &str, content: impl Into<Vec<u8>>) -> Self {
        self.files.push((path.to_owned(), content.into()));
        self
    }

    /// Writes a program below the `ServerRoot`.
    pub fn program(mut self, path: &str, content: impl Into<Vec<u8>>) -> Self {
        self.programs.push(path.to_owned());
        self.file(path, content)
    }

    /// Passes `-D` with this name.
    pub fn define(mut self, name: &str) -> Self {
        self.defines.push(name.to_owned());
        self
    }

    /// Serves in httpd's first process, as `httpd -X` does.
    pub fn single_process(mut self) -> Self {
        self.single = true;
        self.define("DEBUG")
    }

    /// Runs httpd by another program, such as valgrind, which gets its command line after these
    /// words.
    pub fn under(mut self, words: &[&str]) -> Self {
        self.wrapper = words.iter().map(|&word| word.to_owned()).collect();
        self
    }

    /// Sets a variable in httpd's environment, which is otherwise nearly empty.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Announces that lines with this text may appear in the log, from the start on.
    pub fn allow_log(mut self, part: &str) -> Self {
        self.allowed.push(part.to_owned());
        self
    }

    /// How long the server's processes may take to go at the end, in place of [`LIMIT`].
    pub fn end_limit(mut self, limit: Duration) -> Self {
        self.end_limit = limit;
        self
    }

    /// Starts it, and returns when it serves.
    ///
    /// # Panics
    /// When it does not start: with the configuration, the command and the log.
    #[track_caller]
    pub fn start(self) -> Httpd {
        self.launch().unwrap_or_else(|mut failure| {
            failure.keep_directory();
            panic!("{}", failure.report)
        })
    }

    /// Starts it; the error holds the configuration, the command and the log.
    pub fn try_start(self) -> Result<Httpd> {
        self.launch().map_err(|failure| anyhow::Error::msg(failure.report))
    }

    /// Runs `httpd -t`, with the defines: `DUMP_VHOSTS` makes it `-S`.
    ///
    /// # Panics
    /// When httpd cannot be run at all.
    #[track_caller]
    pub fn configtest(self) -> Checked {
        self.configtest_with(Command::output)
    }

    /// Runs `httpd -t` as an administrator does: in a terminal, which is the controlling terminal
    /// of its session. The text that is written to the terminal is the output.
    ///
    /// # Panics
    /// When httpd cannot be run at all.
    #[track_caller]
    pub fn configtest_in_terminal(self) -> Checked {
        self.configtest_with(|command| {
            let mut terminal = Command::new("python3");
            terminal.args(["-c", TERMINAL]).arg(command.get_program()).args(command.get_args());
            terminal.env_clear().stdin(Stdio::null());
            terminal.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
            terminal.output()
        })
    }

    #[track_caller]
    fn configtest_with(self, run: impl Fn(&mut Command) -> std::io::Result<Output>) -> Checked {
        let check = || {
            let root = self.root()?;
            self.write(root.path(), port::free()?)?;
            let output = run(self.command(root.path())?.arg("-t"))?;
            let text = [output.stdout, output.stderr].concat();
            let output_text = String::from_utf8_lossy(&text).into_owned();
            Ok(Checked { status: output.status, output: output_text })
        };
        check().unwrap_or_else(|error: anyhow::Error| panic!("cannot run httpd -t: {error:#}"))
    }

    fn launch(self) -> Result<Httpd, Failure> {
        let without_root = |error: anyhow::Error| Failure {
            report: format!("{}: {error:#}", self.name),
            directory: None,
            port_was_taken: false,
        };
        for _ in 1..ATTEMPTS {
            let root = self.root().map_err(without_root)?;
            match self.launch_in(root) {
                Err(failure) if failure.port_was_taken => {}
                outcome => return outcome,
            }
        }
        self.launch_in(self.root().map_err(without_root)?)
    }

    /// One attempt, on one port.
    fn launch_in(&self, root: TempDir) -> Result<Httpd, Failure> {
        let path = root.path().to_owned();
        let failed = |root: TempDir, error: &anyhow::Error| {
            let findings = format!("did not start: {error:#}");
            let log = fs::read_to_string(path.join(ERROR_LOG)).unwrap_or_default();
            Failure {
                report: report(&self.name, &findings, &self.command_line(&path), &path),
                directory: Some(root),
                port_was_taken: log.contains("Address already in use"),
            }
        };
        let prepare = || {
            let address = port::free()?;
            self.write(&path, address)?;
            Ok((address, self.spawn(&path)?))
        };
        let (address, child) = match prepare() {
            Ok(begun) => begun,
            Err(error) => return Err(failed(root, &error)),
        };
        let parent = super::pid_of(&child).as_raw();
        let binary = Server::installed().map(|server| server.binary.clone()).unwrap_or_default();
        let state = State {
            child,
            tree: Tree::new(parent, &binary, mark(&path)),
            log: Log::new(path.join(ERROR_LOG), self.allowed.clone()),
            end_limit: self.end_limit,
            ended: None,
            finished: false,
        };
        match until_it_serves(state, self.single.then_some(address)) {
            Ok(state) => Ok(Httpd {
                name: self.name.clone(),
                address,
                command: self.command_line(&path),
                directory: Some(root),
                state: Mutex::new(state),
            }),
            Err(error) => Err(failed(root, &error)),
        }
    }

    /// A new `ServerRoot`, under a short path since socket paths are limited, and open to httpd's
    /// user.
    fn root(&self) -> Result<TempDir> {
        let root = tempfile::Builder::new()
            .prefix("dm-")
            .tempdir_in("/tmp")
            .with_context(|| format!("{}: no directory in /tmp", self.name))?;
        open(root.path())?;
        for directory in ["run", "logs", "htdocs"] {
            let path = root.path().join(directory);
            fs::create_dir(&path).with_context(|| format!("cannot make {}", path.display()))?;
            open(&path)?;
        }
        Ok(root)
    }

    fn write(&self, root: &Path, address: SocketAddr) -> Result<()> {
        let conf = config::text(self, root, address)?;
        let own = [("httpd.conf", conf.as_bytes()), ("mime.types", MIME_TYPES)];
        let files = self.files.iter().map(|(path, content)| (path.as_str(), content.as_slice()));
        for (name, content) in own.into_iter().chain(files) {
            let path = root.join(name);
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent)
                    .with_context(|| format!("cannot make {}", parent.display()))?;
            }
            fs::write(&path, content)
                .with_context(|| format!("cannot write {}", path.display()))?;
            if self.programs.iter().any(|program| program == name) {
                open(&path)?;
            }
        }
        Ok(())
    }

    fn spawn(&self, root: &Path) -> Result<Child> {
        let path = root.join(ERROR_LOG);
        let log: File = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .with_context(|| format!("cannot open {}", path.display()))?;
        // A session of its own, so that its processes are known by it; and it ends with the test,
        // even when that is killed.
        let httpd = self.command(root)?;
        let mut command = Command::new("setsid");
        command.args(["setpriv", "--pdeathsig", "TERM", "--"]).args(&self.wrapper);
        command.arg(httpd.get_program()).args(httpd.get_args());
        command.args(["-D", "FOREGROUND"]);
        self.environment_of(&mut command, root);
        command
            .current_dir(root)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("cannot run setsid (Debian package util-linux)")
    }

    fn command(&self, root: &Path) -> Result<Command> {
        let mut command = Command::new(&Server::installed()?.binary);
        command.arg("-f").arg(root.join("httpd.conf"));
        for define in &self.defines {
            command.args(["-D", define]);
        }
        self.environment_of(&mut command, root);
        Ok(command)
    }

    fn environment_of(&self, command: &mut Command, root: &Path) {
        let (name, value) = mark_of(root);
        command.env_clear().env(name, value);
        command.env("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin").env("LANG", "C.UTF-8");
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
    }

    /// For people, to be typed again in the directory that was kept.
    fn command_line(&self, root: &Path) -> String {
        self.command(root)
            .map_or_else(|error| format!("{error:#}"), |command| format!("{command:?}"))
    }
}

/// Runs a program in a new terminal, and ends as it does.
const TERMINAL: &str =
    "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))";

/// A start that failed.
struct Failure {
    report: String,
    directory: Option<TempDir>,
    port_was_taken: bool,
}

impl Failure {
    fn keep_directory(&mut self) {
        if let Some(directory) = &mut self.directory {
            directory.disable_cleanup(true);
        }
    }
}

/// Another process may take a free port first; not ten times in a row.
const ATTEMPTS: u32 = 10;

const ERROR_LOG: &str = "logs/error_log";

const MIME_TYPES: &[u8] = b"text/plain txt\ntext/html html\ntext/css css\napplication/json json\n";

/// Everything that helps to understand a failure.
pub(super) fn report(name: &str, findings: &str, command: &str, root: &Path) -> String {
    let read = |file: &str| fs::read_to_string(root.join(file)).unwrap_or_default();
    format!(
        "httpd of {name}: {findings}\n-- command\n{command}\n-- configuration\n{}-- log ({})\n{}",
        read("httpd.conf"),
        root.display(),
        read(ERROR_LOG)
    )
}

/// A single process does not say when it serves; it does once it listens to its `address`.
fn until_it_serves(mut state: State, address: Option<SocketAddr>) -> Result<State> {
    let mut ended = None;
    let decided = holds_within(LIMIT, || {
        ended = state.parent_status();
        let serves = || match address {
            Some(address) => TcpStream::connect(address).is_ok(),
            None => state.log.text().contains(SERVING),
        };
        ended.is_some() || serves()
    });
    if let Some(status) = ended {
        // A child of a start that failed late may still be there.
        state.ended = Some(super::Ended::Killed);
        state.end();
        bail!("httpd ended: {status}");
    }
    if !decided {
        state.end();
        bail!("httpd did not serve within {LIMIT:?}");
    }
    Ok(state)
}

/// The variable by which the server's processes are known.
fn mark_of(root: &Path) -> (&'static str, &Path) {
    ("DORMOUSE_TEST", root)
}

fn mark(root: &Path) -> String {
    let (name, value) = mark_of(root);
    format!("{name}={}", value.display())
}

fn open(directory: &Path) -> Result<()> {
    fs::set_permissions(directory, Permissions::from_mode(0o755))
        .with_context(|| format!("cannot open {} to httpd's user", directory.display()))
}
