//! `mod_wsgi.LogHandler`: the module `logging` writes into Apache's error log.
//!
//! The class is made when it is first asked for, because it needs the module `logging`.

use std::ffi::CStr;
use std::sync::Arc;

use python::{Arguments, Class, Error, Exception, Members, Method, Object, Result};
use wsgi::level::Level;
use wsgi::protocol::log_line::{LogLine, Source};

use crate::request::current;
use crate::settings::ServerLog;

/// Lets the module `mod_wsgi` make the class.
pub(crate) fn install<'py>(module: &Object<'py>, log: &Arc<dyn ServerLog>) -> Result<'py, ()> {
    let lazy = module.py().class::<LazyNames>()?.instance(LazyNames(Arc::clone(log)))?;
    module.set_attr(c"__getattr__", &lazy.attr(c"__getattr__")?)?;
    module.set_attr(c"__dir__", &lazy.attr(c"__dir__")?)
}

/// The names that are made when they are first asked for.
struct LazyNames(Arc<dyn ServerLog>);

impl Class for LazyNames {
    const NAME: &'static CStr = c"mod_wsgi.LazyNames";
    const DOC: &'static CStr = c"The names of mod_wsgi that are made when they are asked for.";

    fn members() -> Members<Self> {
        Members::new().method::<GetAttr>().method::<Dir>().method::<Logs>().method::<Write>()
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
        globals.set("logs", &object.attr(c"logs")?)?;
        globals.set("write", &object.attr(c"write")?)?;
        py.run(LOG_HANDLER, "<mod_wsgi.LogHandler>", &globals)?;
        let class = globals.item(&name)?;
        if let Some(module) = py.loaded_module("mod_wsgi")? {
            module.set_attr(c"LogHandler", &class)?;
        }
        Ok(class)
    }
}

/// The names of the module, that of the class among them before it is made.
struct Dir;

impl Method for Dir {
    type Class = LazyNames;
    const NAME: &'static CStr = c"__dir__";
    const DOC: &'static CStr = c"The names in the module, LogHandler among them.";

    fn call<'py>(
        _this: &LazyNames,
        object: &Object<'py>,
        arguments: Arguments<'py>,
    ) -> Result<'py, Object<'py>> {
        let py = object.py();
        let [] = arguments.positional("__dir__", 0)?;
        let names = py.dict()?;
        if let Some(module) = py.loaded_module("mod_wsgi")? {
            names.update(&module.attr(c"__dict__")?)?;
        }
        names.set("LogHandler", &py.none())?;
        let list = py.list()?;
        names.iterate()?.try_for_each(|name| list.append(&name?))?;
        Ok(list)
    }
}

const LOG_HANDLER: &str = r#"
import logging

class LogHandler(logging.Handler):
    """Writes records into Apache's error log, at the level that fits."""

    def emit(self, record):
        try:
            if logs(record.levelno):
                write(record.levelno, self.format(record), record.pathname, record.lineno)
        except Exception:
            self.handleError(record)
"#;

struct Logs;

impl Method for Logs {
    type Class = LazyNames;
    const NAME: &'static CStr = c"logs";
    const DOC: &'static CStr = c"Whether records of this level of the module logging are written.";

    fn call<'py>(
        this: &LazyNames,
        object: &Object<'py>,
        arguments: Arguments<'py>,
    ) -> Result<'py, Object<'py>> {
        let py = object.py();
        let [Some(level)] = arguments.positional("logs", 1)? else { return Ok(py.none()) };
        let level = level_of(level.to_i64()?);
        let logs = current::lease().map_or_else(|| this.0.logs(level), |lease| lease.logs(level));
        Ok(py.bool(logs))
    }
}

struct Write;

impl Method for Write {
    type Class = LazyNames;
    const NAME: &'static CStr = c"write";
    const DOC: &'static CStr =
        c"write(level, text, file, line) with a level of the module logging.";

    fn call<'py>(
        this: &LazyNames,
        object: &Object<'py>,
        arguments: Arguments<'py>,
    ) -> Result<'py, Object<'py>> {
        let py = object.py();
        let [Some(level), Some(text), Some(file), Some(line)] = arguments.positional("write", 4)?
        else {
            return Ok(py.none());
        };
        let (text, file) = (text.display(), file.display());
        let source = Source {
            file: file.as_bytes(),
            line: u32::try_from(line.to_i64()?).unwrap_or_default(),
        };
        let record = LogLine { level: level_of(level.to_i64()?), source, text: text.as_bytes() };
        match current::lease() {
            Some(lease) => lease.with(py, |live| live.log_lines(record))?,
            None => py.detach(|| {
                let lines = text.split('\n').map(str::as_bytes);
                lines.for_each(|line| this.0.write(LogLine { text: line, ..record }));
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
