//! Options about the processes of a group: how many, what they are called, how they end.

use super::DaemonOption;
use crate::config::daemon_process::{MOST_THREADS, value};

pub(super) const PROCESSES: &[DaemonOption] = &[
    DaemonOption {
        name: "processes",
        allowed: "a whole number from 1 to 65533, or MIN..MAX with MIN from 0",
        documentation: "Number of processes (1). Giving it at all makes `wsgi.multiprocess` true. \
                        With `MIN..MAX` processes are added while requests wait and end after \
                        `idle-timeout`; a group with none of them running costs its queue.",
        set: |spec, value| {
            spec.processes = Some(value::processes(value)?);
            Some(())
        },
    },
    DaemonOption {
        name: "threads",
        allowed: "a whole number from 0 to 65533",
        documentation: "Request threads of each process (15). With 1, `wsgi.multithread` is false. \
                        With 0 the group serves no requests: its processes run what \
                        `WSGIImportScript` names, and are started again when that ends.",
        set: |spec, value| {
            spec.threads = value::number(value).filter(|count| *count <= MOST_THREADS)?;
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
        name: "idle-timeout",
        allowed: "a whole number of seconds from 1 to 2147483647",
        documentation: "Seconds without a request after which a process of `processes=MIN..MAX` \
                        ends (60).",
        set: |spec, value| {
            spec.idle_timeout = Some(value::seconds(value).filter(|limit| !limit.is_zero())?);
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
        name: "stack-size",
        allowed: "a number of bytes from 1 to 1048576G (K, M or G may follow)",
        documentation: "Stack of each thread that runs applications (what the system gives to a \
                        thread: `ulimit -s`, usually 8M). The system may want it larger, and says \
                        so in the log.",
        set: |spec, value| {
            spec.stack_size = Some(value::bytes(value)?);
            Some(())
        },
    },
    DaemonOption {
        name: "maximum-requests",
        allowed: "a whole number from 0 to 2147483647",
        documentation: "Requests after which a process is replaced; 0 is no limit (0). What it \
                        still runs is finished.",
        set: |spec, value| {
            spec.limits.maximum_requests = value::count(value)?;
            Some(())
        },
    },
    DaemonOption {
        name: "cpu-priority",
        allowed: "a whole number from -20 to 19",
        documentation: "Nice value of the processes; negative ones need httpd started as root \
                        (inherited).",
        set: |spec, value| {
            spec.limits.cpu_priority = Some(value::nice(value)?);
            Some(())
        },
    },
];
