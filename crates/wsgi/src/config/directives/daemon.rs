//! Directives about process groups.

use super::{Directive, MAIN, SERVERS, on_or_off, one};
use crate::config::daemon_process::GroupSpec;
use crate::config::settings::DefinedGroup;

pub(super) const DAEMON: &[Directive] = &[
    Directive {
        name: c"WSGIDaemonProcess",
        allowed: SERVERS,
        arguments: c"name [option=value ...]",
        documentation: "Defines a process group: processes that run applications outside of httpd.",
        apply: |arguments, scope| {
            let spec = GroupSpec::parse(arguments)?;
            scope.server.groups.push(DefinedGroup { spec, place: scope.place.clone() });
            Ok(())
        },
    },
    Directive {
        name: c"WSGISocketPrefix",
        allowed: MAIN,
        arguments: c"path-prefix",
        documentation: "Accepted without effect: process groups have no sockets with names.",
        apply: |arguments, scope| {
            let value = one(arguments, "the beginning of a path")?;
            scope.server.global.socket_prefix = Some(value);
            Ok(())
        },
    },
    Directive {
        name: c"WSGISocketRotation",
        allowed: MAIN,
        arguments: c"On | Off",
        documentation: "Accepted without effect: process groups have no sockets with names. \
                        Requests that come in on connections from before a graceful restart go to \
                        processes of that configuration.",
        apply: |arguments, scope| {
            scope.server.global.socket_rotation = Some(on_or_off(arguments)?);
            Ok(())
        },
    },
];
