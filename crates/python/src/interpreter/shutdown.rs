//! The steps of CPython before an interpreter ends, as plain calls: for processes that end without
//! finalising Python.

use crate::attach::attached::Attached;
use crate::objects::error::Result;

/// Joins the interpreter's non-daemon threads. Nothing happens where `threading` was not imported.
///
/// `threading._shutdown` is for the thread that `threading` takes for the main one: up to 3.12 it
/// waits for that thread, too, which in an httpd child is long gone, or mistakes another one for it
/// that the system has given the same identifier.
pub(crate) fn join_threads(py: Attached<'_>) -> Result<'_, ()> {
    let Some(threading) = py.loaded_module("threading")? else { return Ok(()) };
    // The callbacks that `concurrent.futures` registers, so that its threads end.
    if let Some(calls) = threading.attr_opt(c"_threading_atexits")? {
        let calls = calls.iterate()?.collect::<Result<'_, Vec<_>>>()?;
        for call in calls.iter().rev() {
            call.call(&[])?;
        }
    }
    let main = threading.call_method(c"main_thread", &[])?;
    let current = threading.call_method(c"current_thread", &[])?;
    loop {
        let mut joined = false;
        for thread in threading.call_method(c"enumerate", &[])?.iterate()? {
            let thread = thread?;
            let others = !thread.is(&main) && !thread.is(&current);
            if others && !thread.attr(c"daemon")?.is_true()? {
                thread.call_method(c"join", &[])?;
                joined = true;
            }
        }
        // A thread may have started others before it ended.
        if !joined {
            return Ok(());
        }
    }
}

/// Runs the interpreter's `atexit` functions, once.
pub(crate) fn run_atexit(py: Attached<'_>) -> Result<'_, ()> {
    if let Some(atexit) = py.loaded_module("atexit")? {
        atexit.call_method(c"_run_exitfuncs", &[])?;
    }
    Ok(())
}

impl<'py> Attached<'py> {
    /// Joins the interpreter's non-daemon threads.
    pub fn join_threads(self) -> Result<'py, ()> {
        join_threads(self)
    }

    /// Runs the interpreter's `atexit` functions; they do not run again.
    pub fn run_atexit(self) -> Result<'py, ()> {
        run_atexit(self)
    }
}
