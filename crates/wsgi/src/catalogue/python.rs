//! Directives about Python and its interpreters.

use super::{Directive, MAIN, on_or_off, one};
use crate::argument::ArgumentError;
use crate::daemon::{python_home, split_path};

pub(super) const PYTHON: &[Directive] = &[
    Directive {
        name: c"WSGILazyInitialization",
        allowed: MAIN,
        arguments: c"On | Off",
        documentation: "When Python is started for embedded mode: by each of httpd's children at its \
                        first request that needs it, or (`Off`) by httpd's parent, once, as the user \
                        that it runs as, for all children to inherit. The parent keeps that Python \
                        until httpd is stopped. With `WSGIRestrictEmbedded On` there is none either \
                        way (`On`).",
        apply: |arguments, scope| {
            scope.server.global.lazy_initialization = Some(on_or_off(arguments)?);
            Ok(())
        },
    },
    Directive {
        name: c"WSGIPerInterpreterGIL",
        allowed: MAIN,
        arguments: c"On | Off",
        documentation: "From Python 3.12 on, whether sub-interpreters have a GIL of their own, so that \
                        they run at the same time (`Off`). Extension modules that were not made for \
                        that cannot be imported there, and the error names them.",
        apply: |arguments, scope| {
            scope.server.global.interpreters.own_gil = on_or_off(arguments)?;
            Ok(())
        },
    },
    Directive {
        name: c"WSGIPythonHome",
        allowed: MAIN,
        arguments: c"directory",
        documentation: "Where Python is (a virtual environment or an installation) for embedded \
                        mode and for process groups without `python-home` (the system's python3).",
        apply: |arguments, scope| {
            const ALLOWED: &str = "an absolute path of a directory";
            let value = one(arguments, ALLOWED)?;
            let home = python_home(&value);
            let home = home.ok_or(ArgumentError::Value { value, allowed: ALLOWED })?;
            scope.server.global.python_home = Some(home);
            Ok(())
        },
    },
    Directive {
        name: c"WSGIPythonPath",
        allowed: MAIN,
        arguments: c"directory[:directory ...]",
        documentation: "Directories that are put in front of `sys.path` in embedded mode; their \
                        `.pth` files are honoured. Process groups have `python-path`.",
        apply: |arguments, scope| {
            let value = one(arguments, "directories with a colon between")?;
            scope.server.global.python_path = split_path(&value);
            Ok(())
        },
    },
    Directive {
        name: c"WSGIRestrictEmbedded",
        allowed: MAIN,
        arguments: c"On | Off",
        documentation: "`On` refuses requests in embedded mode: each gets status 500 and a line in \
                        the error log that says what to set (`Off`).",
        apply: |arguments, scope| {
            scope.server.global.restrict_embedded = Some(on_or_off(arguments)?);
            Ok(())
        },
    },
    Directive {
        name: c"WSGIRestrictSignal",
        allowed: MAIN,
        arguments: c"On | Off",
        documentation: "Whether `signal.signal` installs nothing and says so in the log, so that \
                        applications do not take over the signals of their process (`On`).",
        apply: |arguments, scope| {
            scope.server.global.interpreters.restrict_signal = on_or_off(arguments)?;
            Ok(())
        },
    },
    Directive {
        name: c"WSGIRestrictStdin",
        allowed: MAIN,
        arguments: c"On | Off",
        documentation: "`On` makes every use of `sys.stdin` an `OSError` (`Off`).",
        apply: |arguments, scope| {
            scope.server.global.interpreters.restrict_stdin = on_or_off(arguments)?;
            Ok(())
        },
    },
    Directive {
        name: c"WSGIRestrictStdout",
        allowed: MAIN,
        arguments: c"On | Off",
        documentation: "`On` makes every use of `sys.stdout` an `OSError`; `Off` sends what is \
                        printed to the error log (`Off`).",
        apply: |arguments, scope| {
            scope.server.global.interpreters.restrict_stdout = on_or_off(arguments)?;
            Ok(())
        },
    },
    Directive {
        name: c"WSGIServerMetrics",
        allowed: MAIN,
        arguments: c"On | Off",
        documentation: "Whether `mod_wsgi.server_metrics()` shows applications in embedded mode what \
                        all of httpd's threads do (`Off`). Process groups have `server-metrics`.",
        apply: |arguments, scope| {
            scope.server.global.server_metrics = on_or_off(arguments)?;
            Ok(())
        },
    },
];
