//! Directives about Python and its interpreters.

use super::{Directive, DirectiveScope, MAIN, MAIN_OR_BLOCK, on_or_off, one, one_or_unset};
use crate::codes;
use crate::config::argument::{ArgumentError, nearest};
use crate::config::daemon_process::{interval, number, python_home, split_path};
use crate::config::interpreter_options::Block;
use crate::config::tokens::{NotAPair, Pair, next_pair};

pub(super) const PYTHON: &[Directive] = &[
    Directive {
        name: c"<WSGIInterpreterOptions",
        allowed: MAIN,
        arguments: c"[process-group=name] [application-group=name]>",
        documentation: "A section for settings of the interpreters of a process group, of an \
                        application group, or of both; `%{GLOBAL}` is embedded mode, or the main \
                        interpreter. What names more of them counts more. In it may stand \
                        `WSGIFreeThreading`, `WSGIPerInterpreterGIL`, `WSGIPythonPath`, \
                        `WSGIRestrictSignal`, `WSGIRestrictStdin`, `WSGIRestrictStdout` and \
                        `WSGISwitchInterval`.",
        apply: interpreter_options,
    },
    Directive {
        name: c"WSGIDestroyInterpreter",
        allowed: MAIN,
        arguments: c"On | Off",
        documentation: "Whether the threads of an application are joined and its `atexit` \
                        functions run when a process ends; `Off` tells it the event \
                        `process_stopping` only (`On`).",
        apply: |arguments, scope| {
            scope.server.global.keep_interpreters = !on_or_off(arguments)?;
            Ok(())
        },
    },
    Directive {
        name: c"WSGIDontWriteBytecode",
        allowed: MAIN,
        arguments: c"On | Off",
        documentation: "`On` keeps Python from writing `.pyc` files (`Off`).",
        apply: |arguments, scope| {
            scope.server.global.python.dont_write_bytecode = on_or_off(arguments)?;
            Ok(())
        },
    },
    Directive {
        name: c"WSGIFreeThreading",
        allowed: MAIN_OR_BLOCK,
        arguments: c"On | Off",
        documentation: "Whether a Python that can do without a GIL does (`Off`). Such Pythons have \
                        no stable ABI before 3.15 and cannot be used here; with any other it has \
                        no effect.",
        apply: |arguments, scope| {
            let on = on_or_off(arguments)?;
            scope.server.global.interpreter_options().free_threading = Some(on);
            if on {
                let reason = "a Python that has a GIL keeps it";
                scope.note(codes::no_effect("WSGIFreeThreading On", reason));
            }
            Ok(())
        },
    },
    Directive {
        name: c"WSGILazyInitialization",
        allowed: MAIN,
        arguments: c"On | Off",
        documentation: "When Python is started for embedded mode: by each of httpd's children at \
                        its first request that needs it, or (`Off`) by httpd's parent, once, as \
                        the user that it runs as, for all children to inherit. The parent keeps \
                        that Python until httpd is stopped. With `WSGIRestrictEmbedded On` there \
                        is none either way (`On`).",
        apply: |arguments, scope| {
            scope.server.global.lazy_initialization = Some(on_or_off(arguments)?);
            Ok(())
        },
    },
    Directive {
        name: c"WSGIPerInterpreterGIL",
        allowed: MAIN_OR_BLOCK,
        arguments: c"On | Off",
        documentation: "From Python 3.12 on, whether sub-interpreters have a GIL of their own, so \
                        that they run at the same time (`Off`). Extension modules that were not \
                        made for that cannot be imported there, and the error names them.",
        apply: |arguments, scope| {
            scope.server.global.interpreter_options().own_gil = Some(on_or_off(arguments)?);
            Ok(())
        },
    },
    Directive {
        name: c"WSGIPythonEggs",
        allowed: MAIN,
        arguments: c"directory",
        documentation: "`PYTHON_EGG_CACHE` in the environment of applications in embedded mode. \
                        Process groups have `python-eggs`.",
        apply: |arguments, scope| {
            let eggs = one_or_unset(arguments, "a directory")?;
            scope.server.global.python_eggs = eggs.map(Into::into);
            Ok(())
        },
    },
    Directive {
        name: c"WSGIPythonHashSeed",
        allowed: MAIN,
        arguments: c"random | number",
        documentation: "The seed of the hashes of strings: random, or a number up to 4294967295, \
                        where 0 is no randomness (`random`).",
        apply: |arguments, scope| {
            const ALLOWED: &str = "random or a whole number from 0 to 4294967295";
            let value = one(arguments, ALLOWED)?;
            if value != "random" && number::<u32>(&value).is_none() {
                return Err(ArgumentError::Value { value, allowed: ALLOWED });
            }
            scope.server.global.python.hash_seed = Some(value);
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
            let Some(value) = one_or_unset(arguments, ALLOWED)? else {
                scope.server.global.python_home = None;
                return Ok(());
            };
            let home = python_home(&value);
            let home = home.ok_or(ArgumentError::Value { value, allowed: ALLOWED })?;
            scope.server.global.python_home = Some(home);
            Ok(())
        },
    },
    Directive {
        name: c"WSGIPythonOptimize",
        allowed: MAIN,
        arguments: c"0 | 1 | 2",
        documentation: "What Python leaves out of the code that it compiles: nothing, assertions \
                        (`-O`), or documentation strings too (`-OO`) (0). `PYTHONOPTIMIZE` in the \
                        environment of httpd does not count.",
        apply: |arguments, scope| {
            const ALLOWED: &str = "0, 1 or 2";
            let value = one(arguments, ALLOWED)?;
            let level = number::<u8>(&value).filter(|level| *level <= 2);
            scope.server.global.python.optimize =
                level.ok_or(ArgumentError::Value { value, allowed: ALLOWED })?;
            Ok(())
        },
    },
    Directive {
        name: c"WSGIPythonPath",
        allowed: MAIN_OR_BLOCK,
        arguments: c"directory[:directory ...]",
        documentation: "Directories that are put in front of `sys.path` in embedded mode; their \
                        `.pth` files are honoured. Process groups have `python-path`.",
        apply: |arguments, scope| {
            let value = one_or_unset(arguments, "directories with a colon between")?;
            let path = value.as_deref().map(split_path);
            scope.server.global.interpreter_options().python_path = path;
            Ok(())
        },
    },
    Directive {
        name: c"WSGIPythonWarnings",
        allowed: MAIN,
        arguments: c"action[:message[:category[:module[:line]]]]",
        documentation: "What Python does with warnings, as its option `-W`. Given several times, \
                        the later ones count more.",
        apply: |arguments, scope| {
            let warning = one(arguments, "an action, such as ignore or default")?;
            scope.server.global.python.warnings.push(warning);
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
        allowed: MAIN_OR_BLOCK,
        arguments: c"On | Off",
        documentation: "Whether `signal.signal` installs nothing and says so in the log, so that \
                        applications do not take over the signals of their process (`On`).",
        apply: |arguments, scope| {
            scope.server.global.interpreter_options().restrict_signal = Some(on_or_off(arguments)?);
            Ok(())
        },
    },
    Directive {
        name: c"WSGIRestrictStdin",
        allowed: MAIN_OR_BLOCK,
        arguments: c"On | Off",
        documentation: "`On` makes every use of `sys.stdin` an `OSError` (`Off`).",
        apply: |arguments, scope| {
            scope.server.global.interpreter_options().restrict_stdin = Some(on_or_off(arguments)?);
            Ok(())
        },
    },
    Directive {
        name: c"WSGIRestrictStdout",
        allowed: MAIN_OR_BLOCK,
        arguments: c"On | Off",
        documentation: "`On` makes every use of `sys.stdout` an `OSError`; `Off` sends what is \
                        printed to the error log (`Off`).",
        apply: |arguments, scope| {
            scope.server.global.interpreter_options().restrict_stdout = Some(on_or_off(arguments)?);
            Ok(())
        },
    },
    Directive {
        name: c"WSGIServerMetrics",
        allowed: MAIN,
        arguments: c"On | Off",
        documentation: "Whether `mod_wsgi.server_metrics()` shows applications in embedded mode \
                        what all of httpd's threads do (`Off`). Process groups have \
                        `server-metrics`.",
        apply: |arguments, scope| {
            scope.server.global.server_metrics = on_or_off(arguments)?;
            Ok(())
        },
    },
    Directive {
        name: c"WSGISlowRequests",
        allowed: MAIN,
        arguments: c"seconds",
        documentation: "Requests that take longer are noted in the error log, in process groups \
                        together with what their thread is doing at that time; 0 is none (0).",
        apply: |arguments, scope| {
            const ALLOWED: &str = "a number of seconds from 0 to 2147483647";
            let value = one(arguments, ALLOWED)?;
            scope.server.global.slow_requests = match interval(&value) {
                None if number::<f64>(&value) != Some(0.0) => {
                    return Err(ArgumentError::Value { value, allowed: ALLOWED });
                }
                slow => slow,
            };
            Ok(())
        },
    },
    Directive {
        name: c"WSGISwitchInterval",
        allowed: MAIN_OR_BLOCK,
        arguments: c"seconds",
        documentation: "How long a thread of Python may keep the GIL while others want it (0.005). \
                        Process groups have `switch-interval`, which counts more.",
        apply: |arguments, scope| {
            const ALLOWED: &str = "a number of seconds above 0, up to 2147483647";
            let value = one(arguments, ALLOWED)?;
            let interval = interval(&value);
            let interval = interval.ok_or(ArgumentError::Value { value, allowed: ALLOWED })?;
            scope.server.global.interpreter_options().switch_interval = Some(interval);
            Ok(())
        },
    },
];

/// Opens a section; what follows goes into it until it is closed.
fn interpreter_options(
    arguments: &str,
    scope: &mut DirectiveScope<'_>,
) -> Result<(), ArgumentError> {
    const NAMES: [&str; 2] = ["process-group", "application-group"];
    let arguments = arguments.trim_ascii_end();
    let mut arguments =
        arguments.strip_suffix('>').ok_or(ArgumentError::Missing("the closing >"))?;
    let mut block = Block::default();
    while let Some(pair) = next_pair(&mut arguments) {
        let Pair { name, value } = pair.map_err(|NotAPair(word)| ArgumentError::NotAPair(word))?;
        let known = NAMES.into_iter().find(|known| name.eq_ignore_ascii_case(known));
        let known = known.ok_or_else(|| {
            let nearest = nearest(&name, NAMES);
            ArgumentError::UnknownOption { nearest, name: name.clone() }
        })?;
        let place = if known == "process-group" {
            &mut block.process_group
        } else {
            &mut block.application_group
        };
        if place.is_some() {
            return Err(ArgumentError::Twice(known));
        }
        *place = Some(if value == "%{GLOBAL}" { String::new() } else { value });
    }
    let global = &mut scope.server.global;
    global.interpreters.blocks.push(block);
    global.in_block = true;
    Ok(())
}
