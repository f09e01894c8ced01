//! A template: a process that loads what workers need, and then does nothing but fork them.
//!
//! Workers share its memory as long as they do not write to it ([`sharing`]). It has to be alone in
//! its process: threads do not survive a fork.

mod open_sockets;
mod sharing;
mod warm_up;

use std::fmt::Write as _;

use python::{Attached, Fork};
use wsgi::codes::{self, Message};
use wsgi::config::daemon_process::Preload;
use wsgi::process::control::{SupervisorMessage, WorkerMessage};
use wsgi::process::plan::TEMPLATE_TITLE;
use wsgi::protocol::outcome::Outcome;

use crate::control_socket::{ControlSocket, Incoming};
use crate::panics::caught;
use crate::process_context::ProcessContext;
use crate::synthetic_request::{DiscardExchange, SyntheticRequest};
use crate::sys;

/// Loads what the group wants, and forks a worker whenever `wsgid` asks for one. Returns in each
/// worker, or if this process cannot be a template.
pub(crate) fn run(
    py: Attached<'_>,
    mut process: ProcessContext,
) -> Result<ProcessContext, Message> {
    sys::set_title(&(process.spec.display_name() + TEMPLATE_TITLE));
    let usual = sharing::thresholds(py);
    import_modules(py, &process);
    if process.spec.preload == Preload::Application {
        let loaded = py.detach(|| load_applications(&process));
        if !loaded {
            give_up(&process.control, WorkerMessage::NotLoaded);
        }
        warm_up::run(py, &process);
    }
    let threads = sys::threads();
    if threads > 1 {
        let message = codes::threads_preloaded(&other_threads(py, threads));
        py.detach(|| process.log.report(message));
        give_up(&process.control, WorkerMessage::Threads);
    }
    for message in open_sockets::left_open(&process) {
        py.detach(|| process.log.report(message));
    }
    prepare_for_sharing(py, &process, usual);
    sharing::reserve_free_memory(py);
    process.control.send(WorkerMessage::Ready).map_err(|error| {
        codes::process_not_started(&format_args!("wsgid cannot be told: {error}"))
    })?;
    loop {
        match py.detach(|| process.control.receive()) {
            Incoming::Message(SupervisorMessage::Fork, Some(socket)) => {
                let new = ControlSocket::new(socket);
                let mut told = Ok(());
                let begin = || {
                    // From then on it is wsgid's own child, which wsgid makes sure of.
                    sys::end_with(process.supervisor);
                    told = new.send(WorkerMessage::Forked);
                };
                match py.fork_orphan(begin) {
                    Ok(Fork::Original) => {}
                    Ok(Fork::Copy) => {
                        if told.is_err() {
                            // wsgid does not wait for this worker any more.
                            sys::exit_now(0);
                        }
                        process.control = new;
                        process.engine.forked();
                        return Ok(process);
                    }
                    Err(error) => {
                        let message = codes::fork_failed(&error);
                        py.detach(|| process.log.report(message));
                    }
                }
            }
            Incoming::End => sys::exit_now(0),
            Incoming::Message(..) | Incoming::Nothing => {}
        }
    }
}

/// Tells `wsgid` why there is no template; the log has been told more.
fn give_up(control: &ControlSocket, message: WorkerMessage) -> ! {
    // If `wsgid` does not receive it, the end of this process says enough.
    let _ = control.send(message);
    sys::exit_now(0)
}

/// Imports the modules that `preload-modules` names. One that cannot be imported is logged; the
/// rest is still worth having.
fn import_modules(py: Attached<'_>, process: &ProcessContext) {
    for name in &process.spec.group.preload_modules {
        let imported = py
            .import(c"importlib")
            .and_then(|importlib| importlib.call_method(c"import_module", &[&py.text(name)?]));
        if let Err(error) = imported {
            let message = codes::module_not_preloaded(name);
            let traceback = error.lines();
            py.detach(|| process.log.report_with(message, &traceback));
        }
    }
}

/// Loads the applications; false if one of them cannot be loaded. The thread is not attached.
fn load_applications(process: &ProcessContext) -> bool {
    process.spec.applications.iter().all(|application| {
        let request = SyntheticRequest::to_load(process, application);
        let exchange = DiscardExchange::new("preload", process.log.clone());
        let (outcome, _) = serve_synthetic(process, exchange, |exchange| {
            request.with(|request| process.engine.preload(request, exchange).0)
        });
        outcome == Outcome::Complete
    })
}

/// Runs a request that no client has sent; gives its outcome and the status of its answer.
fn serve_synthetic(
    process: &ProcessContext,
    exchange: DiscardExchange,
    run: impl FnOnce(Box<DiscardExchange>) -> Outcome,
) -> (Outcome, Option<u16>) {
    let status = exchange.status();
    let outcome = caught(|| run(Box::new(exchange))).unwrap_or_else(|panic| {
        process.log.report(codes::internal_error("serving a request of the template", &panic));
        Outcome::Aborted
    });
    let status = status.get().copied();
    (outcome, status)
}

/// The other threads of this process, in words that help to find them.
fn other_threads(py: Attached<'_>, threads: usize) -> String {
    let names = || -> python::Result<'_, Vec<String>> {
        let threading = py.import(c"threading")?;
        let main = threading.call_method(c"main_thread", &[])?;
        let mut names = Vec::new();
        for thread in threading.call_method(c"enumerate", &[])?.iterate()? {
            let thread = thread?;
            if !thread.is(&main) {
                names.push(thread.attr(c"name")?.utf8()?);
            }
        }
        Ok(names)
    };
    let names = names().unwrap_or_default();
    let mut text = String::new();
    let native = (threads - 1).saturating_sub(names.len());
    if !names.is_empty() {
        let _ = write!(text, " (of Python: {})", names.join(", "));
    }
    if native > 0 {
        let _ = write!(
            text,
            " ({native} of libraries; for numerical ones OPENBLAS_NUM_THREADS=1 or \
             OMP_NUM_THREADS=1 in httpd's environment may help)"
        );
    }
    text
}

/// Puts the memory into the state in which it is shared best.
fn prepare_for_sharing<'py>(
    py: Attached<'py>,
    process: &ProcessContext,
    usual: python::Result<'py, [i64; 3]>,
) {
    let immortal = process.spec.group.preload_immortal;
    let prepared = usual.and_then(|usual| sharing::prepare_for_sharing(py, usual, immortal));
    let text = match prepared {
        Ok(Some(count)) => format!("the template is ready, with {count} immortal objects"),
        Ok(None) => "the template is ready".to_owned(),
        Err(error) => format!("the template shares less than it could: {error}"),
    };
    py.detach(|| process.log.note(&text));
}
