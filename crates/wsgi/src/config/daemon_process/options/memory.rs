//! Options about the memory of a group: what is shared, and what there may be.

use super::DaemonOption;
use crate::config::argument::flag;
use crate::config::daemon_process::value;

pub(super) const MEMORY: &[DaemonOption] = &[
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
                        3.12 or later. With `warm-up`, functions whose code Python keeps writing \
                        to also get copies of it that lie together (on).",
        set: |spec, value| {
            spec.preload_immortal = flag(value)?;
            Some(())
        },
    },
    DaemonOption {
        name: "recycle-memory",
        allowed: "a number of bytes from 1 to 1048576G (K, M or G may follow)",
        documentation: "Private memory with which a process is replaced, once it has finished what \
                        it has. Each process has a limit of its own, up to a tenth lower, so that \
                        they do not go together.",
        set: |spec, value| {
            spec.recycle_memory = Some(value::bytes(value)?);
            Some(())
        },
    },
    DaemonOption {
        name: "memory-limit",
        allowed: "a number of bytes from 0 to 1048576G (K, M or G may follow)",
        documentation: "Limit of the kernel for the data of each process (`RLIMIT_DATA`): beyond \
                        it Python raises `MemoryError`. 0 is none (0).",
        set: |spec, value| {
            spec.limits.memory = value::bytes_or_none(value)?;
            Some(())
        },
    },
    DaemonOption {
        name: "virtual-memory-limit",
        allowed: "a number of bytes from 0 to 1048576G (K, M or G may follow)",
        documentation: "Limit of the kernel for the address space of each process (`RLIMIT_AS`). \
                        0 is none (0).",
        set: |spec, value| {
            spec.limits.virtual_memory = value::bytes_or_none(value)?;
            Some(())
        },
    },
];
