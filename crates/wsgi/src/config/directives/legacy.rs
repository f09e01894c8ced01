//! Directives that mean nothing here, or nothing any more, so that configurations which have them
//! load unchanged. Mistakes in them are still mistakes.

use super::{Directive, DirectiveScope, FILE_INFO, MAIN, SECTIONS, SERVERS, on_or_off, one, some};
use crate::codes;
use crate::config::argument::ArgumentError;
use crate::config::daemon_process::number;
use crate::config::tokens::words;
use crate::level::Level;

pub(super) const LEGACY: &[Directive] = &[
    Directive {
        name: c"WSGIAcceptMutex",
        allowed: MAIN,
        arguments: c"default | flock | fcntl | sysvsem | posixsem | pthread",
        documentation: "Has no effect: the kernel wakes one thread for each request, and no lock \
                        is needed for that.",
        apply: |arguments, _scope| {
            const ALLOWED: &str = "default, flock, fcntl, sysvsem, posixsem or pthread";
            let value = one(arguments, ALLOWED)?;
            let known = ["default", "flock", "fcntl", "sysvsem", "posixsem", "pthread"];
            if known.iter().any(|name| name.eq_ignore_ascii_case(&value)) {
                Ok(())
            } else {
                Err(ArgumentError::Value { value, allowed: ALLOWED })
            }
        },
    },
    Directive {
        name: c"WSGINewRelicConfigFile",
        allowed: SERVERS,
        arguments: c"file",
        documentation: "Has no effect since mod_wsgi 6; start the agent in the WSGI script.",
        apply: |arguments, scope| {
            one(arguments, "a file")?;
            no_effect(scope, "WSGINewRelicConfigFile", "start the agent in the WSGI script");
            Ok(())
        },
    },
    Directive {
        name: c"WSGINewRelicEnvironment",
        allowed: SERVERS,
        arguments: c"name",
        documentation: "Has no effect since mod_wsgi 6; start the agent in the WSGI script.",
        apply: |arguments, scope| {
            one(arguments, "the name of an environment")?;
            no_effect(scope, "WSGINewRelicEnvironment", "start the agent in the WSGI script");
            Ok(())
        },
    },
    Directive {
        name: c"WSGIPy3kWarningFlag",
        allowed: MAIN,
        arguments: c"On | Off",
        documentation: "Has no effect: it was for Python 2.",
        apply: |arguments, scope| {
            on_or_off(arguments)?;
            no_effect(scope, "WSGIPy3kWarningFlag", "it was for Python 2");
            Ok(())
        },
    },
    Directive {
        name: c"WSGIReloadMechanism",
        allowed: FILE_INFO,
        arguments: c"Module | Process",
        documentation: "Has no effect: in a process group the process is replaced, in embedded \
                        mode the script.",
        apply: |arguments, scope| {
            one(arguments, "Module or Process")?;
            let why = "in a process group the process is replaced, in embedded mode the script";
            no_effect(scope, "WSGIReloadMechanism", why);
            Ok(())
        },
    },
    Directive {
        name: c"WSGITelemetryOptions",
        allowed: MAIN,
        arguments: c"[+|-]CaptureUserAgent ... | None | All",
        documentation: "Has no effect: there is no telemetry service here.",
        apply: |arguments, scope| {
            telemetry_options(&some(arguments, "CaptureUserAgent, None or All")?)?;
            no_effect(scope, "WSGITelemetryOptions", "there is no telemetry service here");
            Ok(())
        },
    },
    Directive {
        name: c"WSGITelemetryService",
        allowed: MAIN,
        arguments: c"unix:/path [interval=seconds]",
        documentation: "Has no effect: there is no telemetry service here. `WSGISlowRequests` \
                        works without it.",
        apply: |arguments, scope| {
            telemetry_service(&words(arguments))?;
            no_effect(scope, "WSGITelemetryService", "there is no telemetry service here");
            Ok(())
        },
    },
    Directive {
        name: c"WSGIUserAuthoritative",
        allowed: FILE_INFO,
        arguments: c"On | Off",
        documentation: "Has no effect since mod_wsgi 6: the order of the providers decides.",
        apply: |arguments, scope| {
            on_or_off(arguments)?;
            no_effect(scope, "WSGIUserAuthoritative", "the order of the providers decides");
            Ok(())
        },
    },
    Directive {
        name: c"WSGIVerboseDebugging",
        allowed: SECTIONS,
        arguments: c"On | Off",
        documentation: "Has no effect: use `LogLevel wsgi:debug`.",
        apply: |arguments, scope| {
            on_or_off(arguments)?;
            let message = codes::no_effect("WSGIVerboseDebugging", "use LogLevel wsgi:debug");
            scope.note(message.lowered_to(Level::Info));
            Ok(())
        },
    },
];

fn no_effect(scope: &mut DirectiveScope<'_>, name: &str, why: &str) {
    scope.note(codes::no_effect(name, why));
}

fn telemetry_service(words: &[String]) -> Result<(), ArgumentError> {
    const TARGET: &str = "unix: and the path of a socket";
    const INTERVAL: &str = "interval= and a number of seconds from 0.5";
    let (target, options) = words.split_first().ok_or(ArgumentError::Missing(TARGET))?;
    let wrong =
        |value: &String, allowed| Err(ArgumentError::Value { value: value.clone(), allowed });
    if target.strip_prefix("unix:").is_none_or(str::is_empty) {
        return wrong(target, TARGET);
    }
    let (interval, more) = match options {
        [] => return Ok(()),
        [interval, more @ ..] => (interval, more.first()),
    };
    if let Some(more) = more {
        return Err(ArgumentError::TooMany(more.clone()));
    }
    let seconds = interval.strip_prefix("interval=").and_then(number::<f64>);
    match seconds {
        Some(seconds) if seconds >= 0.5 && seconds.is_finite() => Ok(()),
        _ => wrong(interval, INTERVAL),
    }
}

fn telemetry_options(words: &[String]) -> Result<(), ArgumentError> {
    const ALLOWED: &str = "CaptureUserAgent, with + or - or without, or None or All alone";
    let mut signed = words.iter().map(|word| word.starts_with(['+', '-']));
    let first = signed.next();
    let mixed = signed.any(|signed| Some(signed) != first);
    let wrong = words.iter().find(|word| {
        let is = |name| word.eq_ignore_ascii_case(name);
        let flag = word.trim_start_matches(['+', '-']);
        let one_sign = word.len() - flag.len() <= 1;
        let set = flag.eq_ignore_ascii_case("CaptureUserAgent") && one_sign;
        mixed || !(is("None") || is("All") || set)
    });
    match wrong {
        Some(word) => Err(ArgumentError::Value { value: word.clone(), allowed: ALLOWED }),
        None => Ok(()),
    }
}
