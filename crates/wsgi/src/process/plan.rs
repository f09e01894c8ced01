//! The documents that the processes send each other when they start: httpd's parent -> `wsgid` ->
//! worker.
//!
//! These travel as JSON over pipes and memory files: they are small, are read once, and a person
//! who looks for a fault can read them too.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::codes::Message;
use crate::config::daemon_process::{GroupSpec, Preload, Principal};
use crate::config::interpreter_options::InterpreterRules;
use crate::config::settings::PythonOptions;
use crate::durations::milliseconds;
use crate::time_zone::TimeZone;

/// Facts about httpd and its configuration that hold for every Python.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerFacts {
    /// Major, minor and patch number.
    pub version: (u8, u8, u8),
    /// The server's description, with the components that modules add.
    pub description: String,
    /// When the server was built.
    pub build_date: String,
    /// Name of the MPM.
    pub mpm: String,
    /// Threads of each child.
    pub threads: u32,
    /// The most children at a time.
    pub children: u32,
    /// The rules for interpreters.
    pub interpreters: InterpreterRules,
    /// Options that Python is given before it starts.
    pub python: PythonOptions,
    /// Whether names of files in upper and lower case are alike.
    pub case_insensitive: bool,
    /// Whether threads are not joined and `atexit` functions not run at the end of a process.
    pub keep_interpreters: bool,
    /// How long a request may take before that is noted.
    pub slow_requests: Option<Duration>,
}

/// An account of the operating system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
    /// The user's name, or `#uid`.
    pub user: String,
}

/// The work of `wsgid` for one configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Facts about httpd.
    pub server: ServerFacts,
    /// The most talkative level that is logged (httpd's number).
    pub log_level: u8,
    /// httpd's `Timeout`: how long a worker waits for an httpd child.
    #[serde(with = "milliseconds")]
    pub socket_timeout: Duration,
    /// The user that httpd's children run as; they send the requests.
    pub children: Account,
    /// `WSGIPythonHome`.
    pub python_home: Option<PathBuf>,
    /// The groups to run.
    pub groups: Vec<PlannedGroup>,
    /// Whether requests may run in httpd's children.
    pub embedded: bool,
    /// Scripts that run in httpd's children, as far as they are known.
    pub scripts: Vec<MappedScript>,
    /// The findings of earlier plans.
    pub findings: Findings,
    /// For a check: how long all Pythons together may take to answer. `None` is 10 s each.
    pub answer_limit: Option<Duration>,
}

/// Findings about the system, kept so that it is not asked again: httpd's parent keeps it over
/// restarts. It holds what one plan needs and no more.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Findings {
    /// The answers of Pythons.
    pub pythons: Vec<PythonAnswer>,
    /// The users that groups run as.
    pub accounts: Vec<GroupAccount>,
}

/// The answer of a Python about itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PythonAnswer {
    /// The program.
    pub program: PathBuf,
    /// Its root directory, if that is not the system's.
    pub root: Option<PathBuf>,
    /// The user that it was run as.
    pub uid: u32,
    /// The question that it was asked.
    pub question: PythonQuestion,
    /// Its files as they were then; `None` if the answer holds for that moment only.
    pub files: Option<PythonFiles>,
    /// The text that it has written.
    pub text: String,
}

/// A question to a Python.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum PythonQuestion {
    /// Its version.
    Version,
    /// Its version, and where its shared library may be.
    Library,
}

/// The files that decide what a Python answers. They are compared, never read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PythonFiles {
    /// The program, through all links.
    pub program: FileStamp,
    /// `pyvenv.cfg`, if there is one.
    pub environment: Option<FileStamp>,
}

/// A file at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileStamp {
    /// Its device.
    pub device: u64,
    /// Its inode.
    pub inode: u64,
    /// Its size in bytes.
    pub size: u64,
    /// When its content changed last: seconds and nanoseconds.
    pub modified: (i64, i64),
    /// When its inode changed last: seconds and nanoseconds.
    pub changed: (i64, i64),
}

/// The user of a group, as the user database had it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupAccount {
    /// `user=`.
    pub user: Option<Principal>,
    /// `group=`.
    pub group: Option<Principal>,
    /// `supplementary-groups=`.
    pub supplementary_groups: Option<Vec<Principal>>,
    /// The user's name, or `#uid`.
    pub name: String,
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
    /// Supplementary groups, `gid` among them.
    pub groups: Vec<u32>,
    /// The home directory, if there is one.
    pub home: Option<PathBuf>,
    /// Whether processes have to change to this user first.
    pub change: bool,
}

/// A process group with what httpd's parent has found out about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedGroup {
    /// The group's configuration.
    pub spec: GroupSpec,
    /// Where the configuration says it, for messages.
    pub place: String,
    /// Number of the inherited descriptor that is the receiving end of the group's queue (see
    /// [`crate::protocol::queue`]).
    pub queue: i32,
    /// Number of the inherited descriptor that the group's output goes to; `None` for standard
    /// error.
    pub log: Option<i32>,
    /// The applications that a template loads, if the group has one for applications.
    pub applications: Vec<Application>,
    /// The scripts that its processes import when they start.
    pub imports: Vec<ImportedScript>,
    /// Scripts that run in the group, as far as they are known, for checking that they can be read.
    pub scripts: Vec<MappedScript>,
}

/// A script that is imported before there is a request for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportedScript {
    /// Its path.
    pub script: PathBuf,
    /// The application group; empty for the main interpreter.
    pub application_group: String,
}

/// A script, and the directive that names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MappedScript {
    /// Its path.
    pub script: PathBuf,
    /// The directive, with file and line.
    pub directive: String,
}

/// An application that the configuration maps to a process group, as requests will ask for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Application {
    /// Path of its script.
    pub script: PathBuf,
    /// URL path that it is mounted at; empty for the root.
    pub mount: String,
    /// Name of its application group; it runs in the main interpreter whatever the name is.
    pub application_group: String,
    /// Name of the callable in the script.
    pub callable: String,
    /// Name of the server that it belongs to.
    pub host: String,
    /// The server's port.
    pub port: u16,
}

/// The findings of `wsgid check`, before anything is started.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Messages about what must be mended.
    pub problems: Vec<Message>,
    /// Messages that are worth knowing, about what keeps nothing from working.
    pub warnings: Vec<Message>,
    /// Notes on what was not found out, and does not have to be.
    pub notes: Vec<String>,
    /// The Python of httpd's children, or why it cannot be loaded into them. It is looked for even
    /// where requests may not run there, since hooks in `.htaccess` may. `None` if it has not
    /// answered in time.
    pub embedded: Option<Result<PythonFacts, String>>,
    /// The groups, in the order of the plan.
    pub groups: Vec<GroupReport>,
    /// Findings for the next plan.
    pub findings: Findings,
}

/// Findings about a process group. Texts are empty where nothing could be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupReport {
    /// The user that it runs as.
    pub user: String,
    /// The Python program.
    pub program: PathBuf,
    /// Its version, as in `3.13.0`.
    pub version: String,
}

/// The facts that a Python reports about itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PythonFacts {
    /// Path of the program.
    pub executable: PathBuf,
    /// `sys.version`, for comparing with what is loaded.
    pub version: String,
    /// Path of its shared library.
    pub library: PathBuf,
}

/// How Python is started in a process of httpd.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PythonStart {
    /// The Python whose library was loaded.
    pub python: PythonFacts,
    /// Options that it is given. Those that it takes from the environment only were put there.
    pub options: PythonOptions,
}

/// The settings that a worker receives when it starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerSpec {
    /// The group's configuration.
    pub group: GroupSpec,
    /// Facts about httpd.
    pub server: ServerFacts,
    /// The most talkative level that is logged (httpd's number).
    pub log_level: u8,
    /// The zone that log lines are in.
    pub time_zone: TimeZone,
    /// How long the worker waits for an httpd child.
    #[serde(with = "milliseconds")]
    pub socket_timeout: Duration,
    /// Users whose connections are taken.
    pub peers: Vec<u32>,
    /// The things that this process loads before it is forked; [`Preload::Off`] for one that is a
    /// worker itself.
    pub preload: Preload,
    /// The applications that are loaded then.
    pub applications: Vec<Application>,
    /// The scripts that are imported when the process starts.
    pub imports: Vec<ImportedScript>,
}

impl WorkerSpec {
    /// The name that `ps` shows.
    pub fn display_name(&self) -> String {
        match self.group.display_name.as_deref() {
            None | Some("%{GROUP}") => format!("(wsgi:{})", self.group.name),
            Some(name) => name.to_owned(),
        }
    }
}

/// The settings that the engine receives when it is loaded into an httpd child.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EmbeddedSpec {
    /// The Python whose library was loaded.
    pub python: PythonFacts,
    /// `WSGIPythonPath`.
    pub python_path: Vec<PathBuf>,
    /// Facts about httpd.
    pub server: ServerFacts,
    /// Whether httpd serves in one process, for looking for faults (`httpd -X`).
    pub single_process: bool,
    /// Whether it was said already that another module has started Python.
    #[serde(rename = "company_is_known")]
    pub python_in_parent_is_known: bool,
    /// `WSGIPythonEggs`.
    pub python_eggs: Option<PathBuf>,
    /// The scripts that are imported at once.
    pub imports: Vec<ImportedScript>,
}

/// The variable in the environment of a group's processes that holds the group's name, for tools
/// that look at them from outside.
pub const GROUP_VARIABLE: &str = "DORMOUSE_PROCESS_GROUP";
/// The variable that keeps Python from importing from its working directory (3.11 and later).
pub const SAFE_PATH_VARIABLE: &str = "PYTHONSAFEPATH";
/// Its value where it is set for the start of a process of ours alone: any value means yes.
pub const SAFE_PATH_OF_START: &str = "dormouse";
/// The end of a template's title.
pub const TEMPLATE_TITLE: &str = " template";

/// Numbers of the descriptors that a worker finds open when its Python starts.
pub mod descriptor {
    /// The receiving end of the group's queue (see [`crate::protocol::queue`]).
    pub const QUEUE: i32 = 3;
    /// The socket to `wsgid` (see [`crate::process::control`]).
    pub const CONTROL: i32 = 4;
    /// The [`super::WorkerSpec`] as JSON.
    pub const SPEC: i32 = 5;
    /// The memory file in which the processes of the group tell each other of running requests:
    /// [`REQUEST_WORDS`] words of 64 bits, zero at first. It keeps its size.
    pub const REQUESTS: i32 = 6;

    /// More requests of a group that run at a time write over each other's words.
    pub const REQUEST_WORDS: u8 = 64;
}

/// Numbers of the descriptors that `wsgid` finds open when it starts (besides standard input, where
/// the [`Plan`] is, and standard error, which is httpd's error log).
pub mod supervisor_descriptor {
    /// Where it says that it runs, by closing it, after a line about each group that it cannot run.
    pub const READY: i32 = 1;
    /// The read end of the lifeline: httpd's parent and children hold the other end.
    pub const LIFELINE: i32 = 3;
    /// The memory file with the states of the groups, in the order of the plan (see
    /// [`crate::protocol::queue::GroupState`]).
    pub const STATES: i32 = 4;
    /// The first of the descriptors for [`super::PlannedGroup::queue`] and
    /// [`super::PlannedGroup::log`].
    pub const GROUPS: i32 = 5;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_have_a_name() {
        let mut spec = WorkerSpec {
            group: GroupSpec::named("site"),
            server: ServerFacts::default(),
            log_level: 4,
            time_zone: TimeZone::default(),
            socket_timeout: Duration::from_mins(1),
            peers: vec![33],
            preload: Preload::Off,
            applications: Vec::new(),
            imports: Vec::new(),
        };
        assert_eq!(spec.display_name(), "(wsgi:site)");
        spec.group.display_name = Some("%{GROUP}".into());
        assert_eq!(spec.display_name(), "(wsgi:site)");
        spec.group.display_name = Some("my site".into());
        assert_eq!(spec.display_name(), "my site");
        let json = serde_json::to_string(&spec).unwrap();
        assert_eq!(serde_json::from_str::<WorkerSpec>(&json).unwrap(), spec);
    }
}
