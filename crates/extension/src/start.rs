//! How a process of a process group begins: Python was started by `wsgid` and has called `serve()`.
//!
//! The process becomes a worker at once, or a template first, from which workers are forked that go
//! on here.

use std::convert::Infallible;
use std::sync::Arc;

use engine::{Engine, EngineError};
use python::Attached;
use wsgi::codes::{self, Message};
use wsgi::config::daemon_process::Preload;
use wsgi::process::plan::{
    GROUP_VARIABLE, SAFE_PATH_OF_START, SAFE_PATH_VARIABLE, WorkerSpec, descriptor,
};

use crate::control_socket::ControlSocket;
use crate::engine_settings::settings;
use crate::log::ProcessLog;
use crate::process_context::ProcessContext;
use crate::queue::Queue;
use crate::service;
use crate::sys;
use crate::template;
use crate::worker::main_thread;
use crate::worker::stacks;

/// Turns this process into a worker or a template. Returns only if it cannot be one.
pub(crate) fn run(py: Attached<'_>) -> Result<Infallible, Message> {
    let spec = read_spec()?;
    let (most, zone) = (spec.log_level, spec.time_zone.clone());
    let log = Arc::new(ProcessLog::new(most, zone, &spec.group.name));
    let inherited =
        |number| sys::inherited(number).map_err(|error| codes::process_not_started(&error));
    let queue = Queue::new(inherited(descriptor::QUEUE)?);
    let control = ControlSocket::new(inherited(descriptor::CONTROL)?);
    let requests = inherited(descriptor::REQUESTS)?;
    forget_start(py, &spec).map_err(|error| codes::process_not_started(&error))?;
    // A failure is told where stacks are wanted.
    let _ = stacks::prepare(py);
    let settings = settings(&spec, log.clone());
    let engine = Engine::new(py, settings).map_err(|error| match error {
        EngineError::SetUp(message) => message,
        error @ EngineError::NotMain => codes::process_not_started(&error),
    })?;
    let words = sys::map_words(&requests).map_err(|error| codes::process_not_started(&error))?;
    drop(requests);
    engine.admission().share(words);
    let supervisor = std::os::unix::process::parent_id();
    let mut process = ProcessContext { spec, log, engine, queue, control, supervisor };
    if process.spec.preload != Preload::Off {
        process = template::run(py, process)?;
    }
    if process.spec.group.is_service() {
        service::run(py, &process)
    } else {
        main_thread::run(py, process)
    }
}

fn read_spec() -> Result<WorkerSpec, Message> {
    let file = std::fs::File::from(
        sys::inherited(descriptor::SPEC).map_err(|error| codes::process_not_started(&error))?,
    );
    serde_json::from_reader(file).map_err(|error| {
        codes::process_not_started(&format_args!("its task is unreadable: {error}"))
    })
}

/// Undoes what the start has left behind: the working directory on `sys.path` (up to 3.10, where no
/// variable keeps it out), source lines that tracebacks would show (3.13 and later), and variables.
const FORGET_START: &str = "\
import os, sys
if sys.path[:1] == ['']:
    del sys.path[0]
linecache = sys.modules.get('linecache')
if linecache:
    linecache.cache.pop('<string>', None)
    getattr(linecache, '_interactive_cache', {}).clear()
for name in variables:
    os.environ.pop(name, None)
";

fn forget_start<'py>(py: Attached<'py>, spec: &WorkerSpec) -> python::Result<'py, ()> {
    let names = py.list()?;
    names.append(&py.text(GROUP_VARIABLE)?)?;
    if std::env::var_os(SAFE_PATH_VARIABLE).is_some_and(|value| value == SAFE_PATH_OF_START) {
        names.append(&py.text(SAFE_PATH_VARIABLE)?)?;
    }
    if spec.server.python.hash_seed.is_some() {
        names.append(&py.text("PYTHONHASHSEED")?)?;
    }
    let globals = py.dict()?;
    globals.set("variables", &names)?;
    py.run(FORGET_START, "<start>", &globals)
}
