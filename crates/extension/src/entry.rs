//! The extension module `_mod_wsgi`, and its function `serve()`.

use std::ffi::CStr;

use python::module::{Functions, Module};
use python::{Arguments, Attached, Error, Exception, Function, Object, Result};

use crate::start;

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
            Err(message) => Err(Error::new(py, Exception::RuntimeError, &message.to_string())),
        }
    }
}
