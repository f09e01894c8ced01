//! `signal.signal` for processes that are not the application's own.
//!
//! A handler that an application installs would take a signal away from Apache or from the
//! worker, so it is logged and left out. In a process that the application forked it is installed.

use std::ffi::CStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use python::{Arguments, Attached, Class, Handle, Members, Method, Object, Result};

use crate::request::stack_log::log_with_stack;
use crate::settings::ServerLog;

/// Puts the interceptor in front of `signal.signal`. The module `signal` calls the built-in
/// `_signal.signal` by name, so that is the one to replace, and `signal` need not be imported.
pub(crate) fn install<'py>(py: Attached<'py>, log: &Arc<dyn ServerLog>) -> Result<'py, ()> {
    let module = py.import(c"_signal")?;
    let original = module.attr(c"signal")?.handle();
    is_ours();
    let interceptor = Interceptor { original, log: Arc::clone(log) };
    let object = py.class::<Interceptor>()?.instance(interceptor)?;
    module.set_attr(c"signal", &object.attr(c"signal")?)
}

/// The process that is the server's and not one that an application forked.
static OURS: AtomicU32 = AtomicU32::new(0);

/// Says that the current process is the server's.
pub(crate) fn is_ours() {
    OURS.store(std::process::id(), Ordering::Relaxed);
}

struct Interceptor {
    original: Handle,
    log: Arc<dyn ServerLog>,
}

impl Class for Interceptor {
    const NAME: &'static CStr = c"mod_wsgi.SignalInterceptor";
    const DOC: &'static CStr = c"Keeps applications from taking signals away from the server.";

    fn members() -> Members<Self> {
        Members::new().method::<Signal>()
    }
}

struct Signal;

impl Method for Signal {
    type Class = Interceptor;
    const NAME: &'static CStr = c"signal";
    const DOC: &'static CStr = c"signal(signalnum, handler): installs nothing, returns handler.";

    fn call<'py>(
        this: &Interceptor,
        object: &Object<'py>,
        arguments: Arguments<'py>,
    ) -> Result<'py, Object<'py>> {
        let py = object.py();
        let [Some(number), Some(handler)] = arguments.positional("signal", 2)? else {
            return Ok(py.none());
        };
        if std::process::id() != OURS.load(Ordering::Relaxed) {
            return this.original.bind(py).call(&[&number, &handler]);
        }
        let number = number.to_i64()?;
        let text = format!("Callback registration for signal {number} ignored.");
        log_with_stack(py, &this.log, &text)?;
        Ok(handler)
    }
}
