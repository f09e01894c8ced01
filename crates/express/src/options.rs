//! The options that the user writes. Their names and defaults are those of `mod_wsgi-express`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// The options of `start-server` and `setup-server`.
#[derive(Args, Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag that is given or not")]
pub(crate) struct ServerOptions {
    /// The application: a WSGI script, or a module, or a directory (see --application-type).
    #[arg(value_name = "ENTRY")]
    pub(crate) entry: Option<String>,
    /// The application again; wins over ENTRY.
    #[arg(long, value_name = "ENTRY")]
    pub(crate) entry_point: Option<String>,
    /// The kind of the entry.
    #[arg(long, value_enum, default_value = "script", value_name = "TYPE")]
    pub(crate) application_type: ApplicationType,
    /// The name of the application in the script or module.
    #[arg(long, default_value = "application", value_name = "NAME")]
    pub(crate) callable_object: String,
    /// The interpreter that the application runs in.
    #[arg(long, default_value = "%{GLOBAL}", value_name = "NAME")]
    pub(crate) application_group: String,
    /// The name of the daemon process group [default: HOST:PORT].
    #[arg(long, value_name = "NAME")]
    pub(crate) process_group: Option<String>,
    /// The URL path of the application.
    #[arg(long, default_value = "/", value_name = "URL-PATH")]
    pub(crate) mount_point: String,
    /// Where the application's processes start, and first on their module path [default: here].
    #[arg(long, value_name = "DIRECTORY")]
    pub(crate) working_directory: Option<PathBuf>,
    /// A directory for the module path (may be repeated).
    #[arg(long, value_name = "DIRECTORY")]
    pub(crate) python_path: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) python: PythonOption,
    /// An environment variable for the application, as `mod_env` sets it (may be repeated).
    #[arg(long, num_args = 2, value_names = ["NAME", "VALUE"])]
    pub(crate) setenv: Vec<String>,
    /// A variable of this environment to pass to the application (may be repeated).
    #[arg(long, value_name = "NAME")]
    pub(crate) passenv: Vec<String>,
    /// The locale of the application's processes [default: that of this environment, or C.UTF-8].
    #[arg(long, value_name = "NAME")]
    pub(crate) locale: Option<String>,
    /// Used where there is no --locale.
    #[arg(long, value_name = "NAME")]
    pub(crate) lang: Option<String>,

    /// The address to listen on [default: all].
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) host: Option<String>,
    /// The port to listen on.
    #[arg(long, default_value_t = 8000, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) port: u16,
    /// The host name of the site; requests for other names are refused.
    #[arg(long, value_name = "HOST")]
    pub(crate) server_name: Option<String>,
    /// A further host name of the site, with wildcards (may be repeated).
    #[arg(long, value_name = "HOST", requires = "server_name")]
    pub(crate) server_alias: Vec<String>,
    /// Seconds that an idle connection is kept; 0 keeps none.
    #[arg(long, default_value_t = 2, value_name = "SECONDS")]
    pub(crate) keep_alive_timeout: u32,
    /// Seconds that one read or write may take.
    #[arg(long, default_value_t = 60, value_name = "SECONDS")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) socket_timeout: u32,
    /// Bytes that a request's body may have; 0 sets no limit.
    #[arg(long, default_value_t = 10_485_760, value_name = "BYTES")]
    pub(crate) limit_request_body: u64,

    /// Daemon processes of the application [default: 1].
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) processes: Option<u32>,
    /// Threads that handle requests in each process.
    #[arg(long, default_value_t = 5, value_name = "NUMBER")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) threads: u32,
    /// Requests that httpd handles at once, those for files included.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) max_clients: Option<u32>,
    /// Runs the application in httpd's own children instead of daemon processes.
    #[arg(long)]
    pub(crate) embedded_mode: bool,
    /// Keeps the application as it is when its script changes.
    #[arg(long)]
    pub(crate) disable_reloading: bool,
    /// The user of all processes but httpd's parent; needed when started by root.
    #[arg(long, value_name = "NAME")]
    pub(crate) user: Option<String>,
    /// The group of all processes but httpd's parent [default: the user's].
    #[arg(long, value_name = "NAME")]
    pub(crate) group: Option<String>,

    /// Files in this directory are served by httpd, before the application is asked.
    #[arg(long, value_name = "DIRECTORY")]
    pub(crate) document_root: Option<PathBuf>,
    /// A file or directory that httpd serves at a URL path (may be repeated).
    #[arg(long, num_args = 2, value_names = ["URL-PATH", "PATH"])]
    pub(crate) url_alias: Vec<String>,
    /// A class of directives that .htaccess files below the document root may contain (may be
    /// repeated).
    #[arg(long, value_name = "CLASS")]
    pub(crate) allow_override: Vec<String>,

    /// Writes the logs to the terminal.
    #[arg(long, conflicts_with = "log_directory")]
    pub(crate) log_to_terminal: bool,
    /// Where the logs are written [default: the server root].
    #[arg(long, value_name = "DIRECTORY")]
    pub(crate) log_directory: Option<PathBuf>,
    /// How much httpd logs.
    #[arg(long, value_enum, default_value = "warn", value_name = "LEVEL")]
    pub(crate) log_level: LogLevel,
    /// Logs each request, too.
    #[arg(long)]
    pub(crate) access_log: bool,
    /// The format of the access log: common, combined, or one of `mod_log_config`.
    #[arg(long, default_value = "common", value_name = "FORMAT")]
    pub(crate) access_log_format: String,

    /// Where everything is written [default: dormouse-HOST:PORT:UID in $TMPDIR or /tmp].
    #[arg(long, value_name = "DIRECTORY")]
    pub(crate) server_root: Option<PathBuf>,
    /// The MPM, or several, of which the first that exists in the order of this list is used.
    #[arg(long, alias = "mpm", value_enum, value_name = "MPM")]
    pub(crate) server_mpm: Vec<Mpm>,
    /// The directory of httpd's modules [default: looked for].
    #[arg(long, value_name = "DIRECTORY")]
    pub(crate) modules_directory: Option<PathBuf>,
    /// The program httpd [default: looked for].
    #[arg(long, value_name = "PATH")]
    pub(crate) httpd_executable: Option<PathBuf>,
    /// A file to include at the end of httpd.conf (may be repeated).
    #[arg(long, value_name = "PATH")]
    pub(crate) include_file: Vec<PathBuf>,
}

/// Which Python.
#[derive(Args, Clone, Debug)]
pub(crate) struct PythonOption {
    /// A Python binary or a virtual environment [default: $VIRTUAL_ENV, or the system's python3].
    #[arg(long, value_name = "PATH")]
    pub(crate) python: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ApplicationType {
    /// A Python file that defines the application.
    Script,
    /// The dotted name of a module that defines the application.
    Module,
    /// A directory of files; no application.
    Static,
}

/// In the order of preference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mpm {
    Event,
    Worker,
    Prefork,
}

impl Mpm {
    /// Its name in file and directive names.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Worker => "worker",
            Self::Prefork => "prefork",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogLevel {
    Emerg,
    Alert,
    Crit,
    Error,
    Warn,
    Notice,
    Info,
    Debug,
    Trace1,
    Trace2,
    Trace3,
    Trace4,
    Trace5,
    Trace6,
    Trace7,
    Trace8,
}

impl LogLevel {
    /// Its name in the configuration.
    pub(crate) fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}
