//! The servers that are measured, and their configurations.
//!
//! Every server gets the same application, Python, number of processes and threads, and, where
//! httpd is part of it, the same httpd.

use std::fmt::Write as _;
use std::os::unix::fs::chown;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};
use nix::unistd::{Uid, User};
use testkit::{Httpd, Mpm, Setup, installation};

use crate::program::Program;
use crate::server::Server;
use crate::workdir::{App, Workdir, open_directory};

/// A way to serve an application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ServerKind {
    /// httpd without any WSGI module, and a file in place of the application.
    Plain,
    /// With these options of `WSGIDaemonProcess`, which are part of its name.
    Dormouse(&'static str),
    /// mod_wsgi as it comes, or with these directives.
    ModWsgi(&'static str),
    /// gunicorn by itself, with or without `--preload`.
    Gunicorn { preload: bool },
    /// uWSGI, which loads the application before it forks, behind `mod_proxy_uwsgi`.
    Uwsgi,
    /// granian by itself.
    Granian,
}

/// An application, and how it is to be served.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) app: App,
    pub(crate) mode: Mode,
    /// Threads of a process that runs the application, but for embedded mode.
    pub(crate) threads: u32,
    /// Lines at the end of httpd's configuration.
    pub(crate) lines: &'static str,
    /// Whether httpd writes a line about each request.
    pub(crate) has_access_log: bool,
}

impl Shape {
    /// As most are.
    pub(crate) fn new(app: App, mode: Mode) -> Self {
        Self { app, mode, threads: THREADS, lines: "", has_access_log: true }
    }
}

/// Where the application runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// In httpd's two children.
    Embedded,
    /// In one group with that many processes.
    Daemon(u32),
    /// As that many sites, each a group; the option `processes` is the server's affair.
    Sites(u32),
}

/// Threads of a process.
const THREADS: u32 = 4;

/// Threads of a child of httpd that does not run the application: Debian's number.
const CHILD_THREADS: u32 = 25;

/// The user of httpd's children, which gunicorn and uWSGI get too.
const WEB_USER: &str = "www-data";

impl ServerKind {
    /// Its name in tables.
    pub(crate) fn name(self) -> String {
        match self {
            Self::Plain => "plain httpd".to_owned(),
            Self::Dormouse("") => "Dormouse".to_owned(),
            Self::Dormouse(options) => {
                let first = options.split_whitespace().next().unwrap_or_default();
                format!("Dormouse, `{first}`")
            }
            Self::ModWsgi("") => "mod_wsgi".to_owned(),
            Self::ModWsgi(directives) => format!("mod_wsgi, `{directives}`"),
            Self::Gunicorn { preload: false } => "gunicorn".to_owned(),
            Self::Gunicorn { preload: true } => "gunicorn `--preload`".to_owned(),
            Self::Uwsgi => "uWSGI".to_owned(),
            Self::Granian => "granian".to_owned(),
        }
    }

    /// Whether replies come from the application.
    pub(crate) fn runs_python(self) -> bool {
        self != Self::Plain
    }

    /// Whether it is Dormouse, or what Dormouse is part of.
    pub(crate) fn is_ours(self) -> bool {
        matches!(self, Self::Plain | Self::Dormouse(_))
    }

    /// Starts it. The error explains what it does not accept.
    pub(crate) fn start(self, workdir: &Workdir, shape: Shape) -> Result<Server> {
        let started = match self {
            Self::Plain => serve(setup(shape).without_wsgi().file("htdocs/index.html", "Hello!\n")),
            Self::Dormouse(options) => {
                let lines =
                    format!("LogLevel notice wsgi:notice\n{}", wsgi(workdir, shape, options)?);
                serve(setup(shape).conf(&lines))
            }
            Self::ModWsgi(directives) => {
                let lines = wsgi(workdir, shape, "")?;
                let lines = format!(
                    "LoadModule wsgi_module \"{}\"\nWSGISocketPrefix {{root}}/run/wsgi\n\
                     {directives}\n{lines}",
                    module()?
                );
                serve(setup(shape).without_wsgi().conf(&lines))
            }
            Self::Gunicorn { preload } => gunicorn(workdir, shape, preload),
            Self::Uwsgi => uwsgi(workdir, shape),
            Self::Granian => granian(workdir, shape),
        };
        started.with_context(|| self.name())
    }
}

/// Two children of httpd, and room for those of the generation before, which a graceful restart
/// needs.
fn setup(shape: Shape) -> Setup {
    let threads = if shape.mode == Mode::Embedded { THREADS } else { CHILD_THREADS };
    let sizes = format!(
        "StartServers 2\nServerLimit 4\nThreadsPerChild {threads}\nMaxRequestWorkers {}\n\
         MinSpareThreads 1\nMaxSpareThreads 100\nLogLevel notice\n",
        2 * threads
    );
    // A measurement judges figures; what is logged meanwhile is for people.
    let setup = Httpd::new("bench").mpm(Mpm::Event).conf(&sizes).conf(shape.lines).allow_log("");
    if shape.has_access_log { setup } else { setup.without_access_log() }
}

fn serve(setup: Setup) -> Result<Server> {
    Ok(Server::of_httpd(setup.try_start()?))
}

/// The lines that mod_wsgi and Dormouse share.
fn wsgi(workdir: &Workdir, shape: Shape, options: &str) -> Result<String> {
    let home = installation::venv()?;
    let (home, path) = (home.display(), workdir.path().display());
    let script = workdir.script(shape.app);
    let script = script.display();
    let group = |name: &str, processes: &str| {
        format!(
            "WSGIDaemonProcess {name} {processes} threads={} display-name=%{{GROUP}} \
             python-home=\"{home}\" python-path=\"{path}\" {options}\n",
            shape.threads
        )
    };
    let mut lines = String::from("WSGIApplicationGroup %{GLOBAL}\n");
    match shape.mode {
        Mode::Embedded => writeln!(
            lines,
            "WSGIPythonHome \"{home}\"\nWSGIPythonPath \"{path}\"\nWSGIScriptAlias / \"{script}\""
        )?,
        Mode::Daemon(processes) => {
            lines += &group("bench", &format!("processes={processes}"));
            writeln!(lines, "WSGIProcessGroup bench\nWSGIScriptAlias / \"{script}\"")?;
        }
        Mode::Sites(number) => {
            for site in 0..number {
                lines += &group(&format!("site{site}"), "");
                writeln!(
                    lines,
                    "WSGIScriptAlias /site{site} \"{script}\"\n\
                     <Location /site{site}>\nWSGIProcessGroup site{site}\n</Location>"
                )?;
            }
        }
    }
    Ok(lines)
}

/// The `mod_wsgi.so` of the environment.
fn module() -> Result<String> {
    let mut command = Command::new(installation::venv()?.join("bin/mod_wsgi-express"));
    let output = command.arg("module-location").output().context("cannot run mod_wsgi-express")?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The number of processes; the other modes are not for programs beside httpd.
fn processes(shape: Shape) -> Result<u32> {
    match shape.mode {
        Mode::Daemon(processes) => Ok(processes),
        other => anyhow::bail!("not measured in mode {other:?}"),
    }
}

fn gunicorn(workdir: &Workdir, shape: Shape, preload: bool) -> Result<Server> {
    let address = testkit::free_address()?;
    let mut command = Command::new(installation::venv()?.join("bin/gunicorn"));
    command.args(["--bind", &address.to_string(), "--no-control-socket", "--log-level", "warning"]);
    command.args(["--workers", &processes(shape)?.to_string()]);
    command.args(["--threads", &shape.threads.to_string()]);
    if preload {
        command.arg("--preload");
    }
    if let Some(user) = web_user()? {
        command.args(["--user", &user.uid.to_string(), "--group", &user.gid.to_string()]);
    }
    command.arg("--chdir").arg(workdir.path()).arg(entry_point(shape.app));
    Server::of_program(Program::start(open_directory("dm-")?, &command)?, address)
}

fn uwsgi(workdir: &Workdir, shape: Shape) -> Result<Server> {
    let directory = open_directory("dm-")?;
    let user = web_user()?;
    if let Some(user) = &user {
        // uWSGI makes its socket after it has become that user.
        chown(directory.path(), Some(user.uid.as_raw()), Some(user.gid.as_raw()))
            .with_context(|| format!("cannot give {} away", directory.path().display()))?;
    }
    let socket = directory.path().join("uwsgi.sock");
    let mut command = Command::new(installation::venv()?.join("bin/uwsgi"));
    command.args(["--master", "--die-on-term", "--need-app", "--disable-logging"]);
    command.arg("--home").arg(installation::venv()?);
    command.arg("--socket").arg(&socket).arg("--chmod-socket=666");
    command.args(["--processes", &processes(shape)?.to_string()]);
    command.args(["--enable-threads", "--threads", &shape.threads.to_string()]);
    if let Some(user) = user {
        command.args(["--uid", &user.uid.to_string(), "--gid", &user.gid.to_string()]);
    }
    command.arg("--chdir").arg(workdir.path());
    command.arg("--module").arg(entry_point(shape.app));
    let program = Program::start(directory, &command)?;
    let proxy = setup(shape).without_wsgi().module("proxy").module("proxy_uwsgi");
    Server::of_both(proxy.conf(&proxied(&socket)).try_start()?, program)
}

/// With its own defaults for all that is not asked for here.
fn granian(workdir: &Workdir, shape: Shape) -> Result<Server> {
    let address = testkit::free_address()?;
    let mut command = Command::new("setpriv");
    if let Some(user) = web_user()? {
        command.args(["--reuid", &user.uid.to_string(), "--regid", &user.gid.to_string()]);
        command.arg("--clear-groups");
    }
    command.arg("--").arg(installation::venv()?.join("bin/granian"));
    command.args(["--interface", "wsgi", "--log-level", "warning"]);
    command.args(["--host", &address.ip().to_string(), "--port", &address.port().to_string()]);
    command.args(["--workers", &processes(shape)?.to_string()]);
    command.args(["--blocking-threads", &shape.threads.to_string()]);
    command.arg("--working-dir").arg(workdir.path()).arg(entry_point(shape.app));
    Server::of_program(Program::start(open_directory("dm-")?, &command)?, address)
}

fn proxied(socket: &Path) -> String {
    format!("ProxyPass / \"unix:{}|uwsgi://bench/\"", socket.display())
}

fn entry_point(app: App) -> &'static str {
    match app {
        App::Hello => "hello:application",
        App::Polls => "polls.wsgi:application",
        App::Library => "library.wsgi:application",
        App::Traffic => "traffic:application",
    }
}

/// The user to become, for root.
fn web_user() -> Result<Option<User>> {
    if !Uid::effective().is_root() {
        return Ok(None);
    }
    let user = User::from_name(WEB_USER)?.with_context(|| format!("no user {WEB_USER}"))?;
    Ok(Some(user))
}
