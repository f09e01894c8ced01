//! `WSGIDaemonProcess`: the definition of a process group and its options.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::durations::optional_seconds;

use crate::config::argument::{ArgumentError, nearest};
use crate::config::tokens::{NotAPair, Pair, next_pair, next_word};

mod limits;
mod options;
mod socket;
mod timeouts;
mod value;

pub use limits::Limits;
use options::UNSET_IF_EMPTY;
pub use options::{DaemonOption, OPTION_CATEGORIES, OPTIONS};
pub use socket::{
    DEFAULT_HEADER_BUFFER, DEFAULT_REQUEST_BUFFER, DEFAULT_RESPONSE_BUFFER, SocketSpec,
};
pub use timeouts::Timeouts;
pub(crate) use value::{interval, number, python_home, split_path};

/// A user or group as `User` and `Group` name them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Principal {
    /// By name.
    Name(String),
    /// By number (`#33`).
    Id(u32),
}

impl Principal {
    fn parse(value: &str) -> Option<Self> {
        match value.strip_prefix('#') {
            Some(number) => number.parse().ok().map(Self::Id),
            None => Some(Self::Name(value.to_owned())),
        }
    }
}

impl std::fmt::Display for Principal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Id(id) => write!(f, "#{id}"),
        }
    }
}

/// How many processes a group has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Processes {
    /// How many there are at least; with 0 the group may rest.
    pub least: u32,
    /// How many there are at most; more than `least` means that they come and go with the load.
    pub most: u32,
}

impl Processes {
    /// Whether the number changes with the load.
    #[must_use]
    pub fn is_elastic(self) -> bool {
        self.least < self.most
    }
}

/// The things that a group's template has loaded before workers are forked from it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Preload {
    /// There is no template: each worker starts by itself.
    #[default]
    Off,
    /// Python, and the modules of `preload-modules`.
    Interpreter,
    /// The group's applications too.
    Application,
}

/// A process group as it was written. Options that are `None` follow httpd or Python.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupSpec {
    /// Its name.
    pub name: String,
    /// Number of processes; `None` means one, and that `wsgi.multiprocess` is false.
    pub processes: Option<Processes>,
    /// Request threads of each process; with 0 it serves no requests, but runs what is imported.
    pub threads: u32,
    /// User that the processes run as.
    pub user: Option<Principal>,
    /// Their group.
    pub group: Option<Principal>,
    /// Working directory, and first entry of `sys.path`.
    pub home: Option<PathBuf>,
    /// File mode creation mask.
    pub umask: Option<u32>,
    /// Where Python is: a virtual environment or an installation.
    pub python_home: Option<PathBuf>,
    /// Directories for `sys.path`.
    pub python_path: Vec<PathBuf>,
    /// The name that `ps` shows.
    pub display_name: Option<String>,
    /// `LANG` of the processes.
    pub lang: Option<String>,
    /// `LC_ALL` of the processes.
    pub locale: Option<String>,
    /// The things that are loaded before workers are forked.
    pub preload: Preload,
    /// Modules that the template imports.
    pub preload_modules: Vec<String>,
    /// Paths of URLs that the template asks the applications for.
    pub warm_up: Vec<String>,
    /// Whether the template makes what it has loaded immortal, where that is known to work.
    pub preload_immortal: bool,
    /// After how many seconds without a request a process that is not needed ends; `None` means
    /// [`DEFAULT_IDLE_TIMEOUT`].
    #[serde(with = "optional_seconds")]
    pub idle_timeout: Option<Duration>,
    /// Whether the template stays when the last worker has ended for want of requests.
    pub idle_template: bool,
    /// Bytes of private memory with which a process is replaced.
    pub recycle_memory: Option<u64>,
    /// Whether applications may see what httpd's threads do.
    pub server_metrics: bool,
    /// Groups besides the primary one; `None` means those of the user.
    pub supplementary_groups: Option<Vec<Principal>>,
    /// Root directory of the processes.
    pub chroot: Option<PathBuf>,
    /// The owner that scripts must have.
    pub script_user: Option<Principal>,
    /// Which group scripts must belong to; not together with `script_user`.
    pub script_group: Option<Principal>,
    /// `PYTHON_EGG_CACHE` of the processes.
    pub python_eggs: Option<PathBuf>,
    /// How long a thread may keep the GIL; `None` follows `WSGISwitchInterval`.
    pub switch_interval: Option<Duration>,
    /// Bytes of a request thread's stack; `None` is the system's default.
    pub stack_size: Option<u64>,
    /// How long things may take.
    pub timeouts: Timeouts,
    /// Limits on the resources of each process.
    pub limits: Limits,
    /// The queue, and what passes between httpd and the processes.
    pub socket: SocketSpec,
}

/// Threads of a process where the option is not given.
pub const DEFAULT_THREADS: u32 = 15;
const MOST_THREADS: u32 = 65_533;
/// Seconds without a request after which a process of `processes=MIN..MAX` may end.
pub const DEFAULT_IDLE_TIMEOUT: Duration = Duration::from_mins(1);

impl GroupSpec {
    /// A group with nothing said about it but its name.
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            processes: None,
            threads: DEFAULT_THREADS,
            user: None,
            group: None,
            home: None,
            umask: None,
            python_home: None,
            python_path: Vec::new(),
            display_name: None,
            lang: None,
            locale: None,
            preload: Preload::Off,
            preload_modules: Vec::new(),
            warm_up: Vec::new(),
            preload_immortal: true,
            idle_timeout: None,
            idle_template: true,
            recycle_memory: None,
            server_metrics: false,
            supplementary_groups: None,
            chroot: None,
            script_user: None,
            script_group: None,
            python_eggs: None,
            switch_interval: None,
            stack_size: None,
            timeouts: Timeouts::default(),
            limits: Limits::default(),
            socket: SocketSpec::default(),
        }
    }

    /// Reads the arguments of `WSGIDaemonProcess`.
    pub fn parse(mut arguments: &str) -> Result<Self, ArgumentError> {
        let name = next_word(&mut arguments).filter(|name| !name.is_empty());
        let name = name.ok_or(ArgumentError::Missing("the name of the process group"))?;
        let mut spec = Self::named(&name);
        while let Some(pair) = next_pair(&mut arguments) {
            let Pair { name, value } =
                pair.map_err(|NotAPair(word)| ArgumentError::NotAPair(word))?;
            let option = OPTIONS.iter().find(|option| option.name == name).ok_or_else(|| {
                let known = OPTIONS.iter().map(|option| option.name);
                ArgumentError::UnknownOption { nearest: nearest(&name, known), name: name.clone() }
            })?;
            if value.is_empty() && UNSET_IF_EMPTY.contains(&option.name) {
                continue;
            }
            if value.is_empty() {
                return Err(ArgumentError::option(option.name, &value, option.allowed));
            }
            (option.set)(&mut spec, &value)
                .ok_or_else(|| ArgumentError::option(option.name, &value, option.allowed))?;
        }
        spec.check_combinations()?;
        Ok(spec)
    }

    /// Options that mean nothing without another one are mistakes.
    fn check_combinations(&self) -> Result<(), ArgumentError> {
        let alone = |option, needs| Err(ArgumentError::Alone { option, needs });
        if self.preload == Preload::Off && !self.preload_modules.is_empty() {
            return alone("preload-modules", "preload=interpreter or preload=application");
        }
        if self.preload != Preload::Application && !self.warm_up.is_empty() {
            return alone("warm-up", "preload=application");
        }
        if self.script_user.is_some() && self.script_group.is_some() {
            return Err(ArgumentError::Both("script-user", "script-group"));
        }
        if self.idle_timeout.is_some() && !self.pool().is_elastic() {
            return alone("idle-timeout", "processes=MIN..MAX");
        }
        if self.is_service() && self.preload == Preload::Application {
            return alone("preload=application", "request threads (threads=0)");
        }
        if self.is_service() && self.pool().is_elastic() {
            return alone("processes=MIN..MAX", "request threads (threads=0)");
        }
        Ok(())
    }

    /// Whether its processes serve no requests, but run what is imported.
    #[must_use]
    pub fn is_service(&self) -> bool {
        self.threads == 0
    }

    /// How many processes the group has.
    #[must_use]
    pub fn pool(&self) -> Processes {
        self.processes.unwrap_or(Processes { least: 1, most: 1 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn all_options_are_read() {
        let spec = GroupSpec::parse(
            "site processes=2 threads=5 user=www group=#33 umask=0027 home=/srv lang=C \
             locale=C.UTF-8 python-home=/opt/venv python-path=/a::/b display-name=%{GROUP} \
             server-metrics=on",
        );
        let expected = GroupSpec {
            processes: Some(Processes { least: 2, most: 2 }),
            threads: 5,
            user: Some(Principal::Name("www".into())),
            group: Some(Principal::Id(33)),
            umask: Some(0o027),
            home: Some("/srv".into()),
            lang: Some("C".into()),
            locale: Some("C.UTF-8".into()),
            python_home: Some("/opt/venv".into()),
            python_path: vec!["/a".into(), "/b".into()],
            display_name: Some("%{GROUP}".into()),
            server_metrics: true,
            ..GroupSpec::named("site")
        };
        assert_eq!(spec, Ok(expected));
    }

    #[test]
    fn empty_values_leave_some_options_unset() {
        for name in UNSET_IF_EMPTY {
            assert!(OPTIONS.iter().any(|option| option.name == name), "{name}");
            for value in ["''", "\"\"", ""] {
                let spec = GroupSpec::parse(&format!("x {name}={value} threads=2"));
                let expected = GroupSpec { threads: 2, ..GroupSpec::named("x") };
                assert_eq!(spec, Ok(expected), "{name}={value}");
            }
        }
        for option in OPTIONS.iter().filter(|option| !UNSET_IF_EMPTY.contains(&option.name)) {
            assert!(GroupSpec::parse(&format!("x {}=''", option.name)).is_err(), "{}", option.name);
        }
    }

    #[test]
    fn mistakes_are_named() {
        let message = |arguments: &str| GroupSpec::parse(arguments).unwrap_err().to_string();
        assert_eq!(message(""), "the name of the process group is missing");
        assert_eq!(
            message("x threads=abc"),
            "threads=abc: the value must be a whole number from 0 to 65533"
        );
        assert_eq!(
            message("x thread=5"),
            "there is no option \"thread\"; did you mean \"threads\"?"
        );
        assert_eq!(message("x banana=5"), "there is no option \"banana\"");
        assert_eq!(message("x 15"), "\"15\" is not of the form name=value");
        for bad in [
            "threads=-1",
            "threads=65534",
            "supplementary-groups=a,,b",
            "chroot=jail",
            "python-eggs=eggs",
            "switch-interval=0",
            "switch-interval=inf",
            "stack-size=0",
            "maximum-requests=-1",
            "startup-timeout=1s",
            "shutdown-timeout=",
            "deadlock-timeout=+1",
            "inactivity-timeout=x",
            "request-timeout=1.5",
            "interrupt-timeout=-1",
            "graceful-timeout=a",
            "eviction-timeout=a",
            "restart-interval=a",
            "connect-timeout=a",
            "socket-timeout=a",
            "queue-timeout=a",
            "response-socket-timeout=a",
            "response-flush-delay=a",
            "cpu-time-limit=a",
            "cpu-priority=20",
            "memory-limit=1X",
            "virtual-memory-limit=-1",
            "listen-backlog=-1",
            "send-buffer-size=511",
            "receive-buffer-size=1",
            "header-buffer-size=8191",
            "response-buffer-size=65535",
            "socket-user=#x",
            "script-user=#",
            "script-group=#-1",
            "processes=0",
            "processes=",
            "processes=3..2",
            "processes=0..0",
            "processes=..3",
            "umask=9",
            "umask=1000",
            "home=x",
            "user=#x",
            "preload=yes",
            "preload-modules=a,,b",
            "warm-up=x",
            "idle-timeout=-1",
            "idle-timeout=0",
            "recycle-memory=0",
            "recycle-memory=1T",
            "server-metrics=1",
        ] {
            assert!(message(&format!("x {bad}")).starts_with(bad), "{bad}");
        }
    }

    #[test]
    fn pools_preloading_and_limits_are_read() {
        let read = |arguments: &str| GroupSpec::parse(&format!("x {arguments}")).unwrap();
        let spec = read("processes=0..4 idle-timeout=30 idle-template=end");
        assert_eq!(spec.pool(), Processes { least: 0, most: 4 });
        assert_eq!((spec.idle_timeout, spec.idle_template), (Some(Duration::from_secs(30)), false));
        let spec = read(
            "preload=application preload-modules=json,xml.dom warm-up=/,/a?b=c \
             preload-immortal=off",
        );
        assert_eq!(spec.preload, Preload::Application);
        assert_eq!(spec.preload_modules, ["json", "xml.dom"]);
        assert_eq!(spec.warm_up, ["/", "/a?b=c"]);
        assert!(!spec.preload_immortal);
        for (text, bytes) in [("7", 7), ("2K", 2 << 10), ("64m", 64 << 20), ("1G", 1 << 30)] {
            assert_eq!(read(&format!("recycle-memory={text}")).recycle_memory, Some(bytes));
        }
    }

    #[test]
    fn times_limits_and_sizes_are_read() {
        let spec = GroupSpec::parse(
            "x request-timeout=1 shutdown-timeout=0 queue-timeout=45 connect-timeout=9 \
             response-flush-delay=0 cpu-priority=-5 memory-limit=1G send-buffer-size=64K \
             switch-interval=0.01 supplementary-groups=#1,adm maximum-requests=7 script-user=me",
        )
        .unwrap();
        let Timeouts { request, shutdown, queue, connect, .. } = spec.timeouts;
        let seconds = [request, shutdown, queue, connect].map(|limit| limit.as_secs());
        assert_eq!(seconds, [1, 0, 45, 9]);
        assert_eq!((spec.socket.flush_delay, spec.socket.send_buffer), (Duration::ZERO, 64 << 10));
        let Limits { cpu_priority, memory, maximum_requests, .. } = spec.limits;
        assert_eq!((cpu_priority, memory, maximum_requests), (Some(-5), 1 << 30, 7));
        assert_eq!(spec.switch_interval, Some(Duration::from_millis(10)));
        let groups = spec.supplementary_groups.unwrap();
        assert_eq!(groups, [Principal::Id(1), Principal::Name("adm".into())]);
    }

    #[test]
    fn all_options_of_mod_wsgi_are_there_once() {
        let names: std::collections::BTreeSet<_> = OPTIONS.iter().map(|one| one.name).collect();
        assert_eq!(names.len(), OPTIONS.len());
        // Its 44, and those for templates, demand, recycling, the share of threads and the request
        // buffer.
        assert_eq!(OPTIONS.len(), 44 + 9);
    }

    #[test]
    fn options_that_need_others_say_so() {
        let message =
            |arguments: &str| GroupSpec::parse(&format!("x {arguments}")).unwrap_err().to_string();
        assert_eq!(
            message("preload-modules=json"),
            "preload-modules has no effect without preload=interpreter or preload=application"
        );
        assert_eq!(
            message("preload=interpreter warm-up=/"),
            "warm-up has no effect without preload=application"
        );
        assert_eq!(
            message("script-user=a script-group=b"),
            "script-user and script-group exclude each other; give one of them"
        );
        assert_eq!(
            message("threads=0 preload=application"),
            "preload=application has no effect without request threads (threads=0)"
        );
        assert_eq!(
            message("processes=2 idle-timeout=9"),
            "idle-timeout has no effect without processes=MIN..MAX"
        );
    }

    proptest! {
        #[test]
        fn no_text_panics(arguments: String) {
            let _ = GroupSpec::parse(&arguments);
        }
    }
}
