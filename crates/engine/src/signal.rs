//! `signal.signal` for processes that are not the application's own.
//!
//! A handler that an application installs would take a signal away from Apache or from the
//! worker, so it is logged and left out. In a process that the application forked it is installed.

use std::ffi::CStr;
use std::sync::Arc;

use python::{Arguments, Attached, Class, Handle, Members, Method, Object, Result};
use wsgi::level::Level;

use crate::settings::ServerLog;
use crate::thread;

/// Puts the interceptor in front of `signal.signal`. The module `signal` calls the built-in
/// `_signal.signal` by name, so that is the one to replace, and `signal` need not be imported.
pub(crate) fn install<'py>(py: Attached<'py>, log: &Arc<dyn ServerLog>) -> Result<'py, ()> {
    let module = py.import(c"_signal")?;
    let original = module.attr(c"signal")?.handle();
    let interceptor = Interceptor { original, process: std::process::id(), log: Arc::clone(log) };
    let object = py.class::<Interceptor>()?.instance(interceptor)?;
    module.set_attr(c"signal", &object.attr(c"signal")?)
}

struct Interceptor {
    original: Handle,
    process: u32,
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
        if std::process::id() != this.process {
            return this.original.bind(py).call(&[&number, &handler]);
        }
        let number = number.to_i64()?;
        let mut lines = vec![format!("Callback registration for signal {number} ignored.")];
        let stack = py.import(c"traceback")?.call_method(c"format_stack", &[])?;
        for entry in stack.iterate()? {
            lines.extend(entry?.display().lines().map(str::to_owned));
        }
        match thread::lease() {
            Some(lease) => lease.with(py, |live| {
                for line in &lines {
                    live.log(Level::Info, line.as_bytes());
                }
            })?,
            None => py.detach(|| {
                for line in &lines {
                    this.log.line(Level::Info, line.as_bytes());
                }
            }),
        }
        Ok(handler)
    }
}
