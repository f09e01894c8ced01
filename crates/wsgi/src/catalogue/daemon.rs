//! Directives about process groups.

use super::{Directive, MAIN, SERVERS, one};
use crate::daemon::GroupSpec;
use crate::settings::DefinedGroup;

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
        documentation: "Beginning of the names of the process groups' sockets, relative to \
                        `ServerRoot` (`wsgi` in `DefaultRuntimeDir`).",
        apply: |arguments, scope| {
            let value = one(arguments, "the beginning of a path")?;
            scope.server.global.socket_prefix = Some(value);
            Ok(())
        },
    },
];
