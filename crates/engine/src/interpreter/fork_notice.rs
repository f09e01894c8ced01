//! A line in the log when an application forks in a sub-interpreter.
//!
//! CPython ends the new process there, with a line of its own that has no time and no process id
//! and does not tell what to do. Programs that the module subprocess starts are not concerned.

use std::ffi::CStr;
use std::sync::Arc;

use python::{Arguments, Attached, Class, Members, Method, Object, Result};
use wsgi::codes::{self, Message};

use crate::request::current;
use crate::settings::{ServerLog, Settings};

/// Has the line written before each fork in the interpreter that the thread is attached to, which
/// is a sub-interpreter for the application group `name`.
pub(crate) fn install<'py>(py: Attached<'py>, settings: &Settings, name: &str) -> Result<'py, ()> {
    let place = if settings.daemon {
        format!("process group {:?}", settings.process_group)
    } else {
        "embedded mode".to_owned()
    };
    let message = codes::fork_in_sub_interpreter(&place, name);
    let notice = ForkNotice { message, log: Arc::clone(&settings.log) };
    let before = py.class::<ForkNotice>()?.instance(notice)?.attr(c"before")?;
    let options = py.dict()?;
    options.set("before", &before)?;
    py.import(c"os")?.attr(c"register_at_fork")?.call_with(&[], Some(&options)).map(drop)
}

struct ForkNotice {
    message: Message,
    log: Arc<dyn ServerLog>,
}

impl Class for ForkNotice {
    const NAME: &'static CStr = c"mod_wsgi.ForkNotice";
    const DOC: &'static CStr = c"Writes a line before a fork that CPython does not survive.";

    fn members() -> Members<Self> {
        Members::new().method::<Before>()
    }
}

struct Before;

impl Method for Before {
    type Class = ForkNotice;
    const NAME: &'static CStr = c"before";
    const DOC: &'static CStr = c"Writes the line.";

    fn call<'py>(
        this: &ForkNotice,
        object: &Object<'py>,
        arguments: Arguments<'py>,
    ) -> Result<'py, Object<'py>> {
        let py = object.py();
        let [] = arguments.positional("before", 0)?;
        let message = &this.message;
        match current::lease() {
            Some(lease) => lease.with(py, |live| live.message(message))?,
            None => py.detach(|| this.log.message(message)),
        }
        Ok(py.none())
    }
}
