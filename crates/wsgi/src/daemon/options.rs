//! The options of `WSGIDaemonProcess`: the one list of them.

use super::{GroupSpec, MOST_THREADS, Principal, value};
use crate::argument::flag;

/// An option of `WSGIDaemonProcess`.
#[derive(Clone, Copy, Debug)]
pub struct DaemonOption {
    /// Its name, in front of the `=`.
    pub name: &'static str,
    /// What its value may be, for error messages and documents.
    pub allowed: &'static str,
    /// What it does.
    pub documentation: &'static str,
    pub(super) set: fn(&mut GroupSpec, &str) -> Option<()>,
}

/// All options of `WSGIDaemonProcess`.
pub const OPTIONS: &[DaemonOption] = &[
    DaemonOption {
        name: "processes",
        allowed: "a whole number from 1, or MIN..MAX with MIN from 0",
        documentation: "Number of processes (1). Giving it at all makes `wsgi.multiprocess` true. \
                        With `MIN..MAX` processes are added while requests wait and end after \
                        `idle-timeout`; a group with none of them running costs its socket.",
        set: |spec, value| {
            spec.processes = Some(value::processes(value)?);
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
            spec.home = Some(value::absolute(value)?);
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
            spec.python_home = Some(value::python_home(value)?);
            Some(())
        },
    },
    DaemonOption {
        name: "python-path",
        allowed: "directories with a colon between",
        documentation: "Directories that are put in front of `sys.path`; their `.pth` files are \
                        honoured.",
        set: |spec, value| {
            spec.python_path = value::split_path(value);
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
    DaemonOption {
        name: "preload",
        allowed: "off, interpreter or application",
        documentation: "Has workers forked from a template, whose memory they share: one that has \
                        started Python and imported `preload-modules`, or loaded the applications \
                        too (off).",
        set: |spec, value| {
            spec.preload = value::preload(value)?;
            Some(())
        },
    },
    DaemonOption {
        name: "preload-modules",
        allowed: "names of modules with a comma between",
        documentation: "Modules that the template imports.",
        set: |spec, value| {
            spec.preload_modules = value::list(value, value::is_module_name)?;
            Some(())
        },
    },
    DaemonOption {
        name: "warm-up",
        allowed: "paths of URLs that begin with a slash, with a comma between",
        documentation: "What the template asks the applications for, several times, before it is \
                        forked. The environ holds `mod_wsgi.warm_up`; the answers are dropped.",
        set: |spec, value| {
            spec.warm_up = value::list(value, |path| path.starts_with('/'))?;
            Some(())
        },
    },
    DaemonOption {
        name: "preload-immortal",
        allowed: "on or off",
        documentation: "Whether the template has Python keep no more count of references to what \
                        it has loaded, so that using it leaves the memory shared. Needs Python \
                        3.12, 3.13, or one that offers the call. With `warm-up`, functions whose \
                        code Python keeps writing to also get copies of it that lie together (on).",
        set: |spec, value| {
            spec.preload_immortal = flag(value)?;
            Some(())
        },
    },
    DaemonOption {
        name: "idle-timeout",
        allowed: "a whole number of seconds from 1",
        documentation: "Seconds without a request after which a process of `processes=MIN..MAX` \
                        ends (60).",
        set: |spec, value| {
            spec.idle_timeout = Some(value.parse().ok().filter(|seconds| *seconds >= 1)?);
            Some(())
        },
    },
    DaemonOption {
        name: "idle-template",
        allowed: "keep or end",
        documentation: "Whether the template stays when the last process has ended (keep).",
        set: |spec, value| {
            spec.idle_template = value::keep(value)?;
            Some(())
        },
    },
    DaemonOption {
        name: "recycle-memory",
        allowed: "a number of bytes from 1, which K, M or G may follow",
        documentation: "Private memory with which a process is replaced, once it has finished what \
                        it has. Each process has a limit of its own, up to a tenth lower, so that \
                        they do not go together.",
        set: |spec, value| {
            spec.recycle_memory = Some(value::bytes(value)?);
            Some(())
        },
    },
    DaemonOption {
        name: "server-metrics",
        allowed: "On or Off",
        documentation: "Whether `mod_wsgi.server_metrics()` tells applications, while they serve a \
                        request, what httpd's threads are doing (`Off`).",
        set: |spec, value| {
            spec.server_metrics = flag(value)?;
            Some(())
        },
    },
];
