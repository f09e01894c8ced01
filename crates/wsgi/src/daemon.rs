//! `WSGIDaemonProcess`: the definition of a process group and its options.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::argument::{ArgumentError, nearest};
use crate::words::{NotAPair, Pair, next_pair, next_word};

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

/// A process group as it was written. What is `None` follows httpd or Python.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupSpec {
    /// Its name.
    pub name: String,
    /// Number of processes; `None` means one, and that `wsgi.multiprocess` is false.
    pub processes: Option<u32>,
    /// Request threads of each process.
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
}

/// Threads of a process where the option is not given.
pub const DEFAULT_THREADS: u32 = 15;
const MOST_THREADS: u32 = 65_533;

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
            if value.is_empty() {
                return Err(ArgumentError::option(option.name, &value, option.allowed));
            }
            (option.set)(&mut spec, &value)
                .ok_or_else(|| ArgumentError::option(option.name, &value, option.allowed))?;
        }
        Ok(spec)
    }

    /// How many processes the group has.
    pub fn process_count(&self) -> u32 {
        self.processes.unwrap_or(1)
    }
}

/// An option of `WSGIDaemonProcess`.
#[derive(Clone, Copy, Debug)]
pub struct DaemonOption {
    /// Its name, in front of the `=`.
    pub name: &'static str,
    /// What its value may be, for error messages and documents.
    pub allowed: &'static str,
    /// What it does.
    pub documentation: &'static str,
    set: fn(&mut GroupSpec, &str) -> Option<()>,
}

/// All options of `WSGIDaemonProcess`.
pub const OPTIONS: &[DaemonOption] = &[
    DaemonOption {
        name: "processes",
        allowed: "a whole number from 1",
        documentation: "Number of processes (1). Giving it at all makes `wsgi.multiprocess` true.",
        set: |spec, value| {
            spec.processes = Some(value.parse().ok().filter(|count| *count >= 1)?);
            Some(())
        },
    },
    DaemonOption {
        name: "threads",
        allowed: "a whole number from 1 to 65533",
        documentation: "Request threads of each process (15). With 1, `wsgi.multithread` is false.",
        set: |spec, value| {
            spec.threads = value.parse().ok().filter(|count| (1..=MOST_THREADS).contains(count))?;
            Some(())
        },
    },
    DaemonOption {
        name: "user",
        allowed: "the name of a user, or #uid",
        documentation: "User that the processes run as when httpd is started as root (httpd's \
                        `User`). Never root.",
        set: |spec, value| {
            spec.user = Some(Principal::parse(value)?);
            Some(())
        },
    },
    DaemonOption {
        name: "group",
        allowed: "the name of a group, or #gid",
        documentation: "Group that the processes run as when httpd is started as root (httpd's \
                        `Group`).",
        set: |spec, value| {
            spec.group = Some(Principal::parse(value)?);
            Some(())
        },
    },
    DaemonOption {
        name: "umask",
        allowed: "an octal number from 0 to 0777",
        documentation: "File mode creation mask of the processes (inherited).",
        set: |spec, value| {
            spec.umask = Some(u32::from_str_radix(value, 8).ok().filter(|mask| *mask <= 0o777)?);
            Some(())
        },
    },
    DaemonOption {
        name: "home",
        allowed: "an absolute path of a directory",
        documentation: "Working directory of the processes, and the first entry of `sys.path`.",
        set: |spec, value| {
            spec.home = Some(absolute(value)?);
            Some(())
        },
    },
    DaemonOption {
        name: "lang",
        allowed: "the name of a locale",
        documentation: "`LANG` in the environment of the processes (inherited).",
        set: |spec, value| {
            spec.lang = Some(value.to_owned());
            Some(())
        },
    },
    DaemonOption {
        name: "locale",
        allowed: "the name of a locale",
        documentation: "`LC_ALL` in the environment of the processes, which sets their locale \
                        (inherited).",
        set: |spec, value| {
            spec.locale = Some(value.to_owned());
            Some(())
        },
    },
    DaemonOption {
        name: "python-home",
        allowed: "an absolute path of a virtual environment or a Python installation",
        documentation: "Where the group's Python is: `bin/python` below it is what runs \
                        (`WSGIPythonHome`, else the system's python3).",
        set: |spec, value| {
            spec.python_home = Some(python_home(value)?);
            Some(())
        },
    },
    DaemonOption {
        name: "python-path",
        allowed: "directories with a colon between",
        documentation: "Directories that are put in front of `sys.path`; their `.pth` files are \
                        honoured.",
        set: |spec, value| {
            spec.python_path = split_path(value);
            Some(())
        },
    },
    DaemonOption {
        name: "display-name",
        allowed: "text, or %{GROUP} for (wsgi:NAME)",
        documentation: "The name that `ps` shows for the processes (`(wsgi:NAME)`).",
        set: |spec, value| {
            spec.display_name = Some(value.to_owned());
            Some(())
        },
    },
];

fn absolute(value: &str) -> Option<PathBuf> {
    value.starts_with('/').then(|| PathBuf::from(value))
}

/// The directory of `WSGIPythonHome` and `python-home`; of a `prefix:exec_prefix` pair the prefix.
pub(crate) fn python_home(value: &str) -> Option<PathBuf> {
    absolute(value.split(':').next().unwrap_or_default())
}

/// The directories of a path like `/a:/b`, without empty ones.
pub(crate) fn split_path(value: &str) -> Vec<PathBuf> {
    value.split(':').filter(|entry| !entry.is_empty()).map(PathBuf::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn all_options_are_read() {
        let spec = GroupSpec::parse(
            "site processes=2 threads=5 user=www group=#33 umask=0027 home=/srv lang=C \
             locale=C.UTF-8 python-home=/opt/venv python-path=/a::/b display-name=%{GROUP}",
        );
        let expected = GroupSpec {
            processes: Some(2),
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
            ..GroupSpec::named("site")
        };
        assert_eq!(spec, Ok(expected));
    }

    #[test]
    fn mistakes_are_named() {
        let message = |arguments: &str| GroupSpec::parse(arguments).unwrap_err().to_string();
        assert_eq!(message(""), "the name of the process group is missing");
        assert_eq!(
            message("x threads=abc"),
            "threads=abc: the value must be a whole number from 1 to 65533"
        );
        assert_eq!(
            message("x thread=5"),
            "there is no option \"thread\"; did you mean \"threads\"?"
        );
        assert_eq!(message("x banana=5"), "there is no option \"banana\"");
        assert_eq!(message("x 15"), "\"15\" is not of the form name=value");
        for bad in ["processes=0", "processes=", "umask=9", "umask=1000", "home=x", "user=#x"] {
            assert!(message(&format!("x {bad}")).starts_with(bad), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(arguments: String) {
            let _ = GroupSpec::parse(&arguments);
        }
    }
}
