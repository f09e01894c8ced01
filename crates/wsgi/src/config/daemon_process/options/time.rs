//! Options about how long things may take.

use std::time::Duration;

use super::DaemonOption;
use crate::config::daemon_process::value;

const SECONDS: &str = "a whole number of seconds from 0 to 2147483647";

pub(super) const TIME: &[DaemonOption] = &[
    DaemonOption {
        name: "startup-timeout",
        allowed: SECONDS,
        documentation: "Seconds that a process may take to start, and to load an application \
                        once the first request asks for it; then it is replaced. 0 is no limit \
                        (0).",
        set: |spec, value| {
            spec.timeouts.startup = value::seconds(value)?;
            Some(())
        },
    },
    DaemonOption {
        name: "shutdown-timeout",
        allowed: SECONDS,
        documentation: "Seconds that a process may take to end; then it is forced out. 0 is no \
                        limit (5).",
        set: |spec, value| {
            spec.timeouts.shutdown = value::seconds(value)?;
            Some(())
        },
    },
    DaemonOption {
        name: "deadlock-timeout",
        allowed: SECONDS,
        documentation: "Seconds in which no thread of a process acquires the GIL; then it is \
                        replaced. 0 is no limit (300).",
        set: |spec, value| {
            spec.timeouts.deadlock = value::seconds(value)?;
            Some(())
        },
    },
    DaemonOption {
        name: "inactivity-timeout",
        allowed: SECONDS,
        documentation: "Seconds without a request after which a process that has served any is \
                        replaced by a fresh one, which has nothing loaded. 0 is never (0).",
        set: |spec, value| {
            spec.timeouts.inactivity = value::seconds(value)?;
            Some(())
        },
    },
    DaemonOption {
        name: "request-timeout",
        allowed: SECONDS,
        documentation: "Seconds that a request may take, times 1 + ln(`threads`); then its \
                        process is replaced and the client gets status 504. 0 is no limit (0).",
        set: |spec, value| {
            spec.timeouts.request = value::seconds(value)?;
            Some(())
        },
    },
    DaemonOption {
        name: "interrupt-timeout",
        allowed: SECONDS,
        documentation: "With it, a request that reaches `request-timeout` first gets the \
                        exception `mod_wsgi.RequestTimeout` raised in it, and so many seconds to \
                        end; only then is its process replaced. 0 is at once (0).",
        set: |spec, value| {
            spec.timeouts.interrupt = value::seconds(value)?;
            Some(())
        },
    },
    DaemonOption {
        name: "graceful-timeout",
        allowed: SECONDS,
        documentation: "Seconds that running requests have to finish when their process is to be \
                        replaced (15).",
        set: |spec, value| {
            spec.timeouts.graceful = value::seconds(value)?;
            Some(())
        },
    },
    DaemonOption {
        name: "eviction-timeout",
        allowed: SECONDS,
        documentation: "The same where SIGUSR1 asks for it. 0 is `graceful-timeout` (0).",
        set: |spec, value| {
            spec.timeouts.eviction = value::seconds(value)?;
            Some(())
        },
    },
    DaemonOption {
        name: "restart-interval",
        allowed: SECONDS,
        documentation: "Seconds after which a process is replaced, once another one is ready. 0 \
                        is never (0).",
        set: |spec, value| {
            spec.timeouts.restart_interval = value::seconds(value)?;
            Some(())
        },
    },
    DaemonOption {
        name: "connect-timeout",
        allowed: SECONDS,
        documentation: "Seconds that a request waits for a place in the queue of the group; then \
                        the client gets status 503 (15).",
        set: |spec, value| {
            spec.timeouts.connect = value::seconds(value)?;
            Some(())
        },
    },
    DaemonOption {
        name: "socket-timeout",
        allowed: SECONDS,
        documentation: "Seconds for each read and write between httpd and a process. 0 is the \
                        `Timeout` of httpd (0).",
        set: |spec, value| {
            spec.timeouts.socket = value::seconds(value)?;
            Some(())
        },
    },
    DaemonOption {
        name: "queue-timeout",
        allowed: SECONDS,
        documentation: "Seconds that a request waits until a process takes it; then the client \
                        gets status 504. 0 is no limit (0).",
        set: |spec, value| {
            spec.timeouts.queue = value::seconds(value)?;
            Some(())
        },
    },
    DaemonOption {
        name: "response-socket-timeout",
        allowed: SECONDS,
        documentation: "Seconds for each write to the client while a response is sent. 0 is \
                        `socket-timeout` (0).",
        set: |spec, value| {
            spec.timeouts.response_socket = value::seconds(value)?;
            Some(())
        },
    },
    DaemonOption {
        name: "response-flush-delay",
        allowed: "a whole number of milliseconds from 0 to 2147483647",
        documentation: "Milliseconds that httpd waits for more of a response before it sends \
                        what there is (5).",
        set: |spec, value| {
            spec.socket.flush_delay = Duration::from_millis(value::count(value)?);
            Some(())
        },
    },
    DaemonOption {
        name: "cpu-time-limit",
        allowed: SECONDS,
        documentation: "Seconds of processor time after which a process is replaced. 0 is no \
                        limit (0).",
        set: |spec, value| {
            spec.limits.cpu_time = value::count(value)?;
            Some(())
        },
    },
];
