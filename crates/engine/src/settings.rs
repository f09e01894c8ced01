//! The settings of an engine, given once, when it is made.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use wsgi::codes::Message;
use wsgi::config::interpreter_options::InterpreterRules;
use wsgi::level::Level;
use wsgi::protocol::log_line::LogLine;
use wsgi::protocol::scoreboard::ScoreboardSnapshot;

/// The level of what applications write to their standard streams and `wsgi.errors`.
pub(crate) const OUTPUT_LEVEL: Level = Level::Error;

/// The server-level error log: for what belongs to no request.
pub trait ServerLog: Send + Sync {
    /// Whether lines of this level are written. Never blocks.
    fn logs(&self, level: Level) -> bool;

    /// Writes one line (no end of line in it). Called on threads that are not attached.
    fn write(&self, line: LogLine<'_>);

    /// Writes a message; otherwise as [`Self::write`].
    fn message(&self, message: &Message) {
        if self.logs(message.level()) {
            let write = |line: String| self.write(LogLine::new(message.level(), line.as_bytes()));
            message.lines().for_each(write);
        }
    }

    /// Writes a line that needs no code; otherwise as [`Self::write`].
    fn info(&self, text: &str) {
        self.write(LogLine::new(Level::Info, text.as_bytes()));
    }

    /// Writes a line of an application's standard output or error; otherwise as [`Self::write`].
    fn output(&self, line: &[u8]) {
        self.write(LogLine::new(OUTPUT_LEVEL, line));
    }
}

/// httpd's scoreboard as it is now; `None` if applications may not see it. Called on threads that
/// are not attached.
pub type ReadScoreboard = Arc<dyn Fn() -> Option<ScoreboardSnapshot> + Send + Sync>;

/// The settings of an engine, given once.
#[derive(Clone)]
#[expect(clippy::struct_excessive_bools, reason = "they are the flags that applications see")]
pub struct Settings {
    /// The process group's name; empty in embedded mode.
    pub process_group: String,
    /// Directories for the front of `sys.path`, with their `.pth` files.
    pub python_path: Vec<PathBuf>,
    /// The process's home directory, for `sys.path[0]`.
    pub home: Option<PathBuf>,
    /// `PYTHON_EGG_CACHE`.
    pub python_eggs: Option<PathBuf>,
    /// Request threads of this process.
    pub threads: u32,
    /// `wsgi.multithread`.
    pub multithread: bool,
    /// `wsgi.multiprocess`.
    pub multiprocess: bool,
    /// `wsgi.run_once`.
    pub run_once: bool,
    /// `mod_wsgi.maximum_processes`.
    pub maximum_processes: u32,
    /// Facts about the server.
    pub apache: ApacheFacts,
    /// A daemon worker, not an Apache child: a changed script means another process.
    pub daemon: bool,
    /// The rules for interpreters.
    pub interpreters: InterpreterRules,
    /// How long a thread of this process may keep the GIL, whatever `interpreters` says.
    pub switch_interval: Option<Duration>,
    /// Whether names of files in upper and lower case are alike.
    pub case_insensitive: bool,
    /// Whether the interpreters are left alone at the end: no threads joined, no `atexit` functions
    /// run.
    pub keep_interpreters: bool,
    /// How long a request may take before that is noted in its log.
    pub slow_requests: Option<Duration>,
    /// Apache runs as a single process (`-X`): standard input and output stay what they are.
    pub single_process: bool,
    /// Reads httpd's scoreboard. A daemon worker has none and asks through the request's exchange.
    pub scoreboard: Option<ReadScoreboard>,
    /// The server-level error log.
    pub log: Arc<dyn ServerLog>,
}

/// Facts about the Apache in front, for the modules `mod_wsgi` and `apache`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ApacheFacts {
    /// `apache.version`.
    pub version: (u8, u8, u8),
    /// `apache.description`, as in the `Server` header.
    pub description: String,
    /// `apache.mpm_name`.
    pub mpm_name: String,
    /// `apache.build_date`.
    pub build_date: String,
    /// `apache.maximum_processes`: the MPM's limit.
    pub maximum_processes: u32,
    /// `apache.threads_per_process`: the MPM's number.
    pub threads_per_process: u32,
}

impl Settings {
    /// Makes the directories for `sys.path` absolute, before an application changes the working
    /// directory.
    pub(crate) fn fix_paths(&mut self) {
        let Self { python_path, interpreters, .. } = self;
        let of_blocks = interpreters.blocks.iter_mut().map(|block| &mut block.options);
        let of_all = of_blocks.filter_map(|options| options.python_path.as_mut());
        for entry in of_all.chain([python_path]).flatten() {
            // Without a working directory a relative path means nothing anyway.
            if let Ok(absolute) = std::path::absolute(&entry) {
                *entry = absolute;
            }
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("process_group", &self.process_group)
            .field("daemon", &self.daemon)
            .finish_non_exhaustive()
    }
}
