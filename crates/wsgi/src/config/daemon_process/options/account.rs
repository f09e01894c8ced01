//! Options about the user that the processes of a group run as, and their surroundings.

use super::DaemonOption;
use crate::config::daemon_process::{Principal, value};

pub(super) const ACCOUNT: &[DaemonOption] = &[
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
            let mask = u32::from_str_radix(value, 8).ok().filter(|_| !value.starts_with('+'));
            spec.umask = Some(mask.filter(|mask| *mask <= 0o777)?);
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
        name: "supplementary-groups",
        allowed: "names of groups, or #gid, with a comma between",
        documentation: "Further groups that the processes belong to when httpd is started as \
                        root (those of the user).",
        set: |spec, value| {
            spec.supplementary_groups = Some(value::principals(value)?);
            Some(())
        },
    },
    DaemonOption {
        name: "chroot",
        allowed: "an absolute path of a directory",
        documentation: "Directory that the processes see as their root; httpd must be started as \
                        root. Scripts, Python and the engine must lie below it, under the same \
                        paths that they have inside.",
        set: |spec, value| {
            spec.chroot = Some(value::absolute(value)?);
            Some(())
        },
    },
    DaemonOption {
        name: "script-user",
        allowed: "the name of a user, or #uid",
        documentation: "The user that a script and its directory must belong to; no other user may \
                        be able to write to them. Other requests are refused (403).",
        set: |spec, value| {
            spec.script_user = Some(Principal::parse(value)?);
            Some(())
        },
    },
    DaemonOption {
        name: "script-group",
        allowed: "the name of a group, or #gid",
        documentation: "The group that a script and its directory must belong to; users outside \
                        of it may not be able to write to them. Other requests are refused (403). \
                        Not together with `script-user`.",
        set: |spec, value| {
            spec.script_group = Some(Principal::parse(value)?);
            Some(())
        },
    },
];
