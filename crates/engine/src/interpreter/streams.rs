//! `sys.stdin`, `sys.stdout` and `sys.stderr` of an interpreter.

use std::ffi::CStr;
use std::sync::Arc;

use python::{Attached, Attribute, Class, Error, Exception, Members, Object, Result};
use wsgi::config::interpreter_options::Rules;

use crate::objects::classes::Classes;
use crate::objects::log_stream::{LogStream, text_over};
use crate::settings::Settings;

/// Replaces the standard streams as the settings want.
pub(crate) fn install<'py>(
    py: Attached<'py>,
    settings: &Settings,
    rules: &Rules,
    classes: &Classes,
) -> Result<'py, ()> {
    let sys = py.import(c"sys")?;
    let log = |name| {
        let stream = LogStream::of_server(name, Arc::clone(&settings.log));
        text_over(&classes.log.bind(py).instance(stream)?)
    };
    sys.set_attr(c"stderr", &log("<stderr>")?)?;
    if settings.single_process {
        return Ok(());
    }
    let restricted = py.class::<Restricted>()?;
    let stdout = if rules.restrict_stdout {
        restricted.instance(Restricted("sys.stdout"))?
    } else {
        log("<stdout>")?
    };
    sys.set_attr(c"stdout", &stdout)?;
    if rules.restrict_stdin {
        sys.set_attr(c"stdin", &restricted.instance(Restricted("sys.stdin"))?)?;
    }
    Ok(())
}

/// A stream that applications may not use.
struct Restricted(&'static str);

impl Class for Restricted {
    const NAME: &'static CStr = c"mod_wsgi.Restricted";
    const DOC: &'static CStr = c"A standard stream that an application may not use.";

    fn members() -> Members<Self> {
        Members::new().attribute()
    }
}

impl Attribute for Restricted {
    fn attribute<'py>(&self, py: Attached<'py>, _name: &Object<'py>) -> Result<'py, Object<'py>> {
        let text = format!("access to {} is restricted by the server's configuration", self.0);
        Err(Error::new(py, Exception::OsError, &text))
    }
}
