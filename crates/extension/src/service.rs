//! A process of a group with `threads=0`: it serves no requests, and runs what it imports.

use std::convert::Infallible;
use std::sync::Arc;

use engine::ServerLog;
use python::Attached;
use wsgi::codes::{self, Message};
use wsgi::process::control::{Cause, WorkerMessage};

use crate::imports;
use crate::process_context::ProcessContext;
use crate::rlimits;
use crate::sys;

/// SIGTERM ends what runs, as it would end a program: by `SystemExit` in the main thread.
const TERMINATE: &str = "\
import signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
";

/// Turns this process into a service. Returns only if it cannot be one.
pub(crate) fn run(py: Attached<'_>, process: &ProcessContext) -> Result<Infallible, Message> {
    sys::set_title(&process.spec.display_name());
    rlimits::set(&process.spec.group)?;
    py.dict()
        .and_then(|globals| py.run(TERMINATE, "<service>", &globals))
        .map_err(|error| codes::process_not_started(&error))?;
    py.detach(|| {
        let ready = process.control.send(WorkerMessage::Ready);
        ready.map_err(|error| {
            codes::process_not_started(&format_args!("wsgid cannot be told: {error}"))
        })?;
        let group = &process.spec.group.name;
        if process.spec.imports.is_empty() {
            process.log.report(codes::nothing_to_run());
        }
        let log: Arc<dyn ServerLog> = process.log.clone();
        imports::run(&process.engine, &log, group, &process.spec.imports, || true);
        process.engine.shutdown(Cause::Shutdown.reason());
        process.log.note("the service ends");
        sys::exit_now(0)
    })
}
