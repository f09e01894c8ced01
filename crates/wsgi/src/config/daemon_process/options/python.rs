//! Options about Python in the processes of a group.

use super::DaemonOption;
use crate::config::argument::flag;
use crate::config::daemon_process::value;

pub(super) const PYTHON: &[DaemonOption] = &[
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
        name: "server-metrics",
        allowed: "On or Off",
        documentation: "Whether `mod_wsgi.server_metrics()` tells applications, while they serve a \
                        request, what httpd's threads are doing (`Off`).",
        set: |spec, value| {
            spec.server_metrics = flag(value)?;
            Some(())
        },
    },
    DaemonOption {
        name: "python-eggs",
        allowed: "an absolute path of a directory",
        documentation: "`PYTHON_EGG_CACHE` in the environment of the processes (inherited).",
        set: |spec, value| {
            spec.python_eggs = Some(value::absolute(value)?);
            Some(())
        },
    },
    DaemonOption {
        name: "switch-interval",
        allowed: "a number of seconds above 0, up to 2147483647",
        documentation: "How long a thread of Python may keep the GIL while others want it \
                        (`WSGISwitchInterval`, else 0.005).",
        set: |spec, value| {
            spec.switch_interval = Some(value::interval(value)?);
            Some(())
        },
    },
];
