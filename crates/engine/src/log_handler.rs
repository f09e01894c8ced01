//! `mod_wsgi.LogHandler`: the module `logging` writes into Apache's error log.
//!
//! The class is made when it is first asked for, because it needs the module `logging`.

use std::ffi::CStr;
use std::sync::Arc;

use python::{Arguments, Class, Error, Exception, Members, Method, Object, Result};
use wsgi::level::Level;

use crate::settings::ServerLog;
use crate::thread;

/// Lets the module `mod_wsgi` make the class.
pub(crate) fn install<'py>(module: &Object<'py>, log: &Arc<dyn ServerLog>) -> Result<'py, ()> {
    let lazy = module.py().class::<LazyNames>()?.instance(LazyNames(Arc::clone(log)))?;
    module.set_attr(c"__getattr__", &lazy.attr(c"__getattr__")?)
}

/// What is made when it is first asked for.
struct LazyNames(Arc<dyn ServerLog>);

impl Class for LazyNames {
    const NAME: &'static CStr = c"mod_wsgi.LazyNames";
    const DOC: &'static CStr = c"The names of mod_wsgi that are made when they are asked for.";

    fn members() -> Members<Self> {
        Members::new().method::<GetAttr>().method::<Write>()
    }
}

struct GetAttr;

impl Method for GetAttr {
    type Class = LazyNames;
    const NAME: &'static CStr = c"__getattr__";
    const DOC: &'static CStr = c"Makes LogHandler.";

    fn call<'py>(
        _this: &LazyNames,
        object: &Object<'py>,
        arguments: Arguments<'py>,
    ) -> Result<'py, Object<'py>> {
        let py = object.py();
        let [Some(name)] = arguments.positional("__getattr__", 1)? else { return Ok(py.none()) };
        let shown = name.display();
        if shown != "LogHandler" {
            let text = format!("module 'mod_wsgi' has no attribute '{shown}'");
            return Err(Error::new(py, Exception::AttributeError, &text));
        }
        let globals = py.dict()?;
        globals.set("__name__", &py.text("mod_wsgi")?)?;
        globals.set("write", &object.attr(c"write")?)?;
        py.run(LOG_HANDLER, "<mod_wsgi.LogHandler>", &globals)?;
        let class = globals.item(&name)?;
        if let Some(module) = py.loaded_module("mod_wsgi")? {
            module.set_attr(c"LogHandler", &class)?;
        }
        Ok(class)
    }
}

const LOG_HANDLER: &str = r#"
import logging

class LogHandler(logging.Handler):
    """Writes records into Apache's error log, at the level that fits."""

    def emit(self, record):
        try:
            write(record.levelno, self.format(record))
        except Exception:
            self.handleError(record)
"#;

struct Write;

impl Method for Write {
    type Class = LazyNames;
    const NAME: &'static CStr = c"write";
    const DOC: &'static CStr = c"write(level, text) with a level of the module logging.";

    fn call<'py>(
        this: &LazyNames,
        object: &Object<'py>,
        arguments: Arguments<'py>,
    ) -> Result<'py, Object<'py>> {
        let py = object.py();
        let [Some(level), Some(text)] = arguments.positional("write", 2)? else {
            return Ok(py.none());
        };
        let level = level_of(level.to_i64()?);
        let text = text.display();
        match thread::lease() {
            Some(lease) => lease.with(py, |live| live.log(level, text.as_bytes()))?,
            None => py.detach(|| {
                text.split('\n').for_each(|line| this.0.line(level, line.as_bytes()));
            }),
        }
        Ok(py.none())
    }
}

fn level_of(number: i64) -> Level {
    match number {
        50.. => Level::Crit,
        40.. => Level::Error,
        30.. => Level::Warning,
        20.. => Level::Info,
        _ => Level::Debug,
    }
}
