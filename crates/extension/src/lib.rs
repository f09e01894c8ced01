//! `_mod_wsgi.abi3.so`: the engine, packed as a library for whatever Python loads it.
//!
//! Two ways lead in. A worker's Python imports it and calls `serve()`, which does not return
//! (`start`). An httpd child that needs embedded mode loads it behind libpython and calls the C entry
//! (`embedded`). It links no Python: it takes the symbols of the interpreter that is there.

mod control_socket;
mod embedded;
mod imports;
mod log;
mod panics;
mod rlimits;
mod service;
mod start;
mod synthetic_request;
mod sys;
mod template;
mod thread_stack;
mod worker;

use std::ffi::CStr;

use python::module::{Functions, Module};
use python::{Arguments, Attached, Error, Exception, Function, Object, Result};

/// The extension module `_mod_wsgi`.
pub(crate) struct Extension;

impl Module for Extension {
    const NAME: &'static CStr = c"_mod_wsgi";
    const DOC: &'static CStr = c"Dormouse's engine. Started by wsgid; of no use to applications.";

    fn functions() -> Functions {
        Functions::new().with::<Serve>()
    }

    fn exec<'py>(_py: Attached<'py>, _module: &Object<'py>) -> Result<'py, ()> {
        Ok(())
    }
}

/// `_mod_wsgi.serve()`.
struct Serve;

impl Function for Serve {
    const NAME: &'static CStr = c"serve";
    const DOC: &'static CStr =
        c"serve()\n--\n\nTurn this process into a worker or a template. Does not return.";

    fn call<'py>(py: Attached<'py>, arguments: Arguments<'py>) -> Result<'py, Object<'py>> {
        let [] = arguments.positional("serve", 0)?;
        match start::run(py) {
            Ok(never) => match never {},
            Err(error) => Err(Error::new(py, Exception::RuntimeError, &error)),
        }
    }
}
