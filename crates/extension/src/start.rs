//! How a process of a process group begins: Python was started by `wsgid` and has called `serve()`.
//!
//! The process becomes a worker at once, or a template first, from which workers are forked that go
//! on here.

use std::convert::Infallible;
use std::sync::Arc;

use engine::{ApacheFacts, Engine, Settings};
use python::Attached;
use wsgi::config::daemon_process::Preload;
use wsgi::process::plan::{
    GROUP_VARIABLE, SAFE_PATH_OF_START, SAFE_PATH_VARIABLE, ServerFacts, WorkerSpec, descriptor,
};

use crate::control_socket::ControlSocket;
use crate::log::ProcessLog;
use crate::service;
use crate::sys;
use crate::template;
use crate::worker::main_thread;
use crate::worker::queue::Queue;
use crate::worker::stacks;

/// What a process of a group has from its beginning.
pub(crate) struct ProcessContext {
    pub(crate) spec: WorkerSpec,
    pub(crate) log: Arc<ProcessLog>,
    pub(crate) engine: Arc<Engine>,
    /// Where requests wait.
    pub(crate) queue: Queue,
    pub(crate) control: ControlSocket,
    /// `wsgid`, which is the parent.
    pub(crate) supervisor: u32,
}

/// Turns this process into a worker or a template. Returns only if it cannot be one.
pub(crate) fn run(py: Attached<'_>) -> Result<Infallible, String> {
    let spec = read_spec()?;
    let log = Arc::new(ProcessLog::new(spec.log_level, spec.time_zone.clone()));
    let queue = Queue::new(sys::inherited(descriptor::QUEUE)?);
    let control = ControlSocket::new(sys::inherited(descriptor::CONTROL)?);
    forget_start(py, &spec).map_err(|error| error.to_string())?;
    // A failure is told where stacks are wanted.
    let _ = stacks::prepare(py);
    let settings = settings(&spec, log.clone());
    let engine = Engine::new(py, settings).map_err(|error| error.to_string())?;
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

fn read_spec() -> Result<WorkerSpec, String> {
    let file = std::fs::File::from(sys::inherited(descriptor::SPEC)?);
    serde_json::from_reader(file)
        .map_err(|error| format!("the worker's task is unreadable: {error}"))
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

fn settings(spec: &WorkerSpec, log: Arc<ProcessLog>) -> Settings {
    let group = &spec.group;
    Settings {
        process_group: group.name.clone(),
        python_path: group.python_path.clone(),
        home: group.home.clone(),
        python_eggs: group.python_eggs.clone(),
        threads: group.threads,
        multithread: group.threads != 1,
        multiprocess: group.processes.is_some(),
        run_once: group.threads == 1 && group.limits.maximum_requests == 1,
        maximum_processes: group.pool().most,
        apache: apache_facts(&spec.server),
        daemon: true,
        interpreters: spec.server.interpreters.clone(),
        switch_interval: group.switch_interval,
        case_insensitive: spec.server.case_insensitive,
        keep_interpreters: spec.server.keep_interpreters,
        slow_requests: spec.server.slow_requests,
        single_process: false,
        scoreboard: None,
        log,
    }
}

/// Facts about httpd in the engine's words.
pub(crate) fn apache_facts(server: &ServerFacts) -> ApacheFacts {
    ApacheFacts {
        version: server.version,
        description: server.description.clone(),
        mpm_name: server.mpm.clone(),
        build_date: server.build_date.clone(),
        maximum_processes: server.children,
        threads_per_process: server.threads,
    }
}
