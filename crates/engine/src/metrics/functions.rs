//! The functions of the module `mod_wsgi` that are about metrics.

use std::ffi::CStr;
use std::sync::Arc;

use python::{Arguments, Class, Members, Method, Object, Result};

use super::{Recorder, report};

/// Puts the functions into the module `mod_wsgi`.
pub(crate) fn install<'py>(module: &Object<'py>, recorder: &Arc<Recorder>) -> Result<'py, ()> {
    let object = module.py().class::<Metrics>()?.instance(Metrics(Arc::clone(recorder)))?;
    for name in
        [c"start_recording_metrics", c"request_metrics", c"process_metrics", c"server_metrics"]
    {
        module.set_attr(name, &object.attr(name)?)?;
    }
    Ok(())
}

/// What the functions are methods of.
struct Metrics(Arc<Recorder>);

impl Class for Metrics {
    const NAME: &'static CStr = c"mod_wsgi.Metrics";
    const DOC: &'static CStr = c"The functions that record and report metrics.";

    fn members() -> Members<Self> {
        Members::new()
            .method::<StartRecording>()
            .method::<Requests>()
            .method::<Process>()
            .method::<Server>()
    }
}

struct StartRecording;

impl Method for StartRecording {
    type Class = Metrics;
    const NAME: &'static CStr = c"start_recording_metrics";
    const DOC: &'static CStr = c"Begins to record metrics, once for the process.";

    fn call<'py>(
        this: &Metrics,
        object: &Object<'py>,
        arguments: Arguments<'py>,
    ) -> Result<'py, Object<'py>> {
        let [] = arguments.positional("start_recording_metrics", 0)?;
        object.py().detach(|| this.0.start());
        Ok(object.py().none())
    }
}

struct Requests;

impl Method for Requests {
    type Class = Metrics;
    const NAME: &'static CStr = c"request_metrics";
    const DOC: &'static CStr =
        c"The requests since the last call, as a dict; None while nothing is recorded.";

    fn call<'py>(
        this: &Metrics,
        object: &Object<'py>,
        arguments: Arguments<'py>,
    ) -> Result<'py, Object<'py>> {
        let py = object.py();
        let [] = arguments.positional("request_metrics", 0)?;
        match py.detach(|| this.0.take()) {
            Some(report) => report::requests(py, &this.0, &report),
            None => Ok(py.none()),
        }
    }
}

struct Process;

impl Method for Process {
    type Class = Metrics;
    const NAME: &'static CStr = c"process_metrics";
    const DOC: &'static CStr = c"The process, and its requests since recording began, as a dict; \
        None while nothing is recorded.";

    fn call<'py>(
        this: &Metrics,
        object: &Object<'py>,
        arguments: Arguments<'py>,
    ) -> Result<'py, Object<'py>> {
        let py = object.py();
        let [] = arguments.positional("process_metrics", 0)?;
        match py.detach(|| this.0.totals()) {
            Some(totals) => report::process(py, &this.0, &totals),
            None => Ok(py.none()),
        }
    }
}

struct Server;

impl Method for Server {
    type Class = Metrics;
    const NAME: &'static CStr = c"server_metrics";
    const DOC: &'static CStr = c"None: this process has no access to Apache's scoreboard.";

    fn call<'py>(
        _this: &Metrics,
        object: &Object<'py>,
        arguments: Arguments<'py>,
    ) -> Result<'py, Object<'py>> {
        let [] = arguments.positional("server_metrics", 0)?;
        Ok(object.py().none())
    }
}
